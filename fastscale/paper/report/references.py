"""Published points: the paper's and its authors' other tables, their earlier zoo, and timm's benchmarks, as they were published.

A time per image is the published time or speed in other units; timm's training speed gives the time of an ImageNet epoch on its one GPU.
Nothing else is derived, and what was not published stays blank.
"""

import re
from dataclasses import dataclass

from fastscale.paper.places import reference
from fastscale.paper.points import with_timm_counts
from fastscale.paper.report.point import IMAGENET, Point, Value, family_of, strategy_of

FILES = ("paper_points", "pycls_zoo", "timm_benchmarks")
PAPER, XIAO, MVIT = "the paper, Fig. 2, 4, 6", "Xiao et al. 2021, Table 2", "MViT, Table 17"
ZOO, TIMM = "authors' earlier zoo", "timm benchmarks"
EIGHT, EIGHT_V100, ONE_V100 = "8 GPUs (the paper)", "8 V100", "1 V100"
_SOURCES = {"xiao2021_table2": (XIAO, EIGHT_V100), "mvit_table17": (MVIT, "")}


@dataclass(frozen=True)
class Reference:
    """A reference file: its rows (texts as published) and the points they make."""

    name: str
    rows: list[dict[str, str]]
    points: list[Point]


def references() -> list[Reference]:
    """Every reference point. Raises InputError as `places.reference` does."""
    found = []
    for name, points_of in zip(FILES, (_paper, _zoo, _timm), strict=True):
        rows = reference(name)
        complete = with_timm_counts(rows) if points_of is _timm else rows
        points = [
            point
            for line, row in enumerate(complete, start=2)
            for point in points_of(row, f"{name}-{line}")
        ]
        found.append(Reference(name, rows, points))
    return found


def device_name(text: str) -> tuple[str, bool]:
    """(device, whether it is a CPU) of timm's `cu128-4090`, `cpu-i7_12700h` and the like.

    >>> device_name("cu128-4090"), device_name("cpu-i7_12700h")
    (('RTX 4090', False), ('i7-12700H (CPU)', True))
    """
    kind, _, name = text.partition("-")
    if kind == "cpu":
        model, _, number = name.partition("_")
        return f"{model}-{number.upper()} (CPU)" if number else f"{name} (CPU)", True
    if consumer := re.fullmatch(r"(?:rtx)?(\d{4})", name):
        return f"RTX {consumer[1]}", False
    if professional := re.fullmatch(r"(?:rtx)?pro(\d{4})(maxq)?", name):
        return f"RTX PRO {professional[1]}" + (" Max-Q" if professional[2] else ""), False
    return name or text, False


def _paper(row: dict[str, str], anchor: str) -> list[Point]:
    source, device = _SOURCES.get(row["artifact"], (PAPER, EIGHT))
    strategy = strategy_of(row["strategy"])
    values = _numbers(
        row, {"flops": ("flops_b", 1e9), "params": ("params_m", 1e6), "acts": ("acts_m", 1e6)}
    )
    values |= _numbers(row, {"epoch_time": ("epoch_time_min", 1), "error": ("top1_error", 1)})
    target = row["target"].removeprefix("s=")
    if row["strategy"] == "none":
        written, network = "base", row["base"]
    elif row["strategy"] == "orig":
        written, network = f"orig {target}", f"EfficientNet-{target}"
    else:
        written = (
            f"{row['strategy']} x{target}"
            if row["target"].startswith("s=")
            else f"{row['strategy']} to {target}"
        )
        network = f"{row['base']} {written}"
    resolution = row["resolution"] and f"resolution {row['resolution']}"
    how = row["how"].removeprefix("digitised; ") if "digitised" in row["source"] else row["how"]
    where = "; ".join(
        filter(None, [row["source"], how, resolution, row["epochs"] and f"{row['epochs']} epochs"])
    )
    return [
        _point(
            anchor,
            network,
            row["family"],
            strategy,
            written,
            device,
            "training",
            source,
            "",
            where,
            values,
        )
    ]


def _zoo(row: dict[str, str], anchor: str) -> list[Point]:
    counts = _numbers(row, {name: (name, 1) for name in ("flops", "params", "acts")})
    trained = counts | _numbers(
        row, {"epoch_time": ("epoch_time_min", 1), "error": ("top1_error", 1)}
    )
    if row["train_step_s"]:
        trained["time_per_image"] = Value(
            1000 * float(row["train_step_s"]) / int(row["batch_total"])
        )
    run = counts | _numbers(row, {"time_per_image": ("infer_ms_64_images_1gpu", 1 / 64)})
    name, family = row["model"], family_of(row["model"])
    where = f"facebookresearch/pycls, MODEL_ZOO; resolution {row['train_resolution']}"
    training, inference = f"{where}, batch {row['batch_total']} in all", f"{where}, 64 images"
    return [
        _point(
            anchor,
            name,
            family,
            "base",
            "base",
            EIGHT_V100,
            "training",
            ZOO,
            "fp32",
            training,
            trained,
        ),
        _point(
            anchor,
            name,
            family,
            "base",
            "base",
            ONE_V100,
            "inference",
            ZOO,
            "fp32",
            inference,
            run,
            "-inference",
        ),
    ]


def _timm(row: dict[str, str], anchor: str) -> list[Point]:
    values = _numbers(
        row, {"flops": ("gmacs", 1e9), "params": ("params_m", 1e6), "acts": ("macts", 1e6)}
    )
    speed = float(row["images_per_s"])
    values["time_per_image"] = Value(1000 / speed)
    if row["mode"] == "training":
        values["epoch_time"] = Value(IMAGENET / speed / 60)
    device, cpu = device_name(row["device"])
    version = re.sub(
        r"^pt2(\d+)(\d)$", r"torch 2.\1.\2", re.sub(r"^pt1(\d+)$", r"torch 1.\1", row["torch"])
    )
    compiled = "compiled" if row["compiled"] == "True" else "eager"
    setting = f"{row['precision']}, {row['layout']}, {version}, {compiled}"
    network, source = row["model"], row["source"]
    where = f"resolution {row['resolution']}, batch {row['batch']}; {source}"
    return [
        _point(
            anchor,
            network,
            family_of(network),
            "base",
            "base",
            device,
            row["mode"],
            TIMM,
            setting,
            where,
            values,
            cpu=cpu,
        )
    ]


def _numbers(row: dict[str, str], wanted: dict[str, tuple[str, float]]) -> dict[str, Value]:
    return {
        name: Value(float(row[column]) * unit)
        for name, (column, unit) in wanted.items()
        if row[column]
    }


def _point(
    anchor: str,
    network: str,
    family: str,
    strategy: str,
    written: str,
    device: str,
    mode: str,
    source: str,
    setting: str,
    provenance: str,
    values: dict[str, Value],
    suffix: str = "",
    cpu: bool = False,
) -> Point:
    return Point(
        id=anchor + suffix,
        network=network,
        family=family,
        strategy=strategy,
        written=written,
        data="imagenet",
        device=device,
        cpu=cpu,
        mode=mode,
        source=source,
        setting=setting,
        provenance=provenance,
        members=(anchor,),
        values=values,
    )
