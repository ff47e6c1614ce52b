"""Generated images and a separate data folder for the tests."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fastscale.data import ImageData, source
from fastscale.data.write import write

REAL_DATA = os.environ.get("FASTSCALE_DATA")
CLASSES = ("ant", "bee", "cat")
SMALL = {"resolution": 32, "test_resolution": 32, "batch_size": 10, "workers": 1}


def draw(seed: int, height: int, width: int) -> Image.Image:
    """A smooth image with a little noise, like a photograph: JPEG keeps it well."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (5, 6, 3), dtype=np.uint8)).resize(
        (width, height), Image.Resampling.BICUBIC
    )
    noisy = np.asarray(coarse) + rng.normal(0, 3, (height, width, 3))
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def make_tree(
    folder: Path,
    train: int = 8,
    val: int = 3,
    *,
    sides: tuple[int, int] = (70, 130),
    suffix: str = "png",
) -> Path:
    """train|val/<class>/* with this many images per class and sides drawn from the range."""
    seed = 0
    for split, count in (("train", train), ("val", val)):
        for name in CLASSES:
            (folder / split / name).mkdir(parents=True)
            for k in range(count):
                seed += 1
                height, width = np.random.default_rng(seed).integers(*sides, 2)
                draw(seed, height, width).save(
                    folder / split / name / f"{k:03d}.{suffix}", quality=95
                )
    return folder


@pytest.fixture(autouse=True)
def data_dir(tmp_path, monkeypatch):
    monkeypatch.setenv("FASTSCALE_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def tree(tmp_path):
    """24 + 9 PNGs of 70 to 130 pixels in three classes."""
    return make_tree(tmp_path / "animals")


@pytest.fixture
def small_tree(tmp_path):
    """45 + 12 PNGs of 20 to 60 pixels: stored raw."""
    return make_tree(tmp_path / "tiny", 15, 4, sides=(20, 60))


@pytest.fixture
def make(tmp_path):
    return lambda name, *a, **k: make_tree(tmp_path / name, *a, **k)


@pytest.fixture
def picture():
    return draw


@pytest.fixture
def lines():
    """A function like print that keeps its lines."""

    class Lines(list):
        def __call__(self, line):
            self.append(line)

    return Lines()


@pytest.fixture
def python():
    """Run code in another process, with a time limit."""
    root = Path(__file__).resolve().parents[2]

    def run(code: str, *args: object, timeout: float = 60, **kwargs):
        env = {**os.environ, "PYTHONPATH": str(root)}
        command = [sys.executable, "-c", code, *map(str, args)]
        return subprocess.run(
            command, env=env, capture_output=True, text=True, timeout=timeout, **kwargs
        )

    return run


@pytest.fixture
def start_python():
    """Start code in another process."""
    root = Path(__file__).resolve().parents[2]
    started = []

    def start(code: str, *args: object):
        env = {**os.environ, "PYTHONPATH": str(root)}
        pipe = subprocess.PIPE
        started.append(
            subprocess.Popen(
                [sys.executable, "-c", code, *map(str, args)],
                env=env,
                stdout=pipe,
                stderr=pipe,
                text=True,
            )
        )
        return started[-1]

    yield start
    for p in started:
        if p.poll() is None:
            p.kill()
        p.communicate()


@pytest.fixture
def real_data():
    """The user's data folder, if there is one."""
    return Path(REAL_DATA or Path.home() / ".cache" / "fastscale")


def opened(tree, loader="ffcv", **more):
    return ImageData(str(tree), loader=loader, **SMALL, **more)


def written(tree, lines, **settings):
    write(str(tree), workers=0, progress=lines, **settings)
    return opened(tree)


def left(folder):
    return sorted(p.name for p in folder.iterdir() if p.name != ".write.lock")


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
