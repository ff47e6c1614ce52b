"""The loader in a separate process: the same batches, and a clean end in every case."""

import gc
import os
import signal
import time
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
import torch

from fastscale.data import ImageData
from fastscale.data.beton import ROW, ROWS_AT
from fastscale.data.framing import Framing
from fastscale.errors import InputError, RunError
from tests.data.test_loaders import epoch, guarded, same

own = pytest.importorskip("fastscale.data.own.loader", reason="FFCV is not installed")
pytest.importorskip("fastscale.data.ffcv_loader", reason="FFCV is not installed")
pytestmark = pytest.mark.slow

TRAIN = Framing(True, 32, 36, seed=5, augmentation="autoaugment")


@pytest.fixture
def made():
    """Makes loaders, and ends their processes after the test."""
    loaders = []

    def make(source, framing=TRAIN, batch_size=5, **k):
        split = "train" if framing.train else "val"
        loaders.append(own.OwnLoader(source.betons / f"{split}.beton", framing, batch_size, **k))
        return loaders[-1]

    yield make
    for loader in loaders:
        loader.close()


def pid(loader):
    return loader.running.child.pid


def gone(number, within=10.0):
    """Whether a process ends in time (a zombie counts as ended)."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            with open(f"/proc/{number}/stat") as file:
                if file.read().rsplit(")", 1)[1].split()[0] == "Z":
                    return True
        except FileNotFoundError:
            return True
        time.sleep(0.05)
    return False


def descriptors():
    found = []
    for name in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # the folder's own
            found.append(os.readlink(f"/proc/self/fd/{name}"))
    return sorted(found)


def test_the_same_batches_over_epochs_resume_break_and_sizes(photos, made):
    """One loader process throughout, compared with the loader in this process at one worker."""
    theirs, ours = made(photos, workers=2), guarded(photos, TRAIN, 5)
    assert len(theirs) == len(ours) == 4
    for _ in range(2):
        for (a, b), (c, d) in zip(theirs, ours, strict=True):
            assert torch.equal(a, c) and torch.equal(b, d) and a.dtype == torch.uint8
            assert a.is_contiguous(memory_format=torch.channels_last)
    for _ in theirs:
        break  # the rest of epoch 2 is not used
    for loader in (theirs, ours):
        loader.next_epoch, loader.first_batch = 7, 1
    assert same(epoch(theirs), epoch(ours)) and theirs.next_epoch == 8
    first = pid(theirs)
    for side in (16, 48):
        for loader in (theirs, ours):
            loader.framing = replace(TRAIN, resolution=side, test_resolution=side)
        assert same(epoch(theirs), epoch(ours))
        assert (pid(theirs) == first) == (side == 16), "a larger batch needs a larger ring"


def test_kept_batches_do_not_change(photos, made):
    loader = made(photos, batch_size=1)
    kept, copies = [], []
    for x, y in loader:
        kept.append((x, y))
        copies.append((x.clone(), y.clone()))
    assert len(kept) == 24 and all(same(a, b) for a, b in zip(kept, copies, strict=True))
    assert all(same(a, b) for a, b in zip(loader, guarded(photos, TRAIN, 1, epoch=1), strict=True))
    assert all(same(a, b) for a, b in zip(kept, copies, strict=True)), "after another epoch too"
    view = kept[0][0][0, 0].numpy()
    before = view.copy()
    kept.clear()
    list(loader)
    assert (view == before).all(), "a part that is held holds the whole"


def test_shares_subsets_and_whole_validation(small, made):
    k = {"rank": 1, "world": 2, "indices": np.arange(3, 43, 2)}
    assert same(epoch(made(small, **k)), epoch(guarded(small, TRAIN, 5, **k)))
    loader = made(small, replace(TRAIN, train=False))
    assert len(loader) == 3 and same(epoch(loader), epoch(guarded(small, loader.framing, 5)))


def test_a_second_loop_ends_the_first(small, made):
    loader = made(small)
    first = iter(loader)
    next(first)
    list(loader)
    with pytest.raises(RunError, match="another loop over this loader has begun"):
        next(first)


def test_a_damaged_image_and_a_bad_file_are_one_line(photos, made):
    path = photos.betons / "train.beton"
    pointer = int(np.fromfile(path, dtype=ROW, count=24, offset=ROWS_AT)["image"]["pointer"][17])
    with open(path, "r+b") as f:
        f.seek(pointer)
        f.write(bytes(200))
    loader = made(photos)
    with pytest.raises(RunError, match=r"train\.beton: image 17: its JPEG data is damaged$"):
        list(loader)
    loader.next_epoch = 0
    with pytest.raises(RunError, match="image 17"):
        list(loader)  # in a new process
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(InputError, match="cut short"):
        made(photos)


@pytest.mark.parametrize("batches", [0, 2])
def test_a_killed_process_is_one_line_and_is_replaced(photos, made, batches):
    loader = made(photos, batch_size=1)
    loop = iter(loader)
    for _ in range(batches):
        next(loop)
    os.kill(pid(loader), signal.SIGKILL)
    with pytest.raises(RunError, match="the process that loads images has ended") as raised:
        for _ in loop:
            pass
    assert "\n" not in str(raised.value)
    loader.next_epoch = 0
    assert same(epoch(loader), epoch(guarded(photos, TRAIN, 1)))


def test_nothing_is_left_when_the_loader_goes(photos, made):
    gc.collect()
    before = descriptors()
    loader = own.OwnLoader(photos.betons / "train.beton", TRAIN, 5)
    batch = next(iter(loader))[0]
    number = pid(loader)
    del loader
    gc.collect()
    assert gone(number) and batch.sum() > 0, "the batch outlives its process"
    del batch
    gc.collect()
    assert descriptors() == before
    with open("/proc/self/maps") as maps:
        assert "fastscale-batches" not in maps.read()


def private(number):
    """MiB of private memory of a process: neither the ring nor mapped files."""
    with open(f"/proc/{number}/status") as file:
        return int(next(x for x in file if x.startswith("RssAnon")).split()[1]) / 1024


def test_its_memory_does_not_grow_over_thirty_epochs(photos, made):
    """With 24 batches of one image per epoch, a leak of the size of a batch would show."""
    loader = made(photos, replace(TRAIN, resolution=224, test_resolution=256), 1, workers=2)
    batch = 224 * 224 * 3 / 2**20
    for number in range(33):
        for _ in loader:
            pass
        if number == 2:
            before = private(pid(loader))
    grown = private(pid(loader)) - before
    assert grown < 30 * batch, f"{grown:.1f} MiB in 30 epochs of 24 batches of {batch:.2f} MiB"
    assert private(pid(loader)) < 400


OTHER_FFCV = """
import sys
import numpy as np
from fastscale.data.framing import Framing
from fastscale.data.own import child, without_torch
real = without_torch.stand_in
def too_little():
    real()
    sys.modules["torch"].device = None
without_torch.stand_in = too_little
memory = lambda shape: np.zeros(shape, np.uint8)
loader = child._make(
    path=sys.argv[1], framing=Framing(True, 32, 36), batch_size=5, check=False, memory=memory
)
print(sum(len(y) for _, y in loader), hasattr(sys.modules["torch"], "float32"))
"""


def test_an_ffcv_that_needs_more_of_torch_gets_torch(photos, python):
    r = python(OTHER_FFCV, photos.betons / "train.beton")
    assert r.stdout.split() == ["20", "True"], r.stdout + r.stderr


def test_a_process_that_cannot_start_is_one_line(photos, made, monkeypatch):
    def none(*a):
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(own, "Ring", none)
    with pytest.raises(RunError, match=r"\(Cannot allocate memory\): choose --data.process here"):
        made(photos)


PARENT = """
import os, sys, time
from fastscale.data.own.loader import OwnLoader
from fastscale.data.framing import Framing
loader = OwnLoader(sys.argv[1], Framing(True, 32, 36), 1)
print(loader.running.child.pid, flush=True)
if sys.argv[2] == "fork" and not os.fork():  # keeps the socket open
    time.sleep(3)
    os._exit(0)
for images, labels in loader:
    print("batch", flush=True)
    time.sleep(30)
"""


@pytest.mark.parametrize("how", ["start", "loop", "fork"])
def test_it_ends_with_a_killed_parent(photos, start_python, how):
    parent = start_python(PARENT, photos.betons / "train.beton", how)
    number = int(parent.stdout.readline())
    if how != "start":
        assert parent.stdout.readline().strip() == "batch"
    parent.kill()
    assert gone(number)


def test_it_ignores_ctrl_c(photos, made):
    loader = made(photos)
    loop = iter(loader)
    next(loop)
    os.kill(pid(loader), signal.SIGINT)
    assert os.getsid(pid(loader)) != os.getsid(0)
    assert len(list(loop)) == 3


def test_the_data_module_chooses(small_tree, small, capsys):
    settings = {
        "resolution": 32,
        "test_resolution": 36,
        "batch_size": 5,
        "seed": 5,
        "loader": "ffcv",
    }
    found = []
    for process in ("auto", "own"):
        data = ImageData(str(small_tree), **settings, process=process)
        loader = data.train_dataloader()
        found.append((type(loader).__name__, epoch(loader), data.data_hash))
        assert type(data.val_dataloader()).__name__ == "GuardedLoader"
        data.teardown("fit")
        assert getattr(loader, "running", None) is None
    assert [name for name, *_ in found] == ["GuardedLoader", "OwnLoader"], "here without a GPU"
    assert same(found[0][1], found[1][1]) and found[0][2] == found[1][2]
    assert "in a separate process" in capsys.readouterr().out
    with pytest.raises(InputError, match=r"process 'else' \(choose from auto, own, here\)"):
        ImageData(str(small_tree), process="else")
