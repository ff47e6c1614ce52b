"""Published points: the r that others print or that follows from their points, pinned."""

import pytest

from fastscale.counts import complexity
from fastscale.errors import InputError
from fastscale.paper.artifacts import load_artifact
from fastscale.paper.figures.accelerators import devices, leaders, margin
from fastscale.paper.figures.runtime import printed, published_pools
from fastscale.paper.points import paper_points, timm_points, zoo_points
from fastscale.paper.pools import Pool
from fastscale.references.networks import timm_family
from fastscale.scaling import arch_named


def test_r_of_figure_2():
    """r of the points read off (small networks hide each other) is a little below the printed r."""
    artifact = load_artifact("fig-2")
    pools = published_pools(artifact)
    found = {name: (round(pool.r(), 3), len(pool.inside)) for name, pool in pools.items()}
    assert found == {
        "flops": (0.780, 56),
        "params": (0.483, 56),
        "acts": (0.983, 46),
        "families": (0.919, 73),
    }
    assert printed(artifact) == {"flops": 0.81, "params": 0.56, "acts": 0.99, "families": 0.95}
    for name, value in printed(artifact).items():
        assert abs(found[name][0] - value) < 0.08, name


def test_fits_use_the_points_inside_the_axis():
    pools = published_pools(load_artifact("fig-2"))
    assert pools["acts"].right == 140e6 and len(pools["acts"].points) == 56
    assert max(p.acts for p in pools["families"].inside) == pytest.approx(137.39e6)
    # of all points, which the paper's panel does not show
    assert round(Pool("acts", pools["acts"].points).r(), 3) == 0.971
    # the axis ends there because the next network of the series is not in the paper's panel
    assert complexity(arch_named("regnetz-500mf.dwr-x64")).acts / 1e6 == pytest.approx(
        141.59, abs=0.01
    )


def test_each_family_alone():
    inside = published_pools(load_artifact("fig-2"))["families"].inside
    found = {
        family: round(Pool("acts", tuple(p for p in inside if p.family == family)).r(), 2)
        for family in {p.family for p in inside}
    }
    assert found == {"EfficientNet": 0.98, "RegNetY": 0.97, "RegNetZ": 0.97}


@pytest.mark.parametrize(
    ("measure", "plain", "logs"),
    [("acts", 0.926, 0.980), ("flops", 0.754, 0.919), ("params", 0.699, 0.900)],
)
def test_r_of_the_zoo(measure, plain, logs):
    pool = Pool(measure, tuple(zoo_points()))
    assert (round(pool.r(), 3), round(pool.r(log=True), 3), len(pool.inside)) == (plain, logs, 36)


@pytest.mark.parametrize(
    ("file", "acts", "flops", "params"),
    [
        ("benchmark-infer-amp-nchw-pt291-cu128-4090", 0.971, 0.870, 0.771),
        ("benchmark-infer-amp-nchw-pt291-cu128-4090-dynamo", 0.982, 0.848, 0.749),
        ("benchmark-infer-fp32-nchw-pt240-cpu-i7_12700h-dynamo", 0.898, 0.969, 0.929),
    ],
)
def test_r_of_todays_devices(file, acts, flops, params):
    device = next(d for d in devices() if d.file == file)
    assert {measure: round(r, 3) for measure, r in device.r.items()} == {
        "acts": acts,
        "flops": flops,
        "params": params,
    }
    assert device.networks == 128 and device.on_cpu == ("cpu" in file)
    assert margin(file, ("acts", "flops"))[0] == pytest.approx(acts - flops, abs=1e-3)


def test_every_timm_file_is_shown():
    found = devices()
    assert len(found) == 21 and len({(d.device, d.conditions) for d in found}) == 21
    assert [d.on_cpu for d in found] == [False] * 19 + [True] * 2
    assert {d.conditions.split(", ")[0] for d in found} == {
        "torch 1.12",
        "torch 1.13",
        "torch 2.1",
        "torch 2.4",
        "torch 2.9",
    }


def test_training_files_borrow_their_counts():
    """They print none; networks that the inference files lack at that resolution are left out."""
    found = {d.conditions[-14:]: d for d in devices() if d.conditions.endswith("training")}
    assert [d.networks for d in found.values()] == [68, 68]
    assert found["NCHW, training"].r["acts"] > found["NCHW, training"].r["flops"]
    assert found["NHWC, training"].r["acts"] < found["NHWC, training"].r["flops"]
    text = leaders(devices())
    assert text.startswith("In 17 of 19 GPU files") and "1 of 2 CPU" in text
    assert "RTX 3090, torch 1.12, eager, amp, NHWC, training" in text


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("tf_efficientnet_b0_ap", "EfficientNet"),
        ("resnext50_32x4d", "ResNeXt"),
        ("resnet18", "ResNet"),
        ("regnetz_d8", "RegNetZ"),
        ("ecaresnet50t", "ResNet"),
        ("vit_tiny", "other"),
    ],
)
def test_families_of_timm(model, family):
    assert timm_family(model) == family


def test_points_name_networks_of_ours():
    points = paper_points(("fig2", "fig4", "fig6", "xiao2021_table2"))
    assert len(points) == 97 + 33
    for p in points:
        # Xiao et al. print one decimal
        assert complexity(arch_named(p.arch)).flops == pytest.approx(p.flops, rel=0.06)
    assert not any("/" in p.arch for p in points)


def test_points_that_are_not_there():
    with pytest.raises(InputError, match="no point of fig9"):
        paper_points(("fig9",))
    with pytest.raises(InputError, match="no measurement of 'made-up'"):
        timm_points("made-up")
