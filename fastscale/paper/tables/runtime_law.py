"""The runtime law on every device with known times: how well acts, flops and params alone tell the time, and how well all together.

Published times make the table's first part, committed time records of our own the rest. Both make
the laws that the package ships (fastscale/planning/devices.json, which scripts/write_devices.py
writes again): every published device, and our own accelerators.
"""

import json
import math
import statistics
from functools import lru_cache
from typing import Any

from fastscale.common import read_json
from fastscale.paper.tables.table import Column, Table
from fastscale.planning.device import Device, FittedLaw, Measurements, fitted_to, from_dict
from fastscale.planning.devices import SHIPPED, shipped_text
from fastscale.planning.law import SELECTED
from fastscale.planning.measured import measurements
from fastscale.planning.references import reference_devices, reference_measurements
from fastscale.planning.validate import CHOICE, GROUPS, law_errors, predictor
from fastscale.records.committed import committed
from fastscale.records.durations import CLOCKS
from fastscale.references.published import MAKERS
from fastscale.references.tables import text_of

LEAST = 12  # networks of a device of our own: fewer say too little about a law
_LAWS = ("full", "split", SELECTED, "acts", "flops", "params")
_COUNTS = ("flops", "params", "acts")


def runtime_law() -> Table:
    """One row a device, mode and kind of group left out; CPUs last, for contrast: the paper's claim is about accelerators."""
    columns = [
        Column("device", "device", right=False),
        Column("mode", "mode", right=False),
        Column("measured_in", "measured in", right=False, terminal=False),
        Column("networks", "networks"),
        *(
            Column(_key(f"r_{count}"), f"r {_head(count)}", _pair, parts=("linear", "log_log"))
            for count in _COUNTS
        ),
        Column("left_out", "left out", right=False),
        *(
            Column(
                _key(f"error_{law}"),
                f"{_head(law)}{' law' if law in CHOICE else ''}, %",
                _percent,
            )
            for law in _LAWS
        ),
    ]
    published, notes = _published(_references())
    rows = [*published, *(row for m in _own() for row in _rows(m))]
    rows.sort(key=lambda row: "(CPU)" in row[0])
    title = "Time by counts: Pearson r, and errors on networks that were left out of the fit"
    return Table("runtime-law", title, columns, rows, notes)


def fresh_devices() -> str:
    """What devices.json has to hold by the references and records of the checkout."""
    return shipped_text({**_own_accelerators(), **_devices(_references())})


def device_differences() -> list[str]:
    """One line where the shipped laws are not those of a fresh fit to references and records."""
    fresh = json.loads(fresh_devices())
    made = {law["device"] for law in fresh}  # a copy without records cannot make our own again
    shipped = [
        law for law in read_json(SHIPPED) if law["device"] in made or not from_dict(law).ours
    ]
    if _alike(fresh, shipped):
        return []
    return [
        "fastscale/planning/devices.json: not what references and records give; scripts/write_devices.py writes it again"
    ]


def _alike(a: Any, b: Any) -> bool:
    """The same JSON, numbers to a thousandth: a law that is fitted on another machine differs in its last digits."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_alike(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_alike, a, b))
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-3)
    return a == b


def _references() -> str:
    """The published tables as one text: what is made of the same text is the same, and made once."""
    return "".join(map(text_of, MAKERS))


@lru_cache(maxsize=4)
def _devices(references: str) -> dict[str, Device]:
    return reference_devices()


def _own_accelerators() -> dict[str, Device]:
    """Those with enough committed records, by device time if there is any. An epoch is shared by as
    many as the paper's, unless a plan says otherwise."""
    laws: dict[str, dict[str, FittedLaw]] = {}
    known = [m for m in _own() if not _is_cpu(m)]
    for m in sorted(
        known, key=lambda m: (m.environment.get("clock") == "device", len(m.observations))
    ):
        laws.setdefault(m.device, {})[m.mode] = fitted_to(m._replace(devices=8))
    return {name: Device(name, own) for name, own in laws.items()}


@lru_cache(maxsize=4)
def _published(references: str) -> tuple[tuple[list[Any], ...], tuple[str, ...]]:
    found = reference_measurements()
    return tuple(row for m in found for row in _rows(m)), tuple(
        _notes(next(m for m in found if m.checks))
    )


def _own() -> list[Measurements]:
    return measurements(committed(), LEAST)


def _rows(m: Measurements) -> list[list[Any]]:
    rows = []
    for group in GROUPS:
        errors = law_errors(m.observations, group)
        if errors:
            start = [
                f"{m.device} (CPU)" if _is_cpu(m) else m.device,
                m.mode,
                _environment(m),
                len(m.observations),
            ]
            rows.append(
                [
                    *start,
                    *(_correlation(m, count) for count in _COUNTS),
                    group,
                    *(_round(errors[law]) if law in errors else None for law in _LAWS),
                ]
            )
    return rows


def _correlation(m: Measurements, count: str) -> tuple[float, float]:
    xs, ts = (
        [getattr(o.terms, count) for o in m.observations],
        [o.image_time_s for o in m.observations],
    )
    logs = statistics.correlation(list(map(math.log, xs)), list(map(math.log, ts)))
    return _round(statistics.correlation(xs, ts)), _round(logs)


def _notes(paper: Measurements) -> list[str]:
    predict = predictor(paper.observations, "full")
    off = [100 * abs(predict(o) / o.image_time_s - 1) for o in paper.checks]
    select = predictor(paper.observations, SELECTED)
    chosen = [100 * abs(select(o) / o.image_time_s - 1) for o in paper.checks]
    return [
        "r: Pearson correlation of time per image with the count, linear / of logarithms. Errors: median of |predicted / measured - 1| "
        "over networks whose whole family (or strategy) took no part in the fit.",
        "Full law: time per image = a flops + b acts + (c params + d layers) / batch, none negative, "
        "fitted in relative error; split law: acts of grouped convs apart; selected law: acts, and what "
        "else of counts and group widths helps, chosen without the group that is left out, where 20 or "
        "more networks were scaled; by one count: the better of a straight line and a power. flops are "
        "multiply-adds.",
        f"v100: read off the paper's Fig. 2, 4 and 6. {len(paper.checks)} networks that Xiao et al. 2021 timed in the same way (Table 2) "
        f"took no part in any fit: there the full law's median error is {statistics.median(off):.0f} %, "
        f"the largest {max(off):.0f} %. The selected law's is {statistics.median(chosen):.0f} %: three "
        "bases are too few to choose terms, so v100 keeps the full law.",
        "What params cost is poorly told by these data: large networks ran in smaller batches, and the paper's batches are not known.",
        "CPUs stand last, for contrast: the paper's claim is about memory-bound accelerators, and a CPU neither confirms nor refutes it.",
    ]


def _is_cpu(m: Measurements) -> bool:
    return m.environment.get("device_type") == "cpu"


def _environment(m: Measurements) -> str:
    said = {
        "compile": "compiled" if m.environment.get("compile") else "not compiled",
        "clock": CLOCKS.get(str(m.environment.get("clock")), ""),
    }
    known = [
        said.get(key, str(value))
        for key, value in m.environment.items()
        if key in ("precision", "layout", "compile", "clock", "software")
    ]
    return ", ".join(known)


def _key(name: str) -> str:
    return name.replace("flops", "flops_multiply_adds")


def _head(name: str) -> str:
    return name.replace("flops", "flops (multiply-adds)")


def _round(value: float) -> float:
    """Three decimals: another machine's last bits must not change a table."""
    return round(value, 3)


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"


def _pair(value: tuple[float, float]) -> str:
    return f"{value[0]:.2f} / {value[1]:.2f}"
