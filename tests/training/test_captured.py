"""The captured step's code, run uncaptured, gives the weights of Lightning's step bit for bit."""

import copy

import pytest
import torch

import fastscale as fs
from fastscale.records import RecordStore
from fastscale.training.captured import CapturedStep, StepParts
from fastscale.training.checkpoint_io import read_checkpoint
from fastscale.training.ema import update_ema
from fastscale.training.mixup import mixed_loss
from fastscale.training.optimizer import start_momentum
from tests.training.tape import on_cpu

RUN = "regnety-tiny.wg-x2.quick"
ALIKE = ("state_dict", "optimizer_states", "lr_schedulers", "loops", "train_loss", "errors")


def same(one, other):
    """Whether nested values are equal, tensors bit for bit."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


@pytest.mark.parametrize(
    ("recipe", "options"),
    [
        (
            {"mixup": 0.2, "cutmix": 1.0, "accumulate": 2, "lr_every": "step", "ema_every": 3},
            ["--trainer.gradient_clip_val", "0.5", "--model.recipe.label_smoothing", "0.1"],
        ),
        (
            {"mixup": 0, "lr_every": "epoch", "ema_every": 1, "precise_bn": 16}
            | {"precision": "bf16-mixed"},
            ["--trainer.gradient_clip_val", "0.01", "--trainer.gradient_clip_algorithm", "value"],
        ),
    ],
)
def test_the_same_weights(fit_here, tmp_path, recipe, options):
    """Compares weights, averaged weights, momentum, schedule, counters, loss and errors."""
    ends, records = [], []
    for mode in ("off", "on"):
        assert fit_here(tmp_path / mode, *options, "--cuda-graph", mode, **recipe) == 0
        ends.append(read_checkpoint(tmp_path / mode / RUN / "seed0"))
        records += RecordStore(tmp_path / mode / "records.jsonl").read()
    plain, captured = ends
    for key in ALIKE:
        assert same(plain[key], captured[key]), key
    settings = [(tmp_path / m / RUN / "seed0" / "settings.json").read_text() for m in ("off", "on")]
    assert settings[0] == settings[1]
    assert "cuda_graph" not in records[0].env and records[1].env["cuda_graph"] == "uncaptured"


def made(seed=0, arch="regnety-tiny", momentum=0.9):
    torch.manual_seed(seed)
    net = fs.build(arch, 5).train()
    optimizer = torch.optim.SGD(
        net.parameters(), 0.1, momentum, weight_decay=1e-3, nesterov=momentum > 0, fused=True
    )
    return net, copy.deepcopy(net).requires_grad_(False), optimizer


def batches(steps, parts=1):
    torch.manual_seed(1)
    for step in range(steps):
        rate, share = 0.1 * 0.8**step, 0.7 + 0.05 * step
        yield (
            rate,
            [(torch.randn(4, 3, 32, 32), torch.randint(5, (4,)), share) for _ in range(parts)],
        )


def plain(net, averaged, optimizer, steps, parts=1, scaler=None, clip=0.0):
    """The step as it is usually written."""
    criterion, total = torch.nn.CrossEntropyLoss(label_smoothing=0.1), torch.zeros(())
    for step, (rate, batch) in enumerate(batches(steps, parts)):
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.zero_grad()
        for images, labels, share in batch:
            loss = mixed_loss(criterion, net(images), labels, share)
            total += loss.detach()
            loss = loss / parts
            (loss if scaler is None else scaler.scale(loss)).backward()
        if clip:
            if scaler is not None:
                scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(net.parameters(), clip)
        if scaler is None:
            optimizer.step()
        else:
            scaler.step(optimizer)
            scaler.update()
        if step % 2 == 0:
            update_ema(averaged, net, 1.0 if step == 0 else 0.25)
    return total


def captured(net, averaged, optimizer, steps, parts=1, scaler=None, clip=0.0):
    """The same steps, replayed."""
    criterion, total = torch.nn.CrossEntropyLoss(label_smoothing=0.1), torch.zeros(())
    step_parts = StepParts(
        net, criterion, optimizer, total, torch.zeros(()), parts, True, clip, scaler=scaler
    )
    step = CapturedStep(step_parts, averaged, capture=True)
    for i, (rate, batch) in enumerate(batches(steps, parts)):
        for group in optimizer.param_groups:
            group["lr"] = rate
        for k, (images, labels, share) in enumerate(batch):
            step(images, labels, share, k)
        assert all(group["lr"] == rate for group in optimizer.param_groups)
        if i % 2 == 0:
            step.average(1.0 if i == 0 else 0.25)
    assert step_parts.loss_count == steps * parts
    return total


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"parts": 3, "clip": 0.5},
        {"scaler": {"init_scale": 3e38}},  # overflows in the first step
        {"scaler": {"init_scale": 8.0, "growth_interval": 2}, "clip": 0.5, "arch": "regnetz-tiny"},
        {"arch": "efficientnet-tiny", "momentum": 0.0},
    ],
)
def test_a_replayed_step_is_a_step(how, monkeypatch, one_thread):
    """Rates, shares, scale and averages are right on a tape that fixes Python's numbers.

    Warm-up and recording leave no trace.
    """
    on_cpu(monkeypatch)
    options = {k: how[k] for k in ("parts", "clip") if k in how}
    network = {k: how[k] for k in ("arch", "momentum") if k in how}
    ends = []
    for run in (plain, captured):
        net, averaged, optimizer = made(**network)
        if run is plain:
            start_momentum(optimizer)  # otherwise a skipped first step leaves garbage
        scaler = torch.amp.GradScaler("cpu", **how["scaler"]) if "scaler" in how else None
        total = run(net, averaged, optimizer, 5, scaler=scaler, **options)
        scale = None if scaler is None else scaler.state_dict()
        ends.append([net.state_dict(), averaged.state_dict(), optimizer.state_dict(), total, scale])
    assert all(map(same, *ends)), [same(a, b) for a, b in zip(*ends, strict=True)]
    if scale is not None:
        assert scale["scale"] != how["scaler"]["init_scale"]


def test_recorded_again_if_shape_or_address_changes(monkeypatch, one_thread):
    on_cpu(monkeypatch)
    net, averaged, optimizer = made()
    parts = StepParts(net, torch.nn.CrossEntropyLoss(), optimizer, torch.zeros(()), torch.zeros(()))
    step = CapturedStep(parts, averaged, capture=True)
    (_, [(images, labels, _)]) = next(batches(1))
    step(images, labels)
    first = dict(step.graphs)
    step(images, labels)
    step.check_place()
    assert step.graphs == first
    step(images[:2], labels[:2])
    assert step.graphs.keys() == first.keys() and step.graphs != first
    net.head.fc.weight.data = net.head.fc.weight.data.clone()
    step.check_place()
    assert not step.graphs


def test_what_cannot_be_recorded_changes_nothing(monkeypatch, one_thread):
    """A step that reads a value from the device fails while it is recorded, after the warm-up."""
    on_cpu(monkeypatch)
    net, averaged, optimizer = made()

    class Reading(torch.nn.CrossEntropyLoss):
        def forward(self, logits, labels):
            loss = super().forward(logits, labels)
            loss.item()
            return loss

    parts = StepParts(net, Reading(), optimizer, torch.zeros(()), torch.zeros(()))
    before = copy.deepcopy([net.state_dict(), optimizer.state_dict(), parts.loss_sum])
    step = CapturedStep(parts, averaged, capture=True)
    (_, [(images, labels, _)]) = next(batches(1))
    with pytest.raises(RuntimeError, match="reads a value"):
        step(images, labels)
    after = [net.state_dict(), optimizer.state_dict(), parts.loss_sum]
    before[1]["state"] = after[1]["state"]  # only momentum is there now, at 0
    assert same(before, after) and not step.graphs
    assert all(not s["momentum_buffer"].any() for s in after[1]["state"].values())
    assert all(w.grad is None for w in net.parameters())
