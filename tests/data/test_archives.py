"""Archives are unpacked completely and inside their folder, or not at all."""

import io
import shutil
import tarfile
import zipfile

import pytest

from fastscale.data.archives import unpack
from fastscale.errors import InputError


@pytest.mark.parametrize(
    "kind, suffix",
    [
        ("tar", "tar"),
        ("gztar", "tar.gz"),
        ("xztar", "tar.xz"),
        ("bztar", "tar.bz2"),
        ("zip", "zip"),
    ],
)
def test_every_kind_is_unpacked(tree, tmp_path, kind, suffix, lines):
    made = shutil.make_archive(str(tmp_path / "a"), kind, tree)
    assert made.endswith(suffix)
    out = unpack(tmp_path / f"a.{suffix}", tmp_path / "out", lines)
    assert sorted(p.relative_to(out) for p in out.rglob("*.png")) == sorted(
        p.relative_to(tree) for p in tree.rglob("*.png")
    )
    assert (out / "val/cat/002.png").read_bytes() == (tree / "val/cat/002.png").read_bytes()
    assert "33 files" in lines[-1]


def tar_with(path, name, **attributes):
    with tarfile.open(path, "w") as t:
        good = tarfile.TarInfo("train/ant/0.png")
        good.size = 3
        t.addfile(good, io.BytesIO(b"abc"))
        bad = tarfile.TarInfo(name)
        for k, v in attributes.items():
            setattr(bad, k, v)
        t.addfile(bad, io.BytesIO(b"x" * bad.size))


@pytest.mark.parametrize(
    "name, attributes",
    [
        ("../escaped", {"size": 1}),
        ("train/../../escaped", {"size": 1}),
        ("/escaped", {"size": 1}),
        ("link", {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}),
        ("link", {"type": tarfile.LNKTYPE, "linkname": "../../x"}),
        ("pipe", {"type": tarfile.FIFOTYPE}),
    ],
)
def test_a_hostile_tar_is_refused_and_leaves_nothing(tmp_path, name, attributes):
    tar_with(tmp_path / "evil.tar", name, **attributes)
    with pytest.raises(InputError, match=r"outside|link or device"):
        unpack(tmp_path / "evil.tar", tmp_path / "in" / "out")
    assert (
        not (tmp_path / "in" / "out").exists()
        and not list(tmp_path.rglob("escaped"))
        and not list(tmp_path.rglob("*.part"))
    )


@pytest.mark.parametrize("name", ["../escaped", "/escaped", "a\\..\\..\\escaped", "C:/escaped"])
def test_a_hostile_zip_is_refused(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as z:
        z.writestr(name, "x")
    with pytest.raises(InputError, match="outside"):
        unpack(tmp_path / "evil.zip", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "kind, suffix", [("tar", "tar"), ("gztar", "tar.gz"), ("xztar", "tar.xz"), ("zip", "zip")]
)
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_cut_archive_is_one_error_and_leaves_nothing(tree, tmp_path, kind, suffix, share):
    made = tmp_path / f"a.{suffix}"
    shutil.make_archive(str(tmp_path / "a"), kind, tree)
    made.write_bytes(made.read_bytes()[: int(made.stat().st_size * share)])
    with pytest.raises(InputError, match=r"not a complete"):
        unpack(made, tmp_path / "out")
    assert not (tmp_path / "out").exists() and not (tmp_path / "out.part").exists()


def test_leftovers_of_a_killed_run_are_removed(tree, tmp_path, lines):
    shutil.make_archive(str(tmp_path / "a"), "tar", tree)
    (tmp_path / "out.part").mkdir()
    (tmp_path / "out.part" / "stray").write_text("x")
    assert not (unpack(tmp_path / "a.tar", tmp_path / "out", lines) / "stray").exists()


FULL = """
import resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
from fastscale.data.archives import unpack
from fastscale.errors import InputError
try:
    unpack(Path(sys.argv[1]), Path(sys.argv[2]))
except InputError as e:
    print("SAID", e)
"""


@pytest.mark.parametrize("kind, suffix", [("xztar", "tar.xz"), ("zip", "zip")])
def test_a_full_disk_is_not_the_archives_fault(tree, tmp_path, python, kind, suffix):
    shutil.make_archive(str(tmp_path / "a"), kind, tree)
    r = python(FULL, tmp_path / f"a.{suffix}", tmp_path / "out")
    assert r.stdout.startswith(
        f"SAID cannot unpack {tmp_path}/a.{suffix} into {tmp_path}: File too large"
    ), r.stdout + r.stderr
    assert not (tmp_path / "out").exists() and not (tmp_path / "out.part").exists()
