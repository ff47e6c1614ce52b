"""EMA, mixup, weight decay, layout: each against its formula."""

import copy

import numpy as np
import pytest
import torch

import fastscale as fs
from fastscale.models import build
from fastscale.training import Recipe
from fastscale.training.ema import ema_weight, update_ema
from fastscale.training.mixup import Mix, apply_mix, draw_mix, mixed_loss
from fastscale.training.optimizer import sgd, weight_decay


def test_ema_weight_is_the_authors():
    r = Recipe(batch_size=1024, epochs=100, warmup_epochs=5)
    assert ema_weight(r, 4) == 1.0  # a plain copy during warm-up
    assert ema_weight(r, 5) == pytest.approx(1e-5 * 1024 / 100 * 32)
    assert ema_weight(Recipe(batch_size=10**6, epochs=10), 9) == 1.0


def test_ema_covers_every_parameter_and_buffer():
    torch.manual_seed(0)
    raw, averaged = fs.build("regnety-tiny", 5), fs.build("regnety-tiny", 5)
    raw(torch.randn(4, 3, 32, 32))  # moves the batch-norm statistics
    before = copy.deepcopy(averaged.state_dict())
    update_ema(averaged, raw, 0.25)
    for k, v in averaged.state_dict().items():
        expected = (
            raw.state_dict()[k]
            if not v.is_floating_point()
            else 0.75 * before[k] + 0.25 * raw.state_dict()[k]
        )
        torch.testing.assert_close(v, expected)
    assert averaged.state_dict()["stem.norm.num_batches_tracked"] == 1


def test_mixup_shares_follow_beta_and_depend_on_seed_and_step_only():
    recipe = Recipe(mixup=0.2)
    shares = np.array([draw_mix(recipe, 0, step).share for step in range(4000)])
    # Beta(a, a): variance 1 / (4 (2a + 1))
    assert abs(shares.mean() - 0.5) < 0.03 and abs(shares.var() - 0.25 / 1.4) < 0.01
    assert draw_mix(recipe, 3, 7) == draw_mix(recipe, 3, 7) != draw_mix(recipe, 4, 7)
    assert draw_mix(Recipe(mixup=0.0), 3, 7) == Mix(1.0, None)


def test_mixed_images_and_loss():
    images, labels, logits = torch.rand(4, 3, 2, 2), torch.tensor([0, 1, 2, 0]), torch.randn(4, 3)
    mixed, share = apply_mix(images, Mix(0.7))
    torch.testing.assert_close(mixed, 0.7 * images + 0.3 * images.flip(0))
    assert share == 0.7 and apply_mix(images, Mix(1.0))[0] is images
    loss = mixed_loss(torch.nn.CrossEntropyLoss(), logits, labels, 0.7)
    soft = 0.7 * torch.nn.functional.one_hot(labels, 3) + 0.3 * torch.nn.functional.one_hot(
        labels.flip(0), 3
    )
    torch.testing.assert_close(loss, -(soft * logits.log_softmax(1)).sum(1).mean())


def test_cutmix_pastes_a_box_of_the_drawn_share():
    recipe = Recipe(mixup=0.0, cutmix=1.0)
    images = torch.arange(4.0).view(4, 1, 1, 1).expand(4, 1, 40, 40)
    for step in range(50):
        mix = draw_mix(recipe, 0, step)
        mixed, share = apply_mix(images, mix)
        own = (mixed == images).float().mean((1, 2, 3))
        torch.testing.assert_close(own, torch.full((4,), share))  # no image is its own partner
        # a box over the edge is cut, so the first image keeps at least its share
        assert share >= mix.share - 0.1
    both = Recipe(mixup=0.2, cutmix=1.0)
    assert [draw_mix(both, 0, step).box is None for step in range(4)] == [True, False, True, False]


def test_drop_path_keeps_the_expectation_and_is_off_in_evaluation():
    from fastscale.models.blocks import drop_mask

    torch.manual_seed(0)
    mask = drop_mask(torch.zeros(20000, 3, 2, 2), 0.2)
    assert set(mask.unique().tolist()) == {0.0, 1.25} and abs(mask.mean().item() - 1) < 0.02
    net = build(fs.arch("regnety-tiny"), 5, drop_path=0.5)
    assert [round(b.drop_path, 3) for stage in net.stages for b in stage] == [
        0.0,
        0.125,
        0.25,
        0.375,
        0.5,
    ]
    x = torch.randn(2, 3, 32, 32)
    assert not torch.equal(net(x), net(x))
    net.eval()
    assert torch.equal(net(x), net(x))


def test_the_rate_follows_the_batch():
    assert Recipe(lr=2.0, lr_batch=1024, batch_size=256).first_lr == 0.5
    assert Recipe(lr=2.0, batch_size=256).first_lr == 2.0
    with pytest.raises(ValueError, match="divisor of batch_size"):
        Recipe(batch_size=10, accumulate=4)


def test_weight_decay_by_family_and_never_on_batch_norm():
    recipe = Recipe()
    assert (
        weight_decay(recipe, fs.arch("regnety-4gf")) == 2e-5
        and weight_decay(recipe, fs.arch("efficientnet-b0")) == 1e-5
    )
    assert weight_decay(Recipe(weight_decay=5e-4), fs.arch("efficientnet-b0")) == 5e-4
    net = fs.build("regnety-tiny", 5)
    decayed, plain = sgd(net, recipe, 2e-5).param_groups
    norms = [m for m in net.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert plain["weight_decay"] == 0 and {id(p) for p in plain["params"]} == {
        id(p) for m in norms for p in (m.weight, m.bias)
    }
    assert decayed["weight_decay"] == 2e-5 and len(decayed["params"]) + len(plain["params"]) == len(
        list(net.parameters())
    )


def test_precise_statistics_are_those_of_the_images():
    from fastscale.training.precise_bn import recompute_statistics

    torch.manual_seed(0)
    nets = [fs.build("regnety-tiny", 5).train(), fs.build("regnety-tiny", 5).eval()]
    batches = [torch.randn(16, 3, 32, 32) * 2 + 1 for _ in range(5)]
    places = [buffer.data_ptr() for net in nets for buffer in net.buffers()]
    recompute_statistics(nets, iter(batches), 4, lambda t: t)
    assert places == [buffer.data_ptr() for net in nets for buffer in net.buffers()]
    for net in nets:
        outputs = [net.stem.conv(x) for x in batches[:4]]
        torch.testing.assert_close(net.stem.norm.running_mean, torch.cat(outputs).mean((0, 2, 3)))
        torch.testing.assert_close(
            net.stem.norm.running_var, torch.cat(outputs).var((0, 2, 3)), rtol=1e-3, atol=1e-3
        )
    assert (
        [net.training for net in nets] == [net.stem.norm.training for net in nets] == [True, False]
    )
    assert not any(p.grad is not None for net in nets for p in net.parameters())
