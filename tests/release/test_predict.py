"""`fastscale predict`: class names for images and folders; unreadable files do not stop it."""

import csv
import json
import subprocess
import sys

import pytest
import torch
from PIL import Image

import fastscale as fs
from fastscale.cli import main
from fastscale.release.predict import BATCH, predict, predictor


@pytest.fixture
def name(release):
    return release()[0].short


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    (folder / "sub").mkdir(parents=True)
    for i, where in enumerate(("a.png", "b.jpg", "sub/c.png")):
        Image.new("RGB", (40 + i, 36), (250 - 100 * i, 60 * i, 90)).save(folder / where)
    (folder / "notes.txt").write_text("no image")
    return folder


def run(capsys, *argv):
    code = main(["predict", *map(str, argv)])
    out, err = capsys.readouterr()
    return code, out, err


def test_json_gives_what_the_network_gives(capsys, images, name):
    code, out, err = run(
        capsys, images / "a.png", images / "b.jpg", "--checkpoint", name, "--json", "--top", "2"
    )
    found = json.loads(out)
    assert (
        code == 0
        and not err
        and [f["image"] for f in found] == [str(images / "a.png"), str(images / "b.jpg")]
    )
    with torch.inference_mode():
        shares = fs.load(name)(
            fs.transforms(name)(Image.open(images / "a.png")).unsqueeze(0)
        ).softmax(1)[0]
    best = shares.argsort(descending=True)[:2].tolist()
    assert [t["label"] for t in found[0]["top"]] == best
    assert [t["class"] for t in found[0]["top"]] == [("blue", "green", "red")[k] for k in best]
    assert [t["probability"] for t in found[0]["top"]] == pytest.approx(
        [float(shares[k]) for k in best], abs=1e-5
    )


def test_a_folder_as_a_table(capsys, images, name):
    code, out, _ = run(capsys, images, "--checkpoint", name)
    lines = out.splitlines()
    assert (
        code == 0
        and lines[0] == str(images / "a.png")
        and lines[8] == str(images / "sub" / "c.png")
        and len(lines) == 3 * 4
    )
    assert lines[1].split()[1] == "%" and {line.split()[2] for line in lines[1:4]} == {
        "blue",
        "green",
        "red",
    }


def test_a_folder_as_csv(capsys, images, name):
    (images / "b.jpg").rename(images / 'a "b", c.jpg')
    code, out, _ = run(capsys, images, "--checkpoint", name, "--csv", "--top", "2")
    rows = list(csv.DictReader(out.splitlines()))
    assert code == 0 and list(rows[0]) == ["image", "rank", "class", "label", "probability"]
    files = [images / 'a "b", c.jpg', images / "a.png", images / "sub" / "c.png"]
    assert [r["image"] for r in rows] == [str(f) for f in files for _ in range(2)]
    code, out, _ = run(capsys, *files, "--checkpoint", name, "--json", "--top", "2")
    found = [(t["class"], t["probability"]) for f in json.loads(out) for t in f["top"]]
    assert [(r["class"], float(r["probability"])) for r in rows] == found
    assert run(capsys, *files, "--checkpoint", name, "--json", "--csv")[0] == 2


def test_it_does_not_import_lightning_or_the_compiler(name):
    """Importing them takes longer than predicting a picture."""
    code = (
        "import sys; from fastscale.release.load import open_checkpoint;"
        f"open_checkpoint({name!r}).network();"
        "print({'pytorch_lightning', 'torch._dynamo', 'scipy', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr


def test_a_folder_with_other_files(capsys, images, name):
    """System files are not images, whatever their suffix; files left out are counted."""
    for junk in ("._a.png", "sub/._c.png", ".DS_Store", "Thumbs.db", "__MACOSX/x.png"):
        (images / junk).parent.mkdir(exist_ok=True)
        (images / junk).write_bytes(b"\0\5\26\7junk")
    (images / "gone.png").symlink_to("nowhere")
    (images / "sub" / "up").symlink_to(images)
    code, out, err = run(capsys, images, "--checkpoint", name, "--json")
    assert code == 0
    assert [f["image"] for f in json.loads(out)] == [
        str(images / f) for f in ("a.png", "b.jpg", "sub/c.png")
    ]
    assert err.splitlines() == [
        f"{images}: left out: 1 dangling link, 1 files that are no images (.txt), "
        "1 links to a folder above, 5 system files"
    ]
    (images / "empty").mkdir()
    (images / "empty" / "._x.png").write_bytes(b"x")
    code, out, err = run(capsys, images / "empty", "--checkpoint", name)
    assert code == 2 and not out and "holds no images" in err.splitlines()[-1]


def test_unreadable_images_are_one_line_each_and_the_rest_is_predicted(capsys, images, name):
    bad = images / "bad.png"
    bad.write_bytes((images / "a.png").read_bytes()[:60])
    code, out, err = run(
        capsys,
        bad,
        images / "nothing.png",
        images / "a.png",
        images / "notes.txt",
        "--checkpoint",
        name,
    )
    assert code == 1 and out.startswith(str(images / "a.png")) and err.count("\n") == 3
    assert (
        "nothing.png: unreadable (No such file" in err
        and "bad.png: unreadable" in err
        and "notes.txt: unreadable (not an image)" in err
    )
    code, out, err = run(capsys, bad, "--checkpoint", name, "--json")
    assert code == 2 and not out and err.count("\n") == 1


def test_a_newline_in_a_files_name_is_escaped(capsys, images, name):
    (images / "a.png").rename(images / "new\nline.png")
    (images / "b.jpg").rename(images / "bad\n.jpg")
    (images / "bad\n.jpg").write_bytes(b"x")
    code, out, err = run(capsys, images, "--checkpoint", name, "--top", "1")
    assert code == 1 and out.splitlines()[0] == f"{images}/new\\nline.png"
    assert len(out.splitlines()) == 4
    assert [line for line in err.splitlines() if line.startswith("error")] == [
        f"error: {images}/bad\\n.jpg: unreadable (not an image)"
    ]


def test_more_images_than_a_batch_stay_in_order(images, name):
    files = [images / ("a.png" if i % 3 else "b.jpg") for i in range(2 * BATCH + 1)]
    found = list(predict(predictor(name), files, top=1))
    assert [f.image for f in found] == [str(f) for f in files] and len(
        {f.top[0][2] for f in found if f.image.endswith("a.png")}
    ) <= 2


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["x.png"], "--checkpoint"),
        (["x.png", "--checkpoint", "nope"], "no checkpoint is named 'nope'"),
        (["", "--checkpoint", "regnety-tiny_colours"], "an empty name is not an image"),
        (["EMPTY", "--checkpoint", "regnety-tiny_colours"], "holds no images"),
        (
            ["x.png", "--checkpoint", "regnety-tiny_colours", "--top", "0"],
            "--top: wanted a whole number from 1",
        ),
    ],
)
def test_mistakes_are_one_line(capsys, name, tmp_path, argv, message):
    (tmp_path / "empty").mkdir()
    code, _, err = run(capsys, *[str(tmp_path / "empty") if a == "EMPTY" else a for a in argv])
    assert code == 2 and message in err and err.count("\n") == 1


def test_help_shows_an_example(capsys):
    with pytest.raises(SystemExit):
        main(["predict", "--help"])
    assert "fastscale predict photo.jpg" in capsys.readouterr().out
