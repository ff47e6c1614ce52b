"""Folders and archives as people have them: every file left out is counted."""

import io
import os
import shutil
import tarfile
import zipfile

import pytest

from fastscale.data import ImageData, archives, source
from fastscale.data.archives import unpack
from fastscale.data.folder import FolderSet
from fastscale.data.write import write
from fastscale.errors import InputError
from tests.data.conftest import draw

LITTER = ("._000.png", ".DS_Store", "Thumbs.db", "desktop.ini")


def litter(tree):
    for folder in (tree, tree / "train", tree / "train/ant", tree / "val/bee"):
        for name in LITTER:
            (folder / name).write_bytes(b"\0\5\x16\7")
    (tree / "__MACOSX/train/ant").mkdir(parents=True)
    (tree / "__MACOSX/val/ant").mkdir(parents=True)
    (tree / "__MACOSX/train/ant/._000.png").write_bytes(b"\0\5\x16\7")


def test_system_files_are_ignored_and_counted(tree, lines):
    clean = source(str(tree)).split("train").list_digest()
    litter(tree)
    s = source(str(tree))
    assert s.split("train").list_digest() == clean
    write(s, workers=0, progress=lines)
    assert f"{s.name} train: left out: 8 system files" in lines


def test_an_archive_made_on_a_mac(tree, tmp_path, lines):
    litter(tree)
    shutil.copytree(tree / "__MACOSX", tmp_path / "top/__MACOSX/animals")
    shutil.rmtree(tree / "__MACOSX")
    shutil.move(tree, tmp_path / "top/animals")
    s = source(shutil.make_archive(str(tmp_path / "mac"), "zip", tmp_path / "top"))
    s.fetch(lines)
    assert (len(s.split("train")), len(s.split("val"))) == (24, 9)
    assert not list(s.home.rglob("._*")) and not list(s.home.rglob("__MACOSX"))


def test_everything_left_out_is_counted_in_one_line(tree, lines, capsys):
    ant = tree / "train/ant"
    for k in range(10):
        (ant / f"gone{k}.png").symlink_to(tree / "nowhere")
    for name in ("a.txt", "b.txt", "c.heic", "README"):
        (ant / name).write_text("x")
    draw(1, 70, 70).save(tree / "train/loose.png")
    (ant / ".cache").mkdir()
    os.mkfifo(ant / "pipe.png")
    (ant / "loop.png").symlink_to(ant / "loop.png")
    (ant / "round").symlink_to(ant)
    images = FolderSet(tree / "train")
    assert len(images) == 24 and images.left_out == (
        "11 dangling links, 4 files that are no images (.heic, .txt, no suffix), 1 hidden folder, "
        "1 images in no class folder, 1 links to a folder above, 1 pipes, devices or the like"
    )
    ImageData(str(tree), loader="plain", resolution=32, test_resolution=32, batch_size=4, workers=0)
    assert capsys.readouterr().out.count("left out: 11 dangling links") == 1


@pytest.mark.parametrize(
    "names", [("train", "valid"), ("training", "validation"), ("train", "test")]
)
def test_other_names_of_splits(tree, names):
    clean = {s: source(str(tree)).split(s).list_digest() for s in ("train", "val")}
    for old, new in zip(("train", "val"), names, strict=True):
        (tree / old).rename(tree / new)
    found = source(str(tree))
    assert {s: found.split(s).list_digest() for s in ("train", "val")} == clean


def test_system_folders_are_no_classes(tree):
    for name in ("$RECYCLE.BIN", "System Volume Information", "#recycle", "@eaDir"):
        (tree / "train" / name).mkdir()
        (tree / "train/ant" / name).mkdir()
        draw(1, 70, 70).save(tree / "train/ant" / name / "x.png")
    images = source(str(tree)).split("train")
    assert images.classes == ("ant", "bee", "cat") and len(images) == 24
    assert images.left_out == "8 system files"


@pytest.mark.parametrize(
    ("train", "val", "said"),
    [
        ("caf\u00e9", "cafe\u0301", "NFC or NFD"),  # one letter, or a letter and its accent
        ("Cat", "cat", "only in capitals"),
        ("dog", "cat", "both need the same class folders"),
    ],
)
def test_names_of_classes_that_look_the_same(tree, train, val, said):
    (tree / "train/cat").rename(tree / "train" / train)
    (tree / "val/cat").rename(tree / "val" / val)
    with pytest.raises(InputError, match=said) as error:
        source(str(tree)).split("train")
    assert "\n" not in str(error.value)
    assert ("differ only" in str(error.value)) == (train != "dog")


def test_jfif_and_images_in_folders_of_a_class_are_found(tree):
    ant = tree / "train/ant"
    draw(1, 70, 70).save(ant / "a.jfif", "JPEG")
    (ant / "more/still").mkdir(parents=True)
    draw(2, 70, 70).save(ant / "more/still/b.png")
    draw(3, 70, 70).save(ant / "more/c.PNG")
    images = FolderSet(tree / "train")
    assert len(images) == 27 and images.labels.tolist().count(0) == 11
    assert "ant/more/still/b.png" in images.files and images.left_out == ""
    deep = ant / "1/2/3/4/5"
    deep.mkdir(parents=True)
    draw(3, 70, 70).save(deep / "d.png")
    assert "1 folders more than 4 levels deep" in FolderSet(tree / "train").left_out


def test_tiny_imagenets_layout(tmp_path, lines):
    root, names = tmp_path / "tiny-imagenet-200", ("n01", "n02")
    (root / "val/images").mkdir(parents=True)
    (root / "test/images").mkdir(parents=True)
    rows = []
    for k in range(6):
        name = f"val_{k}.JPEG"
        draw(k, 64, 64).save(root / "val/images" / name)
        draw(k, 64, 64).save(root / "test/images" / f"test_{k}.JPEG")
        rows.append(f"{name}\t{names[k % 2]}\t0\t0\t62\t62\n")
    (root / "val/val_annotations.txt").write_text("".join(rows))
    for label, name in enumerate(names):
        (root / "train" / name / "images").mkdir(parents=True)
        (root / "train" / name / f"{name}_boxes.txt").write_text("x")
        for k in range(4):
            draw(10 * label + k, 64, 64).save(root / "train" / name / "images" / f"{k}.JPEG")
    s = source(str(root))
    write(s, workers=0, progress=lines)
    train, val = s.split("train"), s.split("val")
    assert (train.classes, len(train), val.labels.tolist()) == (names, 8, [0, 1] * 3)
    assert "left out: 2 files that are no images (.txt)" in "".join(lines)
    before = ImageData(str(root), resolution=32, test_resolution=32, batch_size=4, workers=1)
    rows[0] = rows[0].replace("n01", "n02")
    (root / "val/val_annotations.txt").write_text("".join(rows))
    if before.loader_name == "ffcv":
        with pytest.raises(InputError, match="1 image relabelled"):
            ImageData(str(root), resolution=32, test_resolution=32, batch_size=4, workers=1)
    (root / "val/images/val_1.JPEG").unlink()
    with pytest.raises(InputError, match=r"1 images of val_annotations\.txt are missing"):
        s.split("val")
    (root / "val/val_annotations.txt").write_bytes(b"\xff\xfe\tx")
    with pytest.raises(InputError, match="not UTF-8"):
        s.split("val")


@pytest.mark.parametrize("where", ["", "more/"])
def test_a_folder_name_that_is_not_utf_8_is_an_error_before_encoding(tree, lines, where):
    for split in ("train", "val"):
        base = tree / split / ("ant" if where else "")
        os.mkdir(os.fsencode(base) + b"/caf\xe9")
        draw(1, 70, 70).save(base / os.fsdecode(b"caf\xe9") / "a.png")
    with pytest.raises(InputError, match=r"caf\\xe9: the name of this folder is not UTF-8") as e:
        write(str(tree), workers=0, progress=lines)
    assert not lines and "\n" not in str(e.value)


def test_file_names_may_be_anything(tree, lines):
    for name in (b"caf\xe9.png", b"a\nb.png", b"\x1b[31m.png"):
        shutil.copy(tree / "train/ant/000.png", os.fsencode(tree / "train/ant") + b"/" + name)
    (tree / "train/ant" / "x\ny.png").write_bytes(b"no image")
    infos = write(str(tree), workers=0, progress=lines, skip_broken=True)
    assert infos["train"].count == 27
    assert any("x\\ny.png: not an image" in line for line in lines)
    assert not any("\n" in line or "\x1b" in line for line in lines)


def zip_of(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
        for name, data in members:
            z.writestr(name, data)


BLOCK = bytes(1 << 20)


@pytest.mark.parametrize("inside", ["train/a/x.png", "__MACOSX/x.png"])
@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_a_bomb_is_refused_early_and_leaves_nothing(tmp_path, monkeypatch, kind, inside):
    monkeypatch.setattr(archives, "PLAIN", 1 << 20)
    path = tmp_path / f"bomb.{kind}"
    if kind == "zip":
        zip_of(path, [(f"{inside}{k}", BLOCK) for k in range(60)])
    else:
        with tarfile.open(path, "w:gz") as t:
            member = tarfile.TarInfo(inside)
            member.size = 60 << 20
            t.addfile(member, io.BytesIO(BLOCK * 60))
    with pytest.raises(InputError, match="unpacks to more than 200 times its"):
        unpack(path, tmp_path / "out")
    assert sorted(p.name for p in tmp_path.iterdir()) == [path.name]


def test_an_archive_too_large_for_the_disk_is_refused(tree, tmp_path, monkeypatch):
    made = shutil.make_archive(str(tmp_path / "a"), "tar", tree)
    monkeypatch.setattr(shutil, "disk_usage", lambda p: shutil._ntuple_diskusage(9, 9, 1000))
    with pytest.raises(InputError, match="GB free there"):
        unpack(tmp_path / "a.tar", tmp_path / "out")
    assert made and not (tmp_path / "out").exists()


@pytest.mark.parametrize("members, said", [
    ([("a/b.png", b"1"), ("a/b.png", b"2")], "twice"),
    ([("/".join("a" * 20) + ".png", b"1")], "folders deep"),
    ([("a" * 300 + ".png", b"1")], "longer than 255"),
    ([(f"{k}.png", b"1") for k in range(12)], "more than 10 files"),
])  # fmt: skip
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_senseless_archives_are_refused(tmp_path, monkeypatch, members, said):
    monkeypatch.setattr(archives, "MOST_FILES", 10)
    zip_of(tmp_path / "a.zip", members)
    with pytest.raises(InputError, match=said) as e:
        unpack(tmp_path / "a.zip", tmp_path / "out")
    assert not (tmp_path / "out").exists() and len(str(e.value)) < 600


def test_a_link_in_place_of_the_unpacked_part_is_not_followed(tree, tmp_path):
    shutil.make_archive(str(tmp_path / "a"), "tar", tree)
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim/mine").write_text("x")
    (tmp_path / "out.part").symlink_to(tmp_path / "victim")
    unpack(tmp_path / "a.tar", tmp_path / "out")
    assert (tmp_path / "victim/mine").exists() and (tmp_path / "out/train").is_dir()
