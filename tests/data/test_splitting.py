"""One folder of class folders: a share of each class is kept, once and for all."""

import json
import shutil
from collections import Counter

import pytest

from fastscale.cli import main
from fastscale.data import ImageData, source
from fastscale.data.first_write import keep_split, write_first
from fastscale.data.splitting import drawn
from fastscale.data.write import write
from fastscale.errors import InputError
from tests.data.conftest import draw


@pytest.fixture
def photos(tmp_path, data_home):
    """20 images of cats, 10 of dogs, 1 of an eel."""
    root = tmp_path / "photos"
    for label, (name, count) in enumerate((("cat", 20), ("dog", 10), ("eel", 1))):
        (root / name).mkdir(parents=True)
        for k in range(count):
            draw(100 * label + k, 70, 70).save(root / name / f"{k:02d}.png")
    return root


def kept(root):
    """The files kept for validation."""
    return {*source(f"folder:{root}").split("val").files}


def classes(files):
    return Counter(file.split("/")[0] for file in files)


def test_a_share_of_each_class_is_kept_and_reported(photos, lines):
    found = write(f"folder:{photos}", val=0.2, workers=0, progress=lines)
    assert found["val"].class_counts == (4, 2, 0) and found["train"].class_counts == (16, 8, 1)
    assert any("31 images of 3 classes in one folder: 6 of them, 20 % of each" in x for x in lines)
    both = [source(f"folder:{photos}").split(s) for s in ("train", "val")]
    assert not {*both[0].files} & {*both[1].files} and len(both[0]) + len(both[1]) == 31


def test_the_split_is_drawn_at_random_but_always_the_same(photos, data_home):
    first = kept(photos)
    assert first != {f"{c}/{k:02d}.png" for c, n in (("cat", 4), ("dog", 2)) for k in range(n)}
    shutil.rmtree(data_home)
    assert kept(photos) == first


def test_added_images_do_not_move_others(photos, lines):
    write(f"folder:{photos}", val=0.2, workers=0, progress=lines)
    before = kept(photos)
    for k in range(20, 40):
        draw(k + 500, 70, 70).save(photos / "cat" / f"{k:02d}.png")
    with pytest.raises(InputError, match="its source has changed since it was written: 16 images"):
        ImageData(f"folder:{photos}", loader="ffcv", resolution=32, batch_size=4)
    found = write(f"folder:{photos}", workers=0, progress=lines)
    assert found["val"].class_counts == (8, 2, 0) and before < kept(photos)


def test_another_share_is_drawn_again_and_remembered(photos, lines):
    write(f"folder:{photos}", val=0.2, workers=0, progress=lines)
    few = kept(photos)
    found = write(f"folder:{photos}", val=0.5, workers=0, progress=lines)
    assert found["val"].class_counts == (10, 5, 0) and "--val 0.5" in found["val"].command
    again = write(f"folder:{photos}", workers=0, progress=lines)
    assert again["val"].class_counts == (10, 5, 0) and few < kept(photos)


def test_copies_are_on_one_side(photos):
    for k in range(10):
        shutil.copy(photos / f"cat/{k:02d}.png", photos / f"cat/copy-{k:02d}.png")
        shutil.copy(photos / f"cat/{k:02d}.png", photos / f"dog/copy-{k:02d}.png")
    val = kept(photos)
    for k in range(10):
        names = {f"cat/{k:02d}.png", f"cat/copy-{k:02d}.png", f"dog/copy-{k:02d}.png"}
        assert names <= val or not names & val


def test_only_new_files_of_equal_size_are_read():
    asked = []
    files, sizes = ["a/1", "a/2", "a/3", "b/4"], [10, 20, 10, 30]

    def digest(i):
        asked.append(i)
        return str(i)

    found = drawn(files, sizes, digest, 0.5, {})
    assert sorted(asked) == [0, 2] and found["b/4"] is False
    asked.clear()
    assert drawn(files, sizes, digest, 0.5, found) == found and asked == []


def test_train_without_val_is_split(photos, tmp_path):
    (tmp_path / "set").mkdir()
    photos.rename(tmp_path / "set/train")
    assert classes(kept(tmp_path / "set")) == {"cat": 4, "dog": 2}


def test_an_archive_of_one_folder(photos, tmp_path, lines):
    path = shutil.make_archive(str(tmp_path / "all"), "zip", tmp_path, "photos")
    found = write(path, val=0.1, workers=0, progress=lines)
    assert found["val"].class_counts == (2, 1, 0)


def test_train_and_val_are_not_split(tree, capsys):
    assert source(f"folder:{tree}").to_be_split() is None
    for _ in range(2):  # the second time something is written there
        assert main(["data", "write", f"folder:{tree}", "--val", "0.2"]) == 2
        err = capsys.readouterr().err
        assert "already has a folder of validation images" in err and err.count("\n") == 1
        assert main(["data", "write", f"folder:{tree}", "--workers", "0"]) == 0
        capsys.readouterr()


def test_a_named_set_is_not_split(photos, data_home, capsys):
    data_home.mkdir()
    photos.rename(data_home / "imagenet")
    assert main(["data", "write", "imagenet"]) == 2
    assert "wanted: train/<class>/* and val/<class>/*" in capsys.readouterr().err
    assert main(["data", "write", "imagenet", "--val", "0.2"]) == 2
    assert "already has validation images" in capsys.readouterr().err


def test_one_class_is_no_data_set(tmp_path, data_home, capsys):
    (tmp_path / "one/cat").mkdir(parents=True)
    draw(1, 70, 70).save(tmp_path / "one/cat/1.png")
    assert main(["data", "write", f"folder:{tmp_path / 'one'}"]) == 2
    assert "contains images of only one class" in capsys.readouterr().err


def test_a_damaged_note_is_an_error(photos, data_home):
    kept(photos)
    note = next(data_home.glob("*/split.json"))
    note.write_text(json.dumps({"share": 2, "val": [], "train": []}))
    with pytest.raises(InputError, match="not a split; delete it to split again"):
        kept(photos)


def test_images_never_trained_on_are_all_evaluated(photos, data_home):
    data = ImageData(f"folder:{photos}", only_val=True, resolution=32, batch_size=4)
    assert data.val_size == 31
    keep_split(f"folder:{photos}", None)
    assert ImageData(f"folder:{photos}", only_val=True, resolution=32, batch_size=4).val_size == 6


def test_images_are_written_at_their_first_use(photos, lines):
    pytest.importorskip("ffcv")
    write_first(f"folder:{photos}", None, "plain", lines)
    assert not lines
    write_first(f"folder:{photos}", None, None, lines)
    assert (source(f"folder:{photos}").betons / "val.beton").exists() and "writing it" in lines[0]
    lines.clear()
    write_first(f"folder:{photos}", None, None, lines)
    assert not lines


def test_a_broken_image_ends_the_first_write_in_a_line(photos, lines):
    pytest.importorskip("ffcv")
    (photos / "cat/03.png").write_bytes(b"none")
    with pytest.raises(InputError, match=r"1 broken image, the first is .*03\.png.*--skip-broken"):
        write_first(f"folder:{photos}", None, None, lines)
