"""The model of inference memory against the tensors that a forward pass holds."""

import weakref

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import fastscale as fs
from fastscale.cli import main
from fastscale.planning.memory import MIB, inference_memory_mib, live_elements


class Living(TorchDispatchMode):
    """`peak`: the most bytes of tensors alive at once; `held` are alive from the start."""

    def __init__(self, held):
        super().__init__()
        self.alive = {}
        self.peak = 0
        for tensor in held:
            self._note(tensor)

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        found = function(*args, **(kwargs or {}))
        for tensor in found if isinstance(found, tuple | list) else [found]:
            if isinstance(tensor, torch.Tensor):
                self._note(tensor)
        return found

    def _note(self, tensor):
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key not in self.alive:
            self.alive[key] = storage.nbytes()
            weakref.finalize(storage, self.alive.pop, key, None)
            self.peak = max(self.peak, sum(self.alive.values()))


@pytest.mark.parametrize(
    ("name", "resolution", "batch"),
    [
        ("regnety-500mf", 96, 4),
        ("regnetz-500mf", 96, 2),
        ("efficientnet-b0", 64, 2),
        ("resnet-50", 64, 2),
    ],
)
def test_the_model_equals_what_a_forward_pass_holds(name, resolution, batch):
    net = fs.build(name).eval()
    images = torch.zeros(batch, 3, resolution, resolution)
    held = [*net.parameters(), *net.buffers()]
    weights = sum(tensor.untyped_storage().nbytes() for tensor in held)
    with torch.inference_mode(), Living([*held, images]) as living:
        net(images)
    live = batch * (live_elements(fs.arch(name), resolution) + 3 * resolution**2)
    assert living.peak - weights == 4 * live
    modelled = inference_memory_mib(fs.arch(name), batch, resolution=resolution)
    assert modelled == pytest.approx(living.peak / MIB, rel=0.01)


def test_inference_memory_is_a_budget_and_is_shown(capsys):
    found = fs.plan("regnety-500mf", ["dWr"], inference_memory_mib=512, batch=8)
    assert found.conditions.served == 8 and found.conditions.training_batch == 128
    best = found.best
    assert best.binds == "inference_memory_mib" and 480 < best.inference_memory_mib <= 512
    assert best.inference_memory_mib == inference_memory_mib(best.arch, 8)
    assert main(["plan", "regnety-500mf", "--inference-memory-mib", "512", "--batch", "8"]) == 0
    out = capsys.readouterr().out
    assert "within inference memory 512 MiB for 8 images" in out and "serving, MiB" in out
