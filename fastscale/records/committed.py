"""Reads our records and removes duplicates.

Records with the same `id` are one record. Of several records of one fact (`key`) the latest counts,
and committed files must not contradict each other. Comparisons leave out runs that ended early and
the measurements that a sweep repeats to watch its device for drift.
"""

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from fastscale.counts import Complexity, complexity
from fastscale.errors import InputError
from fastscale.home import home
from fastscale.records.identity import arch_of
from fastscale.records.record import Record, key
from fastscale.records.store import RecordStore, read_records
from fastscale.scaling import arch_named


def committed(name: str | None = None) -> list[Record]:
    """Every committed record, each once, in file order; with `name`, those of `<name>.jsonl`.

    A missing file has no records. InputError names the file and line of a bad record.
    """
    one_file = [home().found("records", f"{name}.jsonl")]
    files = home().record_files() if name is None else one_file
    return each_once(r for path in files for r in RecordStore(path).read())


def local(runs_dir: Path) -> list[Record]:
    """Every record of a folder of runs: those in its stores and in the folders of finished runs.

    InputError if the folder does not exist.
    """
    if not runs_dir.is_dir():
        raise InputError(
            f"{runs_dir}: no such folder of runs; `fastscale fit` and `fastscale time` create one"
        )
    files = [*sorted(runs_dir.glob("*.jsonl")), *sorted(runs_dir.glob("*/*/record.json"))]
    return each_once(r for path in files for r in read_records(path))


def at_hand() -> list[Record]:
    """The records of the user's runs, then the committed ones."""
    users = RecordStore(home().runs / "records.jsonl")
    return each_once([*users.read(), *committed()])


def facts() -> list[Record]:
    """The committed records, each fact once, without early runs and repeated references.

    InputError for a bad line, for counts that do not match the network, and for two records that
    contradict each other.
    """
    found: dict[tuple, tuple[Record, str]] = {}
    for path in home().record_files():
        for number, record in enumerate(read_records(path), start=1):
            if record.run.endswith(".reference") or record.early:
                continue
            where = f"{path.name}, line {number}"
            check_counts(record, where)
            other, first = found.setdefault(key(record), (record, where))
            if other.values != record.values:
                names = sorted(
                    n
                    for n in {*other.values, *record.values}
                    if other.values.get(n) != record.values.get(n)
                )
                values = f"{other.values.get(names[0])} and {record.values.get(names[0])}"
                raise InputError(
                    f"records contradict each other about {record.run}: {first} and {where} "
                    f"({names[0]} {values}); keep the right one"
                )
    return [record for record, _ in found.values()]


def each_once(records: Iterable[Record]) -> list[Record]:
    """The records without duplicates: one may be committed, in a store and in a run's folder."""
    return list({record.id: record for record in records}.values())


@lru_cache(maxsize=8192)
def counts(
    arch: str, resolution: int | None = None, num_classes: int = 1000
) -> tuple[Complexity, int]:
    """(counts, default resolution) of the network of that name.

    Cached: many figures and claims ask for the same few networks.
    """
    made = arch_named(arch)
    return complexity(made, resolution, num_classes), made.resolution


def check_counts(record: Record, where: str) -> int:
    """Checks a record's counts; returns the default resolution of its network.

    InputError, beginning with `where`, if the counts do not match the network.
    """
    try:
        if record.definition is None:
            expected, resolution = counts(record.arch, record.resolution, record.num_classes)
        else:
            arch = arch_of(record)
            expected = complexity(arch, record.resolution, record.num_classes)
            resolution = arch.resolution
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    for name, count in vars(expected).items():
        if (found := getattr(record, name)) != count:
            raise InputError(
                f"{where}: its counts are not the network's ({name} of {record.arch} is {found}, "
                f"the network has {count}): the record or the code is wrong"
            )
    return resolution
