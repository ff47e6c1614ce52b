"""How batches get to a GPU, with simulated streams and events."""

from types import SimpleNamespace

import pytest
import torch

from fastscale.training import Recipe, fed, feeding
from fastscale.training.classifier import ImageClassifier
from fastscale.training.feeding import Feeder, channel_values, normalised
from tests.training.tape import Stream


@pytest.fixture
def events(monkeypatch):
    """The events that were made, in order; each is over when its `done` is set."""
    made = []

    class Event:
        done = False

        def __init__(self):
            made.append(self)

        def record(self):
            self.recorded = True

        def query(self):
            assert self.recorded
            return self.done

        def synchronize(self):
            assert self.recorded
            self.waited = self.done = True

    for name, value in {
        "Event": Event,
        "Stream": Stream,
        "stream": lambda stream: stream,
        "current_stream": Stream,
    }.items():
        monkeypatch.setattr(feeding.torch.cuda, name, value)
    monkeypatch.setattr(torch.Tensor, "record_stream", lambda tensor, stream: None)
    return made


class Loader:
    """A loader that has to know when it may reuse its memory."""

    def __init__(self):
        self.told = []

    def copied(self, images, event):
        self.told.append((images, event))


def test_a_loader_is_told_of_the_copy_of_its_memory(events):
    feeder, loader = Feeder(torch.device("meta"), torch.Tensor.float), Loader()
    for number in range(3):
        pixels = torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
        images, labels = feeder.take((pixels, torch.zeros(2)), loader)
        assert images.device.type == labels.device.type == "meta" and images.dtype == torch.float32
        assert loader.told[number][0] is pixels and loader.told[number][1].recorded
    assert [event for _, event in loader.told] == events and not any(e.done for e in events)
    feeder.take((pixels, torch.zeros(2)), object())  # torch's pinned memory needs no call
    assert len(events) == 3


def test_the_host_stays_two_steps_ahead_at_most(events):
    feeder = Feeder(torch.device("meta"), torch.Tensor.float)
    for step in range(5):
        feeder.keep_pace()  # sets a mark and waits for the mark before the last
        waited = [i for i, event in enumerate(events) if hasattr(event, "waited")]
        assert waited == list(range(step - 1)), step


def test_what_is_on_the_device_already_is_not_copied(events):
    feeder = Feeder(torch.device("cpu"), torch.Tensor.float)
    labels = torch.zeros(2, dtype=torch.int64)
    images, same = feeder.take((torch.zeros(2, 3, 4, 4, dtype=torch.uint8), labels))
    assert same is labels and images.dtype == torch.float32 and not events


def test_the_module_feeds_a_gpu(monkeypatch):
    """There is one feeder, which knows the loader; its images are not normalised twice.

    On a CPU there is none.
    """
    seen = []

    class Fake(SimpleNamespace):
        def take(self, batch, loader):
            seen.append(loader)
            return self.prepare(batch[0]), batch[1]

        def keep_pace(self):
            seen.append("paced")

    monkeypatch.setattr(fed, "Feeder", lambda device, prepare: Fake(prepare=prepare))
    module = ImageClassifier("regnety-tiny", Recipe(epochs=5), num_classes=3)
    module._trainer = SimpleNamespace(
        training=True, train_dataloader="train", val_dataloaders="val"
    )
    pixels, labels = torch.randint(256, (2, 3, 8, 8), dtype=torch.uint8), torch.zeros(2)
    right = module.normalise(pixels)

    def through(device):
        batch = module.transfer_batch_to_device((pixels, labels), device, 0)
        return module.on_after_batch_transfer(batch, 0)[0]

    module.keep_pace()
    assert torch.equal(through(torch.device("cpu")), right) and module.feeder is None
    gpu = SimpleNamespace(type="cuda")
    assert torch.equal(through(gpu), right)
    feeder, module._trainer.training = module.feeder, False
    assert torch.equal(through(gpu), right) and module.feeder is feeder
    module.keep_pace()
    assert seen == ["train", "val", "paced"]
    assert [torch.equal(images, right) for images in module.fed([(pixels, labels)])] == [True]


def test_normalised_pixels_are_the_plain_formulas_to_the_bit():
    """On a CPU whole rows are normalised: numbers and layout are the same, the input stays."""
    draws = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (3, 3, 5, 7), dtype=torch.uint8, generator=draws)
    mean, std = (channel_values(v) for v in ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)))
    for images in (pixels, pixels.float(), pixels[:, :, :, 1:6]):
        right = (images.float() - mean) / std
        for laid in torch.contiguous_format, torch.channels_last:
            for layout in torch.contiguous_format, torch.channels_last:
                given = images.contiguous(memory_format=laid)
                got = normalised(given, mean, std, layout)
                assert torch.equal(got, right) and got.is_contiguous(memory_format=layout)
                assert torch.equal(given, images)
