"""A record is validated when made and when read; the same content has the same line and id."""

import dataclasses
import json
import math

import pytest

from fastscale.errors import InputError
from fastscale.records import Record, key


def test_round_trip_is_exact(made_up):
    record = made_up(values={"train_loss": 0.1 + 0.2})
    line = record.to_json()
    assert Record.from_json(line) == record
    assert Record.from_json(line).to_json() == line
    assert "\n" not in line and list(json.loads(line)) == sorted(json.loads(line))


def test_id_follows_content_only(made_up):
    assert made_up().id == made_up().id
    assert made_up(factor=2).id == made_up(factor=2.0).id
    assert made_up(values={"top1_error": 12}).id == made_up(values={"top1_error": 12.0}).id
    assert made_up().id != made_up(seed=1).id


def test_a_record_of_a_base_has_no_strategy(made_up):
    assert made_up(strategy=None, factor=1.0).strategy is None


def test_fields_that_do_not_apply_may_be_none(made_up):
    record = made_up(
        kind="time",
        data=None,
        data_hash=None,
        recipe=None,
        recipe_hash=None,
        seed=None,
        epochs=None,
    )
    assert Record.from_json(record.to_json()) == record


def test_weights_from_elsewhere_are_evaluated_without_a_recipe(made_up):
    record = made_up(
        kind="evaluate",
        recipe=None,
        recipe_hash=None,
        seed=None,
        epochs=None,
        values={"top1_error": 25.8, "images": 3925},
    )
    assert Record.from_json(record.to_json()) == record and key(record) != key(
        made_up(kind="time", recipe=None)
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "guess"}, "kind must be one of train, time, evaluate"),
        ({"run": " "}, "run must be"),
        ({"arch": None}, "arch must be"),
        ({"strategy": ""}, "strategy must be"),
        ({"strategy": None}, "factor must be 1"),
        ({"factor": 0}, "factor must be"),
        ({"factor": math.inf}, "factor must be"),
        ({"factor": "4"}, "factor must be"),
        ({"flops": 2.5}, "flops must be a whole number"),
        ({"params": 0}, "params must be"),
        ({"acts": True}, "acts must be"),
        ({"seed": -1}, "seed must be"),
        ({"epochs": 1.5}, "epochs must be"),
        ({"values": {}}, "at least one"),
        ({"values": {"top1_error": math.nan}}, "top1_error must be a finite number"),
        ({"values": {"top1_error": None}}, "leave out what was not measured"),
        ({"values": {"Top-1": 1.0}}, "value name"),
        ({"values": {"top1_error_ema": 150}}, "top1_error_ema must be from 0 to 100"),
        ({"values": {"data_wait_share": 1.5}}, "data_wait_share must be from 0 to 1"),
        ({"values": {"epoch_time_min": -2.0}}, "epoch_time_min must be at least 0"),
        ({"values": {"step_time_s": 0}}, "step_time_s must be above 0"),
        ({"values": {"images_per_s": 0.0}}, "images_per_s must be above 0"),
        ({"values": {"peak_memory_mib": -1}}, "peak_memory_mib must be at least 0"),
        ({"env": {"date": "2020-01-01"}}, "env.device"),
        ({"env": {"device": "toy"}}, "env.date"),
        ({"env": {"device": "toy", "date": "2020", "lr": math.nan}}, "env holds"),
        ({"env": {"device": "toy", "date": "2020", "where": object()}}, "env holds"),
        ({"schema": 2}, "schema must be 1"),
        ({"flops": 10**400}, "flops must be at most"),
        ({"params": 10**19}, "params must be at most"),
        ({"epochs": 10**400}, "epochs must be at most"),
        ({"seed": 10**400}, "seed must be at most"),
        ({"resolution": 10**9}, "resolution must be at most"),
        ({"factor": 10**400}, "factor must be"),
        ({"factor": 1e300}, "factor must be"),
        ({"values": {"train_loss": 10**400}}, "train_loss must be a finite number"),
    ],
)
def test_wrong_fields_are_refused_by_name(made_up, changes, said):
    with pytest.raises(InputError, match=said) as caught:
        made_up(**changes)
    assert "\n" not in str(caught.value)


def test_values_that_may_be_zero_or_less(made_up):
    values = {
        "train_loss": -0.5,
        "step_time_spread_s": 0,
        "data_wait_share": 0,
        "top1_error": 0,
        "peak_memory_mib": 0,
    }
    assert made_up(values=values).values == values


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda c: c.pop("acts"), "missing field 'acts'"),
        (lambda c: c.update(note="hello"), "unknown field 'note'"),
        (lambda c: c.update(schema=7), "record schema 7"),
        (lambda c: c.update(flops="2000"), "flops must be"),
    ],
)
def test_reading_checks_again(made_up, edit, said):
    content = dataclasses.asdict(made_up())
    edit(content)
    with pytest.raises(InputError, match=said):
        Record.from_json(json.dumps(content))


@pytest.mark.parametrize("line", ["", "[]", "3", '{"schema":1', "[" * 100_000])
def test_other_lines_are_refused(line):
    with pytest.raises(InputError):
        Record.from_json(line)


def test_nan_is_refused_in_a_line(made_up):
    with pytest.raises(InputError, match="NaN is not a number"):
        Record.from_json(made_up().to_json().replace("12.5", "NaN"))


def test_key_is_the_fact_and_its_conditions(made_up):
    record = made_up()
    later = made_up(values={"top1_error": 1.0}, env={**record.env, "date": "2021-01-01T00:00:00Z"})
    assert key(record) == key(later)
    for change in (
        {"seed": 1},
        {"data_hash": "xyz"},
        {"recipe_hash": "xyz"},
        {"run": "other"},
        {"kind": "time"},
    ):
        assert key(record) != key(made_up(**change))
    for name in ("device", "threads", "precision", "layout", "compile", "batch"):
        assert key(record) != key(made_up(env={**record.env, name: "another"}))


def test_a_run_that_ended_early_says_so(made_up):
    record = made_up()
    early = made_up(epochs=1, env={**record.env, "finished": "early", "steps": 7})
    assert early.early and not record.early and key(early) != key(record)
    assert Record.from_json(early.to_json()) == early
