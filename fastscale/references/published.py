"""Published measurements as rows of the frame.

They come from the paper's plots, its group's later tables, the earlier zoo and timm's benchmarks.
The time per image is the published time or speed in other units; timm's training speed also gives
the time of an ImageNet epoch on its one device. Nothing else is derived, and what was not published
is None. `Row.written` holds the fields as published.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from fastscale.archs.names import NetworkName, strategy_spelling
from fastscale.common import IMAGENET_IMAGES
from fastscale.records.frame import Row
from fastscale.references.devices import hardware, torch_version
from fastscale.references.networks import point_arch, timm_arch, timm_family, zoo_name
from fastscale.references.tables import parsed, text_of
from fastscale.scaling import arch_named

PAPER = "arXiv 2103.06877"  # in the origin of the paper's own points
PRECISIONS = {"amp": "16-mixed", "amp_bf16": "bf16-mixed", "bf16": "bf16-true", "fp32": "32-true"}
LAYOUTS = {"nchw": "contiguous", "nhwc": "channels_last"}
_V100 = {"device": "NVIDIA V100", "device_type": "cuda"}


def published(name: str) -> tuple[Row, ...]:
    """The rows of `paper_points`, `pycls_zoo` or `timm_benchmarks`, in the order of the file.

    InputError as in `tables.reference`.
    """
    return _rows(name, text_of(name))


def every_published() -> tuple[Row, ...]:
    """The rows of all three tables."""
    return tuple(row for name in MAKERS for row in published(name))


@lru_cache(maxsize=8)
def _rows(name: str, text: str) -> tuple[Row, ...]:
    written = parsed(name, text)
    complete = with_timm_counts(written) if name == "timm_benchmarks" else written
    return tuple(
        Row(id=f"{name}-{number}{row.pop('suffix', '')}", source="published", written=line, **row)
        for number, (line, filled) in enumerate(zip(written, complete, strict=True), start=2)
        for row in MAKERS[name](filled)
    )


def _paper(line: Mapping[str, str]) -> list[dict[str, Any]]:
    """One row. The group timed its networks on 8 V100."""
    arch = point_arch(line)
    time = _number(line["epoch_time_min"])
    timed = {**_V100, "devices": 8, "precision": "16-mixed"} if time else {}
    name = NetworkName.parse(arch.name)
    return [
        {
            "origin": line["source"],
            "kind": "train",
            "network": f"{line['family']} {line['target']}",
            "arch": arch.name,
            "family": arch.family,
            "base": name.base,
            "strategy": None if line["strategy"] == "none" else strategy_spelling(line["strategy"]),
            "factor": name.factor,
            "resolution": int(line["resolution"]),
            "flops": _number(line["flops_b"], 1e9),
            "params": _number(line["params_m"], 1e6),
            "acts": _number(line["acts_m"], 1e6),
            "counted": "counts computed" in line["how"],
            "data": "imagenet",
            "epochs": int(line["epochs"]) if line["epochs"] else None,
            **timed,
            "epoch_time_min": time,
            "image_time_s": time and time * 60 * 8 / IMAGENET_IMAGES,
            "top1_error": _number(line["top1_error"]),
        }
    ]


def _zoo(line: Mapping[str, str]) -> list[dict[str, Any]]:
    """Two rows: training on 8 devices and inference on one."""
    batch = int(line["batch_total"]) / int(line["gpus"])
    arch = arch_named(zoo_name(line["model"]))
    both: dict[str, Any] = {
        "origin": "facebookresearch/pycls, MODEL_ZOO",
        "network": line["model"],
        "arch": arch.name,
        "family": arch.family,
        "base": arch.name,
        "resolution": int(line["train_resolution"]),
        **{count: float(line[count]) for count in ("flops", "params", "acts")},
        "data": "imagenet",
        **_V100,
        "precision": "32-true",
    }
    training = {
        "kind": "train",
        "devices": int(line["gpus"]),
        "batch": batch,
        "epoch_time_min": float(line["epoch_time_min"]),
        "image_time_s": float(line["train_step_s"]) / batch,
        "top1_error": float(line["top1_error"]),
    }
    inference = {
        "suffix": "-inference",
        "mode": "inference",
        "batch": 64,
        "image_time_s": float(line["infer_ms_64_images_1gpu"]) / 1e3 / 64,
    }
    return [both | training, both | inference]


def _timm(line: Mapping[str, str]) -> list[dict[str, Any]]:
    """One row: training or inference on one device."""
    device, arch = hardware(line["device"]), timm_arch(line["model"])
    speed = float(line["images_per_s"])
    return [
        {
            "origin": line["source"],
            "mode": line["mode"],
            "network": line["model"],
            "arch": arch and arch.name,
            "base": arch and arch.name,
            "family": timm_family(line["model"]),
            "resolution": int(line["resolution"]),
            "flops": _number(line["gmacs"], 1e9),
            "params": _number(line["params_m"], 1e6),
            "acts": _number(line["macts"], 1e6),
            "data": "imagenet",
            "device": device.name,
            "device_type": "cpu" if device.cpu else "cuda",
            "precision": PRECISIONS[line["precision"]],
            "layout": LAYOUTS[line["layout"]],
            "compile": line["compiled"] == "True",
            "batch": float(line["batch"]),
            "torch": torch_version(line["torch"]),
            "image_time_s": 1 / speed,
            "epoch_time_min": IMAGENET_IMAGES / speed / 60 if line["mode"] == "training" else None,
        }
    ]


MAKERS: dict[str, Callable[[Mapping[str, str]], list[dict[str, Any]]]] = {
    "paper_points": _paper,
    "pycls_zoo": _zoo,
    "timm_benchmarks": _timm,
}


def with_timm_counts(rows: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """The rows with flops and acts filled in.

    timm's training files lack them. They depend on network and resolution only, so those of its
    inference files are used.
    """
    counts = {
        (row["model"], row["resolution"]): (row["gmacs"], row["macts"])
        for row in rows
        if row["gmacs"] and row["macts"]
    }
    complete = []
    for row in rows:
        borrowed = counts.get((row["model"], row["resolution"]))
        if borrowed and not row["gmacs"] and not row["macts"]:
            source = f"{row['source']}; flops and acts from timm's inference files"
            row = row | {"gmacs": borrowed[0], "macts": borrowed[1], "source": source}
        complete.append(row)
    return complete


def _number(text: str, unit: float = 1.0) -> float | None:
    return float(text) * unit if text else None
