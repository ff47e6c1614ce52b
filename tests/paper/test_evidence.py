"""Which records a figure shows: by recipe, device and conditions; errors name wrong ones."""

import re
from dataclasses import replace

import pytest

from fastscale.errors import InputError
from fastscale.paper.artifacts import load_artifact
from fastscale.paper.evidence import groups
from fastscale.paper.views import views
from fastscale.records import write_snapshot
from fastscale.records.committed import facts

GPU = {"device": "made-up accelerator", "device_type": "cuda"}


@pytest.fixture
def figure():
    return load_artifact("fig-6")


def test_groups_by_recipe_and_device(measured, figure):
    records = measured("fig-6", seeds=(0, 1), **GPU) + measured("fig-6", threads=2)
    records += measured(
        "fig-6", seeds=(0,), timed=False, recipe="imagenette-60ep", data="imagenette"
    )
    found = groups(records, figure)
    assert [(g.kind, g.name, g.data) for g in found] == [
        ("train", "imagenet-100ep", "imagenet"),
        ("train", "imagenette-60ep", "imagenette"),
        ("time", "made-up-accelerator", "imagenet"),
    ], "a CPU's times make no group"
    assert all(len(g.points) == 17 for g in found)
    assert {p.runs for p in found[0].points} == {2} and all(
        p.error_spread == pytest.approx(0.5**0.5) for p in found[0].points
    )
    assert {p.runs for p in found[1].points} == {1} and all(
        p.error_spread is None for p in found[1].points
    )
    assert all(p.spread == pytest.approx(p.time / 50) for p in found[2].points)


def test_a_strategy_with_group_width_is_the_same_where_there_are_no_groups(measured, figure):
    """EfficientNet-B0's wg-x1.91 is the same network as the planned w-x1.91."""
    records = []
    for r in measured("fig-6", **GPU):
        strategy = {"w": "wg", "dwr": "dwgr"}.get(r.strategy, r.strategy)
        arch = r.arch.replace(f".{r.strategy}-", f".{strategy}-")
        records.append(replace(r, strategy=strategy, arch=arch, run=f"{arch}.time"))
    (found,) = groups(records, figure)
    (plain,) = groups(measured("fig-6", **GPU), figure)
    assert [(p.arch, p.strategy, p.time) for p in found.points] == [
        (p.arch, p.strategy, p.time) for p in plain.points
    ]


def test_times_at_another_clock_are_not_shown(measured, figure):
    records = measured("fig-6", **GPU)
    slow = [replace(r, env={**r.env, "drift": 1.3}) if i < 3 else r for i, r in enumerate(records)]
    (found,) = groups(slow, figure)
    assert len(found.points) == len(records) - 3
    (all_slow,) = groups([replace(r, env={**r.env, "drift": 1.3}) for r in records], figure)
    assert len(all_slow.points) == len(records)


def test_conditions_of_one_device_are_told_apart(measured, figure):
    records = (
        measured("fig-6", **GPU)
        + measured("fig-6", compile=True, **GPU)
        + measured("fig-6", precision="32-true", **GPU)
    )
    found = groups(records, figure)
    assert len(found) == 3 and len({g.name for g in found}) == 3
    eager = "eager time (host launches included)"
    assert {g.label for g in found} == {
        f"made-up accelerator, 16-mixed, channels_last, {eager}",
        f"made-up accelerator, 16-mixed, channels_last, compiled, {eager}",
        f"made-up accelerator, 32-true, channels_last, {eager}",
    }


def as_graphs(records, eager=()):
    """The records with device time and eager time; only eager time for the networks `eager`."""
    made = []
    for r in records:
        step = r.values["step_time_s"]
        graph = {} if r.arch in eager else {"device_step_time_s": step}
        values = {"epoch_time_min": r.values["epoch_time_min"], "eager_step_time_s": step} | graph
        made.append(replace(r, values=values, env=r.env | {"cuda_graph": bool(graph)}))
    return made


def test_device_time_and_eager_time_are_two_groups_and_stand_ins_are_marked(measured, figure):
    eager = measured("fig-6", **GPU)
    (device,) = groups(as_graphs(eager, {"efficientnet-b0.w-x11"}), figure)
    assert device.label.endswith("channels_last, device time (CUDA graph)")
    assert device.standing_in == {"efficientnet-b0.w-x11"} and len(device.points) == 17
    other = [replace(r, env=r.env | {"batch": 64}) for r in eager]
    both = groups(as_graphs(eager) + other, figure)
    assert {g.label.rpartition(", ")[2] for g in both} == {
        "device time (CUDA graph)",
        "eager time (host launches included)",
    }


def test_threads_feed_an_accelerator_and_make_no_group(measured, figure):
    records = measured("fig-6", threads=1, **GPU) + measured("fig-6", threads=8, **GPU)
    assert len(groups(records, figure)) == 1


def test_too_few_timings_make_no_figure(measured, figure):
    assert groups(measured("fig-6", **GPU)[:2], figure) == []
    assert len(groups(measured("fig-6", **GPU)[:3], figure)) == 1


def test_other_networks_data_and_resolutions_stay_out(measured, synthetic, figure):
    assert groups(synthetic(), figure) == []
    assert groups(measured("fig-6", data="imagenette", **GPU), figure) == []
    assert groups(measured("fig-5", **GPU), figure) == []


def test_a_series_takes_other_factors_and_group_widths(measured):
    """Any factor up to the largest, and dwgr beside dwr; dr is not a series of Fig. 2."""
    figure = load_artifact("fig-2")
    records = measured("fig-5", **GPU)  # RegNets by d, wg, r, dwgr at 2, 4, 8
    (group,) = groups(records, figure)
    assert {p.strategy for p in group.points} == {None, "wg", "dwgr"} and len(group.points) == 2 * 7
    beyond = [replace(r, strategy="dwr", factor=97.0) for r in records[:1]]
    assert groups(records + beyond, figure)[0].points == group.points


def test_a_sweeps_drift_checks_are_no_contradiction(measured, checkout_copy):
    root = checkout_copy()
    records = measured("fig-6", **GPU)[:1]
    again = [
        replace(r, run=r.arch + ".reference", values={"drift_ratio": x})
        for r in records
        for x in (1.0, 1.1)
    ]
    write_snapshot(root / "paper_figures" / "records" / "timing.jsonl", records + again)
    assert [r.run for r in facts()] == [records[0].run]


def test_the_largest_batch_is_taken(measured, figure):
    small, large = measured("fig-6", batch=64, **GPU), measured("fig-6", batch=256, **GPU)
    large = [replace(r, values=r.values | {"epoch_time_min": 7.0}) for r in large]
    (group,) = groups(small + large, figure)
    assert {p.time for p in group.points} == {7.0}


def test_wrong_counts_are_refused(measured, figure):
    records = measured("fig-6", **GPU)
    with pytest.raises(InputError, match="counts are not the network's"):
        groups([replace(records[0], acts=records[0].acts + 1), *records[1:]], figure)


def test_contradiction_names_both(measured, checkout_copy):
    root = checkout_copy()
    folder = root / "paper_figures" / "records"
    records = measured("fig-6", seeds=(0,), timed=False)
    write_snapshot(folder / "fig-4.jsonl", records)
    write_snapshot(folder / "fig-6.jsonl", records)
    assert len(facts()) == len(records)
    later = [
        replace(r, values={"top1_error": 1.0}, env=r.env | {"date": "2021-01-01T00:00:00Z"})
        for r in records[:1]
    ]
    write_snapshot(folder / "fig-6.jsonl", later + records[1:])
    with pytest.raises(
        InputError,
        match=r"contradict .*efficientnet-b0\.imagenet-100ep: "
        r"fig-4.jsonl, line \d+ and fig-6.jsonl, line \d+",
    ) as e:
        facts()
    assert "top1_error" in str(e.value) and "\n" not in str(e.value)


def test_a_bad_line_is_named(measured, checkout_copy):
    root = checkout_copy()
    path = write_snapshot(root / "paper_figures" / "records" / "fig-6.jsonl", measured("fig-6"))
    path.write_text(path.read_text().replace('"acts":', '"atcs":', 1))
    with pytest.raises(InputError, match=r"fig-6\.jsonl, line 1: .*atcs"):
        facts()


def test_wrong_counts_are_named_by_file_and_line(measured, checkout_copy):
    root = checkout_copy()
    path = write_snapshot(root / "paper_figures" / "records" / "fig-6.jsonl", measured("fig-6"))
    path.write_text(re.sub(r'"flops":\d+', '"flops":7', path.read_text(), count=1))
    with pytest.raises(
        InputError,
        match=r"fig-6\.jsonl, line 1: its counts are not the network's "
        r"\(flops of efficientnet-b0\S* is 7, ",
    ):
        facts()


def test_views(measured, figure):
    records = measured("fig-6", seeds=(0,), **GPU) + measured("fig-6")
    records += measured(
        "fig-6", seeds=(0,), timed=False, recipe="imagenette-60ep", data="imagenette"
    )
    found = {view.name: view for view in views(figure, records)}
    assert list(found) == [
        "fig-6",
        "fig-6-with-imagenette-60ep",
        "fig-6-on-made-up-accelerator",
    ]
    assert (
        found["fig-6"].published_values("time")
        and not found["fig-6"].our_values("time")
        and found["fig-6"].our_values("error")
    )
    gpu = found["fig-6-on-made-up-accelerator"]
    assert gpu.published_values("time") and gpu.our_values("time")
    foreign = found["fig-6-with-imagenette-60ep"]
    assert foreign.our_values("error") and not foreign.published_values("error")
