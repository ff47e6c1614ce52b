"""Classes by name: each label is compared with the output of its name, or the data are refused."""

import shutil

import pytest
import torch
from PIL import Image

import fastscale as fs
from fastscale.cli import main
from fastscale.common import say_once
from fastscale.data.write import write
from fastscale.errors import InputError
from fastscale.training.classes import imagenet_names, imagenet_wnids, match_classes

RUN = "regnety-tiny.quick"
TEN = tuple("abcdefghij")


@pytest.mark.parametrize(
    ("known", "outputs", "there", "wanted", "said"),
    [
        (TEN, 10, TEN, tuple(range(10)), ""),
        (TEN, 10, TEN[::-1], tuple(range(10))[::-1], "in another order"),
        (TEN, 10, ("c", "a"), (2, 0), "has 2 of the 10 classes of net: scored among all 10"),
        (None, 2, ("x", "y"), (0, 1), "names no classes"),
        (imagenet_names(), 1000, ("n15075141", "n01440764"), (999, 0), "2 of the 1000"),
        (imagenet_names(), 1000, imagenet_wnids(), tuple(range(1000)), ""),
        (imagenet_wnids(), 1000, ("tench",), (0,), "1 of the 1000"),
    ],
)
def test_outputs_of_labels(known, outputs, there, wanted, said):
    found, line = match_classes(known, outputs, there, "net", "set")
    assert found == wanted and said in line and bool(said) == bool(line)


@pytest.mark.parametrize(
    ("known", "there", "message"),
    [
        (TEN, ("a", "z"), "does not know 1 of the 2 classes of set: 'z'"),
        (tuple("0123"), ("00", "01", "02", "03"), "does not know 4 .* '00', '01', '02', ..."),
        (None, ("a",), "trained for 10 classes, but set has 1"),
        (imagenet_names(), ("tench", "n01440764"), "one class under two names"),
        (imagenet_wnids()[:10], imagenet_wnids(), "does not know 990 of the 1000"),
    ],
)
def test_what_is_not_known_is_refused(known, there, message):
    with pytest.raises(InputError, match=message):
        match_classes(known, len(known or TEN), there, "net", "set")


@pytest.fixture
def folder_of(image_folder, tmp_path):
    def make(**names):
        root = tmp_path / "other"
        for split in ("train", "val"):
            for ours, theirs in names.items():
                shutil.copytree(image_folder / split / ours, root / split / theirs)
        return root

    return make


def evaluate(capsys, *argv):
    say_once.cache_clear()
    more = ["--data.loader", "plain", "--data.workers", "0"]
    code = main(["evaluate", *map(str, argv), *more])
    out, err = capsys.readouterr()
    return code, {k: float(v) for k, v, _ in map(str.split, out.splitlines())}, err


def test_a_folder_of_some_classes_is_scored_by_their_names(runs, folder_of, capsys):
    folder = folder_of(green="green", red="red")  # labels 0 and 1, outputs 1 and 2
    seed = runs[0] / RUN / "seed0"
    code, found, err = evaluate(capsys, seed, "--data", f"folder:{folder}")
    assert code == 0 and "has 2 of the 3 classes" in err
    assert "images, labels or stored form differ from those it was trained on" in err
    for kind, name in (("raw", "top1_error"), ("ema", "top1_error_ema")):
        net, prepare, wrong = fs.load(seed, weights=kind), fs.transforms(seed), 0
        for k, colour in ((1, "green"), (2, "red")):
            images = [prepare(Image.open(p)) for p in (folder / "val" / colour).iterdir()]
            with torch.no_grad():
                wrong += int((net(torch.stack(images)).argmax(1) != k).sum())
        assert found[name] == pytest.approx(100 * wrong / 14, abs=1e-3)


def test_a_renamed_class_is_refused(runs, folder_of, capsys):
    folder = folder_of(blue="blue", green="verde", red="red")
    code, _, err = evaluate(capsys, runs[0] / RUN / "seed0", "--data", f"folder:{folder}")
    assert code == 2 and "does not know 1 of the 3 classes" in err and "'verde'" in err
    assert err.count("\n") == 1


def test_the_data_it_was_trained_on_say_nothing(runs, capsys, image_folder, monkeypatch):
    monkeypatch.setenv("FASTSCALE_DATA", str(runs[2]))
    code, _, err = evaluate(capsys, runs[0] / RUN / "seed0")
    assert code == 0 and "than it was trained on" not in err and "classes" not in err


def test_other_pixels_of_the_same_photographs_are_reported(runs, tmp_path, capsys):
    """Stored at 16 px: the same files, labels and names, but another error."""
    write(runs[1], data_dir=tmp_path / "data", max_resolution=16, progress=lambda line: None)
    words = ["evaluate", str(runs[0] / RUN / "seed0"), "--data.data_dir", str(tmp_path / "data")]
    assert main([*words, "--data.workers", "1"]) == 0
    err = capsys.readouterr().err
    assert "images, labels or stored form differ from those it was trained on" in err
