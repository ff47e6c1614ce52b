"""Translates the names of networks in the paper's plots and tables, the earlier zoo and timm.

A network of timm's has a name here if it is one of ours; its counts are then recomputed. Others
have none: those with other blocks (resnet18, resnet34), other norms or pooling (_gn, _evos, _sgn),
TensorFlow's padding (tf_), torchvision's widths (_tv), pruned ones, and designs that we do not have
(regnetz_b16, c16, d8, d32, e8, regnety_640 and larger, resnext101_32x8d and wider,
efficientnet_b8).
"""

import re
from collections.abc import Mapping
from functools import lru_cache

from fastscale.archs import Arch, base_arch, base_names
from fastscale.errors import InputError
from fastscale.records import arch_of as recorded_arch
from fastscale.records.frame import Row
from fastscale.scaling import Strategy, arch_named, scale

PAPER_BASES = {
    "EN-B0": "efficientnet-b0",
    "RegNetY-500MF": "regnety-500mf",
    "RegNetY-4GF": "regnety-4gf",
    "RegNetZ-500MF": "regnetz-500mf",
    "RegNetZ-4GF": "regnetz-4gf",
}
# (table, label) -> name here; factors 1.85, 3.88 and 8.5 are derived from the printed counts
TABLES = {
    ("xiao2021_table2", "RegNetY 1GF"): "regnety-500mf.dWr-x2",
    ("xiao2021_table2", "RegNetY 4GF"): "regnety-4gf",
    ("xiao2021_table2", "RegNetY 16GF"): "regnety-4gf.dWr-x4",
    ("xiao2021_table2", "RegNetY 32GF"): "regnety-4gf.dWr-x8",
    ("xiao2021_table2", "RegNetZ 1GF"): "regnetz-500mf.dWr-x1.85",
    ("xiao2021_table2", "RegNetZ 4GF"): "regnetz-4gf",
    ("xiao2021_table2", "RegNetZ 16GF"): "regnetz-4gf.dWr-x3.88",
    ("xiao2021_table2", "RegNetZ 32GF"): "regnetz-4gf.dWr-x8.5",
    ("xiao2021_table2", "EfficientNet B2"): "efficientnet-b2",
    ("xiao2021_table2", "EfficientNet B4"): "efficientnet-b4",
    ("xiao2021_table2", "EfficientNet B5"): "efficientnet-b5",
    ("mvit_table17", "RegNetZ 4GF"): "regnetz-4gf",
    ("mvit_table17", "RegNetZ 16GF"): "regnetz-4gf.dWr-x3.88",
}
# the paper's two bases with another width of the conv before pooling
_TIMM_HEADS = {
    "regnetz_005": ("regnetz-500mf", 1024),
    "regnetz_040": ("regnetz-4gf", 0),
    "regnetz_040_h": ("regnetz-4gf", 1536),
}


def point_arch(row: Mapping[str, str]) -> Arch:
    """The network of a row of paper_points.csv.

    It is a base, a base scaled by `s=...`, an original EfficientNet, or one of TABLES. InputError
    for a row of a table that is not in TABLES.
    """
    if row["strategy"] == "orig":
        return arch_named(f"efficientnet-{row['target'].lower()}")
    if not row["artifact"].startswith("fig"):
        return arch_named(name_of(row["artifact"], f"{row['family']} {row['target']}"))
    base = arch_named(PAPER_BASES[row["base"]])
    if row["strategy"] == "none":
        return base
    return scale(base, Strategy.parse(row["strategy"]), float(row["target"].removeprefix("s=")))


def name_of(table: str, label: str) -> str:
    """The name here of a network that a table calls `label`. InputError if it is not in TABLES.

    The table "definitions" is definitions.csv, which uses our names in other letters.

    >>> name_of("xiao2021_table2", "RegNetY 16GF"), name_of("definitions", "RegNetY-4GF")
    ('regnety-4gf.dWr-x4', 'regnety-4gf')
    """
    if table == "definitions":
        return arch_named(label.lower()).name
    if (table, label) not in TABLES:
        raise InputError(
            f"{label!r} of {table} has no name here; add it to fastscale/references/networks.py"
        )
    return TABLES[table, label]


def zoo_name(model: str) -> str:
    """The name here of a network of the earlier zoo.

    >>> zoo_name("RegNetX-4.0GF"), zoo_name("ResNet-50")
    ('regnetx-4gf.dds', 'resnet-50')
    """
    name = model.lower().replace(".0gf", "gf")
    return f"{name}.dds" if name.startswith("regnet") else name


@lru_cache(maxsize=512)
def timm_arch(model: str) -> Arch | None:
    """The network of that name in timm; None if it is not one of ours.

    >>> timm_arch("regnetx_016").name, timm_arch("resnet18")
    ('regnetx-1.6gf.dds', None)
    """
    if found := re.fullmatch(r"(regnet[xy])_(\d{3})", model):
        hundreds = int(found[2])
        if hundreds > 320:
            return None
        size = f"{hundreds}00mf" if hundreds < 10 else f"{hundreds / 10:g}gf"
        return arch_named(f"{found[1]}-{size}.dds")
    if re.fullmatch(r"efficientnet_b[0-7]", model):
        return arch_named(model.replace("_", "-"))
    if found := re.fullmatch(r"(resn(?:et|ext))(50|101|152)(_32x4d)?", model):
        return arch_named(f"{found[1]}-{found[2]}")
    if model in _TIMM_HEADS:
        base, head = _TIMM_HEADS[model]
        return arch_named(base).with_(name=f"{base}.{model}", head_width=head)
    return None


def arch_of(row: Row) -> Arch:
    """The network of a row. timm's two variants of the paper's bases can only be found this way:
    they have no name here."""
    if row.record is not None:
        return recorded_arch(row.record)
    found = timm_arch(row.network)
    return found if found is not None else arch_named(row.arch or "")


def timm_family(model: str) -> str:
    """The family of a network of timm's. If it is not one of ours, the family in its name: ResNet
    variants (ECA, SE, wide, ...) count as ResNet or ResNeXt.

    >>> timm_family("regnetx_016"), timm_family("seresnext50_32x4d"), timm_family("vit")
    ('RegNetX', 'ResNeXt', 'other')
    """
    if (arch := timm_arch(model)) is not None:
        return arch.family
    known = dict.fromkeys(base_arch(name).family for name in base_names())
    return next((family for family in known if family.lower() in model), "other")
