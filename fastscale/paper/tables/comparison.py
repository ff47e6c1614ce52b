"""The tables of a comparison: cost, growth and error of each network, and Pearson r (Fig. 2)."""

from collections.abc import Iterable

from fastscale.archs.names import factor_text
from fastscale.common import pluralize
from fastscale.paper.artifacts import Artifact
from fastscale.paper.comparison import Comparison, Network
from fastscale.paper.stats import pearson, summary
from fastscale.paper.tables.table import (
    MEASURES,
    Column,
    Table,
    fixed,
    power,
    runs_shown,
    scaled,
    signed,
    times,
)
from fastscale.references import reference

DATA_NAMES = {
    "fashion-mnist": "Fashion-MNIST",
    "cifar10": "CIFAR-10",
    "imagenette": "Imagenette",
    "imagenet": "ImageNet",
}
_LABELS = {"flops": "multiply-adds (flops)", "params": "parameters", "acts": "activations"}
_RUNS = ("mean", "std", "n")


def comparison_table(comparison: Comparison, artifact: Artifact) -> Table:
    """One row per network: scaling, counts, growth of acts beside the theory, epoch time, error."""
    columns = [
        Column("strategy", "strategy", right=False),
        Column("factor", "factor", factor_text, terminal=False),
        *(Column(f"{n}_multiplier", f"{n} multiplier", fixed(2), terminal=False) for n in "dwrg"),
        Column("resolution_px", "res. px"),
        Column("flops_multiply_adds", "flops, M (multiply-adds)", scaled(1e6, 2)),
        Column("flops_multiply_adds_growth", "flops (multiply-adds) growth", times, terminal=False),
        Column("params", "params, K", scaled(1e3, 1)),
        Column("acts", "acts, K", scaled(1e3, 1)),
        Column("acts_growth", "acts growth", times),
        Column("acts_growth_theory", "acts growth in theory", times),
        Column("acts_exponent_theory", "as a power of s", power, right=False, terminal=False),
        Column(
            "epoch_time_s", "epoch time, s (step x steps)", _seconds, parts=("median", "spread")
        ),
        Column("epoch_time_growth", "time growth", times),
        Column(
            "epoch_wall_s",
            "epoch wall clock, s",
            runs_shown(1),
            terminal=not comparison.timed_by_step,
            parts=_RUNS,
        ),
        Column("top1_error", "top-1 error, %", runs_shown(2), parts=_RUNS),
        Column("top1_error_ema", "the same, averaged weights", runs_shown(2), parts=_RUNS),
    ]
    base = comparison.base
    rows = []
    for n in comparison.networks:
        time = None if n.step_epoch_s is None else (n.step_epoch_s, n.step_spread_s)
        row: list = [n.strategy or "base", n.factor, *n.multipliers, n.resolution, n.counts.flops]
        row += [
            n.counts.flops / base.counts.flops if base else None,
            n.counts.params,
            n.counts.acts,
        ]
        row += [
            n.counts.acts / base.counts.acts if base else None,
            n.acts_theory,
            n.acts_exponent,
            time,
            _time_growth(comparison, n),
        ]
        rows.append([*row, summary(n.wall), summary(n.errors), summary(n.errors_ema)])
    # no threads here: errors and times may have used different numbers of them, see the notes
    title = f"{artifact.title}: {where(comparison)}"
    return Table("comparison", title, columns, rows, _notes(comparison))


def paper_correlations() -> dict[str, float]:
    """The paper's r of epoch time with each count (Fig. 2, four series of EfficientNet-B0)."""
    return {
        row["measure"]: float(row["pearson_r"])
        for row in reference("correlations")
        if "B0" in row["networks"]
    }


def correlation_table(comparison: Comparison, paper: dict[str, float]) -> Table:
    """Pearson r of epoch time with flops, params and acts: ours, the paper's, their difference."""
    columns = [
        Column("measure", "epoch time against", right=False),
        Column("networks", "networks"),
        Column("pearson_r", "r ours", fixed(2)),
        Column("pearson_r_paper", "r paper", fixed(2)),
        Column("difference", "difference", signed(2)),
    ]
    rows = []
    for measure in MEASURES:
        r, n = correlation(comparison, measure)
        rows.append(
            [_LABELS[measure], n, r, paper[measure], None if r is None else r - paper[measure]]
        )
    note = (
        "Paper: Fig. 2, EfficientNet-B0 scaled by dwr, dw, dWr and w up to x96, ImageNet, "
        "accelerators; four series pooled."
    )
    return Table(
        "correlation",
        f"Pearson r of epoch time: {where(comparison, timed_kind(comparison))}",
        columns,
        rows,
        [note],
    )


def correlation(comparison: Comparison, measure: str) -> tuple[float | None, int]:
    """(r of epoch time with a measure, number of networks); r is None below three networks."""
    pairs = [(getattr(n.counts, measure), comparison.epoch_time(n)[0]) for n in comparison.networks]
    found = [(x, y) for x, y in pairs if y is not None]
    return pearson([x for x, _ in found], [y for _, y in found]), len(found)


def where(comparison: Comparison, kind: str | None = None) -> str:
    """Base, factor, data and device for titles; with `kind`, also the threads of its records."""
    plan, data = comparison.plan, DATA_NAMES.get(comparison.plan.data, comparison.plan.data)
    scaled = f"{plan.bases[0]} and scaled x{factor_text(plan.factors[0])}"
    threads = _threads(comparison, kind) if kind else ""
    return f"{scaled}, {data}, {comparison.environment('device')}{threads}"


def timed_kind(comparison: Comparison) -> str:
    """The kind of record that epoch times come from."""
    return "time" if comparison.timed_by_step else "train"


def _threads(comparison: Comparison, kind: str) -> str:
    threads = comparison.environment("threads", kind)
    return f", {pluralize(threads, 'thread')}" if threads and comparison.on_cpu else ""


def _notes(comparison: Comparison) -> list[str]:
    growth = (
        [n.counts.flops / comparison.base.counts.flops for n in comparison.networks if n.strategy]
        if comparison.base
        else []
    )
    notes = []
    if growth:
        notes.append(
            "Depths are whole numbers, widths multiples of 8, resolutions multiples of 4, so flops "
            f"(multiply-adds) grow x{min(growth):.2f} to x{max(growth):.2f} instead of "
            f"x{factor_text(comparison.plan.factors[0])}, and errors are not at exactly equal "
            "cost. In theory acts grow as the strategy's power of s."
        )
    if comparison.timed_by_step:
        run = _threads(comparison, "time")
        notes.append(
            "Epoch time: median training step on dummy data x steps per epoch, ± the spread of "
            f"the step over repeats{run}."
        )
    if clocks := {r.clock for r in comparison.records if "epoch_time_s" in r.values}:
        notes.append(f"Epoch wall clock: {max(clocks)}.")
    runs = {len(n.errors) for n in comparison.networks}
    if runs == {1}:
        notes.append("Every error is that of a single run.")
    elif max(runs) > 1:
        notes.append(
            "Errors: mean ± sample standard deviation (number of runs); "
            f"{counted(runs)} runs per network."
        )
    if any(
        not (n.errors and n.errors_ema and n.wall and n.step_epoch_s) for n in comparison.networks
    ):
        notes.append("Unmeasured cells are blank.")
    classes = comparison.records[0].num_classes
    epochs = {r.epochs for r in comparison.records if r.kind == "train"}
    if len(epochs) == 1:
        run = _threads(comparison, "train") and f"{_threads(comparison, 'train')} per run"
        n = epochs.pop()
        notes.append(
            f"Recipe {comparison.plan.recipe}, {pluralize(n or 0, 'epoch')}{run}. "
            f"Counts are for one image and {classes} classes."
        )
    return notes


def _seconds(value: tuple[float, float | None]) -> str:
    median, spread = value
    digits = 2 if median < 10 else 1
    return f"{median:.{digits}f}" + (f" ± {spread:.{digits}f}" if spread is not None else "")


def _time_growth(comparison: Comparison, network: Network) -> float | None:
    own = comparison.epoch_time(network)[0]
    base = comparison.epoch_time(comparison.base)[0] if comparison.base else None
    return own / base if own is not None and base else None


def counted(runs: Iterable[int]) -> str:
    """The number of runs: `2`, or `1 to 2` if networks differ."""
    low, high = min(runs), max(runs)
    return f"{low}" if low == high else f"{low} to {high}"
