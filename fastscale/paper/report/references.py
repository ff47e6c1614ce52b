"""Published points: the paper's, its authors' other tables and earlier zoo, timm's benchmarks."""

from collections.abc import Mapping
from dataclasses import dataclass

from fastscale.paper.report.point import Point, Value, strategy_of
from fastscale.records.frame import Row
from fastscale.references import reference
from fastscale.references.published import MAKERS, published

PAPER, XIAO, MVIT = "the paper, Fig. 2, 4, 6", "Xiao et al. 2021, Table 2", "MViT, Table 17"
ZOO, TIMM = "authors' earlier zoo", "timm benchmarks"
EIGHT, EIGHT_V100, ONE_V100 = "8 GPUs (the paper)", "8 V100", "1 V100"
_SOURCES = {"xiao2021_table2": (XIAO, EIGHT_V100), "mvit_table17": (MVIT, "")}


@dataclass(frozen=True)
class Reference:
    """A reference file: its rows, as published, and their points."""

    name: str
    rows: list[dict[str, str]]
    points: list[Point]


def references() -> list[Reference]:
    """Every reference point. Raises InputError as `references.reference` does."""
    point_of = dict(zip(MAKERS, (_paper, _zoo, _timm), strict=True))
    return [
        Reference(name, reference(name), [point_of[name](row) for row in published(name)])
        for name in MAKERS
    ]


def _paper(row: Row) -> Point:
    written = row.written
    source, device = _SOURCES.get(written["artifact"], (PAPER, EIGHT))
    how = written["how"]
    how = how.removeprefix("digitised; ") if "digitised" in row.origin else how
    epochs = written["epochs"] and f"{written['epochs']} epochs"
    where = [row.origin, how, f"resolution {row.resolution}", epochs]
    network, scaled = _scaled(written)
    return _point(row, network, scaled, device, source, "", "; ".join(filter(None, where)))


def _scaled(written: Mapping[str, str]) -> tuple[str, str]:
    """The network's name and scaling, as the paper's plots or tables write them."""
    target = written["target"].removeprefix("s=")
    if written["strategy"] == "none":
        return written["base"], "base"
    if written["strategy"] == "orig":
        return f"EfficientNet-{target}", f"orig {target}"
    how = "x" if written["target"].startswith("s=") else "to "
    scaled = f"{written['strategy']} {how}{target}"
    return f"{written['base']} {scaled}", scaled


def _zoo(row: Row) -> Point:
    where = f"{row.origin}; resolution {row.resolution}"
    if row.mode == "inference":
        return _point(row, row.network, "base", ONE_V100, ZOO, "fp32", f"{where}, 64 images")
    where += f", batch {row.written['batch_total']} in total"
    return _point(row, row.network, "base", EIGHT_V100, ZOO, "fp32", where)


def _timm(row: Row) -> Point:
    written, compiled = row.written, "compiled" if row.compile else "eager"
    device = f"{row.device} (CPU)" if row.device_type == "cpu" else row.device or ""
    setting = f"{written['precision']}, {written['layout']}, torch {row.torch}, {compiled}"
    where = f"resolution {row.resolution}, batch {written['batch']}; {row.origin}"
    return _point(row, row.network, "base", device, TIMM, setting, where)


def _point(
    row: Row, network: str, scaled: str, device: str, source: str, setting: str, provenance: str
) -> Point:
    # the page's time per image is of all devices together
    image = None if row.image_time_s is None else 1000 * row.image_time_s / row.devices
    values = {
        "flops": row.flops,
        "params": row.params,
        "acts": row.acts,
        "epoch_time": row.epoch_time_min,
        "time_per_image": image if source in (ZOO, TIMM) else None,
        "error": row.top1_error,
    }
    return Point(
        id=row.id,
        network=network,
        family=row.family,
        strategy=strategy_of(row.strategy),
        written=scaled,
        data="imagenet",
        device=device,
        cpu=row.device_type == "cpu",
        mode=row.mode,
        source=source,
        setting=setting,
        provenance=provenance,
        members=(row.id.removesuffix("-inference"),),
        values={name: Value(value) for name, value in values.items() if value is not None},
    )
