"""Which of other projects' networks equal ours, by name: equal tensors are not enough.

timm's resnetblur50 has resnet50's tensors but a different forward pass. So a file's network name
decides, and a name that is not known to equal one of ours is refused.
"""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from fastscale.archs import Arch
from fastscale.common import parse_yaml
from fastscale.errors import InputError
from fastscale.release.importing.names import built_like

# settings in a file or config that name the network
NAMES = ("architecture", "arch", "model", "model_name", "network", "model_arch")
RESNETS = {f"resnet{d}": f"resnet-{d}" for d in (50, 101, 152)}
RESNEXTS = {"resnext50_32x4d": "resnext-50", "resnext101_32x4d": "resnext-101"}
SIZES = {
    "002": "200mf", "004": "400mf", "006": "600mf", "008": "800mf", "016": "1.6gf", "032": "3.2gf",
    "040": "4gf", "064": "6.4gf", "080": "8gf", "120": "12gf", "160": "16gf", "320": "32gf",
}  # fmt: skip
# options that can change a network with the same tensors, and their values when they do not
USUAL: dict[str, tuple[Any, ...]] = {
    "in_chans": (None, 3),
    "gp": (None, "avg"),
    "global_pool": (None, "avg"),
    "bn_eps": (None,),
    "output_stride": (None, 32),
    "model_kwargs": (None, {}),
    "model_args": (None, {}),
}
HARMLESS = ("num_classes", "drop_rate", "drop_path_rate", "drop_block_rate", "pretrained",
            "in_chans", "global_pool", "zero_init_last")  # fmt: skip
# file names of timm's networks with equal tensors but a different forward pass
LOOK_ALIKE = re.compile(r"(?:resnetblur|resnetaa|seresnetaa|ecaresnet|resnext\d+aa)\w*")


@cache
def equal_names(source_format: str) -> dict[str, str]:
    """{that project's name: ours} of the networks with our forward pass."""
    out = {**RESNETS, **{f"efficientnet_b{k}": f"efficientnet-b{k}" for k in range(8)}}
    if source_format == "timm":
        out |= RESNEXTS
        out |= {f"{p}_{theirs}": ours for p in ("tv", "ssl", "swsl") for theirs, ours in out.items()
                if theirs.startswith("resne")}  # fmt: skip
        out |= {
            f"regnet{k}_{s}": f"regnet{k}-{ours}.dds" for k in "xy" for s, ours in SIZES.items()
        }
        out |= {"regnetz_005": "regnetz-500mf.timm", "regnetz_040_h": "regnetz-4gf-h.timm"}
        out |= {f"tf_efficientnet_lite{k}": f"efficientnet-lite{k}" for k in range(5)}
    elif source_format == "torchvision":
        out |= {"resnext50_32x4d": "resnext-50"}
        out |= {
            f"regnet_{k}_{s.replace('.', '_')}": f"regnet{k}-{s}.dds"
            for k in "xy"
            for s in SIZES.values()
        }
    elif source_format == "efficientnet-lite":
        out = {f"efficientnet{c}lite{k}": f"efficientnet-lite{k}" for c in "-_" for k in range(5)}
    return out


def named(settings: Mapping[str, Any]) -> list[str]:
    """The network names in a file's or a config's settings, without timm's tag (`.a1_in1k`)."""
    found = [settings[key] for key in NAMES if isinstance(settings.get(key), str)]
    return [name.strip().partition(".")[0].lower() for name in found if name.strip()]


def check_named(
    arch: Arch, source_format: str, settings: Mapping[str, Any], file: str, where: str
) -> None:
    """InputError if `settings` or the file's name describe another network than `arch`."""
    if source_format == "pycls":
        _check_pycls(arch, settings.get("cfg"), where)
        return
    names = named(settings)
    if source_format == "timm" and (alike := LOOK_ALIKE.match(file)) and not names:
        names = [alike[0]]
    for name in names:
        ours = equal_names(source_format).get(name)
        if ours is None:
            raise InputError(
                f"{where}: is {source_format}'s {name[:60]!r}, which is not known to equal a "
                f"network here: {arch.name} has the same tensors, but perhaps other outputs"
            )
        if ours != arch.name:
            raise InputError(
                f"{where}: is {source_format}'s {name}, which is {ours}, not {arch.name}"
            )
    for key, usual in USUAL.items():
        value = settings.get(key)
        if isinstance(value, Mapping):
            value = {k: v for k, v in value.items() if k not in HARMLESS or _changes(k, v)}
        if value not in usual and not (key == "bn_eps" and value == arch.norm_eps):
            raise InputError(
                f"{where}: was made with {key} {str(value)[:60]}, unlike {arch.name}: its outputs "
                "would differ"
            )


def _changes(key: str, value: Any) -> bool:
    return key in USUAL and value not in USUAL[key]


def _check_pycls(arch: Arch, cfg: object, where: str) -> None:
    """Checks the config that pycls keeps as YAML in every checkpoint."""
    content = parse_yaml(cfg, f"{where}: its cfg") if isinstance(cfg, str) else cfg
    if not isinstance(content, Mapping):
        return
    kinds = ("effnet",) if built_like(arch) == "efficientnet" else ("anynet", "regnet", "resnet")
    wanted: dict[tuple[str, str], tuple[Any, ...]] = {
        ("MODEL", "TYPE"): kinds,
        ("MODEL", "ACTIVATION_FUN"): (arch.activation,),
        ("BN", "EPS"): (arch.norm_eps,),
        ("RESNET", "STRIDE_1X1"): (False,),
    }
    for (section, key), right in wanted.items():
        part = content.get(section)
        if not isinstance(part, Mapping) or key not in part:
            continue
        if section == "RESNET" and content.get("MODEL", {}).get("TYPE") != "resnet":
            continue  # the setting has no effect on other types
        if part[key] not in right:
            raise InputError(
                f"{where}: its cfg says {section}.{key} {str(part[key])[:40]}, {arch.name} has "
                f"{' or '.join(map(str, right))}: its outputs would differ"
            )
