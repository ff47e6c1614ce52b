"""Published times as observations of named devices: the paper's, pycls's zoo and timm's tables.

Rows come from `fastscale.references.published`; only networks that are also ours are used.
"""

from collections.abc import Iterable, Sequence

from fastscale.planning.device import Device, FittedLaw, Measurements, fitted_to
from fastscale.planning.observed import observed
from fastscale.records.frame import Row
from fastscale.references.devices import hardware
from fastscale.references.published import published

_PRECISIONS = {
    "16-mixed": "float16 mixed",
    "bf16-mixed": "bfloat16 mixed",
    "bf16-true": "bfloat16",
    "32-true": "float32",
}


def reference_measurements() -> list[Measurements]:
    """The paper's measurements, the zoo's, then those of each of timm's files."""
    return [
        _paper(published("paper_points")),
        *_zoo(published("pycls_zoo")),
        *_timm(published("timm_benchmarks")),
    ]


def reference_devices(measured: Iterable[Measurements]) -> dict[str, Device]:
    """The named devices with their fitted laws."""
    found: dict[str, dict[str, FittedLaw]] = {}
    for m in measured:
        found.setdefault(m.device, {})[m.mode] = fitted_to(m)
    return {name: Device(name, laws) for name, laws in found.items()}


def _paper(rows: Iterable[Row]) -> Measurements:
    """Epoch times of scaled networks (Fig. 2, 4 and 6); Xiao et al.'s are kept to check the law."""
    found, checks = {}, {}
    for row in rows:
        if row.epoch_time_min is None:
            continue
        if row.written["artifact"].startswith("fig"):
            found[row.arch] = observed(row, batch=128)
        elif row.strategy != "orig":  # the original EfficientNets are in Fig. 4 already
            checks[row.arch] = observed(row, batch=128)
    environment = {
        "hardware": "NVIDIA V100 32 GB, 8 of them",
        "precision": "mixed",
        "batch": "1024 over 8 GPUs, smaller for large networks",
    }
    source = "arXiv 2103.06877v1, Fig. 2, 4 and 6, digitised"
    return Measurements(
        "v100", "training", list(found.values()), environment, source, list(checks.values())
    )


def _zoo(rows: Sequence[Row]) -> list[Measurements]:
    source = "facebookresearch/pycls, MODEL_ZOO"
    environment = {"hardware": "NVIDIA V100", "precision": "float32"}
    shared = {**environment, "hardware": "NVIDIA V100, 8 of them"}
    return [
        Measurements(
            "v100-fp32", mode, [observed(r) for r in rows if r.mode == mode], under, source
        )
        for mode, under in (("training", shared), ("inference", environment))
    ]


def _timm(rows: Iterable[Row]) -> list[Measurements]:
    """Measurements by file and mode. A device's newest torch is not part of its name."""
    found: dict[tuple, list[Row]] = {}
    newest: dict[tuple[str, str], str] = {}
    for row in rows:
        found.setdefault((row.written["source"], row.mode), []).append(row)
        device = row.device or "", row.mode
        newest[device] = max(newest.get(device, ""), row.written["torch"])
    return [_timm_file(each, newest[each[0].device or "", each[0].mode]) for each in found.values()]


def _timm_file(rows: Sequence[Row], newest: str) -> Measurements:
    first = rows[0]
    on, torch = hardware(first.written["device"]), first.written["torch"]
    parts = {
        on.slug: True,
        "bf16": first.precision == "bf16-true",
        "amp-bf16": first.precision == "bf16-mixed",
        "nhwc": first.layout == "channels_last",
        "compiled": first.compile and not on.cpu,
        torch: torch != newest,
    }
    environment = {
        "hardware": on.slug,
        "device_type": first.device_type,
        "precision": _PRECISIONS[first.precision or ""],
        "layout": first.layout,
        "compile": first.compile,
        "software": f"torch {first.torch}",
    }
    name = "-".join(part for part, named in parts.items() if named)
    ours = [observed(row) for row in rows if row.arch is not None]
    return Measurements(name, first.mode, ours, environment, first.written["source"])
