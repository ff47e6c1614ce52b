"""Other implementations to compare ours with: timm, torchvision and EfficientNet-Lite's package.

scripts/setup.sh --with-tests installs them without dependencies in .venv/parity, where nothing else
finds them: torchvision is built for one version of torch and breaks with others. Only the tests
that compare add that folder to the path. They need only torchvision's Python code; if its compiled
part does not load, the two operators that it requires are declared here.
"""

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(sys.prefix) / "parity"
_declared = []  # torch removes operators when their library is garbage-collected


def _torchvision() -> None:
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        import torch

        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _declared.append(library)
        for name in [m for m in sys.modules if m.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        importlib.import_module("torchvision")


def other(name: str) -> ModuleType:
    """The module of that name from .venv/parity; skips the test if it is not installed."""
    if not FOLDER.is_dir():
        pytest.skip(f"{name} is missing; bash scripts/setup.sh --with-tests installs it")
    sys.path.insert(0, str(FOLDER))
    try:
        if name.partition(".")[0] in ("timm", "torchvision"):
            _torchvision()
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(FOLDER))


def randomise(net, images) -> None:
    """Gives `net` random weights and batch-norm statistics that keep the signal alive.

    A wrong eps, padding or order of channels then changes the outputs; in a fresh network, whose
    statistics are 0 and 1, it would not. The statistics are those of `images` (N, 3, H, W),
    slightly perturbed. Only the norms are in training mode meanwhile: dropout and stochastic depth
    would add noise. 4 images of 128 px are enough for statistics at the last stride.
    """
    import torch

    generator = torch.Generator().manual_seed(0)

    def uniform(shape, low, high):
        return torch.rand(shape, generator=generator) * (high - low) + low

    norms = [m for m in net.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    for m in net.modules():
        if isinstance(m, torch.nn.Conv2d | torch.nn.Linear):
            m.weight.data = (
                torch.randn(m.weight.shape, generator=generator) * m.weight[0].numel() ** -0.5
            )
            if m.bias is not None:
                m.bias.data = uniform(m.bias.shape, -0.1, 0.1)
    momenta = [m.momentum for m in norms]
    for m in norms:
        m.weight.data, m.bias.data = (
            uniform(m.weight.shape, 0.5, 1.5),
            uniform(m.bias.shape, -0.3, 0.3),
        )
        m.reset_running_stats()
        m.momentum = None
    net.eval()
    for m in norms:
        m.train()
    with torch.no_grad():
        net(images)
    for m, momentum in zip(norms, momenta, strict=True):
        m.momentum = momentum
        m.running_mean += m.running_var.sqrt() * uniform(m.running_var.shape, -0.05, 0.05)
        m.running_var *= uniform(m.running_var.shape, 0.9, 1.15)
    net.eval()


# CASES: (project, its name, our name) of networks that both have; timm's regnetz_040 and three of
# torchvision's RegNets are built differently
OURS = [
    "200mf",
    "400mf",
    "600mf",
    "800mf",
    "1.6gf",
    "3.2gf",
    "4gf",
    "6.4gf",
    "8gf",
    "12gf",
    "16gf",
    "32gf",
]
THEIRS = ["002", "004", "006", "008", "016", "032", "040", "064", "080", "120", "160", "320"]
TORCHVISION = {
    "x": ["800mf", "1_6gf", "3_2gf", "8gf", "16gf", "32gf"],
    "y": ["400mf", "1_6gf", "3_2gf", "16gf", "32gf"],
}
CASES = [
    *(
        ("timm", f"regnet{xy}_{a}", f"regnet{xy}-{b}.dds")
        for xy in "xy"
        for a, b in zip(THEIRS, OURS, strict=True)
    ),
    ("timm", "regnetz_005", "regnetz-500mf.timm"),
    ("timm", "regnetz_040_h", "regnetz-4gf-h.timm"),
    *(("timm", f"efficientnet_b{i}", f"efficientnet-b{i}") for i in range(8)),
    *(("timm", f"tf_efficientnet_lite{i}", f"efficientnet-lite{i}") for i in range(5)),
    *(("timm", f"resnet{n}", f"resnet-{n}") for n in (50, 101, 152)),
    *(("timm", f"resnext{n}_32x4d", f"resnext-{n}") for n in (50, 101)),
    *(
        ("torchvision", f"regnet_{xy}_{n}", f"regnet{xy}-{n.replace('_', '.')}.dds")
        for xy in "xy"
        for n in TORCHVISION[xy]
    ),
    *(("torchvision", f"resnet{n}", f"resnet-{n}") for n in (50, 101, 152)),
    ("torchvision", "resnext50_32x4d", "resnext-50"),
    *(("torchvision", f"efficientnet_b{i}", f"efficientnet-b{i}") for i in range(8)),
]


def theirs(project: str, name: str):
    """That project's network, untrained, always from the same seed."""
    import torch

    torch.manual_seed(0)
    if project == "timm":
        return other("timm").create_model(name)
    return other("torchvision").models.get_model(name)


def norms_differ(net, project: str, imported) -> float:
    """Largest relative difference of sqrt(var + eps) of a norm between `net` and the import."""
    import torch

    import fastscale as fs
    from fastscale.release.importing.names import tensor_names

    with torch.device("meta"):
        ours = fs.build(imported.arch_name, imported.num_classes)
    worst = 0.0
    for mine, there in tensor_names(fs.arch(imported.arch_name), project).items():
        if mine.endswith(".running_var"):
            norm, eps = (
                net.get_submodule(there.rpartition(".")[0]),
                ours.get_submodule(mine.rpartition(".")[0]).eps,
            )
            wanted = (norm.running_var.double() + norm.eps).sqrt()
            found = (imported.state_dict[mine].double() + eps).sqrt()
            worst = max(worst, float((found / wanted - 1).abs().max()))
    return worst


def difference(net, name: str, images, imported) -> tuple[float, float]:
    """(largest difference between outputs of `net` and of ours, largest output of `net`).

    Ours has the imported weights. Both compute in double precision: a deep network of random
    weights amplifies 1e-7 to 1e-4, which would hide real differences. AssertionError if the
    imported network is not `name`, or if the outputs hardly depend on the images and so would prove
    nothing.
    """
    import torch

    import fastscale as fs

    assert imported.arch_name == name
    ours = fs.build(imported.arch_name, imported.num_classes)
    ours.load_state_dict(imported.state_dict)
    net.double(), ours.double().eval()
    with torch.no_grad():
        expected, got = net(images.double()), ours(images.double())
    assert (expected[0] - expected[1]).abs().max() > 0.05
    return float((expected - got).abs().max()), float(expected.abs().max())
