"""Trained networks compared by strategy: errors by seed, and paired differences with intervals.

Each network is a cell: a base, a size (about how many times the base's flops) and a strategy,
trained with several seeds. Two strategies are compared within a base, a size and a seed. The
differences of all bases and sizes are averaged with equal weights. The interval is Student's, with
the variance within bases and sizes pooled: it holds for these bases and sizes, not for others. Only
runs of the plan that share their conditions count; of several such sets, the largest.
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
from fastscale.paper.style import canonical_strategy
from fastscale.records import Record, latest
from fastscale.records.committed import check_counts, counts
from fastscale.scaling import Strategy, arch_named


@dataclass(frozen=True, kw_only=True)
class Cell(Measured):
    """A network of the plan."""

    size: float  # its flops, in about so many times the base's
    base_counts: Complexity

    def growth(self, measure: str) -> float:
        """Its flops, params or acts over the base's."""
        return getattr(self.counts, measure) / getattr(self.base_counts, measure)

    def exponent_off(self, measure: str) -> float | None:
        """Exponent of its growth minus the closed form's (Tables 1, 2, 4); None for a base."""
        if self.strategy is None:
            return None
        strategy = Strategy.parse(self.strategy)
        theory = getattr(strategy.exponents(group_conv=arch_named(self.base).grouped), measure)
        return math.log(self.growth(measure)) / math.log(self.growth("flops")) - float(theory)


@dataclass(frozen=True)
class Trained:
    """The plan's networks with their runs under one set of conditions."""

    plan: Plan
    sizes: tuple[float, ...]
    cells: tuple[Cell, ...]
    records: tuple[Record, ...]  # of these runs

    @property
    def strategies(self) -> tuple[str, ...]:
        """The plan's strategies in its order; one with and without group width counts once."""
        return tuple(
            {
                canonical_strategy(cell.strategy): cell.strategy
                for cell in reversed(self.cells)
                if cell.strategy
            }.values()
        )[::-1]

    def besides(self, strategy: str) -> list[str]:
        """All strategies but this one."""
        return [s for s in self.strategies if canonical_strategy(s) != canonical_strategy(strategy)]

    @property
    def on_cpu(self) -> bool:
        """Whether any run was trained on a CPU."""
        return any(r.env.get("device_type", "cpu") == "cpu" for r in self.records)

    @property
    def device(self) -> str:
        """The device of training; "" if nothing was trained."""
        return str(self.records[0].env["device"]) if self.records else ""

    @property
    def untimed(self) -> int:
        """The number of networks without an epoch time."""
        return sum(cell.step_epoch_s is None for cell in self.cells)

    @property
    def timed_on(self) -> str:
        """The device of the timings; "" if none was timed."""
        return next((cell.timed.device or "" for cell in self.cells if cell.timed), "")

    @property
    def amount(self) -> tuple[int, float] | None:
        """(images seen in training, hours of all epochs), over all runs; None if not known.

        See `clock` for what the hours contain.
        """
        if self.plan.data not in SIZES or not all("epoch_time_s" in r.values for r in self.records):
            return None
        epochs = sum(r.epochs or 0 for r in self.records)
        return epochs * SIZES[self.plan.data][0], sum(
            r.values["epoch_time_s"] * (r.epochs or 0) for r in self.records
        ) / 3600

    @property
    def clock(self) -> str:
        """What the records' epoch times contain (at least in some of them)."""
        return max({r.clock for r in self.records})

    def growths(self, size: float, strategy: str | None = None) -> list[float]:
        """Flops of the networks of a size over their base's; only of `strategy`, if given."""
        scaled = [c for c in self.cells if c.strategy and c.size == size]
        wanted = [
            c
            for c in scaled
            if strategy is None or canonical_strategy(c.strategy) == canonical_strategy(strategy)
        ]
        return [c.growth("flops") for c in wanted]

    def cell(self, base: str, size: float, strategy: str | None) -> Cell | None:
        """The network of a strategy, with or without group width; None if the plan has none."""
        return next(
            (
                c
                for c in self.cells
                if (c.base, c.size, canonical_strategy(c.strategy))
                == (base, size, canonical_strategy(strategy))
            ),
            None,
        )


def trained(
    artifact: str, plan: Plan, sizes: tuple[float, ...], classes: int, records: Iterable[Record]
) -> Trained:
    """The cells of the artifact of that name, with the records of their runs.

    `classes` is the number of classes if nothing was trained. Raises InputError if a record's
    counts are not those of its network, or if two networks would share a cell.
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
    for r in reversed(records):  # the last record first: `timing` takes the first
        same = (r.data, r.env["device"], r.num_classes) == (plan.data, where, classes)
        if r.kind == "time" and same:
            timed.setdefault(r.arch, []).append(r)
    cells: dict[tuple, Cell] = {}
    for name in plan.names():
        made, base = counts(name.name, None, classes)[0], counts(name.base, None, classes)[0]
        size = 1.0 if name.strategy is None else nearest_size(made.flops / base.flops, sizes)
        key = name.base, size, canonical_strategy(name.strategy)
        if key in cells:
            raise InputError(
                f"{artifact}: {name.name} and another network of its strategy have about "
                f"x{size:g} the base's flops"
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
    """The accelerator that timed most of the plan's networks; None if none was timed."""
    names = {name.name for name in plan.names()}
    timed = {
        (r.env["device"], r.arch)
        for r in records
        if r.kind == "time" and r.data == plan.data and r.env.get("device_type") == "cuda"
    }
    found = Counter(device for device, arch in sorted(timed) if arch in names)
    return found.most_common(1)[0][0] if found else None


def nearest_size(growth: float, sizes: Sequence[float]) -> float:
    """The size with the ratio nearest to a growth of flops."""
    return min(sizes, key=lambda size: abs(math.log(growth / size)))


def difference(
    found: Trained,
    first: str,
    second: str,
    bases: Sequence[str] | None = None,
    sizes: Sequence[float] | None = None,
) -> Estimate | None:
    """Error of `first` minus that of `second`, paired by base, size and seed.

    `bases` and `sizes` default to all. None if a base and size has no pair of runs, or if none has
    two, because the spread is then not known.
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
    """(sizes, difference over them): all sizes together, or each if the sign changes between them.

    A mean over sizes would hide a change of sign.
    """
    each = by_size(found, first, second)
    if each and min(e.mean for _, e in each) < 0 < max(e.mean for _, e in each):
        return each
    together = difference(found, first, second)
    return [] if together is None else [(found.sizes, together)]


def exponents_off(found: Trained, measure: str) -> tuple[float, int]:
    """(mean distance of the exponents of growth from the closed form, number of networks)."""
    off = [abs(value) for cell in found.cells if (value := cell.exponent_off(measure)) is not None]
    return math.fsum(off) / len(off), len(off)


def time_correlation(found: Trained, measure: str) -> tuple[float, int] | None:
    """(Pearson r of epoch time with a count, number of networks).

    None if a network was not timed, or if there are fewer than three.
    """
    timed = [cell for cell in found.cells if cell.step_epoch_s is not None]
    r = pearson([getattr(c.counts, measure) for c in timed], [c.step_epoch_s or 0.0 for c in timed])
    whole = len(timed) == len(found.cells) >= LEAST_POINTS
    return (r, len(timed)) if whole and r is not None else None


def _largest(records: Sequence[Record]) -> list[Record]:
    """The records of the conditions with most records; of equally many, the newest."""
    groups: dict[tuple, list[Record]] = {}
    for record in records:
        groups.setdefault(conditions(record), []).append(record)
    return max(
        groups.values(),
        key=lambda group: (len(group), max(r.env["date"] for r in group)),
        default=[],
    )
