"""Modules have the counted shapes, parameters and names, and run as training runs them."""

import importlib
import os

import pytest
import torch

import fastscale as fs
from fastscale.models.fvcore_count import fvcore_complexity, output_shapes

# every block type and flavour, tiny to 32GF; large ones at a small resolution
CROSS_CHECK = [
    *((n, 32) for n in ("regnetx-tiny", "regnety-tiny", "regnetz-tiny", "efficientnet-tiny")),
    *((f"regnety-tiny.{s}-x4", None) for s in ("d", "wg", "r", "dwgr", "dWr", "w")),
    ("regnetz-tiny.dWr-x4", None),
    ("efficientnet-tiny.dWr-x4", None),
    ("regnety-500mf", 64),
    ("regnetz-500mf", 64),
    ("regnety-4gf", 64),
    ("regnetz-4gf", 64),
    ("efficientnet-b0", 224),
    ("efficientnet-b4", 64),
    ("efficientnet-lite0", 224),
    ("efficientnet-lite2", 75),
    ("efficientnet-lite4", 64),
    ("regnetz-500mf.timm", 64),
    ("regnetz-4gf-h.timm", 64),
    ("resnet-50", 224),
    ("resnet-50.w-x2", 64),
    ("resnext-50", 64),
    ("regnetx-400mf.dds", 224),
    ("regnety-32gf.dds", 32),
    ("regnety-4gf.dWr-x8", 32),
    ("regnetz-4gf.dWr-x8.5", 32),
]
FLAVOURS = [
    "regnetx-tiny",
    "regnety-tiny",
    "regnetz-tiny",
    "efficientnet-tiny",
    "efficientnet-lite0",
    "resnet-50",
    "regnety-tiny.dWr-x4",
]


@pytest.mark.parametrize(("name", "resolution"), CROSS_CHECK, ids=lambda v: str(v))
def test_fvcore_agrees_to_the_unit(name, resolution):
    arch = fs.arch(name)
    resolution = resolution or arch.resolution
    with torch.device("meta"):  # weights without values, which take longer to draw than to count
        net = fs.build(arch)
    net.to_empty(device="cpu")
    assert fvcore_complexity(net, resolution) == fs.complexity(arch, resolution)
    assert net.training


@pytest.mark.parametrize("name", FLAVOURS)
@pytest.mark.parametrize("resolution", [32, 50])
def test_every_output_has_the_counted_shape(name, resolution):
    net = fs.build(name, num_classes=7)
    counted = {
        n: m
        for n, m in net.named_modules()
        if isinstance(m, torch.nn.Conv2d | torch.nn.Linear | torch.nn.MaxPool2d)
    }
    expected = {
        x.name: (x.w_out,) if x.kind == "linear" else (x.w_out, x.size_out, x.size_out)
        for x in fs.arch(name).layers(resolution, 7)
    }
    shapes = output_shapes(net, torch.randn(2, 3, resolution, resolution), counted)
    assert {n: tuple(s) for n, s in shapes.items()} == expected


def test_all_named_bases_have_the_counted_params():
    for name in fs.list_archs():
        with torch.device("meta"):
            net = fs.build(name)
        assert sum(p.numel() for p in net.parameters()) == fs.complexity(name).params, name


@pytest.mark.parametrize("name", FLAVOURS)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_forward_and_backward(name, layout):
    net = fs.build(name, num_classes=10).to(memory_format=layout)
    x = torch.randn(2, 3, 64, 64).contiguous(memory_format=layout)
    logits = net(x)
    assert logits.shape == (2, 10) and logits.isfinite().all()
    torch.nn.functional.cross_entropy(logits, torch.tensor([1, 2])).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


def test_layouts_agree():
    torch.manual_seed(0)
    net = fs.build("regnety-tiny", 10).eval()
    x = torch.randn(4, 3, 32, 32)
    expected = net(x)
    got = net.to(memory_format=torch.channels_last)(x.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "backend"),
    [
        ("regnety-tiny", "aot_eager"),
        ("efficientnet-tiny", "aot_eager"),
        pytest.param("regnety-tiny", "inductor", marks=pytest.mark.slow),
    ],
)
def test_compiles_with_clean_names(name, backend):
    torch.manual_seed(0)
    net = fs.build(name, 10).eval()
    x, keys = torch.randn(2, 3, 32, 32), list(net.state_dict())
    expected = net(x)
    net.compile(backend=backend)
    torch.testing.assert_close(net(x), expected, rtol=1e-3, atol=1e-4)
    assert list(net.state_dict()) == keys


def test_state_dict_names_are_stable():
    keys = list(fs.build("regnety-tiny").state_dict())
    assert keys[0] == "stem.conv.weight" and keys[-1] == "head.fc.bias"
    for key in (
        "stages.0.0.proj.weight",
        "stages.1.1.conv2.weight",
        "stages.2.1.se.reduce.bias",
        "stages.2.0.norm3.running_var",
    ):
        assert key in keys
    assert fs.build("regnetz-tiny").state_dict()["head.conv.weight"].shape == (64, 24, 1, 1)


def test_initialisation_is_the_papers():
    torch.manual_seed(0)
    net = fs.build("regnety-500mf")
    assert (
        net.head.fc.weight.std().item() == pytest.approx(0.01, rel=0.05)
        and not net.head.fc.bias.any()
    )
    conv = net.stages[3][0].conv1
    assert conv.weight.std().item() == pytest.approx((2 / conv.out_channels) ** 0.5, rel=0.05)


def test_num_classes_must_be_positive():
    with pytest.raises(ValueError, match=">= 1"):
        fs.build("regnety-tiny", 0)


def test_squeeze_and_excitation_as_matrix_products_is_the_convs():
    torch.manual_seed(0)
    se = fs.build("regnety-tiny").stages[1][0].se
    x = torch.randn(4, se.reduce.in_channels, 5, 5)
    convs = [torch.nn.Conv2d(m.in_channels, m.out_channels, 1) for m in (se.reduce, se.expand)]
    for ours, conv in zip((se.reduce, se.expand), convs, strict=True):
        conv.load_state_dict(ours.state_dict())
    gates = convs[1](se.act(convs[0](x.mean((2, 3), keepdim=True)))).sigmoid()
    torch.testing.assert_close(se(x), x * gates)


def test_a_network_larger_than_memory_is_refused_before_allocation(monkeypatch):
    """36 billion params take 142 GB; a machine with 32 GiB is simulated."""
    pages = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": (32 << 30) // 4096}
    monkeypatch.setattr(os, "sysconf", pages.__getitem__)
    module = importlib.import_module("fastscale.models.build")  # models.build is a function
    monkeypatch.setattr(module, "Network", lambda *a: pytest.fail("memory was asked for"))
    wanted = r"regnety-4gf.w-x2000: its weights take 132 GiB, this machine has 32 GiB of memory"
    with pytest.raises(fs.InputError, match=wanted):
        fs.build("regnety-4gf.w-x2000")


def test_the_border_of_the_memory(monkeypatch):
    params = fs.complexity("regnety-tiny", num_classes=10).params
    for byte, fits in ((4 * params - 1, False), (4 * params, True)):
        pages = {"SC_PAGE_SIZE": 1, "SC_PHYS_PAGES": byte}
        monkeypatch.setattr(os, "sysconf", pages.__getitem__)
        if fits:
            assert fs.build("regnety-tiny", 10).num_classes == 10
            continue
        with pytest.raises(fs.InputError, match="its weights take"):
            fs.build("regnety-tiny", 10)
        with torch.device("meta"):  # needs no memory
            assert fs.build("regnety-tiny", 10).num_classes == 10
