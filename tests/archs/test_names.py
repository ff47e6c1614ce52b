"""A network has one name, however its strategy is spelled."""

import pytest

import fastscale as fs
from fastscale.archs.names import NetworkName, RunName, canonical, released_name
from fastscale.errors import InputError
from fastscale.records import Record, key
from fastscale.scaling import arch_named


@pytest.mark.parametrize(
    ("spelled", "canonical_form"),
    [
        ("alpha=2/3", "d1_w4_g4_r1"),
        ("r2_g8_w8_d2", "d1_w4_g4_r1"),
        ("alpha=0.8", "dWr"),
        ("d1_w8_g8_r1", "dWr"),
        ("alpha=1", "wg"),
        ("alpha=1/3", "dwgr"),
        ("rwd", "dwr"),
        ("dwrg", "dwgr"),
        ("alpha=.5", "d1_w2_g2_r1"),
        ("alpha=1/2", "d1_w2_g2_r1"),
        ("d1_w0.5_r1", "d2_w1_r2"),
    ],
)
def test_spellings_of_a_strategy_make_one_network(spelled, canonical_form):
    name = NetworkName("regnety-tiny", spelled, 2.0)
    assert name.name == str(name) == f"regnety-tiny.{canonical_form}-x2"
    assert name == NetworkName.parse(f"regnety-tiny.{spelled}-x2")
    assert len({name, NetworkName("regnety-tiny", canonical_form, 2)}) == 1
    assert fs.scale("regnety-tiny", spelled, 2) == arch_named(name) == fs.arch(str(name))
    assert name.strategy == spelled  # as written, for people


def test_the_parts_of_a_run():
    run = RunName.parse("regnetx-1.6gf.dds.dWr-x1.85.imagenet-100ep")
    assert (run.network.base, run.network.strategy) == ("regnetx-1.6gf.dds", "dWr")
    assert (run.network.factor, run.recipe) == (1.85, "imagenet-100ep")
    assert str(run) == "regnetx-1.6gf.dds.dWr-x1.85.imagenet-100ep"
    assert RunName.parse("regnety-tiny.quick").network == NetworkName("regnety-tiny")


@pytest.mark.parametrize(
    ("reader", "name", "why"),
    [
        (NetworkName, "regnety-tiny.quick", "is not a scaling"),
        (RunName, "regnety-tiny.dWr-x2", "names no recipe"),
        (NetworkName, "regnety-tinny", "regnety-tiny"),
        (NetworkName, "regnety-tiny.foo-x2", "unknown strategy"),
        (NetworkName, "regnety-tiny.dWr-x2.a.b", "cannot read '.a.b'"),
        (NetworkName, 4, "expected a name"),
    ],
)
def test_invalid_names(reader, name, why):
    with pytest.raises(InputError, match=why):
        reader.parse(name)


def test_the_name_of_an_unknown_base_can_be_read():
    name = NetworkName.parse("theirs.mine-x2", known=False)
    assert (name.base, name.strategy, name.factor) == ("theirs", "mine", 2.0)
    assert str(name) == "theirs.mine-x2"


def test_old_names_of_runs_and_files():
    new = "regnety-micro.d1_w4_g4_r1-x2.9"
    assert canonical("regnety-micro.alpha=2/3-x2.9.cifar10-2ep") == f"{new}.cifar10-2ep"
    old = "regnety-micro.alpha=2-over-3-x2.9_cifar10-2eda44a8"
    assert canonical(old) == f"{new}_cifar10-2eda44a8"
    assert released_name("regnety-micro.alpha=2/3-x2.9", "cifar10") == f"{new}_cifar10"
    assert canonical("regnety-micro.dWr-x4.0.quick") == "regnety-micro.dWr-x4.quick"
    assert NetworkName.parse("regnety-micro.alpha=2-over-3-x2.90").name == new
    for text in ("", "quick", "resnext-101.nonsense-x2", "a-x2", "a.dWr-x1e999", "x" * 10_000):
        assert canonical(text) == text


def test_a_record_of_an_old_name_keeps_its_line_and_is_the_same_fact():
    cx = fs.complexity("regnety-tiny.alpha=2/3-x2")
    fields = {"kind": "time", "base": "regnety-tiny", "strategy": "alpha=2/3", "factor": 2.0}
    fields |= {"resolution": 32, "num_classes": 1000, **vars(cx), "values": {"step_time_s": 1.0}}
    fields |= {"env": {"device": "x", "date": "2026-01-01"}}
    old = Record(arch="regnety-tiny.alpha=2/3-x2", run="regnety-tiny.alpha=2/3-x2.time", **fields)
    new = Record(arch=fs.arch(old.arch).name, run="regnety-tiny.d1_w4_g4_r1-x2.time", **fields)
    assert (
        old.strategy == new.strategy == "d1_w4_g4_r1" and '"strategy":"alpha=2/3"' in old.to_json()
    )
    assert old.arch == "regnety-tiny.d1_w4_g4_r1-x2" and key(old) == key(new)
    assert '"arch":"regnety-tiny.alpha=2/3-x2"' in old.to_json() and old.id != new.id
    assert Record.from_json(old.to_json()).id == old.id


def test_old_names_of_released_checkpoints_and_new_ones_are_one():
    from fastscale.release.manifest import find
    from fastscale.release.places import released

    entries = released()
    old = find("regnety-micro.alpha=2-over-3-x2.9_cifar10", entries)
    assert old is not None
    assert find("regnety-micro.d1_w4_g4_r1-x2.9_cifar10", entries) is old
    assert find("regnety-micro.d1_w4_g4_r1-x2.9_cifar10-2eda44a8.safetensors", entries) is old


def test_a_registered_strategy_can_be_used_everywhere():
    fs.register_strategy(fs.Strategy("test_halves", 0.5, 0.25, 0.25))
    fs.register_strategy(fs.Strategy("test_halves", 0.5, 0.25, 0.25))  # the same again
    arch = fs.scale("regnety-tiny", "test_halves", 2)
    assert arch.name == "regnety-tiny.test_halves-x2" and fs.arch(arch.name) == arch
    assert arch.depths == fs.scale("regnety-tiny", "d2_w1_r1", 2).depths
    assert RunName.parse(f"{arch.name}.quick").network.name == arch.name
    for taken in ("test_halves", "dWr", "wg"):
        with pytest.raises(InputError, match="is taken"):
            fs.register_strategy(fs.Strategy(taken, 1, 0, 0))
    with pytest.raises(InputError, match="letters, digits"):
        fs.register_strategy(fs.Strategy("a/b", 1, 0, 0))
