"""Both loaders: the same batches, and nothing of what FFCV alone would do wrong."""

import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from fastscale.data import source
from fastscale.data.beton import ROW, ROWS_AT
from fastscale.data.framing import Framing
from fastscale.data.plain_loader import PlainLoader
from fastscale.data.write import write
from fastscale.errors import InputError

ffcv = pytest.importorskip("fastscale.data.ffcv_loader", reason="FFCV is not installed")

TRAIN, VAL = Framing(True, 32, 36, seed=5), Framing(False, 32, 36)


@pytest.fixture
def small(small_tree, lines):
    """A source with 45 + 12 images stored raw."""
    s = source(str(small_tree))
    write(s, progress=lines, workers=0)
    return s


@pytest.fixture
def photos(tree, lines):
    """A source with 24 + 9 images stored as JPEG."""
    s = source(str(tree))
    write(s, progress=lines, workers=0)
    return s


def guarded(s, framing=TRAIN, batch_size=10, **k):
    return ffcv.GuardedLoader(s.betons / f"{'train' if framing.train else 'val'}.beton", framing, batch_size, **k)


def plain(s, framing=TRAIN, batch_size=10, **k):
    return PlainLoader(s.split("train" if framing.train else "val"), framing, batch_size, **k)


def epoch(loader):
    """(images, labels) of one loop, one tensor each."""
    x, y = zip(*loader, strict=True)
    return torch.cat(x), torch.cat(y)


def same(a, b):
    return torch.equal(a[0], b[0]) and torch.equal(a[1], b[1])


BOTH = pytest.mark.parametrize("make", [guarded, plain])


@BOTH
def test_shapes_types_and_every_image_once(small, make):
    loader = make(small)
    got = list(loader)
    assert len(loader) == len(got) == 4
    for x, y in got:
        assert x.shape == (10, 3, 32, 32) and x.dtype == torch.uint8 and x.is_contiguous(memory_format=torch.channels_last)
        assert y.shape == (10,) and y.dtype == torch.int64
    loader = make(small, VAL)
    x, y = epoch(loader)
    assert len(loader) == 2 and y.tolist() == small.split("val").labels.tolist() and len(x) == 12


def test_raw_stored_images_give_equal_batches(small):
    for framing in (TRAIN, VAL):
        a, b = guarded(small, framing), plain(small, framing)
        for _ in range(3):
            assert same(epoch(a), epoch(b))


def test_jpeg_stored_images_give_batches_within_the_bound(photos):
    """Same labels, crops and flips; the pixels differ by one JPEG compression of quality 90: 2 grey levels in the mean, here 4 allowed."""
    for framing in (TRAIN, VAL):
        a, b = epoch(guarded(photos, framing)), epoch(plain(photos, framing))
        difference = (a[0].float() - b[0].float()).abs()
        assert torch.equal(a[1], b[1])
        assert difference.mean() < 4 and difference.mean((1, 2, 3)).max() < 8
        assert difference.mean() > 0, "the bound is not met by comparing a loader with itself"


def test_a_smaller_stored_size_stays_near(photos, tree, tmp_path, lines):
    write(photos, tmp_path / "small", max_resolution=66, progress=lines, workers=0)
    a = epoch(ffcv.GuardedLoader(tmp_path / "small" / "train.beton", TRAIN, 10))
    b = epoch(plain(photos))
    assert torch.equal(a[1], b[1]) and (a[0].float() - b[0].float()).abs().mean() < 12


@BOTH
def test_epochs_differ_and_go_on_after_a_resume(small, make):
    loader = make(small)
    first = [epoch(loader) for _ in range(3)]
    assert loader.next_epoch == 3 and not torch.equal(first[0][1], first[1][1])
    assert same(epoch(make(small, epoch=2)), first[2])
    loader.next_epoch = 1
    assert same(epoch(loader), first[1])


@BOTH
def test_seeds(small, make):
    a = epoch(make(small))
    assert same(epoch(make(small)), a)
    other = make(small, replace(TRAIN, seed=6))
    assert not same(epoch(other), a)
    other.next_epoch = 0
    ours = make(small)
    epoch(ours)
    assert not torch.equal(epoch(ours)[1], epoch(other)[1]), "epoch 1 of seed 5 is not epoch 0 of seed 6"


@BOTH
def test_any_number_of_workers_gives_the_same_pixels(photos, make):
    one = epoch(make(photos, workers=1))
    for workers in (0, 2, 64):
        assert same(epoch(make(photos, workers=workers)), one)


@BOTH
def test_processes_share_an_epoch(small, make):
    shares = [epoch(make(small, rank=r, world=2)) for r in range(2)]
    assert [len(y) for _, y in shares] == [20, 20]
    shares = [epoch(make(small, VAL, rank=r, world=5)) for r in range(5)]
    assert [len(y) for _, y in shares] == [3, 3, 2, 2, 2]
    whole = epoch(make(small, VAL))[0]
    assert torch.equal(torch.cat([x for x, _ in shares]).flatten(1).sum(1).sort()[0], whole.flatten(1).sum(1).sort()[0])


@BOTH
def test_a_subset_and_batches_of_one(small, make):
    few = np.array([3, 20, 44])
    x, y = epoch(make(small, batch_size=1, indices=few))
    assert x.shape == (3, 3, 32, 32) and sorted(y.tolist()) == [0, 1, 2]
    x, y = epoch(make(small, VAL, batch_size=11))
    assert x.shape[0] == 12, "a last batch of one"


@BOTH
def test_too_large_a_batch_is_said_before_training(small, make):
    with pytest.raises(InputError, match="batch_size 46 is more than the 45 training images"):
        make(small, batch_size=46)
    with pytest.raises(InputError, match="batch_size 23 is more than the 22 training images"):
        make(small, batch_size=23, world=2)
    with pytest.raises(InputError, match="fewer images than processes"):
        make(small, VAL, rank=12, world=13)


@BOTH
def test_the_resolution_may_change_between_epochs(small, make):
    loader = make(small)
    holder = loader.decode if make is guarded else loader
    sizes = []
    for r in (32, 48, 16):
        holder.framing = replace(TRAIN, resolution=r, test_resolution=r)
        sizes.append(tuple(epoch(loader)[0].shape))
    assert sizes == [(40, 3, r, r) for r in (32, 48, 16)]


@BOTH
def test_kept_batches_are_not_overwritten(photos, make):
    kept, copies = [], []
    for x, y in make(photos, batch_size=1):
        kept.append((x, y))
        copies.append((x.clone(), y.clone()))
    assert len(kept) == 24 and all(same(a, b) for a, b in zip(kept, copies, strict=True))


@BOTH
def test_global_random_states_and_thread_counts_are_left_alone(small, make):
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        torch.manual_seed(0)
        np.random.seed(0)
        before = torch.get_rng_state(), np.random.get_state()[1].copy()
        loader = make(small)
        for _ in loader:
            assert torch.get_num_threads() == 3
        assert torch.get_num_threads() == 3
        assert torch.equal(torch.get_rng_state(), before[0]) and (np.random.get_state()[1] == before[1]).all()
    finally:
        torch.set_num_threads(threads)


def test_importing_and_using_ffcv_is_quick_and_quiet(photos, python):
    """No compiler, no numba threads, torch's thread count untouched; FFCV's own import does all three."""
    code = """
import sys, torch
torch.set_num_threads(2)
import numba.core.dispatcher as d
compiled = []
real = d.Dispatcher.compile
d.Dispatcher.compile = lambda self, *a: compiled.append(self.py_func) or real(self, *a)
from fastscale.data.ffcv_loader import GuardedLoader, Framing
n = sum(len(y) for _, y in GuardedLoader(sys.argv[1], Framing(True, 32, 32), 5, workers=2))
import numba.np.ufunc.parallel as p, numba.typed, numba
print(n, compiled, p._is_initialized, torch.get_num_threads(), numba.typed.Dict is not dict, numba.set_num_threads.__name__)
"""
    r = python(code, photos.betons / "train.beton")
    assert r.stdout.strip() == "20 [] False 2 True set_num_threads", r.stdout + r.stderr


def ours_alive():
    return [t for t in threading.enumerate() if isinstance(t, ffcv.GuardedIterator) or "ThreadPool" in t.name]


@pytest.mark.parametrize("workers", [1, 2])
def test_threads_end_with_the_loop_also_on_break(photos, workers):
    loader = guarded(photos, batch_size=2, workers=workers)
    for _ in range(5):
        for i, _batch in enumerate(loader):
            if i == 1:
                break
    import gc

    gc.collect()
    assert not ours_alive()
    list(loader)
    assert not ours_alive()


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="only Linux shows its threads there")
@pytest.mark.parametrize("workers", [1, 2])
def test_threads_are_gone_for_the_system_too(photos, workers):
    """Python joins a thread a little earlier; a fork in between left OpenCV locked in the child, at one epoch in forty."""
    loader = guarded(photos, workers=workers)
    list(loader)
    before = set(os.listdir("/proc/self/task"))
    for _ in range(30):
        list(loader)
        assert set(os.listdir("/proc/self/task")) <= before


def test_an_exception_in_the_loops_body_ends_the_threads(photos):
    def loop():
        for _ in guarded(photos, batch_size=2, workers=2):
            raise KeyError("mine")

    with pytest.raises(KeyError):
        loop()
    time.sleep(0.1)
    assert not ours_alive()


def test_two_loops_at_once(photos):
    loader = guarded(photos, workers=2)
    wanted = [epoch(loader), epoch(loader)]
    loader.next_epoch = 0
    pairs = list(zip(loader, loader, strict=True))
    for k in range(2):
        assert same((torch.cat([p[k][0] for p in pairs]), torch.cat([p[k][1] for p in pairs])), wanted[k])


@pytest.mark.parametrize("workers", [1, 2])
def test_a_damaged_jpeg_is_an_error_not_noise_or_a_hang(photos, python, workers):
    path = photos.betons / "train.beton"
    pointer = int(np.fromfile(path, dtype=ROW, count=24, offset=ROWS_AT)["image"]["pointer"][17])
    with open(path, "r+b") as f:
        f.seek(pointer)
        f.write(bytes(200))
    code = """
import sys
from fastscale.data.ffcv_loader import GuardedLoader, Framing
try:
    for _ in GuardedLoader(sys.argv[1], Framing(True, 32, 32), 5, workers=int(sys.argv[2])): pass
except RuntimeError as e:
    print("SAID", e)
"""
    r = python(code, path, workers, timeout=60)
    assert r.stdout.strip() == f"SAID {path}: image 17: its JPEG data is damaged", r.stdout + r.stderr


def test_any_error_in_the_pipeline_reaches_the_loop(photos, monkeypatch):
    def boom(*a):
        raise ZeroDivisionError("boom")

    monkeypatch.setattr(ffcv, "cut", boom)
    for workers in (1, 2):
        with pytest.raises(RuntimeError, match=r"train\.beton: boom"):
            list(guarded(photos, workers=workers))
    assert not ours_alive()


@pytest.mark.parametrize("workers", [0, 2])
def test_the_plain_loader_names_a_broken_image(small, workers):
    broken = small.split("train").name(7)
    with open(broken, "r+b") as f:
        f.truncate(90)
    with pytest.raises(RuntimeError, match=r"train/ant/007\.png"):
        list(plain(small, batch_size=45, workers=workers))


def test_a_cut_file_is_refused_before_it_is_opened(photos):
    path = photos.betons / "train.beton"
    with open(path, "r+b") as f:
        f.truncate(path.stat().st_size - 10)
    with pytest.raises(InputError, match="cut short"):
        guarded(photos)
    with pytest.raises(InputError, match="no such file"):
        ffcv.GuardedLoader(path.with_name("none.beton"), TRAIN, 5)
