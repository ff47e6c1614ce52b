"""The names of a network's tensors in other projects' files, from the arch's structure.

Each project's naming of a family is a `Scheme`; a network's names follow from its layers, so new
depths and widths need no new code. Sources: the public code of pycls, timm 1.0, torchvision 0.28
and efficientnet-lite-pytorch 0.1.
"""

from dataclasses import dataclass, field

from fastscale.archs import Arch
from fastscale.archs.layers import Layer

FORMATS = ("pycls", "timm", "torchvision", "efficientnet-lite")
Pair = tuple[str, str]  # the modules of a conv and of its batch norm

NORM_TENSORS = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


@dataclass(frozen=True)
class Scheme:
    """One project's names of one family.

    In `block`, {i} and {j} number stage and block from 0, {I} and {J} from 1, and {n} all blocks
    from 0. `body`: the layers of a block; `short`: differences in a block without a first 1x1 conv.
    """

    stem: Pair
    block: str
    body: dict[str, Pair]
    fc: str
    head: Pair = ("", "")  # {S}: the number of stages + 1
    short: dict[str, Pair] = field(default_factory=dict)


def _se(reduce: str, expand: str) -> dict[str, Pair]:
    return {"se.reduce": (reduce, ""), "se.expand": (expand, "")}


_PYCLS = {
    "proj": ("proj", "bn"),
    **{
        ours: (f"f.{theirs}", f"f.{theirs}_bn")
        for ours, theirs in (("conv1", "a"), ("conv2", "b"), ("conv3", "c"))
    },
    **_se("f.se.f_ex.0", "f.se.f_ex.2"),
}
_RESNET = Scheme(
    stem=("conv1", "bn1"),
    block="layer{I}.{j}.",
    body={
        "proj": ("downsample.0", "downsample.1"),
        **{f"conv{k}": (f"conv{k}", f"bn{k}") for k in (1, 2, 3)},
    },
    fc="fc",
)

SCHEMES: dict[tuple[str, str], Scheme] = {
    ("pycls", "regnet"): Scheme(
        ("stem.conv", "stem.bn"), "s{I}.b{J}.", _PYCLS, "head.fc", ("head.conv", "head.bn")
    ),
    ("pycls", "resnet"): Scheme(("stem.conv", "stem.bn"), "s{I}.b{J}.", _PYCLS, "head.fc"),
    ("pycls", "efficientnet"): Scheme(
        ("stem.conv", "stem.bn"),
        "s{I}.b{J}.",
        {
            "conv1": ("exp", "exp_bn"),
            "conv2": ("dwise", "dwise_bn"),
            "conv3": ("lin_proj", "lin_proj_bn"),
            **_se("se.f_ex.0", "se.f_ex.2"),
        },
        "head.fc",
        ("head.conv", "head.conv_bn"),
    ),
    ("timm", "regnet"): Scheme(
        ("stem.conv", "stem.bn"),
        "s{I}.b{J}.",
        {
            "proj": ("downsample.conv", "downsample.bn"),
            **{f"conv{k}": (f"conv{k}.conv", f"conv{k}.bn") for k in (1, 2, 3)},
            **_se("se.fc1", "se.fc2"),
        },
        "head.fc",
        ("final_conv.conv", "final_conv.bn"),
    ),
    ("timm", "resnet"): _RESNET,
    ("timm", "efficientnet"): Scheme(
        ("conv_stem", "bn1"),
        "blocks.{i}.{j}.",
        {
            "conv1": ("conv_pw", "bn1"),
            "conv2": ("conv_dw", "bn2"),
            "conv3": ("conv_pwl", "bn3"),
            **_se("se.conv_reduce", "se.conv_expand"),
        },
        "classifier",
        ("conv_head", "bn2"),
        short={"conv2": ("conv_dw", "bn1"), "conv3": ("conv_pw", "bn2")},
    ),
    ("torchvision", "regnet"): Scheme(
        ("stem.0", "stem.1"),
        "trunk_output.block{I}.block{I}-{j}.",
        {
            "proj": ("proj.0", "proj.1"),
            **{
                ours: (f"f.{theirs}.0", f"f.{theirs}.1")
                for ours, theirs in (("conv1", "a"), ("conv2", "b"), ("conv3", "c"))
            },
            **_se("f.se.fc1", "f.se.fc2"),
        },
        "fc",
    ),
    ("torchvision", "resnet"): _RESNET,
    ("torchvision", "efficientnet"): Scheme(
        ("features.0.0", "features.0.1"),
        "features.{I}.{j}.block.",
        {
            "conv1": ("0.0", "0.1"),
            "conv2": ("1.0", "1.1"),
            "conv3": ("3.0", "3.1"),
            **_se("2.fc1", "2.fc2"),
        },
        "classifier.1",
        ("features.{S}.0", "features.{S}.1"),
        short={"conv2": ("0.0", "0.1"), "conv3": ("2.0", "2.1"), **_se("1.fc1", "1.fc2")},
    ),
    ("efficientnet-lite", "efficientnet"): Scheme(
        ("_conv_stem", "_bn0"),
        "_blocks.{n}.",
        {
            "conv1": ("_expand_conv", "_bn0"),
            "conv2": ("_depthwise_conv", "_bn1"),
            "conv3": ("_project_conv", "_bn2"),
        },
        "_fc",
        ("_conv_head", "_bn1"),
    ),
}


def built_like(arch: Arch) -> str:
    """Other projects' name of the family: regnet, resnet (also for ResNeXt) or efficientnet."""
    return {
        "EfficientNet": "efficientnet",
        "ResNet": "resnet",
        "ResNeXt": "resnet",
        **dict.fromkeys(("RegNetX", "RegNetY", "RegNetZ"), "regnet"),
    }.get(arch.family, arch.family.lower())


def our_norm(conv: str) -> str:
    """The module path of the batch norm after a conv.

    >>> our_norm("stages.0.1.conv2"), our_norm("stages.0.0.proj"), our_norm("stem.conv")
    ('stages.0.1.norm2', 'stages.0.0.proj_norm', 'stem.norm')
    """
    parent, _, name = conv.rpartition(".")
    return f"{parent}.{name}_norm" if name == "proj" else f"{parent}.{name.replace('conv', 'norm')}"


def _tensors(layer: Layer, ours: str, theirs: Pair) -> dict[str, str]:
    named = {f"{ours}.weight": f"{theirs[0]}.weight"}
    if layer.bias:
        named[f"{ours}.bias"] = f"{theirs[0]}.bias"
    if layer.norm:
        named |= {f"{our_norm(ours)}.{t}": f"{theirs[1]}.{t}" for t in NORM_TENSORS}
    return named


def tensor_names(arch: Arch, source_format: str) -> dict[str, str]:
    """{our name: theirs} for every tensor of `arch`; KeyError if they have no such family."""
    scheme = SCHEMES[source_format, built_like(arch)]
    if arch.head_width and not scheme.head[0]:
        raise KeyError(f"{source_format} has no {built_like(arch)} with a conv before pooling")
    layers = [layer for layer in arch.layers() if layer.kind != "maxpool"]
    with_conv1 = {layer.name.rpartition(".")[0] for layer in layers if layer.name[-6:] == ".conv1"}
    after = len(arch.depths) + 1
    numbers: dict[str, int] = {}
    named: dict[str, str] = {}
    for layer in layers:
        if layer.name == "stem.conv":
            theirs = scheme.stem
        elif layer.name == "head.conv":
            theirs = scheme.head[0].format(S=after), scheme.head[1].format(S=after)
        elif layer.name == "head.fc":
            theirs = (scheme.fc, "")
        else:
            _, i, j, part = layer.name.split(".", 3)
            block = f"stages.{i}.{j}"
            n = numbers.setdefault(block, len(numbers))
            body = scheme.body if block in with_conv1 else {**scheme.body, **scheme.short}
            prefix = scheme.block.format(i=i, j=j, I=int(i) + 1, J=int(j) + 1, n=n)
            theirs = (prefix + body[part][0], prefix + body[part][1])
        named |= _tensors(layer, layer.name, theirs)
    return named


def tensor_shapes(arch: Arch, num_classes: int) -> dict[str, tuple[int, ...]]:
    """{our name: shape} for every tensor of `arch`, without building it."""
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in arch.layers(num_classes=num_classes):
        if layer.kind == "maxpool":
            continue
        spatial = (layer.kernel, layer.kernel) if layer.kind == "conv" else ()
        shapes[f"{layer.name}.weight"] = (layer.w_out, layer.w_in // layer.groups, *spatial)
        if layer.bias:
            shapes[f"{layer.name}.bias"] = (layer.w_out,)
        if layer.norm:
            shapes |= {f"{our_norm(layer.name)}.{t}": (layer.w_out,) for t in NORM_TENSORS}
            shapes[f"{our_norm(layer.name)}.num_batches_tracked"] = ()
    return shapes
