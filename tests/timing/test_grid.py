"""Grids: the committed ones, messages for invalid ones, and an order that always covers evenly."""

from collections import Counter

import numpy as np
import pytest

from fastscale.archs.names import NetworkName
from fastscale.counts import complexity
from fastscale.errors import InputError
from fastscale.home import home
from fastscale.paper import load_artifact
from fastscale.records import read_records
from fastscale.scaling import arch_named, twin
from fastscale.timing.grid import (
    Setting,
    grid_names,
    load_grid,
    make_networks,
    make_settings,
)
from fastscale.timing.order import even_order, merged, sweep_order

GRID = """
name: g
reference: {network: regnety-tiny, batch: 2}
parts:
  - bases: [regnety-tiny]
    strategies: [base, dWr]
    factors: [2, 4]
    what: [train]
    precision: [32-true]
    layout: [channels_last]
    batch: 2
"""


def load(tmp_path, text):
    path = tmp_path / "g.yaml"
    path.write_text(text)
    return load_grid(str(path))


def test_committed_grids_load():
    assert {"cpu", "paper", "tiny"} <= set(grid_names())
    paper = load_grid("paper")
    networks = {n.name for part in paper.parts for n in part.networks}
    for base, width in (("efficientnet-b0", "w"), ("regnety-500mf", "wg"), ("regnetz-500mf", "wg")):
        assert {f"{base}.{s}-x96" for s in ("dwr", "dw", "dWr", width)} <= networks
    for base in ("regnety-4gf", "regnetz-4gf"):
        assert base in networks and f"{base}.dWr-x8" in networks
    precisions = {s.precision for part in paper.parts for s in part.settings}
    assert precisions == {"bf16-mixed", "16-mixed"}


def test_each_pair_has_equal_flops_and_one_of_it_has_power_of_two_group_widths():
    """Pairs cover every network of the H100's records with a slow group width.

    If no twin with powers of two has its flops, a network near it stands in.
    """
    (part,) = [part for part in load_grid("paper").parts if part.in_order]
    pairs = list(zip(part.networks[::2], part.networks[1::2], strict=True))
    assert len(pairs) >= 20 and len(set(part.networks)) == 2 * len(pairs)
    for slow, even in pairs:
        widths = [set(arch_named(name).group_widths) for name in (slow, even)]
        assert widths[0] <= {24, 40, 48, 56, 72} and widths[1] <= {16, 32, 64}
        flops = [complexity(arch_named(name)).flops for name in (slow, even)]
        assert flops[1] == pytest.approx(flops[0], rel=0.03), (slow, even)
        assert even.base == slow.base and even.strategy == f"{slow.strategy or 'w'}-pow2"
    paired = {slow.name for slow, _ in pairs}
    slow = {
        r.arch
        for r in read_records(home().records / "timing-h100.jsonl")
        if (arch := arch_named(r.arch)).grouped and set(arch.group_widths) <= {24, 40, 48, 56, 72}
    }
    assert len(slow) >= 17 and len(slow - paired) == 3
    for name in map(NetworkName.parse, sorted(slow - paired)):
        with pytest.raises(InputError, match="no twin"):
            twin(arch_named(name.base), name.strategy, name.factor)


def test_pairs_stay_together_in_the_order(tmp_path):
    text = GRID.replace(
        "bases: [regnety-tiny]\n    strategies: [base, dWr]\n    factors: [2, 4]", "{}"
    )
    names = ["regnety-tiny.dWr-x4", "regnety-tiny.dWr-pow2-x4", "regnety-tiny", "regnetz-tiny"]
    both = f"[{', '.join(names[:2])}], [{', '.join(names[2:])}]"
    grid = load(tmp_path, text.replace("{}", f"pairs: [{both}]"))
    assert [n.name for _, n in sweep_order(grid.parts)] == names
    with pytest.raises(InputError, match="a pair is two names of networks"):
        load(tmp_path, text.replace("{}", "pairs: [regnety-tiny, regnetz-tiny]"))
    with pytest.raises(InputError, match="not two of these"):
        load(tmp_path, text.replace("{}", f"pairs: [{both}]\n    artifacts: [fig-2]"))


def test_a_part_takes_the_networks_that_artifacts_plan(tmp_path):
    """With the names under which the figures look for records, each once."""
    text = GRID.replace(
        "bases: [regnety-tiny]\n    strategies: [base, dWr]\n    factors: [2, 4]",
        "artifacts: [fig-4, fig-6]",
    )
    (part,) = load(tmp_path, text).parts
    planned = [
        name.name
        for figure in ("fig-4", "fig-6")
        for name in load_artifact(figure).plan("full").names()
    ]
    assert [n.name for n in part.networks] == list(dict.fromkeys(planned))
    for old, new, said in (
        ("fig-6", "fig-66", "no artifact is named 'fig-66'; did you mean 'fig-6'"),
        ("fig-6", "table-1", "table-1 has no networks"),
        ("artifacts", "factors: [2]\n    artifacts", "artifacts, or bases, strategies and factors"),
    ):
        with pytest.raises(InputError, match=said):
            load(tmp_path, text.replace(old, new))


def test_the_papers_grid_trains_every_figures_networks_eagerly_in_one_precision():
    timed = {
        n.name
        for part in load_grid("paper").parts
        for n in part.networks
        if any(
            (s.what, s.precision, s.compile) == ("train", "bf16-mixed", False)
            for s in part.settings
        )
    }
    figures = ("fig-1", "fig-2", "fig-4", "fig-5", "fig-6", "fig-7", "large-networks")
    planned = {n.name for f in figures for n in load_artifact(f).plan("full").names()}
    assert len(planned) == 181 and planned <= timed


def test_parts_are_measured_side_by_side():
    """At any point, the same share of every part of a stage."""
    assert merged([["a", "b", "c", "d"], ["1", "2"], []]) == ["a", "b", "1", "c", "d", "2"]
    cpu = sweep_order(load_grid("cpu").parts)
    first = {network.base for _, network in cpu[: len(cpu) // 8]}
    assert {"regnetx-tiny", "regnety-500mf", "efficientnet-b0"} <= first


def test_the_papers_grid_starts_with_the_networks_of_single_claims():
    """On a GPU, EfficientNets end their stage: their kernels are compiled at run time."""
    order = sweep_order(load_grid("paper").parts, compiled_last=True)
    stages = [part.stage for part, _ in order]
    assert stages == sorted(stages)
    first = {network.name for part, network in order if part.stage == 1}
    measures = [
        claim.measure
        for figure in ("fig-1", "fig-4", "fig-5", "fig-6", "fig-7")
        for claim in load_artifact(figure).claims
    ]
    ratios = [m for m in measures if getattr(m, "ratio", None) == "time"]
    named = {m.of for m in ratios} | {name for m in ratios for name in np.atleast_1d(m.to)}
    assert len(named) >= 7 and named <= first
    assert {f"efficientnet-b0.{s}-x11" for s in ("dwr", "dw", "dWr")} <= first
    assert {f"efficientnet-b{i}" for i in range(1, 6)} <= first
    for base in ("regnety-4gf", "regnetz-4gf"):
        assert {f"{base}.{s}-x{f}" for s in ("d", "dw", "dWr") for f in (4, 8)} <= first
    for stage in set(stages):
        last = [n.base.startswith("efficientnet") for part, n in order if part.stage == stage]
        assert last == sorted(last)
    trained = {
        network.name
        for part, network in order
        if part.stage <= 2 and any(s.what == "train" for s in part.settings)
    }
    assert len(trained) >= 200


def test_a_grid_is_every_combination_once(tmp_path):
    grid = load(tmp_path, GRID)
    names = [n.name for n in grid.parts[0].networks]
    assert names == ["regnety-tiny", "regnety-tiny.dWr-x2", "regnety-tiny.dWr-x4"]
    layouts = ["contiguous", "channels_last"]
    every = ["train", "inference"], ["32-true"], layouts, [False, True], 8, 1, "here"
    settings = make_settings(*every)
    assert len(settings) == 8 and {s.batch for s in settings if s.what == "inference"} == {1}
    assert str(settings[0]) == "train, 32-true, contiguous, eager, batch 8"
    twice = ["train", "train"], ["32-true"], ["contiguous"], [False], 8, 8, "here"
    assert make_settings(*twice) == (Setting("train", "32-true", "contiguous", False, 8),)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("name: g", "name: g\nbatches: 3", "unknown key 'batches'"),
        ("    batch: 2\n", "    batch: 2\n    size: 3\n", "part 1: unknown key 'size'"),
        ("bases: [regnety-tiny]", "bases: []", "is empty"),
        ("parts:", "part:", "unknown key 'part'"),
        ("name: g\n", "", "missing key name"),
        ("[32-true]", "[fp8]", "precision 'fp8': there are 32-true"),
        ("[channels_last]", "[nhwc]", "layout 'nhwc'"),
        ("[train]", "[sleep]", "what 'sleep'"),
        ("bases: [regnety-tiny]", "bases: [regnety-huge]", "did you mean 'regnety-4gf'"),
        ("factors: [2, 4]", "factors: [-1]", "above 0, got -1"),
        ("factors: [2, 4]", "factors: 2", "must be a list"),
        ("    batch: 2\n", "    batch: 0\n", "at least 1, got 0"),
        (
            "{network: regnety-tiny, batch: 2}",
            "{network: nothing, batch: 2}",
            "no network is named",
        ),
        ("name: g", "name: g\nrounds: 0", "at least 1"),
        (
            "name: g",
            "name: g\nrounds: many",
            "rounds must be a whole number of at least 1, got 'many'",
        ),
        ("name: g", "name: g\ncudnn: guess", "cudnn 'guess': there are heuristics, search"),
        ("    batch: 2\n", "    batch: 2\n    stage: 0\n", "stage must be a whole number"),
        ("[channels_last]", "[better]", "layout 'better'"),
        ("name: g", "name: g\nrounds: 2.5", "rounds must be a whole number"),
        ("name: g", "name: g\nrounds: true", "rounds must be a whole number"),
        ("name: g", "name: g\nround_s: .nan", "round_s must be a finite number above 0, got nan"),
        ("name: g", "name: g\nround_s: .inf", "round_s must be a finite number"),
        ("name: g", "name: g\nlimit_s: .nan", "limit_s must be a finite number"),
        ("name: g", "name: g\nshows: 3", "shows must be text, got 3"),
        ("name: g", "name: g\ndata: [1]", "data must be text, got [1]"),
        ("name: g", "name: g\nrecipe: 5", "recipe must be text, got 5"),
        ("name: g", "name: g\nrecipe: [a]", "recipe must be text"),
        ("name: g", "name: [x]", "a name has only letters"),
        ("name: g", "name: ../../x", "a name has only letters"),
        ("bases: [regnety-tiny]", "bases: [5]", "nearest are"),
        ("factors: [2, 4]", "factors: [.nan]", "a factor must be a finite number above 0, got nan"),
        ("name: g", "name: [", "not YAML"),
    ],
)
def test_an_invalid_grid_is_one_line(tmp_path, old, new, message):
    assert old in GRID
    with pytest.raises(InputError, match=message.replace("[", r"\[")) as error:
        load(tmp_path, GRID.replace(old, new, 1))
    assert "\n" not in str(error.value)


def test_an_unknown_grid_suggests_a_known_one():
    with pytest.raises(InputError, match="did you mean 'cpu'"):
        load_grid("cpus")


def test_every_start_of_the_order_covers_evenly():
    bases = ["regnety-tiny", "regnetz-tiny", "efficientnet-tiny"]
    strategies = ["d", "wg", "r", "dwgr", "dWr"]
    networks = make_networks(bases, ["base", *strategies], [2, 4, 8, 16, 32, 64], "here")
    order = even_order(networks)
    assert sorted(n.name for n in order) == sorted(n.name for n in networks)
    assert [n.strategy for n in order[:3]] == [None] * 3
    for cut in range(1, len(order) + 1):
        count = Counter(n.base for n in order[:cut])
        assert max(count.values()) - min(count.get(b, 0) for b in bases) <= 1
        for base in bases:
            scaled = Counter(n.strategy for n in order[:cut] if n.base == base and n.strategy)
            if scaled:
                assert max(scaled.values()) - min(scaled.get(s, 0) for s in strategies) <= 1
    first = order[: 3 + 3 * 2 * len(strategies)]  # two of each strategy and base
    for base in bases:
        assert len({n.factor for n in first if n.base == base}) >= 6  # of the base and six factors
        for strategy in strategies:
            sizes = [n.factor for n in first if (n.base, n.strategy) == (base, strategy)]
            assert max(sizes) / min(sizes) >= 8


def test_the_order_of_one_network():
    assert even_order([NetworkName("regnety-tiny")]) == [NetworkName("regnety-tiny")]
