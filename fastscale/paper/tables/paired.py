"""The tables of trained evidence: every network with its errors, and every paired difference."""

from fastscale.common import pluralize
from fastscale.paper.artifacts import Artifact
from fastscale.paper.matched import equality, matched
from fastscale.paper.paired import Trained, by_size, comparisons, difference
from fastscale.paper.stats import LEVEL, Estimate
from fastscale.paper.tables.comparison import DATA_NAMES
from fastscale.paper.tables.table import Column, Table, fixed, interval, times


def networks_table(found: Trained, artifact: Artifact, baseline: str) -> Table:
    """One row per network of the plan: its cost, growth, error and epoch time."""
    columns = [
        Column("base", "base", right=False),
        Column("strategy", "strategy", right=False),
        Column("arch", "network", right=False),
        Column("flops_multiply_adds", "flops, M (multiply-adds)", lambda v: f"{v / 1e6:.2f}"),
        Column("flops_multiply_adds_growth", "flops (multiply-adds) growth", times),
        Column("params_growth", "params growth", times),
        Column("acts_growth", "acts growth", times),
        Column("acts_exponent_off", "acts exponent off theory", lambda v: f"{v:+.2f}"),
        Column("top1_error", "top-1 error, %", _runs, parts=("mean", "std", "n")),
        Column("epoch_time_s", "epoch time, s (step x steps)", fixed(1)),
    ]
    rows = []
    for cell in found.cells:
        row: list = [cell.base, cell.strategy or "base", cell.arch, cell.counts.flops]
        row += [cell.growth(measure) for measure in ("flops", "params", "acts")]
        rows.append([*row, cell.exponent_off("acts"), cell.summary, cell.step_epoch_s])
    return Table(
        artifact.name,
        artifact.title + where(found),
        columns,
        rows,
        [amount(found), growth_note(found), unequal(found, baseline)],
    )


def differences_table(found: Trained, artifact: Artifact, baseline: str) -> Table:
    """Every strategy's error minus the baseline's: over all bases and sizes, then for each."""
    columns = [
        Column("strategy", "strategy", right=False),
        Column("bases", "base", right=False),
        Column("size", "size", right=False),
        Column("flops_multiply_adds_growth", "its flops (multiply-adds) growth", times),
        Column(
            "flops_multiply_adds_growth_baseline",
            f"{baseline}'s flops (multiply-adds) growth",
            times,
        ),
        Column(
            "difference",
            f"error minus {baseline}'s, points",
            interval,
            parts=("mean", "low", "high", "pairs"),
        ),
    ]
    rows: list[list] = []
    for strategy in found.besides(baseline):
        pooled = comparisons(found, strategy, baseline)
        if len(pooled) == 1:
            rows.append([strategy, "all", "all", None, None, _parts(pooled[0][1])])
        for (one,), e in by_size(found, strategy, baseline):
            rows.append([strategy, "all", f"x{one:g}", None, None, _parts(e)])
        for base in found.plan.bases:
            for size in found.sizes:
                cells = found.cell(base, size, strategy), found.cell(base, size, baseline)
                growths = [cell.growth("flops") if cell else None for cell in cells]
                own = difference(found, strategy, baseline, [base], [size])
                rows.append([strategy, base, f"x{size:g}", *growths, _parts(own)])
    title = f"{artifact.title}: differences from {baseline}{where(found)}"
    return Table(
        f"{artifact.name}-differences", title, columns, rows, [unequal(found, baseline), _INTERVAL]
    )


def unequal(found: Trained, baseline: str) -> str:
    """How far the compared flops are from equal, for each size."""
    if matched(found):
        return equality(found)
    parts = []
    for size in found.sizes:
        every, own = found.growths(size), found.growths(size, baseline)
        shown = " and ".join(f"x{growth:.2f}" for growth in own)
        parts.append(f"at x{size:g} they grow x{min(every):.2f} to x{max(every):.2f} ({shown})")
    return (
        f"Not at equal flops: {'; '.join(parts)}. In brackets: {baseline}, the baseline, for "
        f"{' and '.join(found.plan.bases)}. Part of a difference comes from the flops."
    )


def where(found: Trained) -> str:
    """Data and device, for titles."""
    data = DATA_NAMES.get(found.plan.data, found.plan.data)
    if found.device:
        return f" ({data}, {found.device})"
    timed = f"; times on one {found.timed_on}" if found.timed_on else ""
    return f" ({data}; nothing trained yet{timed})"


def amount(found: Trained) -> str:
    """How much of the plan was trained, and the time it took."""
    planned = len(found.plan.runs())
    text = f"{len(found.records)} of {planned} planned runs"
    if not found.records:
        return f"{text}: no network has been trained yet."
    text += f", recipe {found.plan.recipe}"
    if found.amount is not None:
        images, hours = found.amount
        time = f"{hours:.1f} hours" if hours >= 2 else f"{60 * hours:.0f} minutes"
        threads = found.records[0].env.get("threads")
        on = found.device
        if threads and found.on_cpu:
            on += f", {pluralize(threads, 'thread')} per run"
        text += (
            f"; training on {images / 1e6:.1f} M images took {time} "
            f"({on}; sum of all runs, {found.clock})"
        )
    return f"{text}. Errors: raw weights, mean ± sample standard deviation (n runs)."


def _parts(found: Estimate | None) -> tuple[float, float, float, int] | None:
    return None if found is None else (found.mean, found.low, found.high, found.pairs)


def _runs(value: tuple[float, float | None, int]) -> str:
    average, spread, runs = value
    return f"{average:.2f} ± {spread:.2f} ({runs})" if spread is not None else f"{average:.2f} (1)"


def growth_note(found: Trained) -> str:
    """How the factors were chosen, and what the exponent means."""
    near = " and ".join(f"x{size:g}" for size in found.sizes)
    return (
        "Depths are whole numbers, widths multiples of 8, resolutions multiples of 4. So factors "
        f"were chosen, from counts alone, for flops (multiply-adds) near {near}. Acts exponent: "
        "the logarithm of the growth of acts over that of flops, minus the closed form's exponent "
        "(Tables 1 and 2)."
    )


_INTERVAL = (
    f"Mean of paired differences [{LEVEL:.0%} interval] (pairs of runs). Pairs share base, size "
    "and seed; bases and sizes have equal weights. Student's interval with the variance within "
    "bases and sizes pooled, not adjusted for the number of comparisons. Above 0 is worse. If the "
    "difference changes its sign between sizes, there is no row over all sizes."
)
