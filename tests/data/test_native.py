"""The compiled loader equals OpenCV, fast.py and whole JPEGs; and what happens without it."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from fastscale.data.augment.policy import operation_table
from fastscale.data.decoding import CompiledThreads, PythonThreads, Wanted
from fastscale.data.framing import Framing, cut
from fastscale.data.native import build, pool
from tests.data.test_augment import every_operation, fast

ffcv = pytest.importorskip("fastscale.data.ffcv_loader", reason="FFCV is not installed")
pytestmark = pytest.mark.skipif(pool.library() is None, reason=build.load()[1])


@pytest.fixture(scope="module")
def run():
    """Makes one image, from pixels (H, W, 3) or from a JPEG file with its (height, width)."""
    threads = pool.Pool(1)

    def make(data, box, side, *, size=None, flipped=False, ops=(), most=1):
        source = np.frombuffer(data, np.uint8) if size else data
        image = np.zeros(1, pool.IMAGE)
        image["data"], image["size"], image["jpeg"] = source.ctypes.data, source.size, bool(size)
        image["height"], image["width"] = size or data.shape[:2]
        image["box"], image["flipped"] = box, flipped
        image["ops"] = [*range(len(ops)), *[-1] * (2 - len(ops))]
        out = np.zeros((1, side, side, 3), np.uint8)
        batch = threads.submit(image, pool.op_rows(tuple(ops), side), out, most)
        return out[0] if threads.wait(batch) < 0 else None

    yield make
    threads.close()


def opencv(pixels, box, side, flipped=False):
    out = np.empty((side, side, 3), np.uint8)
    cut(pixels, list(box), flipped, out)
    return out


def boxes(rng, height, width):
    h, w = (int(rng.integers(1, n + 1)) for n in (height, width))
    return int(rng.integers(0, height - h + 1)), int(rng.integers(0, width - w + 1)), h, w


def test_resizing_equals_opencv_bit_for_bit(run):
    """Smaller, larger, both at once, by integers, not at all; odd sides and single pixels."""
    rng = np.random.default_rng(0)
    for k in range(600):
        whole = k % 3 == 0
        height, width = (
            int(n) * 16 if whole else int(n) for n in rng.integers(1, 6 if whole else 90, 2)
        )
        side = int(rng.choice([8, 16, 32])) if whole else int(rng.integers(1, 60))
        pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        box = (0, 0, height, width) if whole else boxes(rng, height, width)
        flipped = bool(k % 2)
        wanted = opencv(pixels, box, side, flipped)
        assert (run(pixels, box, side, flipped=flipped) == wanted).all(), (pixels.shape, box, side)


def test_operations_equal_those_of_fast_bit_for_bit(run):
    rng = np.random.default_rng(1)
    drawn = [(op,) for op in every_operation()]
    drawn += [(("equalize", 0), ("rotate", 9.0)), (("invert", 0), ("equalize", 0))]
    drawn += [(("autocontrast", 0), ("solarize", 77.7)), (("posterize", 3), ("posterize", 6))]
    for ops in drawn:
        for side in (64, 33, 2, 1):
            pixels = rng.integers(0, 256, (side, side, 3), dtype=np.uint8) // 2 + 60
            wanted = pixels.copy()
            fast.apply(wanted, list(ops), np.empty_like(wanted))
            assert (run(pixels, (0, 0, side, side), side, ops=ops) == wanted).all(), (ops, side)


KINDS = {
    "420": {"subsampling": 2},
    "422": {"subsampling": 1},
    "444": {"subsampling": 0},
    "grey": {},
    "progressive": {"progressive": True},
    "restarts": {"restart_marker_rows": 1},
}


def jpeg(picture, kind, quality=90):
    file = io.BytesIO()
    (picture.convert("L") if kind == "grey" else picture).save(
        file, "JPEG", quality=quality, **KINDS[kind]
    )
    return file.getvalue()


def whole(data, height, width):
    """All pixels, by FFCV's decoder."""
    from fastscale.data.ffcv_decoder import decode_jpeg

    file, out = np.frombuffer(data, np.uint8), np.empty((height, width, 3), np.uint8)
    assert decode_jpeg(file.ctypes.data, file.size, height, width, out.ctypes.data) == 0
    return out


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_crop_of_a_jpeg_equals_that_of_the_whole_image(run, picture, kind):
    rng = np.random.default_rng(len(kind))
    for k in range(60):
        height, width = (int(n) for n in rng.integers(1, 200, 2))
        photo = picture(k, height, width)
        if k % 2:
            photo = Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))
        data, box, side = jpeg(photo, kind), boxes(rng, height, width), int(rng.integers(1, 60))
        wanted = opencv(whole(data, height, width), box, side)
        for most in (0, 1):
            assert (run(data, box, side, size=(height, width), most=most) == wanted).all(), (
                height,
                width,
                *box,
                side,
                most,
            )


def test_a_shrunk_jpeg_stays_near(run, picture):
    """Off by default. On these images the mean difference is below 1.5 of 255."""
    apart = []
    for k in range(12):
        data = jpeg(picture(k, 400, 420), "420")
        pixels = whole(data, 400, 420)
        for box, side in (((3, 17, 390, 401), 96), ((101, 33, 250, 211), 64)):
            wanted = opencv(pixels, box, side).astype(int)
            apart.append(abs(run(data, box, side, size=(400, 420), most=8) - wanted).mean())
            assert (run(data, box, 200, size=(400, 420), most=8) == opencv(pixels, box, 200)).all()
    assert 0 < np.mean(apart) < 1.5 and max(apart) < 3


def test_damage_is_found_where_it_is_read(run, picture):
    data = jpeg(picture(1, 200, 160), "420")
    top, everything = (0, 0, 20, 160), (0, 0, 200, 160)
    for broken in (data[: len(data) // 2], b"\xff\xd8" + bytes(300), data[:300], bytes(2)):
        assert run(broken, everything, 32, size=(200, 160)) is None
        assert run(broken, top, 32, size=(200, 160), most=0) is None, "validation reads it all"
    shown = run(data, top, 32, size=(200, 160))
    for kept in range(0, len(data), len(data) // 40):  # truncated: never other pixels
        got = run(data[:kept], top, 32, size=(200, 160))
        assert got is None or (kept > len(data) // 20 and (got == shown).all())
    assert got is not None, "damage far below is not read"
    assert run(data, everything, 32, size=(200, 161)) is None, "another size than was written"
    assert run(data, everything, 32, size=(200, 160)) is not None, "the same thread still works"


def test_batches_overlap_and_the_first_damaged_image_is_named(photos):
    path = photos.betons / "train.beton"
    file = np.fromfile(path, np.uint8)
    loader = ffcv.GuardedLoader(path, Framing(True, 32, 36), 5)
    rows = loader.reader.metadata["f0"]
    sizes = loader.reader.alloc_table["size"]
    for k in (9, 4):
        file[int(rows["data_ptr"][k]) :][:200] = 0
    for kind in (CompiledThreads, PythonThreads):
        threads, started = kind(2), []
        for indices in (np.arange(4), np.arange(12), np.arange(10, 24)):
            out = np.zeros((len(indices), 32, 32, 3), np.uint8)
            wanted = Wanted(loader.framing, 0, indices, rows[indices], sizes[indices], file)
            started.append((threads.start(wanted, out), out))
        threads.finish(started[0][0])
        with pytest.raises(ValueError, match="image 4: its JPEG data is damaged"):
            threads.finish(started[1][0])
        threads.finish(started[2][0])
        assert all(out.any((1, 2, 3)).all() for _, out in (started[0], started[2]))
        threads.close()


CODE = """
import sys, torch
from fastscale.data.ffcv_loader import GuardedLoader, Framing
x, y = zip(*GuardedLoader(sys.argv[1], Framing(True, 32, 36), 5, workers=2))
x = torch.cat(x)
print(int((x.long().flatten() * torch.arange(x.numel())).sum()))
"""


def test_without_it_python_makes_the_same_batches_and_says_so(photos, python, monkeypatch):
    loader = ffcv.GuardedLoader(photos.betons / "train.beton", Framing(True, 32, 36), 5)
    x = torch.cat([x for x, _ in loader])
    monkeypatch.setenv("FASTSCALE_NATIVE", "off")
    r = python(CODE, photos.betons / "train.beton")
    assert int(r.stdout) == int((x.long().flatten() * torch.arange(x.numel())).sum())
    (line,) = r.stderr.splitlines()
    assert "the compiled loader is not available (FASTSCALE_NATIVE is off)" in line


def test_the_reason_why_it_is_missing(tmp_path, monkeypatch):
    load = build.load.__wrapped__
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    found, why = load()
    assert found is None and why.startswith("there is no C++ compiler; needed: ")
    compiler = tmp_path / "c++"
    compiler.write_text("#!/bin/sh\necho 'batch.cpp:1: fatal error: jpeglib.h: none' >&2; exit 1\n")
    compiler.chmod(0o755)
    found, why = load()
    assert found is None and "batch.cpp:1: fatal error: jpeglib.h: none; needed: " in why
    assert not list((tmp_path / "cache").rglob("*.part*")), "no half library"
    broken = tmp_path / "broken.so"
    broken.write_bytes(b"nothing")
    monkeypatch.setenv("FASTSCALE_NATIVE", str(broken))
    found, why = load()
    assert found is None and "broken.so" in why and "\n" not in why


def test_it_is_compiled_once_for_each_source(tmp_path, monkeypatch):
    made = []
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(build, "compile_to", lambda out, *a: (made.append(out), out.touch()))
    first = build._built()
    assert build._built() == first and made == [first]
    monkeypatch.setattr(build, "FLAGS", (*build.FLAGS, "-g"))
    assert build._built() != first and len(made) == 2
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert build._built().is_file() and len(made) == 3, "no cache: for this process alone"


def test_the_tables_hold_every_operation_once():
    for name in ("autoaugment", "autoaugment-v0", "randaugment"):
        table = operation_table(name)
        assert len(set(table)) == len(table) > 10
        assert len(pool.op_rows(table, 32)) == len(table)
