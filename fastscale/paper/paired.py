"""Trained networks compared strategy against strategy: errors by seed, paired differences, and a confidence interval for each.

Networks stand in cells: a base, a size (how many times the base's flops, about) and a strategy, trained with several seeds. Two strategies
are compared within a base, a size and a seed; the differences of all bases and sizes are averaged with equal weights. The interval is
Student's, with the variance of the differences within bases and sizes pooled (stratified by both): it is about these bases and sizes, not
about others. Only runs of the plan count that were made under equal conditions; where there are several sets of these, the largest.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fastscale.counts import Complexity
from fastscale.data.sizes import SIZES
from fastscale.errors import InputError
from fastscale.paper.artifacts import Plan
from fastscale.paper.measured import Measured, rows, timing
from fastscale.paper.selection import Planned, conditions
from fastscale.paper.stats import LEAST_POINTS, Estimate, estimate, pearson
from fastscale.paper.style import alike
from fastscale.records import Record, latest
from fastscale.records.committed import check_counts, counts
from fastscale.scaling import Strategy, arch_named


@dataclass(frozen=True, kw_only=True)
class Cell(Measured):
    """A network, and about how many times the base's flops it has."""

    size: float
    base_counts: Complexity

    def growth(self, measure: str) -> float:
        """How many times the base's flops, params or acts it has."""
        return getattr(self.counts, measure) / getattr(self.base_counts, measure)

    def exponent_off(self, measure: str) -> float | None:
        """By how much the exponent of its growth, in terms of its flops', is off the closed form (Tables 1, 2, 4); None for the base."""
        if self.strategy is None:
            return None
        strategy = Strategy.parse(self.strategy)
        theory = getattr(strategy.exponents(group_conv=arch_named(self.base).grouped), measure)
        return math.log(self.growth(measure)) / math.log(self.growth("flops")) - float(theory)


@dataclass(frozen=True)
class Trained:
    """The plan's networks with what was trained of them under one set of conditions; `records`: of these runs."""

    plan: Plan
    sizes: tuple[float, ...]
    cells: tuple[Cell, ...]
    records: tuple[Record, ...]

    @property
    def strategies(self) -> tuple[str, ...]:
        """Those of the plan, in its order; with and without group width a strategy is one, by the name of the first."""
        return tuple(
            {
                alike(cell.strategy): cell.strategy
                for cell in reversed(self.cells)
                if cell.strategy
            }.values()
        )[::-1]

    def besides(self, strategy: str) -> list[str]:
        """The others."""
        return [s for s in self.strategies if alike(s) != alike(strategy)]

    @property
    def on_cpu(self) -> bool:
        """Whether it was trained without an accelerator."""
        return any(r.env.get("device_type", "cpu") == "cpu" for r in self.records)

    @property
    def device(self) -> str:
        """What it was trained on; empty where nothing was."""
        return str(self.records[0].env["device"]) if self.records else ""

    @property
    def untimed(self) -> int:
        """How many of its networks have no epoch time, on the device that trains them."""
        return sum(cell.step_epoch_s is None for cell in self.cells)

    @property
    def timed_on(self) -> str:
        """What its networks were timed on; empty where none was."""
        return next((cell.timed.device or "" for cell in self.cells if cell.timed), "")

    @property
    def amount(self) -> tuple[int, float] | None:
        """(images shown in training, hours of all its epochs), over all runs; None where that is
        not known. See `clock` for what the hours contain."""
        if self.plan.data not in SIZES or not all("epoch_time_s" in r.values for r in self.records):
            return None
        epochs = sum(r.epochs or 0 for r in self.records)
        return epochs * SIZES[self.plan.data][0], sum(
            r.values["epoch_time_s"] * (r.epochs or 0) for r in self.records
        ) / 3600

    @property
    def clock(self) -> str:
        """What the records' epoch times contain, in some of them at least."""
        return max({r.clock for r in self.records})

    def growths(self, size: float, strategy: str | None = None) -> list[float]:
        """How many times the base's flops the networks of a size have, base by base."""
        scaled = [c for c in self.cells if c.strategy and c.size == size]
        wanted = [c for c in scaled if strategy is None or alike(c.strategy) == alike(strategy)]
        return [c.growth("flops") for c in wanted]

    def cell(self, base: str, size: float, strategy: str | None) -> Cell | None:
        """The network of a strategy, with or without group width; None where the plan has none."""
        return next(
            (
                c
                for c in self.cells
                if (c.base, c.size, alike(c.strategy)) == (base, size, alike(strategy))
            ),
            None,
        )


def trained(
    artifact: str, plan: Plan, sizes: tuple[float, ...], classes: int, records: Iterable[Record]
) -> Trained:
    """Sorts the records of the runs of the artifact of that name into its cells; `classes`: of the data where nothing was trained.

    Raises InputError where a record's counts are not those of its network, or two networks would share a cell.
    """
    records = list(records)
    planned = Planned(plan)
    own = latest(r for r in records if planned.trains(r) and "top1_error" in r.values)
    chosen = _largest(own)
    for record in chosen:
        check_counts(record, f"record {record.id}")
    classes = chosen[0].num_classes if chosen else classes
    where = chosen[0].env["device"] if chosen else _accelerator(records, plan)
    timed: dict[str, list[Record]] = {}
    for r in reversed(records):  # the last of them
        alike_made = (r.data, r.env["device"], r.num_classes) == (plan.data, where, classes)
        if r.kind == "time" and alike_made:
            timed.setdefault(r.arch, []).append(r)
    cells: dict[tuple, Cell] = {}
    for name in plan.names():
        made, base = counts(name.name, None, classes)[0], counts(name.base, None, classes)[0]
        size = 1.0 if name.strategy is None else nearest_size(made.flops / base.flops, sizes)
        key = name.base, size, alike(name.strategy)
        if key in cells:
            raise InputError(
                f"{artifact}: {name.name} and another network of its strategy have about x{size:g} the base's flops"
            )
        cells[key] = Cell(
            name=name,
            counts=made,
            trained=rows(r for r in chosen if r.arch == name.name),
            timed=timing(timed.get(name.name, [])),
            size=size,
            base_counts=base,
        )
    return Trained(plan, sizes, tuple(cells.values()), tuple(chosen))


def _accelerator(records: Iterable[Record], plan: Plan) -> str | None:
    """The one that most of the plan's networks were timed on, which needs no training; None where
    none was."""
    names = {name.name for name in plan.names()}
    timed = {
        (r.env["device"], r.arch)
        for r in records
        if r.kind == "time" and r.data == plan.data and r.env.get("device_type") == "cuda"
    }
    found = Counter(device for device, arch in sorted(timed) if arch in names)
    return found.most_common(1)[0][0] if found else None


def nearest_size(growth: float, sizes: Sequence[float]) -> float:
    """The size that a growth of flops is nearest to, in ratio."""
    return min(sizes, key=lambda size: abs(math.log(growth / size)))


def difference(
    found: Trained,
    first: str,
    second: str,
    bases: Sequence[str] | None = None,
    sizes: Sequence[float] | None = None,
) -> Estimate | None:
    """Error of `first` minus that of `second`, paired by base, size and seed; of some bases or sizes alone, where given.

    None where a base and size has no pair of runs, or none has two, so that nothing tells how far they scatter.
    """
    strata = []
    for base in bases or found.plan.bases:
        for size in sizes or found.sizes:
            one, other = found.cell(base, size, first), found.cell(base, size, second)
            if one is None or other is None:
                continue
            strata.append(
                [
                    error - other.by_seed[seed]
                    for seed, error in one.by_seed.items()
                    if seed in other.by_seed
                ]
            )
    return estimate(strata)


def by_size(found: Trained, first: str, second: str) -> list[tuple[tuple[float, ...], Estimate]]:
    """The difference at each size alone, over all bases; sizes without an estimate are left out."""
    each = [((s,), difference(found, first, second, sizes=[s])) for s in found.sizes]
    return [(size, e) for size, e in each if e is not None]


def comparisons(
    found: Trained, first: str, second: str
) -> list[tuple[tuple[float, ...], Estimate]]:
    """(sizes, difference over them): all sizes together, unless the difference changes its sign
    between them; then each alone, for a mean of both would hide it."""
    each = by_size(found, first, second)
    if each and min(e.mean for _, e in each) < 0 < max(e.mean for _, e in each):
        return each
    together = difference(found, first, second)
    return [] if together is None else [(found.sizes, together)]


def exponents_off(found: Trained, measure: str) -> tuple[float, int]:
    """(mean distance of the exponents of growth from the closed form, networks)."""
    off = [abs(value) for cell in found.cells if (value := cell.exponent_off(measure)) is not None]
    return math.fsum(off) / len(off), len(off)


def time_correlation(found: Trained, measure: str) -> tuple[float, int] | None:
    """(Pearson r of epoch time with a count over the networks, how many); None unless all of them,
    three or more, were timed."""
    timed = [cell for cell in found.cells if cell.step_epoch_s is not None]
    r = pearson([getattr(c.counts, measure) for c in timed], [c.step_epoch_s or 0.0 for c in timed])
    whole = len(timed) == len(found.cells) >= LEAST_POINTS
    return (r, len(timed)) if whole and r is not None else None


def _largest(records: Sequence[Record]) -> list[Record]:
    """The records of the conditions that most were made under; of equally many, the newest."""
    groups: dict[tuple, list[Record]] = {}
    for record in records:
        groups.setdefault(conditions(record), []).append(record)
    return max(
        groups.values(),
        key=lambda group: (len(group), max(r.env["date"] for r in group)),
        default=[],
    )
