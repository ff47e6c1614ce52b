"""Measures of single networks: correlations, differences and ratios of time and error."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field

from fastscale.errors import InputError
from fastscale.paper.artifacts import Artifact, Figure, load_artifact
from fastscale.paper.claims import Evidence, Measure, Ours, measure
from fastscale.paper.declare import Count, Epochs, Network, Quantity, Some, Text

if TYPE_CHECKING:
    from fastscale.paper.pools import Pool
    from fastscale.paper.views import View
    from fastscale.records.frame import Row


@measure("correlation")
class Correlation(Measure):
    """Pearson r of epoch time with a count, in a panel of a figure drawn by `runtime`."""

    correlation: Literal["flops", "params", "acts", "families"]
    pool: Text

    def published(self, artifact: Artifact) -> tuple[float, int] | None:
        from fastscale.paper.figures.runtime import published_pools

        pool = self._of(published_pools(self._figure()))
        r = pool.r()
        return None if r is None else (r, len(pool.inside))

    def ours(self, evidence: Evidence) -> Iterator[Ours]:
        """One r per device."""
        from fastscale.paper.figures.runtime import our_pools

        figure = self._figure()
        for view in evidence.pictures(figure.name):
            if view.timed:
                pool = self._of(our_pools(figure, view.timed.points))
                own = pool.without
                without = own.r() if len(own.inside) < len(pool.inside) else None
                r = pool.r()
                if r is not None:
                    yield Ours(r, len(pool.inside), view.timed.label, without=without)

    def needs(self, evidence: Evidence) -> str:
        plan = self._figure().plan("full")
        return f"device times of the {len(plan.names()) if plan else 0} networks of {self.pool}"

    def _figure(self) -> Figure:
        figure = load_artifact(self.pool)
        if not isinstance(figure, Figure) or figure.drawing.by != "runtime":
            raise InputError(f"measure: pool: {self.pool} is not drawn by runtime")
        return figure

    def _of(self, pools: dict[str, "Pool"]) -> "Pool":
        if self.correlation not in pools:
            raise InputError(f"measure: pool: {self.pool} has no panel of {self.correlation}")
        return pools[self.correlation]


class OfNetworks(Measure):
    """A network compared with the least value of others."""

    keys: ClassVar[tuple[str, str]]  # the fields of the quantity and of the other networks
    of: Network
    points: Some[Text] | None = None
    epochs: Epochs | None = None

    @property
    def quantity(self) -> str:
        """The quantity that is compared."""
        return getattr(self, self.keys[0])

    @property
    def others(self) -> tuple[str, ...]:
        """The networks that it is compared with."""
        return getattr(self, self.keys[1])

    @abstractmethod
    def result(self, first: float, least: float) -> float:
        """The result for its value and the least of the others."""

    def published(self, artifact: Artifact) -> tuple[float, int] | None:
        """The result for the published points; unknown other networks are skipped."""
        from fastscale.paper.points import paper_points

        if self.points is None:
            return None
        points = [p for p in paper_points(self.points) if p.epochs == self.epochs]
        return self._compared(points, self.quantity, whole=False)

    def ours(self, evidence: Evidence) -> Iterator[Ours]:
        """One result per device or recipe that has all networks."""
        for points, where in self._groups(evidence.pictures(evidence.artifact.name)):
            found = self._compared(points, self.quantity)
            if found is not None:
                runs = [p.runs for p in points if p.arch in (self.of, *self.others)]
                yield Ours(found[0], min(runs), where)

    def needs(self, evidence: Evidence) -> str:
        """The networks that are missing from the group with the fewest missing."""
        groups = self._groups(evidence.pictures(evidence.artifact.name))
        there = [{p.arch for p in points} for points, _ in groups] or [set()]
        missing = min(
            ([n for n in (self.of, *self.others) if n not in own] for own in there), key=len
        )
        plan = evidence.artifact.plan("full")
        what = "device time" if self.quantity == "time" else f"{plan.data} error by {plan.recipe}"
        return f"{what} of {', '.join(missing)}"

    def _groups(self, views: "Sequence[View]") -> "list[tuple[Sequence[Row], str]]":
        if self.quantity == "error":
            own = [v for v in views if v.trained and not v.timed and not v.foreign]
            groups = [v.trained for v in own if v.trained]
            return [(g.points, f"{g.data}, {g.label}") for g in groups]
        if self.quantity == "time":
            return [(v.timed.points, v.timed.label) for v in views if v.timed]
        return [(views[0].planned, "counted")]

    def _compared(
        self, points: "Sequence[Row]", quantity: str, whole: bool = True
    ) -> tuple[float, int] | None:
        """(result, number of networks). Without `whole`, unknown other networks are skipped."""
        values = {p.arch: getattr(p, quantity) for p in points}
        first, others = values.get(self.of), [values.get(name) for name in self.others]
        known = [value for value in others if value is not None]
        if first is None or not known or (whole and len(known) < len(others)):
            return None
        return self.result(first, min(known)), 1 + len(known)


def _several(names: object) -> object:
    return [names] if isinstance(names, str) else names


Networks = Annotated[Some[Network], BeforeValidator(_several)]


@measure("difference")
class Difference(OfNetworks):
    """The difference of a quantity between networks."""

    keys = "difference", "minus"
    difference: Quantity
    minus: Networks

    def result(self, first: float, least: float) -> float:
        return first - least


@measure("ratio")
class Ratio(OfNetworks):
    """The ratio of a quantity; `expected` is a count whose ratio is the recomputed number."""

    keys = "ratio", "to"
    ratio: Quantity
    to: Networks
    expected: Count | None = None

    def result(self, first: float, least: float) -> float:
        return first / least

    @property
    def origin(self) -> str:
        """Published points, or the expected counts, which are ours."""
        return f"{self._counted} counted here" if self._counted else super().origin

    @property
    def _counted(self) -> Count | None:
        return self.expected if self.points is None else None

    def published(self, artifact: Artifact) -> tuple[float, int] | None:
        """The ratio of the published points, or of the expected counts."""
        from fastscale.paper.views import views

        if self._counted:
            return self._compared(views(artifact, [])[0].planned, self._counted)
        return super().published(artifact)


@measure("margin")
class Margin(Measure):
    """r of logarithms with one count minus r with another, in one of timm's files."""

    from_zero: ClassVar[bool] = True
    of_others: ClassVar[bool] = True
    margin: Annotated[tuple[Count, Count], Field(strict=False)]
    file: Text

    def published(self, artifact: Artifact) -> tuple[float, int] | None:
        from fastscale.paper.figures.accelerators import margin

        return margin(self.file, self.margin)
