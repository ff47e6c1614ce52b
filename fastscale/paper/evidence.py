"""Our measurements for a figure: the committed records of its networks, in groups.

Training runs are grouped by recipe (which fixes the data), timings by accelerator and conditions. A
panel never mixes two groups. The figure itself shows the group of the plan's recipe; other recipes
and each device make a variant whose title says so. CPU times make no variant: the paper's figures
are about accelerators.
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
from fastscale.paper.style import canonical_strategy
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
    """Records of one kind, made under the same conditions, as points."""

    kind: str
    name: str  # short, for file names
    label: str  # for titles
    data: str
    device: str  # "" for training
    points: tuple[Row, ...]

    @property
    def standing_in(self) -> frozenset[str]:
        """The networks whose eager time stands in for device time."""
        return frozenset(p.arch for p in self.points if p.clock == "stand-in" and p.arch)


def groups(records: Iterable[Record], artifact: Artifact, tier: str = "full") -> list[Group]:
    """The groups of the artifact's networks: training first, and first of these the plan's recipe.

    Another recipe makes a group if it has three networks; timings make a group if they have three
    networks and a tenth of those planned. Raises InputError if a record's counts are not those of
    the network it names.
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
        # one or two networks of another recipe compare nothing
        if recipe == plan.recipe or len({r.arch for r in runs}) >= LEAST_POINTS:
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
    """The network's name in the figure: without group convs, wg is w and dwgr is dwr."""
    groups = arch_named(record.base).grouped
    strategy = record.strategy if groups else canonical_strategy(record.strategy)
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
            f"recipe {recipe}: records of different data sets cannot be compared "
            f"({', '.join(sorted(data))})"
        )
    points = []
    for name in dict.fromkeys(names.values()):
        # the last record of each seed: n counts trainings, not how often one was recorded
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
    label = f"{device}, {precision}, {layout}, {how}{CLOCKS[clock]}"
    points = []
    for name in dict.fromkeys(names.values()):
        own = [r for r in records if names[r.arch] == name]
        if own:
            # of several batches the largest, which fills the device
            r = max(own, key=lambda record: (record.env.get("batch") or 0, record.id))
            row = recorded(r)
            points.append(
                _point(row, name, epoch_time_min=row.time, epoch_time_spread_min=row.spread)
            )
    return Group(
        "time",
        slug(" ".join([short_name(device), *differs])),
        label,
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
    """The strategy; "orig" for an original EfficientNet, which is shown beside scaled B0s."""
    original = name.base in EFFICIENTNETS and name.base != FIRST_EFFICIENTNET
    return "orig" if original and name.strategy is None else name.strategy


def shown_base(network: str) -> str:
    """The base whose panel shows a network: B0's panel also shows the original EfficientNets."""
    base = NetworkName.parse(network).base
    return FIRST_EFFICIENTNET if base in EFFICIENTNETS else base


def _conditions(record: Record) -> tuple[str, ...]:
    time = step_time(record)
    clock = "eager" if time is None or time.clock == "eager" else "device"
    return (*(str(record.env.get(name)) for name in _TIMED_UNDER), clock)
