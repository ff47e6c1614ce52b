"""`data write`: what it stores, keeps, rewrites and refuses."""

import json
import os
import re
import shutil

import cv2
import numpy as np
import pytest
from PIL import Image

from fastscale.data import BrokenImages, check_beton, prepare, read_info, source
from fastscale.data.beton import JPG, RAW, ROW, ROWS_AT
from fastscale.data.encode import Settings, encode
from fastscale.data.write import write
from fastscale.errors import InputError
from tests.data.conftest import left


def rows(path, n):
    return np.fromfile(path, dtype=ROW, count=n, offset=ROWS_AT)


def test_both_splits_and_their_descriptions(tree, lines, data_dir):
    s = source(str(tree))
    infos = write(s, progress=lines, workers=2)
    assert left(s.betons) == ["train.beton", "train.json", "val.beton", "val.json"]
    for split, n in (("train", 24), ("val", 9)):
        info = read_info(s.betons / f"{split}.beton")
        assert info == infos[split]
        assert (info.count, info.classes, info.class_counts) == (
            n,
            ("ant", "bee", "cat"),
            (n // 3,) * 3,
        )
        assert info.list_digest == s.split(split).list_digest()
        assert info.settings == {
            "max_resolution": 500,
            "jpeg_quality": None,
            "raw_share": 0.0,
            "limit": None,
        }
        assert info.mean == s.mean and info.bytes == (s.betons / f"{split}.beton").stat().st_size
        assert (rows(s.betons / f"{split}.beton", n)["image"]["mode"] == JPG).all()
    assert any(re.search(r": 24 images, \d+\.\d MB, in \d\d:\d\d$", line) for line in lines)


def test_the_file_is_the_same_for_any_number_of_workers(tree, tmp_path, lines):
    for workers in (0, 1, 2):
        write(str(tree), tmp_path / str(workers), raw_share=0.5, workers=workers, progress=lines)
    a, b, c = ((tmp_path / str(w) / "train.beton").read_bytes() for w in (0, 1, 2))
    assert a == b == c


def test_images_are_stored_as_requested(tree, tmp_path, lines):
    write(str(tree), tmp_path / "a", max_resolution=80, raw_share=0.5, progress=lines, workers=0)
    image = rows(tmp_path / "a" / "train.beton", 24)["image"]
    assert (
        max(image["width"].max(), image["height"].max()) == 80
        and 0 < (image["mode"] == RAW).sum() < 24
    )
    write(str(tree), tmp_path / "b", jpeg_quality=30, progress=lines, workers=0)
    write(str(tree), tmp_path / "c", jpeg_quality=95, progress=lines, workers=0)
    small, large = (json.loads((tmp_path / x / "train.json").read_text())["bytes"] for x in "bc")
    pages = [
        np.fromfile(tmp_path / x / "train.beton", dtype="u8", offset=n - 24 * 24)[2::3].sum()
        for x, n in (("b", small), ("c", large))
    ]
    assert pages[0] < pages[1] / 2


def test_small_images_are_stored_raw_and_exact(small_tree, lines):
    s = source(str(small_tree))
    write(s, progress=lines, workers=0)
    row = rows(s.betons / "train.beton", 45)
    assert (row["image"]["mode"] == RAW).all()
    file = np.fromfile(s.betons / "train.beton", dtype=np.uint8)
    for i in (0, 20, 44):
        pixels, at = s.split("train").pixels(i), int(row["image"]["pointer"][i])
        assert (file[at : at + pixels.size].reshape(pixels.shape) == pixels).all()


def test_shrinking_is_as_in_ffcv(tree):
    images = source(str(tree)).split("train")
    pixels = images.pixels(3)
    got = encode(images, 3, Settings(61))
    ratio = 61 / max(pixels.shape[:2])
    wanted = cv2.resize(
        pixels,
        (int(pixels.shape[1] * ratio), int(pixels.shape[0] * ratio)),
        interpolation=cv2.INTER_AREA,
    )
    assert (
        np.frombuffer(got.data, dtype=np.uint8).reshape(got.height, got.width, 3) == wanted
    ).all()


def test_a_second_call_keeps_the_files(tree, lines):
    write(str(tree), progress=lines)
    before = {p: p.stat().st_mtime_ns for p in source(str(tree)).betons.iterdir()}
    infos = prepare(str(tree), progress=lines)
    assert [("is already written" in line) for line in lines[-2:]] == [True, True] and infos[
        "train"
    ].count == 24
    assert {p: p.stat().st_mtime_ns for p in before} == before


@pytest.mark.parametrize("change", ["settings", "image", "cut", "json", "touched"])
def test_changes_are_rewritten(tree, lines, change):
    s = source(str(tree))
    write(s, progress=lines, workers=0)
    old = read_info(s.betons / "train.beton")
    settings = {}
    if change == "settings":
        settings = {"jpeg_quality": 70}
    elif change == "image":
        Image.new("RGB", (90, 90), "red").save(tree / "train" / "ant" / "000.png")
    elif change == "cut":
        with open(s.betons / "train.beton", "r+b") as f:
            f.truncate(old.bytes - 5)
    elif change == "json":
        (s.betons / "train.json").unlink()
    else:
        os.utime(tree / "train" / "ant" / "000.png", (1, 1))  # the same content: nothing to do
    lines.clear()
    new = write(s, progress=lines, workers=0, **settings)["train"]
    assert ("train: 24 images" in "".join(lines)) == (change != "touched")
    assert (new.list_digest != old.list_digest) == (change == "image")
    check_beton(s.betons / "train.beton")


def test_a_trial_of_few_images(tree, lines):
    infos = write(str(tree), limit=6, progress=lines, workers=0)
    assert (infos["train"].count, infos["val"].count) == (6, 6) and infos["train"].settings[
        "limit"
    ] == 6
    assert write(str(tree), progress=lines, workers=0)["train"].count == 24
    with pytest.raises(InputError, match="limit 0"):
        write(str(tree), limit=0)


@pytest.mark.parametrize(
    "wrong",
    [{"jpeg_quality": 0}, {"raw_share": 1.5}, {"max_resolution": 0}, {"max_resolution": 70000}],
)
def test_invalid_settings(tree, wrong):
    with pytest.raises(InputError, match=f"{next(iter(wrong))} .*: must be"):
        write(str(tree), **wrong)


def spoil(tree):
    good = tree / "train" / "bee" / "004.png"
    good.write_bytes(good.read_bytes()[:300])
    (tree / "val" / "cat" / "001.png").write_bytes(b"not an image")
    return [str(good), str(tree / "val" / "cat" / "001.png")]


@pytest.mark.parametrize("workers", [0, 2])
def test_broken_images_are_all_named_and_end_the_job(tree, lines, workers):
    names = spoil(tree)
    s = source(str(tree))
    with pytest.raises(BrokenImages, match="2 broken images; --skip-broken leaves them out") as e:
        write(s, progress=lines, workers=workers)
    assert [n.split(": ")[0] for n in e.value.names] == names and all(
        n in str(e.value) for n in names
    )
    assert e.value.names[1] == f"{names[1]}: not an image"  # without PIL's memory address
    assert left(s.betons) == []
    assert not any(" MB, in " in line for line in lines)  # no count of what is not written


def test_broken_images_are_left_out_on_request(tree, lines):
    spoil(tree)
    s = source(str(tree))
    infos = write(s, skip_broken=True, progress=lines, workers=2)
    train, val = infos["train"], infos["val"]
    assert (train.count, train.class_counts, train.skipped) == (23, (8, 7, 8), 1) and (
        val.count,
        val.skipped,
    ) == (8, 1)
    assert rows(s.betons / "train.beton", 23)["label"].tolist() == [0] * 8 + [1] * 7 + [2] * 8
    check_beton(s.betons / "train.beton")
    lines.clear()
    write(s, skip_broken=True, progress=lines, workers=2)
    assert all("is already written" in line for line in lines)
    assert all(line.endswith(" images, 1 broken image left out") for line in lines)


def test_an_empty_class_in_val_is_found_before_train_is_written(tree, lines):
    for file in (tree / "val" / "bee").iterdir():
        file.unlink()
    with pytest.raises(InputError, match="val/bee: contains no images"):
        write(str(tree), progress=lines, workers=0)
    assert not any("train:" in line for line in lines)


def test_nothing_but_broken_images(tree, lines):
    for f in tree.rglob("*.png"):
        f.write_bytes(b"x")
    with pytest.raises(InputError, match="every image is broken"):
        write(str(tree), skip_broken=True, progress=lines, workers=0)


@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "RGBA", "I;16"])
def test_other_kinds_of_images_are_written(tree, lines, mode):
    for k, f in enumerate(sorted((tree / "train").rglob("*.png"))):
        image = Image.open(f).convert("L" if mode == "I;16" else mode)
        if mode == "I;16":
            image = Image.fromarray(np.asarray(image).astype(np.uint16) * 257)
        f.unlink()
        image.save(f.with_suffix(".jpg" if mode == "CMYK" else ".png"))
        if k == 5:
            break
    assert write(str(tree), progress=lines, workers=0)["train"].count == 24


def test_the_command_in_the_json_names_the_folder(tree, tmp_path, lines):
    infos = write(str(tree), data_dir=tmp_path / "elsewhere", progress=lines, workers=0)
    assert (
        infos["val"].command == f"fastscale data write {tree} --data-dir {tmp_path / 'elsewhere'}"
    )
    assert len(list((tmp_path / "elsewhere").rglob("*.beton"))) == 2
    shutil.rmtree(tmp_path / "elsewhere")
