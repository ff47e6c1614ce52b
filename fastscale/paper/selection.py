"""Selects the records of a comparison: its planned runs, measured under one set of conditions.

Runs on other data, by another recipe or on another device do not belong in one table. The newest
record decides the conditions. `comparable` checks them again before drawing, because a snapshot can
be edited by hand.
"""

from collections.abc import Iterable, Sequence

from fastscale.errors import InputError
from fastscale.paper.artifacts import Artifact, Plan
from fastscale.records import CONDITIONS, Record, latest


def select(records: Iterable[Record], artifact: Artifact, tier: str = "quick") -> list[Record]:
    """The last record of each planned run and timing in `tier`, under the newest conditions.

    For a figure, under any conditions.
    """
    plan = _plan(artifact, tier)
    records, planned = list(records), Planned(plan)
    if artifact.kind == "figure":  # `evidence` separates its devices and conditions
        return latest(
            r
            for r in records
            if plan.holds(r.base, r.strategy, r.factor) and (r.kind == "time" or planned.trains(r))
        )
    trained = _newest([r for r in records if planned.trains(r)])
    timed = [r for r in records if planned.times(r)]
    if trained:  # the title names one device
        timed = [r for r in timed if r.env["device"] == trained[0].env["device"]]
    return trained + _newest(timed)


def conditions(record: Record) -> tuple:
    """The values that must be equal for two networks to be compared."""
    training = (
        (record.data_hash, record.recipe_hash, record.epochs) if record.kind == "train" else ()
    )
    # not the batch: a network that is too large for the memory runs with a smaller one
    shared = [str(record.env.get(name)) for name in CONDITIONS if name != "batch"]
    return record.kind, record.num_classes, *training, *shared


def comparable(records: Sequence[Record], artifact: Artifact, tier: str = "quick") -> list[Record]:
    """The last record of each fact of the plan in `tier`.

    Raises InputError if there is none, or if they were made under different conditions.
    """
    planned = Planned(_plan(artifact, tier))
    chosen = _last(r for r in records if planned.trains(r) or planned.times(r))
    if not chosen:
        raise InputError(
            f"no record belongs to {artifact.name!r}, tier {tier!r}: "
            f"run `fastscale reproduce {artifact.name}` first"
        )
    for kind in ("train", "time"):
        found = {conditions(r) for r in chosen if r.kind == kind}
        if len(found) > 1:
            differ = sorted(
                {
                    str(value)
                    for pair in zip(*found, strict=True)
                    if len(set(pair)) > 1
                    for value in pair
                }
            )
            raise InputError(
                f"{artifact.name!r}: {kind} records made under different conditions cannot be "
                f"compared ({', '.join(differ)})"
            )
    devices = sorted({r.env["device"] for r in chosen})
    if len(devices) > 1:
        raise InputError(
            f"{artifact.name!r}: records of different devices cannot be compared "
            f"({', '.join(devices)})"
        )
    return chosen


def _plan(artifact: Artifact, tier: str) -> Plan:
    plan = artifact.plan(tier)
    if plan is None:
        raise InputError(
            f"artifact {artifact.name!r} has no runs in tier {tier!r}; "
            f"tiers with runs: {', '.join(artifact.tiers) or 'none'}"
        )
    return plan


class Planned:
    """Tells which records belong to a plan."""

    def __init__(self, plan: Plan):
        self.runs = {(run.run, run.seed, run.data) for run in plan.runs()}
        self.timed = {(n.name, plan.data) for n in plan.names()} if plan.timings else set()

    def trains(self, record: Record) -> bool:
        """Whether the record is of one of the plan's runs, and not ended early."""
        own = (record.run, record.seed, record.data) in self.runs
        return record.kind == "train" and own and not record.early

    def times(self, record: Record) -> bool:
        """Whether the record is a timing of training steps of one of the plan's networks."""
        own = (record.arch, record.data) in self.timed
        return record.kind == "time" and own and "epoch_time_min" in record.values


def _newest(records: Sequence[Record]) -> list[Record]:
    if not records:
        return []
    last = max(enumerate(records), key=lambda pair: (pair[1].env["date"], pair[0]))[1]
    return _last(record for record in records if conditions(record) == conditions(last))


def _last(records: Iterable[Record]) -> list[Record]:
    """The last record of each network and seed."""
    return list(
        {
            (record.kind, record.arch, record.run, record.seed): record
            for record in latest(records)
        }.values()
    )
