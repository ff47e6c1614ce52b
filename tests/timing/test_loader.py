"""Loader, model and end to end on real images: three rates, and the model's share of waiting."""

import time
from types import SimpleNamespace

import pytest
import torch

import fastscale as fs
from fastscale.errors import InputError
from fastscale.timing.loader import end_to_end, loading_rate, time_loader
from fastscale.training import Recipe

RECIPE = Recipe(
    name="t",
    data="none",
    epochs=1,
    batch_size=8,
    precision="32-true",
    warmup_epochs=0,
    augmentation="none",
)


class SlowLoader:
    """Batches of 4, each after a wait; an epoch's first after a longer one, the start-up."""

    def __init__(self, wait, count=6):
        self.wait, self.count = wait, count

    def __iter__(self):
        time.sleep(0.3)
        for _ in range(self.count):
            time.sleep(self.wait)
            yield torch.zeros(4, 3, 32, 32, dtype=torch.uint8), torch.zeros(4, dtype=torch.int64)


def test_a_loaders_start_up_does_not_count_in_its_rate():
    assert 4 / 0.02 * 0.3 < loading_rate(SlowLoader(0.02), 0.2) <= 4 / 0.02


def test_a_single_batch_has_no_rate():
    with pytest.raises(InputError, match="fewer than two batches"):
        loading_rate(SlowLoader(0.0, count=1), 0.2)


def test_the_model_waits_for_a_slow_loader():
    def data(wait):
        made = SlowLoader(wait, count=8)
        return SimpleNamespace(
            num_classes=4, mean=(1.0, 2.0, 3.0), std=(1.0, 1.0, 1.0), train_dataloader=lambda: made
        )

    rate, waited = end_to_end(fs.arch("regnety-tiny"), RECIPE, data(0.2), 4, "cpu", 1.0)
    assert waited > 0.3 and rate <= 4 / 0.2
    assert end_to_end(fs.arch("regnety-tiny"), RECIPE, data(0.0), 4, "cpu", 0.3)[1] < waited


def test_one_record_of_all_three(image_folder, data_home):
    options = {
        "batch": 8,
        "device": "cpu",
        "rounds": 1,
        "seconds": 0.2,
        "workers": 1,
        "loader": "plain",
    }
    record = time_loader(fs.arch("regnety-tiny"), RECIPE, str(image_folder), **options)
    assert record.run == "regnety-tiny.end-to-end" and record.data_hash and record.num_classes == 3
    assert (record.env["images"], record.env["loader"], record.env["batch"]) == ("real", "plain", 8)
    v = record.values
    assert min(v["loader_images_per_s"], v["images_per_s"], v["end_to_end_images_per_s"]) > 0
    assert 0 <= v["data_wait_share"] <= 1
