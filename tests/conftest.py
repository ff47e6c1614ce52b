"""Fixtures that all tests share."""

import signal
import sys

import numpy as np
import pytest
from PIL import Image

# a shell starts background jobs with these ignored, which the tests' processes would inherit
for number, default in {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGQUIT: signal.SIG_DFL,
}.items():
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, default)


@pytest.fixture(scope="session")
def image_folder(tmp_path_factory):
    """A data set of coloured noise, `train|val/<class>/*.png`, written once per session.

    3 classes that differ in colour, 48 training and 7 validation images each, 40 x 36 px.
    """
    root = tmp_path_factory.mktemp("images") / "colours"
    rng = np.random.default_rng(0)
    for split, count in (("train", 48), ("val", 7)):
        for k, name in enumerate(("blue", "green", "red")):
            folder = root / split / name
            folder.mkdir(parents=True)
            for i in range(count):
                pixels = rng.integers(0, 160, (36, 40, 3))
                pixels[..., 2 - k] += 60
                Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{i:02d}.png")
    return root


@pytest.fixture
def data_home(tmp_path, monkeypatch):
    """An empty folder for data sets."""
    monkeypatch.setenv("FASTSCALE_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def forgotten(monkeypatch):
    """Networks and strategies that the test registers are removed afterwards."""
    from fastscale.archs.registry import registered
    from fastscale.scaling import strategy

    monkeypatch.setattr(strategy, "_own", {})
    with registered([]):
        yield


@pytest.fixture(autouse=True)
def thread_count_is_put_back():
    """FFCV's loader, which some tests use for comparison, changes torch's number of threads."""
    before = sys.modules["torch"].get_num_threads() if "torch" in sys.modules else None
    yield
    if before is not None:
        sys.modules["torch"].set_num_threads(before)
