"""Downloads from a server on this machine: resumed, verified, from mirrors in order."""

import hashlib

import numpy as np
import pytest

from fastscale.data import download as module
from fastscale.data.download import download
from fastscale.errors import InputError
from tests.serving import serving_files

BODY = np.random.default_rng(0).bytes(700_000)
SHA256, MD5 = hashlib.sha256(BODY).hexdigest(), hashlib.md5(BODY).hexdigest()


@pytest.fixture
def server():
    with serving_files() as own:
        own.files |= {"/a": BODY, "/wrong": b"wrong" * 100}
        yield own


def test_a_file_is_fetched_once(server, tmp_path, lines):
    for _ in range(2):
        got = download([f"{server.url}/a"], tmp_path / "a", sha256=SHA256, md5=MD5, say=lines)
        assert got.read_bytes() == BODY
    assert len(server.asked) == 1 and not list(tmp_path.glob("*.part"))


def test_an_interrupted_download_resumes(server, tmp_path, lines):
    (tmp_path / "a.part").write_bytes(BODY[:300_000])
    download([f"{server.url}/a"], tmp_path / "a", sha256=SHA256, say=lines)
    assert server.asked == [("/a", "bytes=300000-")] and (tmp_path / "a").read_bytes() == BODY


def test_a_broken_connection_is_resumed(server, tmp_path, lines):
    server.drop = 400_000
    download([f"{server.url}/a"], tmp_path / "a", sha256=SHA256, say=lines)
    assert [r for _, r in server.asked] == [None, "bytes=400000-"] and (
        tmp_path / "a"
    ).read_bytes() == BODY


def test_a_server_that_cannot_resume_starts_again(server, tmp_path, lines):
    server.ranges = False
    (tmp_path / "a.part").write_bytes(BODY[:1000])
    download([f"{server.url}/a"], tmp_path / "a", sha256=SHA256, say=lines)
    assert (tmp_path / "a").read_bytes() == BODY and len(server.asked) == 1


@pytest.mark.parametrize("part", [BODY, b"rubbish" * 10_000, BODY + b"more"])
def test_a_complete_or_foreign_part_still_ends_well(server, tmp_path, lines, part):
    (tmp_path / "a.part").write_bytes(part)
    download([f"{server.url}/a"], tmp_path / "a", sha256=SHA256, say=lines)
    assert (tmp_path / "a").read_bytes() == BODY


def test_mirrors_are_tried_in_order(server, tmp_path, lines):
    urls = [f"{server.url}/{p}" for p in ("missing", "wrong", "a", "never")]
    download(urls, tmp_path / "a", sha256=SHA256, say=lines)
    assert [p for p, _ in server.asked] == ["/missing", "/wrong", "/a"]


@pytest.mark.parametrize("kind, value", [("sha256", SHA256), ("md5", MD5)])
def test_a_wrong_file_is_deleted_and_the_error_says_so(server, tmp_path, lines, kind, value):
    with pytest.raises(
        InputError, match=rf"wrong file, deleted \({kind} is .*, expected {value}\)"
    ) as e:
        download([f"{server.url}/wrong"], tmp_path / "a", say=lines, **{kind: value})
    assert not list(tmp_path.iterdir()) and "\n" not in str(e.value)


def test_no_server_is_one_line(tmp_path, lines, server, monkeypatch):
    monkeypatch.setattr(module, "TIMEOUT", 5)
    with pytest.raises(InputError, match=r"could not fetch a: .*refused.*404") as e:
        download(
            ["http://127.0.0.1:9/a", f"{server.url}/missing"],
            tmp_path / "a",
            sha256=SHA256,
            say=lines,
        )
    assert "\n" not in str(e.value)


def test_an_older_wrong_file_in_place_is_replaced(server, tmp_path, lines):
    (tmp_path / "a").write_bytes(b"old")
    download([f"{server.url}/a"], tmp_path / "a", sha256=SHA256, say=lines)
    assert (tmp_path / "a").read_bytes() == BODY


def test_nothing_is_fetched_without_a_hash(tmp_path):
    with pytest.raises(ValueError, match="known hash"):
        download(["http://127.0.0.1:9/a"], tmp_path / "a")
