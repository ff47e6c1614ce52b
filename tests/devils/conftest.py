"""A folder for each case, and what the cases mutate: images, a store, a run, a release."""

import functools
import gc
import importlib
import itertools
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fastscale import cli
from tests.devils.commands import RUN, SHORT, commands
from tests.devils.nursery import Nursery
from tests.devils.rule import tree

ROOT = Path(__file__).resolve().parents[2]
WATCHED = ("paper_figures", "checkpoints", "configs")  # folders where no case may write
IMPORTED = (
    "matplotlib.pyplot",
    "pytorch_lightning.loggers",
    "torch._dynamo",
    "fastscale.training.fit",
    "fastscale.training.evaluate",
    "fastscale.data.ffcv_loader",
    "fastscale.data.plain_loader",
    "fastscale.release.export",
    "fastscale.release.score",
    "fastscale.timing.sweep",
    "fastscale.reproduce.drawing",
    "fastscale.paper.report",
    "fastscale.planning",
)
CLASSES = ("ant", "bee", "cat")


@dataclass(frozen=True)
class Made:
    """Made once per session; copied before it is changed."""

    images: Path
    home: Path

    @property
    def source(self) -> str:
        return f"folder:{self.images}"

    @functools.cached_property
    def store(self) -> Path:
        """The folder of train.beton and val.beton."""
        from fastscale.data.write import write

        write(self.source, data_dir=self.home / "data", progress=lambda line: None)
        return next((self.home / "data").rglob("train.beton")).parent

    @functools.cached_property
    def run(self) -> Path:
        """The folder of a finished run, in a separate runs_dir."""
        from tests.devils.rule import command

        self.store.exists()
        runs = self.home / "runs"
        words = ["fit", "--run", RUN, "--runs_dir", runs, "--data.source", self.source]
        done = command(*words, "--data.data_dir", self.home / "data", *SHORT)
        assert done.code == 0, done.err
        return runs / RUN / "seed0"

    @functools.cached_property
    def release(self) -> Path:
        """A .safetensors file of an untrained network."""
        import torch

        import fastscale as fs
        from fastscale.release.checkpoint import to_bytes
        from fastscale.release.description import describe

        torch.manual_seed(0)
        net = fs.build("regnety-tiny", 3)
        net(torch.randn(8, 3, 32, 32))
        about = describe(
            net.arch,
            num_classes=3,
            mean=(120.0,) * 3,
            std=(60.0,) * 3,
            weights="raw",
            classes=CLASSES,
        )
        path = self.home / "tiny.safetensors"
        path.write_bytes(to_bytes(about, net.eval().state_dict()))
        return path


@dataclass(frozen=True)
class Place:
    """The folder of a case, which is also its working folder, and the session's `Made`."""

    folder: Path
    made: Made

    def file(self, name: str, content: bytes | str) -> Path:
        """Write a file in the folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def copy(self, what: str) -> Path:
        """A copy of the session's "images", "store", "run" or "release"."""
        there = getattr(self.made, what)
        to = self.folder / what
        if there.is_dir():
            shutil.copytree(there, to)
            return to
        to = to.with_suffix(there.suffix)
        shutil.copy(there, to)
        return to


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """Everything made from six and three small images per class.

    Late imports happen here, so that no alarm or limit of a case interrupts them.
    """
    for module in IMPORTED:
        importlib.import_module(module)
    home = tmp_path_factory.mktemp("made")
    rng = np.random.default_rng(0)
    for split, count in (("train", 6), ("val", 3)):
        for k, name in enumerate(CLASSES):
            folder = home / "animals" / split / name
            folder.mkdir(parents=True)
            for i in range(count):
                pixels = rng.integers(0, 160, (36, 40, 3))
                pixels[..., k] += 60
                Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{i:02d}.png")
    found = Made(home / "animals", home)
    assert found.run.is_dir() and found.release.is_file()
    gc.freeze()  # the collector skips imported modules: saves a third of the time of a case
    patch = pytest.MonkeyPatch()
    patch.setattr(cli, "parser", functools.cache(cli.parser))
    yield found
    patch.undo()


@pytest.fixture(scope="session")
def canary(tmp_path_factory):
    """Files that no case may touch: the targets of links and of `..`."""
    folder = tmp_path_factory.mktemp("canary")
    (folder / "text").write_text("a text without a last newline")
    (folder / "records.jsonl").write_text('{"half": ')
    (folder / "folder").mkdir()
    (folder / "folder" / "inside").write_bytes(b"\0" * 100)
    return folder


@pytest.fixture(autouse=True)
def nothing_outside(canary, request):
    """No case changes the canary."""
    before = tree(canary)
    yield
    assert tree(canary) == before


@pytest.fixture(autouse=True, scope="session")
def checkout_untouched():
    """No case of the session changes committed files."""
    before = {name: tree(ROOT / name) for name in WATCHED}
    yield
    assert not Path("/tmp/fastscale-canary").exists()  # from archives with an absolute path
    for name in WATCHED:
        assert tree(ROOT / name) == before[name], f"{name} of the checkout was changed"


@pytest.fixture(scope="session")
def places(tmp_path_factory):
    """Numbered folders. `tmp_path` would search all existing ones for the next name."""
    home = tmp_path_factory.mktemp("places")
    return (home / str(number) for number in itertools.count())


@pytest.fixture
def place(places, made, monkeypatch):
    """A working folder, with no network beyond this machine and without the user's cache."""
    home = next(places)
    folder = home / "case"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    for variable, name in (("DATA", "data"), ("RUNS", "runs"), ("CHECKPOINTS", "checkpoints")):
        monkeypatch.setenv(f"FASTSCALE_{variable}", str(home / name))
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("FASTSCALE_OFFLINE", "1")
    real = socket.socket.connect

    def connect(self, address):
        local = not isinstance(address, tuple) or address[0] in ("127.0.0.1", "localhost", "::1")
        assert local, f"offline, but connected to {address}"
        return real(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect)
    yield Place(folder, made)
    monkeypatch.chdir(home.parent)
    shutil.rmtree(home)


@pytest.fixture(scope="session")
def nursery(tmp_path_factory):
    """Starts processes of the command."""
    found = Nursery(tmp_path_factory.mktemp("nursery"))
    yield found
    found.close()


@pytest.fixture
def verb(made):
    """verb(name) -> the words of a command, see commands.py."""
    return commands(made).__getitem__
