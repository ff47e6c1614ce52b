"""A base and its scaled networks with their records: counts, growth, epoch time and error.

Counts are recomputed and must equal those in the records. Unmeasured values are None. Growth of
acts is s^exponent (Tables 1, 2, 4); r is the linear correlation of epoch time with a count
(Fig. 2).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from fastscale.counts import Complexity, complexity
from fastscale.errors import InputError
from fastscale.paper.artifacts import Artifact, Plan
from fastscale.paper.measured import Measured, rows, timing
from fastscale.paper.selection import comparable
from fastscale.paper.stats import deviation, mean
from fastscale.records import Record
from fastscale.scaling import Strategy, arch_named


@dataclass(frozen=True, kw_only=True)
class Network(Measured):
    """One network of the comparison. Times in seconds, errors in percent, one value per seed."""

    resolution: int
    multipliers: tuple[float, float, float, float]  # d, w, r, g by the strategy, before rounding
    acts_exponent: Fraction

    @property
    def factor(self) -> float:
        """The factor of scaling; 1 for the base."""
        return self.name.factor

    @property
    def errors_ema(self) -> list[float]:
        """Top-1 errors of the averaged (EMA) weights."""
        return [r.top1_error_ema for r in self.trained if r.top1_error_ema is not None]

    @property
    def wall(self) -> list[float]:
        """Wall clock of a training epoch."""
        return [60 * r.time for r in self.trained if r.time is not None]

    @property
    def acts_theory(self) -> float:
        """Growth of acts by the strategy's closed form."""
        return self.factor ** float(self.acts_exponent)


@dataclass(frozen=True)
class Comparison:
    """The networks in the order of the plan, with their records."""

    plan: Plan
    networks: tuple[Network, ...]
    records: tuple[Record, ...]

    @property
    def base(self) -> Network | None:
        """The unscaled network; None if the plan has none."""
        return next((n for n in self.networks if n.strategy is None), None)

    @property
    def timed_by_step(self) -> bool:
        """Whether epoch time comes from timing records (step x steps), else from training runs."""
        return any(n.step_epoch_s is not None for n in self.networks)

    def epoch_time(self, network: Network) -> tuple[float | None, float | None]:
        """(seconds, spread) of one training epoch; None for what is not known."""
        if self.timed_by_step:
            return network.step_epoch_s, network.step_spread_s
        return mean(network.wall), deviation(network.wall)

    def environment(self, name: str, kind: str | None = None):
        """A value of the environment that all records (of `kind`) share; None if they differ."""
        found = [record.env.get(name) for record in self.records if kind in (None, record.kind)]
        return found[0] if found and all(value == found[0] for value in found) else None

    @property
    def on_cpu(self) -> bool:
        """Whether any record is of a CPU: then the times say nothing about the paper's claim."""
        return any(record.env.get("device_type", "cpu") == "cpu" for record in self.records)

    @property
    def most_seeds(self) -> int:
        """The largest number of runs of one network."""
        return max(len(n.errors) for n in self.networks)


def compare(records: Sequence[Record], artifact: Artifact, tier: str = "quick") -> Comparison:
    """The comparison of the artifact's networks in `tier`.

    Raises InputError if records were made under different conditions, or have other counts than the
    networks they name.
    """
    chosen = comparable(records, artifact, tier)
    plan = artifact.plan(tier)
    assert plan is not None  # checked by `comparable`
    num_classes = chosen[0].num_classes
    networks = []
    for name in plan.names():
        arch = arch_named(name)
        own = [record for record in chosen if record.arch == arch.name]
        counts = complexity(arch, num_classes=num_classes)
        for record in own:
            if Complexity(record.flops, record.params, record.acts) != complexity(
                arch, record.resolution, record.num_classes
            ):
                raise InputError(
                    f"record {record.id} of {arch.name}: its counts are not the network's: "
                    "the record or the code is wrong"
                )
        strategy = Strategy.parse(name.strategy) if name.strategy else None
        networks.append(
            Network(
                name=name,
                counts=counts,
                trained=rows(r for r in own if r.kind == "train"),
                timed=timing(own),
                resolution=arch.resolution,
                multipliers=strategy.multipliers(name.factor) if strategy else (1.0, 1.0, 1.0, 1.0),
                acts_exponent=strategy.exponents(group_conv=arch.grouped).acts
                if strategy
                else Fraction(0),
            )
        )
    return Comparison(plan, tuple(networks), tuple(chosen))
