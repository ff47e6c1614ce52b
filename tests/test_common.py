"""Atomic writes, bounded reads, numbers and safe texts."""

import errno
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from fastscale.common import (
    did_you_mean,
    number,
    open_to_append,
    parse_json,
    parse_yaml,
    plain,
    read_bytes,
    read_text,
    slug,
    whole_file,
    write_whole,
)
from fastscale.errors import InputError


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = write_whole(tmp_path / "a.txt", "before")
    with pytest.raises(OSError), whole_file(path) as file:
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert path.read_text() == "before"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_links_are_replaced_not_followed(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    link = tmp_path / "out.json"
    link.symlink_to(victim)
    for suffix in (".part", f".{os.getpid()}.part"):
        (tmp_path / f"out.json{suffix}").symlink_to(victim)
    write_whole(link, "{}")
    assert victim.read_text() == "untouched"
    assert link.read_text() == "{}" and not link.is_symlink()


@pytest.mark.parametrize("kind", ["folder", "pipe", "socket", "device"])
@pytest.mark.parametrize("linked", [False, True])
def test_only_plain_files_are_replaced(kind, linked, tmp_path):
    """Root could otherwise replace a device by renaming."""
    there = tmp_path / "there"
    if kind == "folder":
        there.mkdir()
    elif kind == "pipe":
        os.mkfifo(there)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(there))
    elif linked:
        there = Path("/dev/null")
    else:
        try:
            os.mknod(there, 0o600 | stat.S_IFCHR, os.makedev(1, 3))
        except OSError:
            pytest.skip("only root makes devices")
    path = there
    if linked:
        path = tmp_path / "link"
        path.symlink_to(there)
    before = there.stat().st_mode
    with pytest.raises(InputError, match="a folder; give" if kind == "folder" else "not a plain"):
        write_whole(path, "content")
    assert there.stat().st_mode == before and path.is_symlink() == linked
    assert not list(tmp_path.glob("*.part"))


def test_links_to_nothing_or_to_themselves_are_replaced(tmp_path):
    for name, target in (("gone", "nowhere"), ("round", "round")):
        (tmp_path / name).symlink_to(target)
        assert write_whole(tmp_path / name, "x").read_text() == "x"
    assert not (tmp_path / "nowhere").exists()


def test_the_next_write_removes_what_a_killed_writer_left(tmp_path):
    code = (
        "import os, signal, sys; from fastscale.common import whole_file\n"
        "with whole_file(sys.argv[1]) as f: f.write(b'half'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    path = tmp_path / "out"
    assert subprocess.run([sys.executable, "-c", code, path]).returncode == -9
    assert len(list(tmp_path.iterdir())) == 1 and not path.exists()
    write_whole(path, "whole")
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_appending_follows_no_link_and_waits_for_no_pipe(tmp_path):
    (tmp_path / "text").write_text("a line without an end")
    (tmp_path / "link").symlink_to(tmp_path / "text")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe"):
        with pytest.raises(InputError, match="not a plain file"):
            open_to_append(tmp_path / name)
    with pytest.raises(InputError, match="not a plain file"):
        read_bytes(tmp_path / "pipe")
    assert (tmp_path / "text").read_text() == "a line without an end"


def test_reads_are_bounded(tmp_path):
    (tmp_path / "big").write_bytes(bytes(100))
    (tmp_path / "latin").write_bytes(b"caf\xe9")
    assert len(read_bytes(tmp_path / "big", 100)) == 100
    with pytest.raises(InputError, match="larger than 99 bytes"):
        read_bytes(tmp_path / "big", 99)
    with pytest.raises(InputError, match="not UTF-8"):
        read_text(tmp_path / "latin")


@pytest.mark.parametrize(
    "text",
    [
        "[" * 50_000,
        "[" * 60 + "]" * 60,
        "NaN",
        '{"a": Infinity}',
        '{"a": 1, "a": 2}',
        "{",
        "",
        "9" * 5000,
    ],
)
def test_json_that_is_refused(text):
    with pytest.raises(InputError, match="not JSON"):
        parse_json(text, "here")


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "\n".join(
    f"{b}: &{b} [{', '.join(f'*{a}' for _ in range(9))}]"
    for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 50_000,
        BOMB,
        "a: &a [*a]",
        "a: [",
        "!!python/object/apply:os.system [ls]",
        "a: *b",
        "\x00",
    ],
)
def test_yaml_that_is_refused(text):
    with pytest.raises(InputError, match="YAML"):
        parse_yaml(text, "here")


def test_yaml_with_anchors_and_merges_is_read():
    assert parse_yaml("a: &a {x: 1}\nb: {<<: *a, y: 2}\nc: *a", "here") == {
        "a": {"x": 1},
        "b": {"x": 1, "y": 2},
        "c": {"x": 1},
    }


@pytest.mark.parametrize(
    "value", ["nan", "inf", "-1", "1e308", "", "x", "2.5", "1e20", True, None, "9" * 400]
)
def test_numbers_that_are_refused(value):
    with pytest.raises(ValueError, match="wanted a whole number from 0 to 1,000"):
        number(value, 0, 1000, whole=True)


def test_numbers_that_are_taken():
    assert number("1e3", 0, 1000, whole=True) == 1000 and type(number("7", 0, 9, True)) is int
    assert number("0.5", 0, 1) == 0.5 and number(0, 0, 1) == 0
    assert number(str(2**53 + 1), 0, 2**60, whole=True) == 2**53 + 1


def test_control_characters_are_escaped():
    assert plain("a\x1b[2J\u202eb\x07\r\u200b") == r"a\x1b[2J\u202eb\x07\x0d\u200b"
    assert plain(os.fsdecode(b"caf\xe9")) == r"caf\xe9"
    assert plain("Größe, 模型 ±\n\t") == "Größe, 模型 ±\n\t"


def test_slug():
    assert slug("NVIDIA H200, 16-mixed") == "nvidia-h200-16-mixed"
    assert slug(" (R) ") == "r" and slug("--") == ""


@pytest.mark.parametrize(
    ("word", "known", "said"),
    [
        ("colums", ["rows", "columns"], "did you mean 'columns'?"),
        ("fig-9", ["fig-1", "fig-2", "table"], "did you mean 'fig-1' or 'fig-2'?"),
        (
            "FIG-9",
            ["fig-1", "fig-2", "fig-3", "fig-4"],
            "did you mean 'fig-1', 'fig-2' or 'fig-3'?",
        ),
        (5, ["rows", "columns"], "known are rows, columns"),
        ("x", [], "known are none"),
        ("x", [f"word{i}" for i in range(40)], "nearest are word0, word1, word2"),
        ("y" * 10**7, ["rows"], "known are rows"),
    ],
)
def test_a_wrong_word_gets_similar_ones(word, known, said):
    assert did_you_mean(word, known) == said
    assert did_you_mean(word, known, see="fastscale list") == f"{said} (see `fastscale list`)"
