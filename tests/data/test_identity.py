"""Data sets that would train differently never share a hash.

Damaged and earlier stores are errors with the command that fixes them.
"""

import json
import os
import shutil

import pytest
from PIL import Image

from fastscale.data import ImageData, check_beton, read_info, source, upgrade
from fastscale.data.verify import verify
from fastscale.data.write import write
from fastscale.errors import InputError
from tests.data.conftest import SMALL, opened, written

pytest.importorskip("ffcv", reason="FFCV is not installed")
NEW = ("labels_digest", "counts", "content_sha256", "modified_ns", "folders", "folders_stamp")


def test_the_stored_form_is_part_of_the_identity(tree, lines):
    as_they_are = written(tree, lines, raw_share=1.0)
    assert as_they_are.stored == {} and as_they_are.data_hash == opened(tree, "plain").data_hash
    coarse = written(tree, lines, max_resolution=64, jpeg_quality=5)
    assert coarse.stored == {"max_resolution": 64, "jpeg_quality": 5, "raw_share": 0.0}
    finer = written(tree, lines, max_resolution=64, jpeg_quality=80)
    assert len({d.data_hash for d in (as_they_are, coarse, finer)}) == 3
    assert coarse._first_hash == finer._first_hash and coarse.same_data(finer._first_hash)
    assert not coarse.same_data(finer.data_hash)


def test_jpegs_kept_byte_for_byte_have_the_sources_identity(make, lines):
    tree = make("photos", 3, 2, suffix="jpg")
    data = written(tree, lines)
    assert data.stored == {} and data.data_hash == opened(tree, "plain").data_hash
    assert read_info(data.source.betons / "train.beton").counts["kept"] == 9


def test_labels_and_class_names_are_part_of_the_identity(small_tree, lines):
    seen = {written(small_tree, lines).data_hash}
    for k in range(5):
        name = small_tree / "train" / "ant" / f"{k:03d}.png"
        os.rename(name, small_tree / "train" / "bee" / f"1{k:02d}.png")
    seen.add(opened(small_tree, "plain").data_hash)
    with pytest.raises(InputError, match=r"has changed since it was written: .*relabelled"):
        opened(small_tree)
    lines.clear()
    seen.add(written(small_tree, lines).data_hash)
    assert "train: 45 images" in "".join(lines) and len(seen) == 2
    for split in ("train", "val"):
        os.rename(small_tree / split / "cat", small_tree / split / "bug")
    with pytest.raises(InputError, match=r"15 images relabelled"):
        opened(small_tree)
    seen.add(written(small_tree, lines).data_hash)
    assert len(seen) == 3 and opened(small_tree).classes == ("ant", "bee", "bug")


def zero(path, keep_time=False):
    time = path.stat().st_mtime_ns
    with open(path, "r+b") as f:
        f.seek(check_at(path))
        f.write(bytes(20_000))
    if keep_time:
        os.utime(path, ns=(time, time))


def check_at(path):
    from fastscale.data.beton import read_index

    return read_index(path).data_start + 1000


@pytest.mark.parametrize("keep_time", [False, True])
def test_zeroed_pixels_are_found_and_repaired(small_tree, lines, keep_time):
    data = written(small_tree, lines)
    path = data.source.betons / "train.beton"
    good = path.read_bytes()
    zero(path, keep_time)
    check_beton(path)
    if not keep_time:
        with pytest.raises(InputError, match=r"train\.beton: damaged.*fastscale data write"):
            opened(small_tree)
    lines.clear()
    assert verify(str(small_tree), say=lines) == 1
    assert "damaged" in lines[0] and f"fastscale data write {small_tree}" in lines[0]
    assert "val.beton: intact, 12 images" in lines[1]
    with pytest.raises(InputError, match="damaged"):
        opened(small_tree)
    write(str(small_tree), workers=0, progress=lines)
    assert any("is damaged: rewriting it" in line for line in lines)
    assert path.read_bytes() == good and verify(str(small_tree), say=lines) == 0


def test_verify_reads_the_source_hash_by_hash(small_tree, lines):
    written(small_tree, lines, jpeg_quality=40)
    file = small_tree / "train/bee/003.png"
    kept = file.stat()
    content = bytearray(file.read_bytes())
    content[-20] ^= 1
    file.write_bytes(content)
    os.utime(file, ns=(kept.st_atime_ns, kept.st_mtime_ns))
    lines.clear()
    assert verify(str(small_tree), say=lines) == 1
    assert "stale: 1 image changed" in lines[0] and "--jpeg-quality 40" in lines[0]


def test_verify_says_how_a_store_differs_from_its_source(tree, lines):
    written(tree, lines, max_resolution=64)
    lines.clear()
    assert verify(str(tree), say=lines) == 0
    assert "max_resolution 64" in lines[0] and "24 shrunk" in lines[0]
    with pytest.raises(InputError, match="nothing is written there; write it with"):
        verify("cifar10", say=lines)


def to_version_1(folder):
    """Turn the descriptions into those of version 1."""
    for path in folder.glob("*.json"):
        fields = json.loads(path.read_text())
        for name in (*NEW, "place"):
            del fields[name]
        path.write_text(json.dumps({**fields, "version": 1}))


@pytest.mark.parametrize("form", [{}, {"raw_share": 0.5, "jpeg_quality": 70}])
def test_a_store_of_an_earlier_version_is_updated(make, lines, form, monkeypatch):
    tree = make("photos", 4, 2, suffix="jpg")
    before = written(tree, lines, **form)
    path = before.source.betons / "train.beton"
    to_version_1(path.parent)
    inode = path.stat().st_ino
    with pytest.raises(InputError, match="earlier version.*update it") as e:
        opened(tree)
    assert "\n" not in str(e.value)
    assert ("--jpeg-quality 70" in str(e.value)) == bool(form)
    lines.clear()
    if not form:
        monkeypatch.setattr(upgrade, "encode", lambda *a: pytest.fail("encoded again"))
    write(str(tree), workers=0, progress=lines, **form)
    assert path.stat().st_ino == inode and "is updated" in lines[-1]
    after = opened(tree)
    assert (after.data_hash, after.stored) == (before.data_hash, before.stored)


def test_an_earlier_store_that_does_not_match_is_rewritten(make, lines):
    tree = make("photos", 4, 2, suffix="jpg")
    before = written(tree, lines)
    path = before.source.betons / "train.beton"
    good = path.read_bytes()
    to_version_1(path.parent)
    zero(path)
    write(str(tree), workers=0, progress=lines)
    assert any("stored images differ from what would be written" in line for line in lines)
    assert path.read_bytes() == good and opened(tree).data_hash == before.data_hash


def test_an_earlier_store_is_updated_without_its_images(make, small_tree, lines):
    for tree, unproven in ((make("photos", 2, 1, suffix="jpg"), True), (small_tree, True)):
        before = written(tree, lines)
        to_version_1(before.source.betons)
        shutil.rmtree(tree)
        write(f"folder:{tree}", workers=0, progress=lines)
        after = ImageData(f"folder:{tree}", loader="ffcv", **SMALL | {"batch_size": 1})
        assert after.stored.get("unproven", False) == unproven
        assert after.same_data(before._first_hash) and not after.same_data(before.data_hash)


@pytest.mark.parametrize("field, value", [
    ("mean", [1.0, 2.0]), ("std", [1, 2, "3"]), ("std", [0, 0, 0]), ("mean", [1e308, 0, 0]),
    ("classes", ["a", "a", "b"]), ("classes", "abc"), ("classes", []), ("class_counts", [1, 2]),
    ("count", -1), ("count", "24"), ("bytes", 1.5), ("settings", {}), ("settings", [1]),
    ("list_digest", "x"), ("stamp", 3), ("split", "test"), ("command", None), ("counts", {}),
    ("modified_ns", 10**400), ("version", 3), ("version", "2"), ("source", ["a"]), ("mean", None),
])  # fmt: skip
def test_a_description_with_an_invalid_field_is_one_line(photos, field, value):
    path = photos.betons / "train.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), field: value}))
    with pytest.raises(InputError, match=r"train\.json: not the description of a \.beton") as e:
        ImageData(photos.spec, loader="ffcv", **SMALL)
    assert "\n" not in str(e.value) and "fastscale data write" in str(e.value)


@pytest.mark.parametrize("text", ["[" * 50_000, "\xff\xfe", "{}", "[1]", '{"mean": NaN}', ""])
def test_an_invalid_description_is_one_line(photos, text):
    (photos.betons / "val.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=r"val\.json: ") as e:
        ImageData(photos.spec, loader="ffcv", **SMALL)
    assert "\n" not in str(e.value)


def test_only_the_validation_split(tree, lines):
    whole = written(tree, lines)
    data = opened(tree, only_val=True)
    assert (data.train_size, data.val_size, data.data_hash) == (0, 9, whole.data_hash)
    with pytest.raises(InputError, match="opened for validation alone"):
        data.train_dataloader()
    shutil.rmtree(data.source.home)
    shutil.rmtree(tree / "train")
    for loader in ("auto", "plain"):
        data = opened(tree, loader, only_val=True)
        assert (data.loader_name, data.val_size) == ("plain", 9)
        assert sum(len(y) for _, y in data.val_dataloader()) == 9
    with pytest.raises(InputError, match="train/<class>"):
        opened(tree, "plain")


def test_no_link_is_followed(small_tree, tmp_path, lines):
    s = source(str(small_tree))
    s.betons.mkdir(parents=True)
    victim = tmp_path / "victim"
    victim.write_text("mine")
    names = [s.betons / f"{split}.{kind}{part}" for split in ("train", "val")
             for kind in ("beton", "json") for part in ("", ".part")]  # fmt: skip
    names += [s.home / f"{n}-train.{k}" for n, k in (("digest", "json"), ("listing", "gz"))]
    for name in names:
        name.symlink_to(victim)
    write(s, workers=0, progress=lines)
    assert victim.read_text() == "mine" and not any(n.is_symlink() for n in names)
    (s.betons / ".write.lock").unlink()
    (s.betons / ".write.lock").symlink_to(victim)
    with pytest.raises(InputError, match="a link"):
        write(s, workers=0, progress=lines)
    assert victim.read_text() == "mine"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("count", 1.0, "count must be a valid integer"),
        ("bytes", True, "bytes must be a valid integer"),
        ("mean", [1, 2, "3"], "mean.2 must be a valid number"),
        ("std", [0, 1, 1], "std.0 must be greater than or equal to 0.001"),
        ("classes", ["a", "a"], "classes must be different texts"),
        ("class_counts", [1], "class_counts do not belong to classes and count"),
        ("split", "test", "split must be train or val"),
        ("list_digest", "x", "list_digest must match pattern"),
        ("settings", {}, "missing field 'settings.max_resolution'"),
        ("counts", {"raw": 1}, "counts must be kept, raw, encoded, shrunk, unproven"),
    ],
)
def test_a_wrong_field_of_a_description_is_named(tree, lines, field, value, message):
    write(str(tree), workers=0, progress=lines)
    path = source(str(tree)).betons / "train.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), field: value}))
    with pytest.raises(InputError, match=f"not the description.*{message}") as e:
        read_info(path.with_suffix(".beton"))
    assert "\n" not in str(e.value)


def test_an_eps_under_a_jpegs_name_is_broken_and_nothing_is_started(tree, lines, monkeypatch):
    import subprocess

    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n"
    (tree / "train/ant/000.jpg").write_bytes(eps)
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **k: pytest.fail("a program was started"))
    infos = write(str(tree), workers=0, progress=lines, skip_broken=True)
    assert infos["train"].skipped == 1 and any("000.jpg: not an image" in line for line in lines)


def test_a_picture_of_too_many_pixels_is_broken(tree, lines, monkeypatch):
    from fastscale.data import images

    monkeypatch.setattr(images, "MAX_PIXELS", 200 * 200)
    Image.new("RGB", (201, 201)).save(tree / "train/ant/000.png")
    infos = write(str(tree), workers=0, progress=lines, skip_broken=True)
    assert infos["train"].skipped == 1 and any("201 x 201 pixels" in line for line in lines)
