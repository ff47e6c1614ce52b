"""Batches on their way to a GPU, against streams and events that do what a test says."""

import pytest
import torch

from fastscale.training import feeding
from fastscale.training.feeding import Feeder
from tests.training.tape import Stream


class Batch(tuple):
    """A loader's, which wants its memory back."""

    def release(self):
        self.freed.append(self[1])


@pytest.fixture
def events(monkeypatch):
    """Those that were made, in order; each is over when its `done` is."""
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


def test_memory_is_given_back_when_its_copy_is_done(events):
    feeder, freed = Feeder(torch.device("meta"), torch.Tensor.float), []
    for number in range(4):
        batch = Batch((torch.zeros(2, 3, 4, 4, dtype=torch.uint8), torch.full((2,), number)))
        batch.freed = freed
        images, labels = feeder.take(batch)
        assert images.device.type == labels.device.type == "meta" and images.dtype == torch.float32
    assert not freed
    events[1].done = True  # the second before the first: in their order all the same
    feeder.release_copied()
    assert not freed
    events[0].done = True
    feeder.take(batch)
    assert [int(labels[0]) for labels in freed] == [0, 1] and len(feeder.copying) == 3
    feeder.take((torch.zeros(2, 3, 4, 4, dtype=torch.uint8), torch.zeros(2)))  # wants nothing back
    for event in events:
        event.done = True
    feeder.keep_pace()
    assert len(freed) == 5 and not feeder.copying


def test_the_host_stays_two_steps_ahead_at_most(events):
    feeder = Feeder(torch.device("meta"), torch.Tensor.float)
    for step in range(5):
        feeder.keep_pace()  # marks what was told before, and waits for what was two marks ago
        waited = [i for i, event in enumerate(events) if hasattr(event, "waited")]
        assert waited == list(range(step - 1)), step


def test_what_is_on_the_device_already_is_not_copied(events):
    feeder = Feeder(torch.device("cpu"), torch.Tensor.float)
    labels = torch.zeros(2, dtype=torch.int64)
    images, same = feeder.take((torch.zeros(2, 3, 4, 4, dtype=torch.uint8), labels))
    assert same is labels and images.dtype == torch.float32 and not events
