"""Links, pipes and unwritable folders where a command writes, in a separate process each.

Nothing is written through them, and no command hangs.
"""

import os
from pathlib import Path

import pytest

from tests.devils.commands import RUN, left, one_line

pytestmark = pytest.mark.slow

PART = ".{host}-{pid}.part"
FIT_FILES = (
    "last.ckpt",
    "last.ckpt.sha256",
    "record.json",
    "settings.json",
    "config.yaml",
    "progress.json",
)
LINKS = [
    *[("fit", f"runs/{RUN}/seed0/{name}{end}") for name in FIT_FILES for end in (".part", PART)],
    *[
        ("write", f"store/{name}{end}")
        for name in ("train.beton", "train.json")
        for end in ("", ".part", PART)
    ],
    ("report", "report.html"),
    ("report", "report.html.part"),
    ("report", "report.html" + PART),
    *[
        ("publish", f"out/{name}{end}")
        for name in ("manifest.json", "records.jsonl", "README.md")
        for end in (".part", PART)
    ],
]


@pytest.mark.parametrize("name", ["fit", "write", "report", "publish"])
def test_links_at_every_temporary_name(name, verb, nursery, tmp_path, canary):
    """All links at once: none is followed (the canary is unchanged), and the command succeeds."""
    links = {str(tmp_path / path): str(canary / "text") for verb_, path in LINKS if verb_ == name}
    for path in links:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    ended = nursery.run(tmp_path, *verb(name), links=links)
    one_line(ended, 0)


@pytest.mark.parametrize(
    ("name", "path", "target"),
    [
        ("fit", "runs/records.jsonl", "text"),
        ("fit", "runs/records.jsonl", "records.jsonl"),
        ("fit", f"runs/{RUN}/seed0/settings.json", "text"),
        ("fit", f"runs/{RUN}/seed0/last.ckpt", "text"),
        ("fit", f"runs/{RUN}/seed0/record.json", "text"),
        ("fit", f"runs/{RUN}/seed0/config.yaml", "text"),
        ("fit", f"runs/{RUN}/seed0/progress.json", "text"),
        ("time", "runs/records.jsonl", "text"),
        ("time-separate", "runs/time-typed.log", "text"),
        ("publish", "out/records.jsonl", "records.jsonl"),
        ("publish", "out/manifest.json", "text"),
    ],
    ids=lambda value: str(value).replace("/", "-"),
)
def test_a_link_at_a_final_name(name, path, target, verb, nursery, tmp_path, canary):
    """Replaced or refused, never written through."""
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).symlink_to(canary / target)
    one_line(nursery.run(tmp_path, *verb(name)), 0, 1, 2)
    assert not left(tmp_path)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        *[
            ("fit", f"runs/{RUN}/seed0/{file}")
            for file in ("settings.json", "record.json", "last.ckpt")
        ],
        ("fit", "runs/records.jsonl"),
        ("time", "runs/records.jsonl"),
        ("write", "store/train.beton"),
        ("write", "store/train.json"),
        ("report", "report.html"),
        ("publish", "out/manifest.json"),
    ],
    ids=lambda value: str(value).replace("/", "-"),
)
def test_a_pipe_in_place_of_a_file(name, path, verb, nursery, tmp_path):
    """Nobody writes into the pipe, so a reader would hang."""
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(tmp_path / path)
    one_line(nursery.run(tmp_path, *verb(name), seconds=40), 0, 1, 2)


@pytest.mark.parametrize("place", ["/proc/nothing", "file/x"])
@pytest.mark.parametrize("name", ["fit", "time", "write", "publish", "report"])
def test_an_unwritable_folder(name, place, verb, nursery, tmp_path):
    (tmp_path / "file").write_text("in the way")
    option = {"fit": "--runs_dir", "time": "--runs_dir"}.get(name, "--out")
    one_line(nursery.run(tmp_path, *verb(name), option, place), 1, 2)
    assert (tmp_path / "file").read_text() == "in the way"
