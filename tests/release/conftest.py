"""Fixtures: a tiny network as a released file, two short runs of it, and a local file server."""

import hashlib
from dataclasses import replace

import pytest
import torch

import fastscale as fs
from fastscale.release.checkpoint import to_bytes
from fastscale.release.description import describe
from fastscale.release.manifest import Entry, manifest_text
from tests.serving import serving_files

RUN = "regnety-tiny.quick"
# one epoch, for an error well above 0
SHORT = ["--model.recipe.batch_size", "8", "--model.recipe.epochs", "1"]
SHORT += ["--model.recipe.lr", "0.05"]
CLASSES = ("blue", "green", "red")


@pytest.fixture(autouse=True)
def own_places(tmp_path, monkeypatch):
    """Hides this machine's cache and the checkout's released checkpoints from tests."""
    monkeypatch.setenv("FASTSCALE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("FASTSCALE_CHECKPOINTS", str(tmp_path / "checkpoints"))
    monkeypatch.delenv("FASTSCALE_OFFLINE", raising=False)


@pytest.fixture(scope="session")
def runs(image_folder, tmp_path_factory):
    """(runs folder, data source, data folder) of `regnety-tiny.quick`, seeds 0 and 1."""
    from fastscale.cli import main
    from fastscale.data.write import write

    root = tmp_path_factory.mktemp("release")
    source = f"folder:{image_folder}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FASTSCALE_DATA", str(root / "data"))
        write(source, progress=lambda line: None)
        for seed in ("0", "1"):
            own = [
                "--runs_dir",
                str(root / "runs"),
                "--data.source",
                source,
                "--data.workers",
                "1",
                "--seed_everything",
                seed,
                *SHORT,
            ]
            assert main(["fit", "--run", RUN, *own, "--trainer.enable_progress_bar", "false"]) == 0
    return root / "runs", source, root / "data"


@pytest.fixture
def data_of_runs(runs, monkeypatch):
    """Makes the runs' data available."""
    monkeypatch.setenv("FASTSCALE_DATA", str(runs[2]))


@pytest.fixture(scope="session")
def tiny():
    """(description, weights) of an untrained three-class network with non-trivial batch norms."""
    torch.manual_seed(0)
    net = fs.build("regnety-tiny", 3)
    net(torch.randn(8, 3, 32, 32))
    about = describe(
        net.arch, num_classes=3, mean=(120.0, 110.0, 100.0), std=(60.0, 61.0, 62.0), weights="raw",
        classes=CLASSES, data="colours", licence="MIT", run=RUN, seed=0,
    )  # fmt: skip
    return about, net.eval().state_dict()


def entry_of(about, data, **changes) -> Entry:
    """A manifest entry for a file's bytes."""
    sha256 = hashlib.sha256(data).hexdigest()
    cx = fs.complexity(about.arch, num_classes=about.num_classes)
    error = {"value": 10.0, "n": 1, "mean": 10.0, "std": None, "seeds": [0]}
    values = {
        "name": f"{about.arch}_colours-{sha256[:8]}", "sha256": sha256, "bytes": len(data),
        "urls": (), "arch": about.arch, "num_classes": about.num_classes,
        "resolution": about.resolution, "test_resolution": about.test_resolution, **vars(cx),
        "weights": "raw", "dtype": about.dtype, "data": "colours", "data_hash": None,
        "val_images": 21, "run": RUN, "recipe": "quick", "epochs": 1, "seed": 0,
        "errors": {"top1_error": error}, "tolerance": 0.0, "record_ids": ("0" * 12,),
        "commit": None, "date": "2026-01-01T00:00:00Z", "licence": "MIT",
    }  # fmt: skip
    return Entry(**{**values, **changes})


@pytest.fixture
def release(tiny, tmp_path):
    """release(local=True, **changes to its entry) -> (entry, bytes) of the tiny network.

    It is in the manifest; with `local`, its file is beside it.
    """

    def make(local=True, dtype="float32", **changes):
        data = to_bytes(replace(tiny[0], dtype=dtype), tiny[1])
        entry = entry_of(replace(tiny[0], dtype=dtype), data, **changes)
        home = tmp_path / "checkpoints"
        home.mkdir(exist_ok=True)
        (home / "manifest.json").write_text(manifest_text([entry]))
        if local:
            (home / entry.file).write_bytes(data)
        return entry, data

    return make


@pytest.fixture
def server():
    with serving_files() as own:
        yield own
