"""Times that others published, as observations of named devices: the paper's V100 figures, the earlier zoo, timm's benchmark tables.

Rows come from paper_figures/reference/*.csv. A network of timm's tables is used where it is one of ours (its counts are recomputed), and
left out where it is not: other blocks (resnet18, resnet34), other norms or pooling (_gn, _evos, _sgn), TensorFlow's padding (tf_),
torchvision's widths (_tv), pruned ones, and designs without a name here (regnetz_b16, c16, d8, d32, e8, regnety_640 and larger,
resnext101_32x8d and wider, efficientnet_b8).
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from fastscale.archs import Arch
from fastscale.planning.device import Device, FittedLaw, Measurements, fitted_to
from fastscale.planning.law import Observation
from fastscale.planning.terms import family, terms
from fastscale.scaling import arch_named, scale
from fastscale.scaling.strategy import Strategy

FILES = ("paper_points", "pycls_zoo", "timm_benchmarks")
Rows = Sequence[dict[str, str]]
IMAGENET = 1_281_167  # training images
PAPER_BASES = {
    "EN-B0": "efficientnet-b0",
    "RegNetY-500MF": "regnety-500mf",
    "RegNetY-4GF": "regnety-4gf",
    "RegNetZ-500MF": "regnetz-500mf",
    "RegNetZ-4GF": "regnetz-4gf",
}
# Xiao et al. 2021, Table 2: scaled by the same group and timed in the same way; factors as in configs/artifacts/published-counts.yaml
XIAO = {
    "RegNetY 1GF": "regnety-500mf.dWr-x2",
    "RegNetY 4GF": "regnety-4gf",
    "RegNetY 16GF": "regnety-4gf.dWr-x4",
    "RegNetY 32GF": "regnety-4gf.dWr-x8",
    "RegNetZ 1GF": "regnetz-500mf.dWr-x1.85",
    "RegNetZ 4GF": "regnetz-4gf",
    "RegNetZ 16GF": "regnetz-4gf.dWr-x3.88",
    "RegNetZ 32GF": "regnetz-4gf.dWr-x8.5",
}
_GPUS = {
    "rtx3090": "rtx-3090",
    "rtx4090": "rtx-4090",
    "4090": "rtx-4090",
    "5090": "rtx-5090",
    "pro6000maxq": "rtx-pro-6000-maxq",
}
_PRECISIONS = {
    "amp": "float16 mixed",
    "amp_bf16": "bfloat16 mixed",
    "bf16": "bfloat16",
    "fp32": "float32",
}
_LAYOUTS = {"nchw": "contiguous", "nhwc": "channels_last"}


def reference_measurements(rows: Callable[[str], Rows]) -> list[Measurements]:
    """All of them; `rows(name)` gives the rows of each reference file of FILES."""
    paper, zoo, timm = map(rows, FILES)
    return [_paper(paper), *_zoo(zoo), *_timm(timm)]


def reference_devices(rows: Callable[[str], Rows]) -> dict[str, Device]:
    """The named devices, each with its fitted laws."""
    found: dict[str, dict[str, FittedLaw]] = {}
    for m in reference_measurements(rows):
        found.setdefault(m.device, {})[m.mode] = fitted_to(m)
    return {name: Device(name, laws) for name, laws in found.items()}


def point_arch(row: dict[str, str]) -> Arch:
    """The network of a row of paper_points.csv: a base, one of the original EfficientNets, or a base scaled by `s=...`."""
    if row["strategy"] == "none":
        return arch_named(PAPER_BASES[row["base"]])
    if row["strategy"] == "orig":
        return arch_named(f"efficientnet-{row['target'].lower()}")
    return scale(
        arch_named(PAPER_BASES[row["base"]]),
        Strategy.parse(row["strategy"]),
        float(row["target"].removeprefix("s=")),
    )


def zoo_name(model: str) -> str:
    """The name here of a network of the zoo: RegNetX-4.0GF is regnetx-4gf.dds, ResNet-50 is resnet-50."""
    name = model.lower().replace(".0gf", "gf")
    return f"{name}.dds" if name.startswith("regnet") else name


def timm_arch(model: str) -> Arch | None:
    """The network of that name in timm, where it is one of ours; None where it is not.

    >>> timm_arch("regnetx_016").name, timm_arch("resnet18")
    ('regnetx-1.6gf.dds', None)
    """
    if found := re.fullmatch(r"(regnet[xy])_(\d{3})", model):
        hundreds = int(found[2])
        if hundreds > 320:
            return None
        return arch_named(
            f"{found[1]}-{f'{hundreds}00mf' if hundreds < 10 else f'{hundreds / 10:g}gf'}.dds"
        )
    if found := re.fullmatch(r"efficientnet_b([0-7])|resn(?:et|ext)(50|101|152)(_32x4d)?", model):
        return arch_named(
            model.replace("_32x4d", "").replace("_", "-")
            if found[1]
            else re.sub(r"(\d+).*", r"-\1", model)
        )
    if model in (
        "regnetz_005",
        "regnetz_040",
        "regnetz_040_h",
    ):  # the paper's two, but for the width of the conv before pooling
        base, head = {
            "regnetz_005": ("regnetz-500mf", 1024),
            "regnetz_040": ("regnetz-4gf", 0),
        }.get(model, ("regnetz-4gf", 1536))
        return replace(arch_named(base), name=f"{base}.{model}", head_width=head)
    return None


def _observation(
    arch: Arch, strategy: str, resolution: int, batch: float, image_time_s: float
) -> Observation:
    return Observation(
        arch.name,
        family(arch.name),
        strategy,
        resolution,
        terms(arch, resolution),
        batch,
        image_time_s,
    )


def _paper(rows: Rows) -> Measurements:
    """Fig. 2, 4 and 6: epoch times of scaled networks. What Xiao et al. measured in the same way is kept apart, to check the law."""
    found, checks = {}, {}
    for row in rows:
        if row["artifact"].startswith("fig") and row["epoch_time_min"]:
            arch = point_arch(row)
            strategy = "none" if row["strategy"] == "orig" else row["strategy"]
            found[arch.name] = _observation(arch, strategy, arch.resolution, 128, _v100_time(row))
        elif row["artifact"] == "xiao2021_table2" and f"{row['family']} {row['target']}" in XIAO:
            arch = arch_named(XIAO[f"{row['family']} {row['target']}"])
            checks[arch.name] = _observation(
                arch, row["strategy"], arch.resolution, 128, _v100_time(row)
            )
    envelope = {
        "hardware": "NVIDIA V100 32 GB, 8 of them",
        "precision": "mixed",
        "batch": "1024 over 8 GPUs, smaller for large networks",
    }
    source = "arXiv 2103.06877v1, Fig. 2, 4 and 6, digitised"
    return Measurements(
        "v100", "training", list(found.values()), envelope, source, list(checks.values())
    )


def _v100_time(row: dict[str, str]) -> float:
    """Seconds an image on one of the 8 GPUs that share an epoch."""
    return float(row["epoch_time_min"]) * 60 * 8 / IMAGENET


def _zoo(rows: Rows) -> list[Measurements]:
    training, inference = [], []
    for row in rows:
        arch, resolution, batch = (
            arch_named(zoo_name(row["model"])),
            int(row["train_resolution"]),
            int(row["batch_total"]) / int(row["gpus"]),
        )
        training.append(
            _observation(arch, "none", resolution, batch, float(row["train_step_s"]) / batch)
        )
        inference.append(
            _observation(
                arch, "none", resolution, 64, float(row["infer_ms_64_images_1gpu"]) / 1e3 / 64
            )
        )
    source = "facebookresearch/pycls, MODEL_ZOO"
    envelope = {"hardware": "NVIDIA V100", "precision": "float32"}
    return [
        Measurements(
            "v100-fp32",
            "training",
            training,
            {**envelope, "hardware": "NVIDIA V100, 8 of them"},
            source,
        ),
        Measurements("v100-fp32", "inference", inference, envelope, source),
    ]


def _timm(rows: Rows) -> list[Measurements]:
    found: dict[tuple, list[Observation]] = {}
    for row in rows:
        arch = timm_arch(row["model"])
        group = found.setdefault(
            tuple(
                row[key]
                for key in ("source", "mode", "precision", "layout", "torch", "device", "compiled")
            ),
            [],
        )
        if arch is not None:
            batch = float(row["batch"])
            group.append(
                _observation(
                    arch,
                    "none",
                    int(float(row["resolution"])),
                    batch,
                    1 / float(row["images_per_s"]),
                )
            )
    newest: dict[tuple[str, str], str] = {}
    for _, mode, _, _, torch, device, _ in found:
        name = _hardware(device)
        newest[name, mode] = max(newest.get((name, mode), ""), torch)
    made = []
    for (source, mode, precision, layout, torch, device, compiled), observations in found.items():
        name = _hardware(device)
        parts = (
            [name]
            + ["bf16"] * (precision == "bf16")
            + ["amp-bf16"] * (precision == "amp_bf16")
            + ["nhwc"] * (layout == "nhwc")
        )
        parts += ["compiled"] * (compiled == "True" and "cpu" not in device) + [torch] * (
            torch != newest[name, mode]
        )
        envelope = {
            "hardware": name,
            "device_type": "cpu" if device.startswith("cpu") else "cuda",
            "precision": _PRECISIONS[precision],
            "layout": _LAYOUTS[layout],
            "compile": compiled == "True",
            "software": f"torch {'.'.join(torch[2:] if torch[2] > '1' else (torch[2], torch[3:]))}",
        }
        made.append(Measurements("-".join(parts), mode, observations, envelope, source))
    return made


def _hardware(device: str) -> str:
    """`cu128-4090` is rtx-4090, `cpu-i7_12700h` i7-12700h."""
    kind, _, name = device.partition("-")
    return name.replace("_", "-") if kind == "cpu" else _GPUS[name]
