"""Devices from time records: one law for each mode, fitted to records of one environment.

`--device runs/records.jsonl` takes a file (`FILE:NAME`: one device of it). A name, or a part of
one, is looked up in the records at hand.
"""

from collections.abc import Sequence
from typing import Any

from fastscale.common import slug
from fastscale.errors import InputError
from fastscale.planning.device import Device, FittedLaw, Measurements, fitted_to
from fastscale.planning.law import Observation
from fastscale.planning.memory import calibrated
from fastscale.planning.observed import observed
from fastscale.records import Record, latest, read_records, step_time
from fastscale.records.committed import check_counts
from fastscale.records.frame import recorded
from fastscale.references.devices import short_name
from fastscale.timing.drift import DRIFT_BOUND, at_usual_clock

# must be the same in all records of a law; the batch may differ: the law depends on it
CONDITIONS = (
    "device",
    "device_type",
    "precision",
    "layout",
    "compile",
    "clock",
    "cudnn",
    "threads",
    "tf32",
    "torch",
    "cores",
)
# not in a law's environment under these names: torch is its software, threads say more than cores
_OMITTED = ("torch", "cores")
TIMES = {"training": "step", "inference": "inference"}  # the names in `records.step_time`
LEAST = 7  # networks: with one left out, still one more than the largest law has terms


def device_of_records(
    records: Sequence[Record],
    name: str | None = None,
    modes: Sequence[str] = tuple(TIMES),
    **chosen: Any,
) -> Device:
    """The device of `records`, with a law for each of `modes` that has enough of them.

    `chosen`: the precision, layout or compile to use if records differ; layout "best" uses each
    network's faster layout. InputError for too few records, or if they differ in something that
    was not chosen, which it names.
    """
    timed = {mode: _timed(records, TIMES[mode]) for mode in modes}
    every = [r for kept, _ in timed.values() for r in kept]
    device = name or (slug(every[0].env["device"]) if every else "these records")
    laws: dict[str, FittedLaw] = {}
    refused: dict[str, str] = {}
    for mode, (kept, left) in timed.items():
        try:
            picked = _chosen(kept, TIMES[mode], **chosen)
        except InputError as error:  # of one mode; perhaps only the other is needed
            refused[mode] = str(error)
            continue
        if len({(r.arch, r.resolution) for r in picked}) >= LEAST:
            laws[mode] = fitted_to(_measurements(device, mode, picked, left))
    if not laws and refused:
        raise InputError(next(iter(refused.values())))
    if not laws:
        without = _without([r for _, left in timed.values() for r in left])
        raise InputError(
            f"{device}: {len(every)} usable time records{without}; a law needs {LEAST} networks "
            f"or more: {how_to_measure()}"
        )
    return Device(device, laws, refused)


def measurements(records: Sequence[Record], least: int) -> list[Measurements]:
    """All measurements by device, mode and environment, if of at least `least` networks."""
    found: dict[tuple, tuple[list[Record], list[Record]]] = {}
    for mode, what in TIMES.items():
        for i, group in enumerate(_timed(records, what)):
            for r in group:
                same = short_name(r.env["device"]), mode, *_conditions(r)
                found.setdefault(same, ([], []))[i].append(r)
    enough = [
        (key, kept, left)
        for key, (kept, left) in sorted(found.items())
        if len({(r.arch, r.resolution) for r in kept}) >= least
    ]
    return [_measurements(key[0], key[1], kept, left) for key, kept, left in enough]


def _timed(records: Sequence[Record], what: str) -> tuple[list[Record], list[Record]]:
    """(each network's last record of this time, the records left out).

    Measured on dummy images with our code. Left out: records with drift, and records with only an
    eager time if enough others have a device time.
    """
    kept = [
        r
        for r in records
        if r.kind == "time" and step_time(r, what) and r.env.get("images") in (None, "dummy")
    ]
    kept = [r for r in kept if r.env.get("implementation") in (None, "fastscale")]
    usable = at_usual_clock(kept)
    graphs = [r for r in usable if _clock(r, what) == "device"]
    if len({r.arch for r in graphs}) >= LEAST:
        usable = [r for r in usable if _clock(r, what) != "stand-in"]
    used = {id(r) for r in usable}
    return latest(usable), [r for r in kept if id(r) not in used]


def _clock(record: Record, what: str | None = None) -> str | None:
    time = step_time(record, what)
    return time and time.clock


def _conditions(record: Record) -> list[str]:
    return [str(_condition(record, key)) for key in CONDITIONS]


def _condition(record: Record, key: str) -> Any:
    """The record's value of one of CONDITIONS."""
    if key == "clock":
        return "device" if _clock(record) == "stand-in" else _clock(record)
    if key == "torch":  # on a CPU, all builds of a version count as one
        return str(record.env.get("versions", {}).get("torch")).removesuffix("+cpu")
    if key == "cores" and record.env.get("device_type") != "cpu":
        return None  # a GPU's times do not depend on them
    return record.env.get(key)


def _without(left: Sequence[Record]) -> str:
    """How many records were left out and why; "" for none."""
    eager = sum(_clock(r) == "stand-in" for r in left)
    reasons = []
    if drifted := len(left) - eager:
        reasons.append(
            f"{drifted} left out: the device was then more than {DRIFT_BOUND:g} times faster or "
            "slower than for most"
        )
    if eager:
        reasons.append(f"{eager} left out: no device time, only eager time")
    return f" ({'; '.join(reasons)})" if reasons else ""


def _measurements(
    device: str, mode: str, records: Sequence[Record], left: Sequence[Record]
) -> Measurements:
    shared = {
        key: value
        for key in CONDITIONS
        if key not in _OMITTED and (value := _condition(records[0], key)) is not None
    }
    if len({r.env.get("layout") for r in records}) > 1:
        shared["layout"] = "each network's faster layout"
    environment = {
        "hardware": shared.pop("device"),
        **shared,
        "software": f"torch {_condition(records[0], 'torch')}",
    }
    observations = [_observation(r) for r in records]
    memory = calibrated(records) if mode == "training" else 1.0
    source = f"{len(records)} time records{_without(left)}"
    return Measurements(device, mode, observations, environment, source, devices=1, memory=memory)


def how_to_measure() -> str:
    """The command that measures a device, for messages."""
    return (
        "measure some with `fastscale time regnety-500mf regnety-500mf.dWr-x2 efficientnet-b0 "
        "...`, then --device runs/records.jsonl"
    )


def device_from_file(text: str, **chosen: Any) -> Device:
    """The device of `FILE`, or of `FILE:NAME`."""
    path, _, name = text.partition(".jsonl:")
    records = read_records(f"{path}.jsonl" if name else text)
    if name:
        records = [r for r in records if slug(name) in slug(r.env["device"])]
    return device_of_records(
        records, slug(records[0].env["device"]) if records else name or text, **chosen
    )


def device_by_name(name: str, records: Sequence[Record], **chosen: Any) -> Device | None:
    """The device whose name contains the words of `name`; None if no record has one."""
    wanted = f"-{slug(name)}-"
    found = [r for r in records if wanted in f"-{slug(r.env['device'])}-"]
    if not slug(name) or not found:
        return None
    return device_of_records(found, slug(found[0].env["device"]), **chosen)


def device_names(records: Sequence[Record]) -> list[str]:
    """The devices of time records, each once, by the names that `device_by_name` takes."""
    timed = [r for r in records if r.kind == "time" and step_time(r)]
    return list(dict.fromkeys(slug(r.env["device"]) for r in timed))


def _chosen(records: list[Record], what: str, **chosen: Any) -> list[Record]:
    best_layout = chosen.get("layout") == "best"
    wanted = {
        key: choice
        for key, choice in chosen.items()
        if choice is not None and not (key == "layout" and best_layout)
    }
    kept = [r for r in records if all(r.env.get(key) == choice for key, choice in wanted.items())]
    if records and not kept:
        have = "; ".join(f"{key} {', '.join(_each(records, key))}" for key in wanted)
        raise InputError(
            f"no time record has {', '.join(f'{key} {choice}' for key, choice in wanted.items())}; "
            f"the records have {have}"
        )
    for key in CONDITIONS:
        found = _each(kept, key)
        if len(found) > 1 and not (key == "layout" and best_layout):
            choose = (
                f"choose one with --{key}"
                if key in ("precision", "layout", "compile")
                else "keep one kind in a separate file"
            )
            best = " (or --layout best)" if key == "layout" else ""
            raise InputError(f"the records differ in {key}: {', '.join(found)}; {choose}{best}")
    if best_layout:
        fastest: dict[tuple, Record] = {}
        for r in kept:
            same = (r.arch, r.resolution, r.num_classes, r.env.get("batch"))
            if same not in fastest or _seconds(r, what) < _seconds(fastest[same], what):
                fastest[same] = r
        kept = list(fastest.values())
    return kept


def _seconds(record: Record, what: str) -> float:
    time = step_time(record, what)
    assert time is not None  # `_timed` leaves out records without one
    return time.seconds


def _each(records: Sequence[Record], key: str) -> list[str]:
    return list(dict.fromkeys(str(_condition(r, key)) for r in records))


def _observation(record: Record) -> Observation:
    where = f"record {record.id} of {record.arch}"
    check_counts(record, where)
    batch = record.env.get("batch")
    if not isinstance(batch, int) or batch < 1:
        raise InputError(f"{where}: its environment does not say the batch it was timed with")
    return observed(recorded(record))
