"""Measures of networks trained with several seeds (see `paired`); an interval decides."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Literal

from fastscale.paper.artifacts import Artifact, Figure, check_strategies
from fastscale.paper.claims import Evidence, Measure, Ours, measure
from fastscale.paper.declare import Count, Scaling

if TYPE_CHECKING:
    from fastscale.paper.figures.paired import Paired
    from fastscale.paper.paired import Cell, Trained


class OfTrained(Measure):
    """A measure of the trained networks of a figure drawn by `paired`."""

    def check(self, artifact: Artifact) -> None:
        self._drawing(artifact)

    def ours(self, evidence: Evidence) -> Iterator[Ours]:
        yield from self.of(self._trained(evidence))

    def _trained(self, evidence: Evidence) -> "Trained":
        artifact = evidence.artifact
        assert isinstance(artifact, Figure)  # see check
        return self._drawing(artifact).trained(artifact, evidence.records)

    def _drawing(self, artifact: Artifact) -> "Paired":
        from fastscale.paper.figures.paired import Paired

        if not isinstance(artifact, Figure) or not isinstance(artifact.drawing, Paired):
            raise ValueError("the artifact must be a figure drawn by paired")
        return artifact.drawing

    @abstractmethod
    def of(self, found: "Trained") -> Iterator[Ours]:
        """The numbers of these networks."""

    def needs(self, evidence: Evidence) -> str:
        """The runs of the plan that are missing."""
        found = self._trained(evidence)
        done, runs = sum(len(c.trained) for c in found.cells), len(found.plan.runs())
        return f"{runs - done} of {runs} runs by {found.plan.recipe} on {found.plan.data}"


class OfTwo(OfTrained):
    """A measure of one strategy's networks against another's; 0 is no change."""

    from_zero: ClassVar[bool] = True
    keys: ClassVar[tuple[str, str]]  # the fields of the two strategies

    def check(self, artifact: Artifact) -> None:
        super().check(artifact)
        for plan in artifact.tiers.values():
            check_strategies([getattr(self, key) for key in self.keys], plan)


@measure("paired")
class PairedDifference(OfTwo):
    """The mean paired difference of errors with its interval."""

    keys: ClassVar[tuple[str, str]] = ("paired", "minus")
    paired: Scaling
    minus: Scaling

    def tested(self) -> tuple[str, str, bool] | None:
        return self.paired, self.minus, False

    def of(self, found: "Trained") -> Iterator[Ours]:
        """One difference, or one per size if its sign changes between sizes."""
        from fastscale.paper.paired import comparisons

        where = f"{found.plan.data}, recipe {found.plan.recipe}"
        for sizes, e in comparisons(found, self.paired, self.minus):
            of = "" if len(sizes) == len(found.sizes) else f", about x{sizes[0]:g} the flops"
            yield Ours(e.mean, e.pairs, where + of, interval=(e.low, e.high))


@measure("equivalent")
class Equivalence(OfTwo):
    """The mean paired difference of errors with the interval of two one-sided tests.

    It lies within the claim's tolerance exactly if both tests reject at 5 %.
    """

    keys: ClassVar[tuple[str, str]] = ("equivalent", "to")
    equivalent: Scaling
    to: Scaling

    def tested(self) -> tuple[str, str, bool] | None:
        return self.equivalent, self.to, True

    def of(self, found: "Trained") -> Iterator[Ours]:
        """One difference per size, over all bases."""
        from fastscale.paper.equivalence import TWO_ONE_SIDED
        from fastscale.paper.paired import by_size

        for (size,), e in by_size(found, self.equivalent, self.to):
            where = f"{found.plan.data}, recipe {found.plan.recipe}, about x{size:g} the flops"
            yield Ours(e.mean, e.pairs, where, interval=e.interval(TWO_ONE_SIDED))


@measure("saved")
class Saved(OfTwo):
    """Change in percent of a count, or of step time, from one strategy to another; below 0 is less.

    Of several bases and sizes, the one with the least saving.
    """

    keys: ClassVar[tuple[str, str]] = ("by", "against")
    saved: Count | Literal["time"]
    by: Scaling
    against: Scaling

    def of(self, found: "Trained") -> Iterator[Ours]:
        shares = []
        for base in found.plan.bases:
            for size in found.sizes:
                cells = [found.cell(base, size, strategy) for strategy in (self.by, self.against)]
                own, other = (None if cell is None else self._cost(cell) for cell in cells)
                if own is None or other is None:
                    return
                shares.append(100 * (own / other - 1))
        counted = self.saved != "time"
        where = "counted" if counted else found.timed_on
        yield Ours(max(shares), 2 * len(shares), where, on_cpu=not counted and found.on_cpu)

    def _cost(self, cell: "Cell") -> float | None:
        return cell.step_epoch_s if self.saved == "time" else getattr(cell.counts, self.saved)

    def needs(self, evidence: Evidence) -> str:
        return f"device times of {self.by} and {self.against}, on one accelerator"


@measure("exponents_off")
class ExponentsOff(OfTrained):
    """The mean distance of the exponents of growth from the closed form."""

    exponents_off: Count

    def of(self, found: "Trained") -> Iterator[Ours]:
        from fastscale.paper.paired import exponents_off

        yield Ours(*exponents_off(found, self.exponents_off), "counted")


@measure("time_correlation")
class TimeCorrelation(OfTrained):
    """Pearson r of epoch time with a count."""

    time_correlation: Count

    def of(self, found: "Trained") -> Iterator[Ours]:
        from fastscale.paper.paired import time_correlation

        correlated = time_correlation(found, self.time_correlation)
        if correlated is not None:
            yield Ours(*correlated, found.timed_on, found.on_cpu)

    def needs(self, evidence: Evidence) -> str:
        found = self._trained(evidence)
        missing = len(found.cells) if found.on_cpu else found.untimed
        return f"device times of {missing} of its {len(found.cells)} networks, on one accelerator"
