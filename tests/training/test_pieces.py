"""EMA, mixup, weight decay, layout: each against its formula."""

import copy

import numpy as np
import pytest
import torch

import fastscale as fs
from fastscale.training import Recipe
from fastscale.training.ema import ema_weight, update_ema
from fastscale.training.mixup import mix, mixed_loss, mixup_share
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
        expected = raw.state_dict()[k] if not v.is_floating_point() else 0.75 * before[k] + 0.25 * raw.state_dict()[k]
        torch.testing.assert_close(v, expected)
    assert averaged.state_dict()["stem.norm.num_batches_tracked"] == 1


def test_mixup_shares_follow_beta_and_depend_on_seed_and_step_only():
    shares = np.array([mixup_share(0.2, 0, step) for step in range(4000)])
    assert abs(shares.mean() - 0.5) < 0.03 and abs(shares.var() - 0.25 / 1.4) < 0.01  # Beta(a, a): variance 1 / (4 (2a + 1))
    assert mixup_share(0.2, 3, 7) == mixup_share(0.2, 3, 7) != mixup_share(0.2, 4, 7)
    assert mixup_share(0.0, 3, 7) == 1.0


def test_mixed_images_and_loss():
    images, labels, logits = torch.rand(4, 3, 2, 2), torch.tensor([0, 1, 2, 0]), torch.randn(4, 3)
    torch.testing.assert_close(mix(images, 0.7), 0.7 * images + 0.3 * images.flip(0))
    assert mix(images, 1.0) is images
    loss = mixed_loss(torch.nn.CrossEntropyLoss(), logits, labels, 0.7)
    soft = 0.7 * torch.nn.functional.one_hot(labels, 3) + 0.3 * torch.nn.functional.one_hot(labels.flip(0), 3)
    torch.testing.assert_close(loss, -(soft * logits.log_softmax(1)).sum(1).mean())


def test_weight_decay_by_family_and_never_on_batch_norm():
    recipe = Recipe()
    assert weight_decay(recipe, fs.arch("regnety-4gf")) == 2e-5 and weight_decay(recipe, fs.arch("efficientnet-b0")) == 1e-5
    assert weight_decay(Recipe(weight_decay=5e-4), fs.arch("efficientnet-b0")) == 5e-4
    net = fs.build("regnety-tiny", 5)
    decayed, plain = sgd(net, recipe, 2e-5).param_groups
    norms = [m for m in net.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert plain["weight_decay"] == 0 and {id(p) for p in plain["params"]} == {id(p) for m in norms for p in (m.weight, m.bias)}
    assert decayed["weight_decay"] == 2e-5 and len(decayed["params"]) + len(plain["params"]) == len(list(net.parameters()))
