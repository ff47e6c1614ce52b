"""A figure and its variants: the same panels with different measurements.

The figure shows the published points, and our errors by the plan's recipe. Each accelerator (and
each set of conditions on it) has a variant with its times, and each other recipe or data set has a
variant with its errors. CPU times are not shown: they neither confirm nor refute a claim about
accelerators.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from fastscale.paper.artifacts import Artifact, Figure, Plan
from fastscale.paper.evidence import Group, groups, shown_strategy
from fastscale.paper.tables.table import MEASURES
from fastscale.records import Record
from fastscale.records.committed import counts
from fastscale.records.frame import Row
from fastscale.scaling import arch_named


@dataclass(frozen=True)
class View:
    """One picture of a figure: published points, and the groups of ours that it shows."""

    name: str  # of its file
    published: tuple[Row, ...]
    planned: tuple[Row, ...]  # our counts, without times and errors
    trained: Group | None
    timed: Group | None
    foreign: bool = False  # trained on other data or by another recipe than planned

    def published_values(self, measure: str) -> list[Row]:
        """Published points with that measure.

        No errors if ours are of another experiment, and no counts that were computed for the
        network instead of published.
        """
        if measure == "error" and self.foreign:
            return []
        return [
            p
            for p in self.published
            if getattr(p, measure) is not None and not (p.counted and measure in MEASURES)
        ]

    def our_values(self, measure: str) -> list[Row]:
        """Our points with that measure: counted, trained or timed."""
        group = {"time": self.timed, "error": self.trained}.get(measure)
        points = self.planned if measure not in ("time", "error") else group.points if group else ()
        return [p for p in points if getattr(p, measure) is not None]


def views(artifact: Artifact, records: Sequence[Record]) -> list[View]:
    """The figure, then one variant per foreign recipe and per device and conditions."""
    published = tuple(artifact.drawing.published() if isinstance(artifact, Figure) else ())
    plan = artifact.plan("full")
    planned = tuple(counted(plan)) if plan else ()
    found = groups(records, artifact)
    trained = [g for g in found if g.kind == "train"]
    own = next(
        (g for g in trained if plan and g.data == plan.data and g.label == f"recipe {plan.recipe}"),
        None,
    )
    pictures = [View(artifact.name, published, planned, own, None)]
    for group in found:
        if group.kind == "time":
            pictures.append(
                View(f"{artifact.name}-on-{group.name}", published, planned, own, group)
            )
        elif group is not own:
            pictures.append(
                View(
                    f"{artifact.name}-with-{group.name}",
                    published,
                    planned,
                    group,
                    None,
                    foreign=True,
                )
            )
    return pictures


def counted(plan: Plan) -> list[Row]:
    """The planned networks with our counts (1000 classes), without times and errors."""
    found = []
    for name in plan.names():
        ours, _ = counts(name.name)
        found.append(
            Row(
                id=name.name,
                source="ours",
                kind="count",
                arch=name.name,
                family=arch_named(name.base).family,
                base=name.base,
                strategy=shown_strategy(name),
                factor=name.factor,
                flops=float(ours.flops),
                params=float(ours.params),
                acts=float(ours.acts),
            )
        )
    return found
