"""What we measured, for a figure: the committed records of its series of networks, sorted into groups that may stand in one panel.

Training runs are grouped by recipe (which fixes the data), timings by accelerator and conditions: a
figure never mixes two groups. The groups of the plan's own recipe belong into the figure itself;
others, and each device's timings, make a variant of it whose title says so. A CPU's times make none:
the paper's figures are about accelerators.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fastscale.archs.bases import EFFICIENTNETS
from fastscale.archs.names import NetworkName
from fastscale.common import slug
from fastscale.errors import InputError
from fastscale.paper.artifacts import Artifact
from fastscale.paper.stats import LEAST_POINTS, deviation, mean
from fastscale.paper.style import alike
from fastscale.records import Record, latest, step_time
from fastscale.records.committed import check_counts
from fastscale.records.durations import CLOCKS
from fastscale.records.frame import MEASURED, Row, recorded
from fastscale.references.devices import short_name
from fastscale.scaling import arch_named
from fastscale.timing.drift import at_usual_clock

FIRST_EFFICIENTNET = "efficientnet-b0"
_TIMED_UNDER = ("device", "precision", "layout", "compile", "cudnn")


@dataclass(frozen=True)
class Group:
    """Records of one kind that were made under the same conditions, as points; `name` is short and fit for a file name."""

    kind: str
    name: str
    words: str  # for a title
    data: str
    device: str  # empty for training
    points: tuple[Row, ...]

    @property
    def standing_in(self) -> frozenset[str]:
        """The networks whose eager time stands in for the device's."""
        return frozenset(p.arch for p in self.points if p.clock == "stand-in" and p.arch)


def groups(records: Iterable[Record], artifact: Artifact, tier: str = "full") -> list[Group]:
    """The groups of the networks of the artifact's series, training first, the plan's own recipe before others.

    Fewer than three networks by another recipe, timings of fewer than three or of less than a tenth of those planned make no group.
    Raises InputError where a record's counts are not those of the network it names.
    """
    plan = artifact.plan(tier)
    if plan is None:
        return []
    planned = {name.name: name for name in plan.names()}
    own = [
        r for r in records if plan.holds(r.base, r.strategy, r.factor) and _fits(r) and not r.early
    ]
    names = {r.arch: planned.get(r.arch) or _plain(r, planned) for r in own}
    names = dict(sorted(names.items(), key=lambda item: _in_order(item[1], planned)))
    trained = [r for r in own if r.kind == "train" and r.recipe and "top1_error" in r.values]
    timed = at_usual_clock(
        [
            r
            for r in own
            if r.kind == "time"
            and r.env.get("device_type", "cpu") != "cpu"
            and r.data == plan.data
            and "epoch_time_min" in r.values
        ]
    )
    found = []
    for recipe in sorted(
        {r.recipe for r in trained if r.recipe}, key=lambda recipe: (recipe != plan.recipe, recipe)
    ):
        runs = [r for r in trained if r.recipe == recipe]
        if (
            recipe == plan.recipe or len({r.arch for r in runs}) >= LEAST_POINTS
        ):  # a network or two elsewhere compare nothing
            found.append(_trained(recipe, runs, names))
    conditions = sorted({_conditions(r) for r in timed})
    least = max(LEAST_POINTS, len(planned) / 10)
    for condition in [
        c for c in conditions if len({r.arch for r in timed if _conditions(r) == c}) >= least
    ]:
        same_device = [other for other in conditions if other[0] == condition[0]]
        found.append(
            _timed(condition, same_device, [r for r in timed if _conditions(r) == condition], names)
        )
    return found


def _plain(record: Record, planned: dict[str, NetworkName]) -> NetworkName:
    """The network's name as the figure has it: where there are no group convs to scale, wg is w, dwgr is dwr."""
    groups = arch_named(record.base).grouped
    strategy = record.strategy if groups else alike(record.strategy)
    name = NetworkName(record.base, strategy, record.factor)
    return planned.get(name.name) or name


def _in_order(name: NetworkName, planned: dict[str, NetworkName]) -> tuple:
    """Planned networks in the plan's order, then others by name and factor."""
    place = list(planned).index(name.name) if name.name in planned else len(planned)
    return place, name.base, name.strategy or "", name.factor


def _fits(record: Record) -> bool:
    """Whether the network was run at its own resolution."""
    return record.resolution == check_counts(record, f"record {record.id}")


def _trained(recipe: str, records: Sequence[Record], names: dict[str, NetworkName]) -> Group:
    data = {str(r.data) for r in records}
    if len(data) > 1:
        raise InputError(
            f"recipe {recipe}: records of different data sets cannot be compared ({', '.join(sorted(data))})"
        )
    points = []
    for name in dict.fromkeys(names.values()):
        # the last of each seed: n counts trainings, not how often one was written down
        runs = [*{r.seed: r for r in latest(records) if names[r.arch] == name}.values()]
        if runs:
            rows = [recorded(r) for r in runs]
            errors = [
                e
                for r in rows
                if (e := r.top1_error if r.top1_error_ema is None else r.top1_error_ema) is not None
            ]
            points.append(
                _point(
                    rows[0],
                    name,
                    top1_error=mean(errors),
                    top1_error_spread=deviation(errors),
                    runs=len(errors),
                    epochs=runs[0].epochs,
                )
            )
    return Group("train", slug(recipe), f"recipe {recipe}", data.pop(), "", tuple(points))


def _timed(
    condition: tuple[str, ...],
    same_device: Sequence[tuple[str, ...]],
    records: Sequence[Record],
    names: dict[str, NetworkName],
) -> Group:
    differs = [
        value
        for i, value in enumerate(condition)
        if i and len({other[i] for other in same_device}) > 1
    ]
    device, precision, layout, compiled, _, clock = condition
    how = "compiled, " if compiled not in ("False", "None") else ""
    words = f"{device}, {precision}, {layout}, {how}{CLOCKS[clock]}"
    points = []
    for name in dict.fromkeys(names.values()):
        own = [r for r in records if names[r.arch] == name]
        if own:  # measured with several batches: the largest, which fills the device
            r = max(own, key=lambda record: (record.env.get("batch") or 0, record.id))
            row = recorded(r)
            points.append(
                _point(row, name, epoch_time_min=row.time, epoch_time_spread_min=row.spread)
            )
    return Group(
        "time",
        slug(" ".join([short_name(device), *differs])),
        words,
        str(records[0].data),
        device,
        tuple(points),
    )


def _point(row: Row, name: NetworkName, **measured) -> Row:
    values: dict[str, Any] = dict.fromkeys(MEASURED) | measured
    return replace(
        row,
        arch=name.name,
        base=name.base,
        strategy=shown_strategy(name),
        factor=name.factor,
        **values,
    )


def shown_strategy(name: NetworkName) -> str | None:
    """How it is scaled; "orig" of an original EfficientNet, shown beside what B0 is scaled to."""
    original = name.base in EFFICIENTNETS and name.base != FIRST_EFFICIENTNET
    return "orig" if original and name.strategy is None else name.strategy


def shown_base(network: str) -> str:
    """The base whose panel a network stands in: the original EfficientNets stand in B0's."""
    base = NetworkName.parse(network).base
    return FIRST_EFFICIENTNET if base in EFFICIENTNETS else base


def _conditions(record: Record) -> tuple[str, ...]:
    time = step_time(record)
    clock = "eager" if time is None or time.clock == "eager" else "device"
    return (*(str(record.env.get(name)) for name in _TIMED_UNDER), clock)
