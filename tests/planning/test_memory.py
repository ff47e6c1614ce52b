"""The memory model against what autograd keeps."""

import pytest
import torch

import fastscale as fs
from fastscale.planning.memory import calibrated, is_half, kept_elements, training_memory_mib


def kept_bytes(net, batch, resolution, half):
    """Bytes of the storages that a forward pass keeps for the backward, without parameters."""
    parameters = {p.untyped_storage().data_ptr() for p in net.parameters()}
    found = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in parameters:
            # the tensor too, so that its address is not reused
            found[storage.data_ptr()] = storage.nbytes(), tensor
        return tensor

    with (
        torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t),
        torch.autocast("cpu", torch.bfloat16, enabled=half),
    ):
        net(torch.zeros(batch, 3, resolution, resolution))
    return sum(size for size, _ in found.values())


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize(
    ("name", "resolution"),
    [
        ("regnetx-tiny", 64),
        ("regnety-tiny", 64),
        ("regnety-500mf", 64),
        ("regnetz-500mf", 64),
        ("efficientnet-b0", 64),
        ("resnet-50", 64),
    ],
)
def test_kept_elements_are_what_autograd_keeps(name, resolution, half):
    net = fs.build(name, 10)
    # for two images: copies of weights cancel
    grown = kept_bytes(net, 3, resolution, half) - kept_bytes(net, 1, resolution, half)
    kept, pooled = kept_elements(fs.arch(name), resolution, 10)
    size = 2 if half else 4
    assert kept * size + pooled * 8 + 3 * resolution**2 * size == pytest.approx(grown / 2, rel=0.02)


def test_the_formula():
    arch = fs.arch("resnet-50")
    params, (kept, pooled) = fs.complexity(arch).params, kept_elements(arch)
    full = training_memory_mib(arch, 8, "32-true") * 2**20
    assert full == params * 16 + 8 * (kept * 4 + pooled * 8 + 3 * 224**2 * 4)
    mixed = training_memory_mib(arch, 8, "16-mixed", average=False) * 2**20
    assert mixed == params * 14 + 8 * (kept * 2 + pooled * 8 + 3 * 224**2 * 6)
    assert not any(is_half(p) for p in ("32-true", "float32", None))
    assert all(is_half(p) for p in ("bf16-mixed", "mixed", "float16 mixed"))


def test_measured_peaks_calibrate(time_record):
    names = ("regnety-500mf", "regnetz-500mf", "resnet-50")
    model = {n: training_memory_mib(fs.arch(n), 64, "bf16-mixed", average=False) for n in names}
    records = [
        time_record(n, peak=ratio * model[n])
        for n, ratio in zip(names, (1.1, 1.3, 1.2), strict=True)
    ]
    assert calibrated(records) == pytest.approx(1.2)
    assert calibrated([time_record("resnet-50")]) == 1
