"""Devices from time records, the user's own or committed ones: one law a mode, and only from records of one envelope.

`--device runs/records.jsonl` takes a file (`FILE:NAME` one device of it); a name, or a part of it, is looked for in the records at hand.
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

# what has to be the same in all records of a law; the batch need not be: it is part of the law
ENVELOPE = (
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
UNSAID = (
    "torch",
    "cores",
)  # in a law's envelope: the first is its software, the second says less than the threads
TIMES = {"training": "step", "inference": "inference"}  # as `records.step_time` calls them
LEAST = 7  # networks: with one left out there is still one more than the largest law has terms


def device_of_records(
    records: Sequence[Record],
    name: str | None = None,
    modes: Sequence[str] = tuple(TIMES),
    **chosen: Any,
) -> Device:
    """The device that `records` were measured on, with a law for each of `modes` that enough of them tell.

    `chosen`: precision, layout, compile to take where records differ; layout "best" takes each network in the layout that was fastest.
    InputError where there are too few records, or two that differ in something that was not chosen: it is named.
    """
    timed = {mode: _timed(records, TIMES[mode]) for mode in modes}
    every = [r for kept, _ in timed.values() for r in kept]
    device = name or (slug(every[0].env["device"]) if every else "these records")
    laws: dict[str, FittedLaw] = {}
    refused: dict[str, str] = {}
    for mode, (kept, left) in timed.items():
        try:
            own = _chosen(kept, TIMES[mode], **chosen)
        except InputError as error:  # of one mode: the other may be all that is asked for
            refused[mode] = str(error)
            continue
        if len({(r.arch, r.resolution) for r in own}) >= LEAST:
            laws[mode] = fitted_to(_measurements(device, mode, own, left))
    if not laws and refused:
        raise InputError(next(iter(refused.values())))
    if not laws:
        without = _without([r for _, left in timed.values() for r in left])
        raise InputError(
            f"{device}: {len(every)} usable time records{without}; a law needs {LEAST} networks or more: {how_to_measure()}"
        )
    return Device(device, laws, refused)


def measurements(records: Sequence[Record], least: int) -> list[Measurements]:
    """Everything that `records` tell, by device, mode and envelope, where at least `least` networks were measured alike."""
    found: dict[tuple, tuple[list[Record], list[Record]]] = {}
    for mode, what in TIMES.items():
        for i, own in enumerate(_timed(records, what)):
            for r in own:
                alike = short_name(r.env["device"]), mode, *_conditions(r)
                found.setdefault(alike, ([], []))[i].append(r)
    enough = [
        (k, own, left)
        for k, (own, left) in sorted(found.items())
        if len({(r.arch, r.resolution) for r in own}) >= least
    ]
    return [_measurements(k[0], k[1], own, left) for k, own, left in enough]


def _timed(records: Sequence[Record], what: str) -> tuple[list[Record], list[Record]]:
    """The last record of each network that holds this time, measured on dummy images with our own
    code; and those left out for drift, or because their eager time stands in for a device time that
    enough others have."""
    kept = [
        r
        for r in records
        if r.kind == "time" and step_time(r, what) and r.env.get("images") in (None, "dummy")
    ]
    kept = [r for r in kept if r.env.get("implementation") in (None, "fastscale")]
    alike = at_usual_clock(kept)
    graphs = [r for r in alike if _clock(r, what) == "device"]
    if len({r.arch for r in graphs}) >= LEAST:
        alike = [r for r in alike if _clock(r, what) != "stand-in"]
    kept_too = {id(r) for r in alike}
    return latest(alike), [r for r in kept if id(r) not in kept_too]


def _clock(record: Record, what: str | None = None) -> str | None:
    time = step_time(record, what)
    return time and time.clock


def _conditions(record: Record) -> list[str]:
    return [str(_condition(record, key)) for key in ENVELOPE]


def _condition(record: Record, key: str) -> Any:
    """One of ENVELOPE; how many cores there are matters to a processor's time, not to a GPU's. A CPU's torch is one whoever built it."""
    if key == "clock":
        return "device" if _clock(record) == "stand-in" else _clock(record)
    if key == "torch":
        return str(record.env.get("versions", {}).get("torch")).removesuffix("+cpu")
    return (
        None if key == "cores" and record.env.get("device_type") != "cpu" else record.env.get(key)
    )


def _without(left: Sequence[Record]) -> str:
    """Why so many were left out; nothing of none."""
    eager = sum(_clock(r) == "stand-in" for r in left)
    said = []
    if drifted := len(left) - eager:
        said.append(
            f"{drifted} left out: the device was then more than {DRIFT_BOUND:g} times faster or "
            "slower than for most"
        )
    if eager:
        said.append(f"{eager} left out: no device time, only eager time")
    return f" ({'; '.join(said)})" if said else ""


def _measurements(
    device: str, mode: str, records: Sequence[Record], left: Sequence[Record]
) -> Measurements:
    shared = {
        key: value
        for key in ENVELOPE
        if key not in UNSAID and (value := _condition(records[0], key)) is not None
    }
    if len({r.env.get("layout") for r in records}) > 1:
        shared["layout"] = "each network's faster layout"
    envelope = {
        "hardware": shared.pop("device"),
        **shared,
        "software": f"torch {_condition(records[0], 'torch')}",
    }
    observations = [_observation(r) for r in records]
    memory = calibrated(records) if mode == "training" else 1.0
    source = f"{len(records)} time records{_without(left)}"
    return Measurements(device, mode, observations, envelope, source, devices=1, memory=memory)


def how_to_measure() -> str:
    """The command."""
    return "measure some with `fastscale time regnety-500mf regnety-500mf.dWr-x2 efficientnet-b0 ...`, then --device runs/records.jsonl"


def device_from_file(text: str, **chosen: Any) -> Device:
    """`FILE` or `FILE:NAME`."""
    path, _, name = text.partition(".jsonl:")
    records = read_records(f"{path}.jsonl" if name else text)
    if name:
        records = [r for r in records if slug(name) in slug(r.env["device"])]
    return device_of_records(
        records, slug(records[0].env["device"]) if records else name or text, **chosen
    )


def device_by_name(name: str, records: Sequence[Record], **chosen: Any) -> Device | None:
    """The device whose name contains the words of `name`; None where no record is of one."""
    wanted = f"-{slug(name)}-"
    own = [r for r in records if wanted in f"-{slug(r.env['device'])}-"]
    if not slug(name) or not own:
        return None
    return device_of_records(own, slug(own[0].env["device"]), **chosen)


def device_names(records: Sequence[Record]) -> list[str]:
    """The devices that time records were measured on, each once, as `device_by_name` takes them."""
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
            f"no time record has {', '.join(f'{key} {choice}' for key, choice in wanted.items())}; the records have {have}"
        )
    for key in ENVELOPE:
        found = _each(kept, key)
        if len(found) > 1 and not (key == "layout" and best_layout):
            choose = (
                f"choose one with --{key}"
                if key in ("precision", "layout", "compile")
                else "keep one in a file of its own"
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
    assert time is not None  # `_timed` has left out those without
    return time.seconds


def _each(records: Sequence[Record], key: str) -> list[str]:
    return list(dict.fromkeys(str(_condition(r, key)) for r in records))


def _observation(record: Record) -> Observation:
    where = f"record {record.id} of {record.arch}"
    check_counts(record, where)
    batch = record.env.get("batch")
    if not isinstance(batch, int) or batch < 1:
        raise InputError(f"{where}: its envelope does not say the batch it was timed with")
    return observed(recorded(record))
