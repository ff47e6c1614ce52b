"""The guarded FFCV loader: no compiler, no thread left behind, every error reaches the loop."""

import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from fastscale.data.beton import ROW, ROWS_AT
from fastscale.errors import InputError
from tests.data.test_loaders import TRAIN, epoch, ffcv, guarded, same


def test_importing_and_using_ffcv_has_no_side_effects(photos, python):
    """No compiler, no numba threads, torch's thread count unchanged."""
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
restored = numba.typed.Dict is not dict, numba.set_num_threads.__name__
print(n, compiled, p._is_initialized, torch.get_num_threads(), *restored)
"""
    r = python(code, photos.betons / "train.beton")
    assert r.stdout.strip() == "20 [] False 2 True set_num_threads", r.stdout + r.stderr


def ours_alive():
    return [
        t
        for t in threading.enumerate()
        if isinstance(t, ffcv.GuardedIterator) or "ThreadPool" in t.name
    ]


@pytest.mark.parametrize("workers", [1, 2])
def test_threads_end_with_the_loop_even_on_break(photos, workers):
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


@pytest.mark.skipif(
    not Path("/proc/self/task").exists(), reason="only Linux shows its threads there"
)
@pytest.mark.parametrize("workers", [1, 2])
def test_threads_are_gone_for_the_system_too(photos, workers):
    """Python joins a thread a little earlier. A fork in between left OpenCV locked in the child."""
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
        assert same(
            (torch.cat([p[k][0] for p in pairs]), torch.cat([p[k][1] for p in pairs])), wanted[k]
        )


@pytest.mark.parametrize("workers", [1, 2])
def test_a_damaged_jpeg_is_an_error(photos, python, workers):
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
    assert r.stdout.strip() == f"SAID {path}: image 17: its JPEG data is damaged", (
        r.stdout + r.stderr
    )


def test_any_error_in_the_pipeline_reaches_the_loop(photos, monkeypatch):
    def boom(*a):
        raise ZeroDivisionError("boom")

    monkeypatch.setattr(ffcv.Framing, "boxes", boom)
    for workers in (1, 2):
        with pytest.raises(RuntimeError, match=r"train\.beton: boom"):
            list(guarded(photos, workers=workers))
    assert not ours_alive()


def test_a_truncated_file_is_refused_before_it_is_opened(photos):
    path = photos.betons / "train.beton"
    with open(path, "r+b") as f:
        f.truncate(path.stat().st_size - 10)
    with pytest.raises(InputError, match="cut short"):
        guarded(photos)
    with pytest.raises(InputError, match="no such file"):
        ffcv.GuardedLoader(path.with_name("none.beton"), TRAIN, 5)
