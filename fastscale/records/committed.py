"""One reader of our records, and the rules by which several that tell one fact are one.

A record that is read twice is one (`id`). Of one fact (`key`) the later record counts, and committed files must not contradict each other.
Comparisons leave out runs that ended early, and the measurements that a sweep repeats to see its device drift.
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
    """Every committed record (of `<name>.jsonl` alone: none where it is absent), each once, in the files' order.

    Raises InputError that names file and line of a bad one.
    """
    own = [home().found("records", f"{name}.jsonl")]
    files = home().record_files() if name is None else own
    return each_once(r for path in files for r in RecordStore(path).read())


def local(runs_dir: Path) -> list[Record]:
    """Every record of a folder of runs: its stores, and the finished runs' own files. Raises InputError where there is no such folder."""
    if not runs_dir.is_dir():
        raise InputError(
            f"{runs_dir}: no such folder of runs; `fastscale fit` and `fastscale time` make one"
        )
    files = [*sorted(runs_dir.glob("*.jsonl")), *sorted(runs_dir.glob("*/*/record.json"))]
    return each_once(r for path in files for r in read_records(path))


def at_hand() -> list[Record]:
    """The user's own store of runs, and what is committed."""
    own = RecordStore(home().runs / "records.jsonl")
    return each_once([*own.read(), *committed()])


def facts() -> list[Record]:
    """What committed records tell, each fact once, without early runs and repeated references.

    InputError for a bad line, for counts that are not the network's, or for two records that contradict each other.
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
                said = f"{names[0]} {other.values.get(names[0])} and {record.values.get(names[0])}"
                raise InputError(
                    f"records contradict each other about {record.run}: {first} and {where} ({said}); keep the right one"
                )
    return [record for record, _ in found.values()]


def each_once(records: Iterable[Record]) -> list[Record]:
    """A record read twice (committed, and in a store or a run's folder) is one."""
    return list({record.id: record for record in records}.values())


@lru_cache(maxsize=8192)
def counts(
    arch: str, resolution: int | None = None, num_classes: int = 1000
) -> tuple[Complexity, int]:
    """(counts, own resolution) of the network of that name: the same few are asked for by many figures and claims."""
    made = arch_named(arch)
    return complexity(made, resolution, num_classes), made.resolution


def check_counts(record: Record, where: str) -> int:
    """The own resolution of the record's network. InputError that says `where` the record is, if its counts are not that network's."""
    try:
        if record.definition is None:
            ours, resolution = counts(record.arch, record.resolution, record.num_classes)
        else:
            arch = arch_of(record)
            ours = complexity(arch, record.resolution, record.num_classes)
            resolution = arch.resolution
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    for name, own in vars(ours).items():
        if getattr(record, name) != own:
            said = f"{name} of {record.arch} is {getattr(record, name)}, the network has {own}"
            raise InputError(
                f"{where}: its counts are not the network's ({said}): the record or the code is wrong"
            )
    return resolution
