"""The runtime law on every device with known times: how well each count, and all, predict the time.

The first rows come from published times, the rest from our committed time records. The same data
give the laws shipped in fastscale/planning/devices.json (written by scripts/write_devices.py): all
published devices, and our accelerators.
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

LEAST = 12  # networks timed on a device of ours: fewer cannot support a law
_LAWS = ("full", "split", SELECTED, "acts", "flops", "params")
_COUNTS = ("flops", "params", "acts")


def runtime_law() -> Table:
    """One row per device, mode and kind of group left out; CPUs last, for contrast."""
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
    title = "Time from counts: Pearson r, and errors on networks that were left out of the fit"
    return Table("runtime-law", title, columns, rows, notes)


def fresh_devices() -> str:
    """The text of devices.json as the checkout's references and records make it."""
    return shipped_text({**_own_accelerators(), **_devices(_references())})


def device_differences() -> list[str]:
    """One line if the shipped laws differ from a fresh fit to references and records, else none."""
    fresh = json.loads(fresh_devices())
    made = {law["device"] for law in fresh}  # a copy without records cannot make our own again
    shipped = [
        law for law in read_json(SHIPPED) if law["device"] in made or not from_dict(law).ours
    ]
    if _alike(fresh, shipped):
        return []
    return [
        "fastscale/planning/devices.json: differs from a fresh fit to references and records; "
        "regenerate it with scripts/write_devices.py"
    ]


def _alike(a: Any, b: Any) -> bool:
    """Whether the JSON is equal, numbers to a thousandth: a fit's last digits vary by machine."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_alike(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_alike, a, b))
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-3)
    return a == b


def _references() -> str:
    """The published tables as one text, which serves as the key of the caches below."""
    return "".join(map(text_of, MAKERS))


@lru_cache(maxsize=4)
def _devices(references: str) -> dict[str, Device]:
    return reference_devices(_measured(references))


@lru_cache(maxsize=4)
def _measured(references: str) -> tuple[Measurements, ...]:
    return tuple(reference_measurements())


def _own_accelerators() -> dict[str, Device]:
    """Our accelerators with enough committed records, by device time if there is any.

    Their epochs are by default shared by 8 devices, as in the paper.
    """
    laws: dict[str, dict[str, FittedLaw]] = {}
    known = [m for m in _own() if not _is_cpu(m)]
    for m in sorted(
        known, key=lambda m: (m.environment.get("clock") == "device", len(m.observations))
    ):
        laws.setdefault(m.device, {})[m.mode] = fitted_to(m._replace(devices=8))
    return {name: Device(name, own) for name, own in laws.items()}


@lru_cache(maxsize=4)
def _published(references: str) -> tuple[tuple[list[Any], ...], tuple[str, ...]]:
    found = _measured(references)
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
        "r: Pearson correlation of time per image with the count, linear / of logarithms. Errors: "
        "median of |predicted / measured - 1| over networks whose whole family (or strategy) was "
        "left out of the fit.",
        "Full law: time per image = a flops + b acts + (c params + d layers) / batch, non-negative "
        "coefficients, fitted in relative error. Split law: acts of grouped convs are a separate "
        "term. Selected law (20 or more scaled networks): acts, and the other counts and group "
        "widths that help, chosen without the group left out. One count: the better of a line and "
        "a power law. flops are multiply-adds.",
        "v100: read off the paper's Fig. 2, 4 and 6. Xiao et al. 2021 timed "
        f"{len(paper.checks)} networks in the same way (Table 2), which no fit uses: on these the "
        f"full law's median error is {statistics.median(off):.0f} %, the largest {max(off):.0f} %. "
        f"The selected law's median error is {statistics.median(chosen):.0f} %: three bases are "
        "too few to choose terms, so v100 keeps the full law.",
        "These data say little about the cost of params: large networks ran in smaller batches, "
        "and the paper's batches are not known.",
        "CPUs are last, for contrast: the paper's claim is about memory-bound accelerators, and a "
        "CPU neither confirms nor refutes it.",
    ]


def _is_cpu(m: Measurements) -> bool:
    return m.environment.get("device_type") == "cpu"


def _environment(m: Measurements) -> str:
    labels = {
        "compile": "compiled" if m.environment.get("compile") else "not compiled",
        "clock": CLOCKS.get(str(m.environment.get("clock")), ""),
    }
    known = [
        labels.get(key, str(value))
        for key, value in m.environment.items()
        if key in ("precision", "layout", "compile", "clock", "software")
    ]
    return ", ".join(known)


def _key(name: str) -> str:
    return name.replace("flops", "flops_multiply_adds")


def _head(name: str) -> str:
    return name.replace("flops", "flops (multiply-adds)")


def _round(value: float) -> float:
    """Rounds to three decimals, so that another machine's last bits do not change a table."""
    return round(value, 3)


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"


def _pair(value: tuple[float, float]) -> str:
    return f"{value[0]:.2f} / {value[1]:.2f}"
