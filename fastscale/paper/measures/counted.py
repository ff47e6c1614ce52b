"""Measures that are counted: closed forms, growth of rounded networks, published counts."""

from collections.abc import Iterator
from typing import Literal

from fastscale.paper.artifacts import Artifact, Theory
from fastscale.paper.claims import Evidence, Measure, Ours, measure
from fastscale.paper.declare import Count, Scaling, Text


@measure("exponents")
class Exponents(Measure):
    """Exponents of a theory table that differ from the closed form."""

    exponents: Text

    def ours(self, evidence: Evidence) -> Iterator[Ours]:
        from fastscale.paper.tables.theory import theory_table

        table = theory_table(self.exponents)
        yield Ours(sum(bool(row[-1]) for row in table.rows), 3 * len(table.rows), "closed form")


@measure("growth")
class GrowthOf(Measure):
    """The mean exponent of growth that rounded networks reach."""

    growth: Count
    strategy: Scaling

    def check(self, artifact: Artifact) -> None:
        if not isinstance(artifact, Theory) or artifact.growth is None:
            raise ValueError("the artifact declares no growth")

    def ours(self, evidence: Evidence) -> Iterator[Ours]:
        from fastscale.paper.tables.growth import mean_exponent

        assert isinstance(evidence.artifact, Theory) and evidence.artifact.growth  # see check
        of = evidence.artifact.growth
        yield Ours(*mean_exponent(self.strategy, self.growth, of.bases, of.factors), "counted")


@measure("within")
class Within(Measure):
    """Networks whose counts agree to one unit of the last digit printed."""

    within: Literal["published-counts", "definitions"]

    def ours(self, evidence: Evidence) -> Iterator[Ours]:
        from fastscale.paper.tables.definitions import definitions
        from fastscale.paper.tables.published import published_counts, within_one_unit

        table = definitions() if self.within == "definitions" else published_counts()
        yield Ours(*within_one_unit(table), "counted")


@measure("exact")
class Exact(Measure):
    """Networks of the zoo whose counts agree to the unit."""

    exact: Literal["zoo"]

    def ours(self, evidence: Evidence) -> Iterator[Ours]:
        from fastscale.paper.tables.published import zoo_counts

        table = zoo_counts()
        off = [i for i, column in enumerate(table.columns) if column.key.endswith("_difference")]
        equal = sum(not any(row[i] for i in off) for row in table.rows)
        yield Ours(equal, len(table.rows), "counted")
