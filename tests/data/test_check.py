"""`fastscale data check`: every oddity has its line, and a plain set has none."""

import shutil

import numpy as np
import pytest
from PIL import Image

from fastscale.cli import main
from fastscale.data.check import is_grey
from tests.data.conftest import draw, make_tree

PLAIN = "nothing odd: no broken, tiny, grey or rotated images, no copies, no small classes"


@pytest.fixture
def animals(tmp_path, data_home):
    """12 training and 3 validation images in each of three classes: nothing odd."""
    return make_tree(tmp_path / "animals", train=12)


def said(root, capsys, code):
    assert main(["data", "check", f"folder:{root}"]) == code
    out, err = capsys.readouterr()
    assert not err
    return out.splitlines()


def test_a_plain_set(animals, capsys):
    lines = said(animals, capsys, 0)
    assert lines[-1] == PLAIN and len(lines) == 3
    assert "train: 36 images in 3 classes, 12 in each; " in lines[0]
    assert "val: 9 images in 3 classes, 3 in each; " in lines[1]


def test_copies_in_both_splits_are_a_fault(animals, capsys):
    first, second = sorted((animals / "train/ant").iterdir())[:2]
    shutil.copy(first, animals / "val/ant/again.png")
    shutil.copy(second, animals / "train/ant/copy.png")
    lines = said(animals, capsys, 1)[2:]
    assert lines == [
        "fault: 1 validation image is byte for byte in the training images too "
        f"(train/ant/{first.name} = val/ant/again.png): the measured error will be too low",
        "odd: 1 image is a copy of another in its class "
        f"(train/ant/{second.name} = train/ant/copy.png)",
    ]


def test_one_image_in_two_classes_is_a_fault(animals, capsys):
    first = min((animals / "train/ant").iterdir())
    shutil.copy(first, animals / "train/bee/copy.png")
    (line,) = said(animals, capsys, 1)[2:]
    assert line == (
        "fault: 1 image is byte for byte in two classes or more "
        f"(train/ant/{first.name} = train/bee/copy.png)"
    )


def test_broken_images_are_a_fault(animals, capsys):
    whole = min((animals / "train/ant").iterdir())
    (animals / "train/ant/cut.png").write_bytes(whole.read_bytes()[:900])
    (animals / "val/bee/text.jpg").write_text("no image")
    (line,) = said(animals, capsys, 1)[2:]
    assert line.startswith("fault: 2 images are broken (") and "--skip-broken" in line
    assert "train/ant/cut.png, val/bee/text.jpg" in line


def test_odd_pictures(animals, capsys):
    ant = animals / "train/ant"
    draw(900, 63, 80).save(ant / "tiny.png")
    draw(901, 64, 80).save(ant / "not-tiny.png")
    draw(902, 70, 290).save(ant / "long.png")
    draw(903, 70, 80).convert("L").save(ant / "grey.png")
    turned = Image.Exif()
    turned[0x0112] = 6
    draw(904, 70, 80).save(ant / "turned.jpg", exif=turned)
    assert said(animals, capsys, 0)[2:] == [
        "odd: 1 image is under 64 px on the shorter side: enlarged, little detail: "
        "train/ant/tiny.png",
        "odd: 1 image is over 4 times as long as wide: mostly cropped away in evaluation: "
        "train/ant/long.png",
        "odd: 1 image is grey: train/ant/grey.png",
        "odd: 1 image is rotated by EXIF orientation: read upright here, but not by every tool: "
        "train/ant/turned.jpg",
    ]


def test_a_class_of_grey_images(animals, capsys):
    for path in (animals / "train/bee").iterdir():
        Image.open(path).convert("L").save(path)
    (line,) = said(animals, capsys, 0)[2:]
    assert line.startswith("odd: 12 images are grey: train/bee/")
    assert line.endswith("; most of bee: greyness may give the class away")


def test_rare_classes(tmp_path, data_home, capsys):
    for name, count in (("cat", 63), ("dog", 14), ("eel", 3), ("fox", 1)):
        (tmp_path / "set" / name).mkdir(parents=True)
        for k in range(count):
            draw(10_000 * ord(name[0]) + k, 64, 64).save(tmp_path / "set" / name / f"{k}.bmp")
    lines = said(tmp_path / "set", capsys, 0)
    assert "train: 64 images in 4 classes, 1 to 50 in each; median 64 x 64 px" in lines[0]
    assert lines[2:] == [
        "odd: 2 classes have under 10 training images: eel (2), fox (1)",
        "odd: no validation images of fox: its error is not measured",
        "odd: cat has 50 training images, fox 1: a network may never predict the rare class",
    ]


def test_other_files_are_counted(animals, capsys):
    (animals / "train/ant/notes.txt").write_text("x")
    lines = said(animals, capsys, 0)
    assert any("train: left out: 1 files that are no images (.txt)" in line for line in lines)


@pytest.mark.parametrize(("apart", "grey"), [(0, True), (2, True), (3, False)])
def test_grey_is_equal_channels_up_to_jpeg_noise(apart, grey):
    pixels = np.full((40, 50, 3), 100, np.uint8)
    pixels[..., 1] += apart
    assert is_grey(pixels) is grey


def test_images_that_are_not_here(data_home, capsys):
    assert main(["data", "check", "folder:/nowhere"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
