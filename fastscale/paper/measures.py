"""How the number of a claim is computed: one class a kind, called by its first key, with what it needs, the published value and ours.

    exponents: table-4                 exponents of a table that differ from the closed form
    growth: acts, strategy: dWr        mean exponent reached by rounded networks (the artifact's `growth`)
    within: published-counts           networks whose counts agree to one unit of the last digit printed
    exact: zoo                         the same, to the unit
    correlation: acts, pool: fig-2     Pearson r of epoch time with the count (a panel of that figure)
    difference: error, of:, minus:     of two networks; of several, the least of theirs
    ratio: time, of:, to:              likewise
        points: [fig4], epochs: 100    the published ones; or expected: acts, their ratio for the same networks
    margin: [acts, flops], file:       by how much the first r of logs is above the second's, in one published file
    paired: dWr, minus: dwgr           mean paired difference of trained errors with its interval, which decides (see `paired`)
    exponents_off: acts                mean distance of the exponents of these networks' growth from the closed form
    time_correlation: acts             Pearson r of these networks' epoch time with the count

Only what is ours decides; a CPU's time decides nothing.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field

from fastscale.errors import InputError
from fastscale.paper.artifacts import Artifact, Figure, Theory, check_strategies, load_artifact
from fastscale.paper.claims import Evidence, Measure, Ours, measure
from fastscale.paper.declare import Count, Epochs, Network, Quantity, Scaling, Some, Text

if TYPE_CHECKING:
    from fastscale.paper.figures.paired import Paired
    from fastscale.paper.figures.runtime import Pool
    from fastscale.paper.paired import Trained
    from fastscale.paper.views import View
    from fastscale.records.frame import Row


@measure("exponents")
class Exponents(Measure):
    """Exponents of a theory table that differ from the closed form."""

    exponents: Text

    def ours(self, evidence: Evidence) -> Iterator[Ours]:
        """Counted in the table."""
        from fastscale.paper.tables.theory import theory_table

        table = theory_table(self.exponents)
        yield Ours(sum(bool(row[-1]) for row in table.rows), 3 * len(table.rows), "closed form")


@measure("growth")
class GrowthOf(Measure):
    """The mean exponent that rounded networks reach."""

    growth: Count
    strategy: Scaling

    def check(self, artifact: Artifact) -> None:
        """The artifact declares networks."""
        if not isinstance(artifact, Theory) or artifact.growth is None:
            raise ValueError("growth of what? The artifact declares no growth")

    def ours(self, evidence: Evidence) -> Iterator[Ours]:
        """Counted."""
        from fastscale.paper.tables.growth import mean_exponent

        assert isinstance(evidence.artifact, Theory) and evidence.artifact.growth  # see check
        of = evidence.artifact.growth
        yield Ours(*mean_exponent(self.strategy, self.growth, of.bases, of.factors), "counted")


@measure("within")
class Within(Measure):
    """Networks whose counts agree to one unit of the last digit printed."""

    within: Literal["published-counts", "definitions"]

    def ours(self, evidence: Evidence) -> Iterator[Ours]:
        """Counted."""
        from fastscale.paper.tables.published import definitions, published_counts, within_one_unit

        table = definitions() if self.within == "definitions" else published_counts()
        yield Ours(*within_one_unit(table), "counted")


@measure("exact")
class Exact(Measure):
    """Networks of the zoo whose counts agree to the unit."""

    exact: Literal["zoo"]

    def ours(self, evidence: Evidence) -> Iterator[Ours]:
        """Counted."""
        from fastscale.paper.tables.published import zoo_counts

        table = zoo_counts()
        off = [i for i, column in enumerate(table.columns) if column.key.endswith("_difference")]
        equal = sum(not any(row[i] for i in off) for row in table.rows)
        yield Ours(equal, len(table.rows), "counted")


@measure("correlation")
class Correlation(Measure):
    """Pearson r of epoch time with a count: a panel of a figure of run time."""

    correlation: Literal["flops", "params", "acts", "families"]
    pool: Text

    def published(self, artifact: Artifact) -> tuple[float, int] | None:
        """Of the published points."""
        from fastscale.paper.figures.runtime import published_pools

        pool = self._of(published_pools(self._figure()))
        r = pool.r()
        return None if r is None else (r, len(pool.inside))

    def ours(self, evidence: Evidence) -> Iterator[Ours]:
        """One a device."""
        from fastscale.paper.figures.runtime import our_pools

        figure = self._figure()
        for view in evidence.pictures(figure.name):
            if view.timed:
                pool = self._of(our_pools(figure, view.timed.points))
                own = pool.without
                without = own.r() if len(own.inside) < len(pool.inside) else None
                r = pool.r()
                if r is not None:
                    yield Ours(r, len(pool.inside), view.timed.words, without=without)

    def needs(self, evidence: Evidence) -> str:
        """Of the figure's networks."""
        plan = self._figure().plan("full")
        return f"device times of the {len(plan.names()) if plan else 0} networks of {self.pool}"

    def _figure(self) -> Figure:
        figure = load_artifact(self.pool)
        if not isinstance(figure, Figure) or figure.drawing.by != "runtime":
            raise InputError(f"measure: pool: {self.pool} is no figure of run time")
        return figure

    def _of(self, pools: dict[str, "Pool"]) -> "Pool":
        if self.correlation not in pools:
            raise InputError(f"measure: pool: {self.pool} has no panel of {self.correlation}")
        return pools[self.correlation]


class OfNetworks(Measure):
    """A network held against others: against the least of theirs."""

    keys: ClassVar[tuple[str, str]]  # of what is compared, and of the others
    of: Network
    points: Some[Text] | None = None
    epochs: Epochs | None = None

    @property
    def quantity(self) -> str:
        """What is compared."""
        return getattr(self, self.keys[0])

    @property
    def others(self) -> tuple[str, ...]:
        """The networks it is compared with."""
        return getattr(self, self.keys[1])

    def result(self, first: float, least: float) -> float:
        """Of its value and the least of the others'."""
        raise NotImplementedError

    def published(self, artifact: Artifact) -> tuple[float, int] | None:
        """Of the published points; of those others that are known."""
        from fastscale.paper.points import paper_points

        if self.points is None:
            return None
        points = [p for p in paper_points(self.points) if p.epochs == self.epochs]
        return self._compared(points, self.quantity, whole=False)

    def ours(self, evidence: Evidence) -> Iterator[Ours]:
        """One a device, or a recipe; of all networks."""
        for points, where in self._groups(evidence.pictures(evidence.artifact.name)):
            found = self._compared(points, self.quantity)
            if found is not None:
                runs = [p.runs for p in points if p.arch in (self.of, *self.others)]
                yield Ours(found[0], min(runs), where)

    def needs(self, evidence: Evidence) -> str:
        """The networks that lack it where most have it."""
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
            return [(g.points, f"{g.data}, {g.words}") for g in groups]
        if self.quantity == "time":
            return [(v.timed.points, v.timed.words) for v in views if v.timed]
        return [(views[0].planned, "counted")]

    def _compared(
        self, points: "Sequence[Row]", quantity: str, whole: bool = True
    ) -> tuple[float, int] | None:
        """(the result, of how many networks). Not `whole`: of those others that are known."""
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
    """Of two networks."""

    keys = "difference", "minus"
    difference: Quantity
    minus: Networks

    def result(self, first: float, least: float) -> float:
        """The difference."""
        return first - least


@measure("ratio")
class Ratio(OfNetworks):
    """Of two networks; `expected`: the count whose ratio is the number computed again."""

    keys = "ratio", "to"
    ratio: Quantity
    to: Networks
    expected: Count | None = None

    def result(self, first: float, least: float) -> float:
        """The ratio."""
        return first / least

    def published(self, artifact: Artifact) -> tuple[float, int] | None:
        """Of the published points, or of the counts."""
        from fastscale.paper.views import views

        if self.points is None and self.expected is not None:
            return self._compared(views(artifact, [])[0].planned, self.expected)
        return super().published(artifact)


@measure("margin")
class Margin(Measure):
    """By how much r of logs with one count is above that with another, in one file of timm's."""

    from_zero: ClassVar[bool] = True
    of_others: ClassVar[bool] = True
    margin: Annotated[tuple[Count, Count], Field(strict=False)]
    file: Text

    def published(self, artifact: Artifact) -> tuple[float, int] | None:
        """Of that file."""
        from fastscale.paper.figures.accelerators import margin

        return margin(self.file, self.margin)


class OfTrained(Measure):
    """A number of the trained networks of a figure drawn by paired."""

    def check(self, artifact: Artifact) -> None:
        """It is such a figure."""
        self._drawing(artifact)

    def ours(self, evidence: Evidence) -> Iterator[Ours]:
        """Of what was trained."""
        artifact = evidence.artifact
        assert isinstance(artifact, Figure)  # see check
        yield from self.of(self._drawing(artifact).trained(artifact, evidence.records))

    def _drawing(self, artifact: Artifact) -> "Paired":
        from fastscale.paper.figures.paired import Paired

        if not isinstance(artifact, Figure) or not isinstance(artifact.drawing, Paired):
            raise ValueError("only a drawing by paired can tell it")
        return artifact.drawing

    def of(self, found: "Trained") -> Iterator[Ours]:
        """Of these networks."""
        raise NotImplementedError

    def needs(self, evidence: Evidence) -> str:
        """The plan's runs."""
        found = self._drawing(evidence.artifact).trained(evidence.artifact, evidence.records)
        done, runs = sum(len(c.runs) for c in found.cells), len(found.plan.runs())
        return f"{runs - done} of {runs} runs by {found.plan.recipe} on {found.plan.data}"


@measure("paired")
class PairedDifference(OfTrained):
    """The mean paired difference of errors with its interval."""

    from_zero: ClassVar[bool] = True
    paired: Scaling
    minus: Scaling

    def check(self, artifact: Artifact) -> None:
        """The figure's tier scales by both."""
        super().check(artifact)
        for plan in artifact.tiers.values():
            check_strategies([self.paired, self.minus], plan)

    def of(self, found: "Trained") -> Iterator[Ours]:
        """One, or one a size where the sign changes between sizes."""
        from fastscale.paper.paired import comparisons

        where = f"{found.plan.data}, recipe {found.plan.recipe}"
        for sizes, e in comparisons(found, self.paired, self.minus):
            of = "" if len(sizes) == len(found.sizes) else f", about x{sizes[0]:g} the flops"
            yield Ours(e.mean, e.pairs, where + of, interval=(e.low, e.high))


@measure("exponents_off")
class ExponentsOff(OfTrained):
    """The mean distance of the exponents of growth from the closed form."""

    exponents_off: Count

    def of(self, found: "Trained") -> Iterator[Ours]:
        """Counted."""
        from fastscale.paper.paired import exponents_off

        yield Ours(*exponents_off(found, self.exponents_off), "counted")


@measure("time_correlation")
class TimeCorrelation(OfTrained):
    """Pearson r of epoch time with a count."""

    time_correlation: Count

    def of(self, found: "Trained") -> Iterator[Ours]:
        """On the device they were trained on."""
        from fastscale.paper.paired import time_correlation

        correlated = time_correlation(found, self.time_correlation)
        if correlated is not None:
            yield Ours(*correlated, found.device, found.on_cpu)

    def needs(self, evidence: Evidence) -> str:
        """The networks' times, on an accelerator."""
        count = len(self._drawing(evidence.artifact).trained(evidence.artifact, []).cells)
        return f"device times of the {count} networks, on the accelerator that trains them"
