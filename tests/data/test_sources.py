"""Specs, folders, archives, CIFAR-10's binary edition, Imagenette's download."""

import hashlib
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from fastscale.data import cifar10, imagenette, source
from fastscale.data.write import write
from fastscale.errors import InputError


def test_importing_the_package_is_cheap(python):
    code = """
import sys, fastscale.data, fastscale.data.write
print(sorted({'torch', 'ffcv', 'pytorch_lightning', 'cv2'} & set(sys.modules)))
"""
    r = python(code)
    assert r.stdout.strip() == "[]", r.stderr


def test_unknown_names_get_the_nearest(tmp_path):
    with pytest.raises(InputError, match=r"choose from fashion-mnist, .*mean 'fashion-mnist'\?"):
        source("fashion_mnst")
    with pytest.raises(InputError, match=r"did you mean 'imagenette'\?"):
        source("imagenete")
    with pytest.raises(InputError, match="no such folder or archive"):
        source(str(tmp_path / "nowhere"))


@pytest.mark.parametrize("form", ["{}", "folder:{}"])
def test_a_folder_by_path(tree, form, lines):
    s = source(form.format(tree))
    s.fetch(lines)
    assert s.name.startswith("animals-") and s.classes == ("ant", "bee", "cat")
    train, val = s.split("train"), s.split("val")
    assert (len(train), len(val)) == (24, 9)
    assert pickle.loads(pickle.dumps(val)).list_digest() == val.list_digest()
    assert s.name == source(str(tree)).name, "one folder has one name"
    assert s.command == f"fastscale data write {form.format(tree)}"


def test_two_folders_of_one_name_are_told_apart(make, tmp_path):
    a, b = make("x/photos", 1, 1), make("y/photos", 1, 1)
    assert source(str(a)).name != source(str(b)).name


def test_a_tree_below_a_top_folder_is_found(tree, tmp_path):
    (tmp_path / "top").mkdir()
    shutil.move(tree, tmp_path / "top" / "inner")
    assert len(source(str(tmp_path / "top")).split("val")) == 9
    shutil.copytree(tmp_path / "top" / "inner", tmp_path / "top" / "twin")
    with pytest.raises(InputError, match="contains 2 trees"):
        source(str(tmp_path / "top")).split("val")


@pytest.mark.parametrize("name", ["test", "validation"])
def test_other_names_of_the_val_split(tree, name):
    whole = source(str(tree)).split("val").list_digest()
    os.rename(tree / "val", tree / name)
    assert source(str(tree)).split("val").list_digest() == whole


def test_splits_must_have_the_same_classes(tree):
    os.rename(tree / "val" / "cat", tree / "val" / "dog")
    s = source(str(tree))
    with pytest.raises(InputError, match=r"train has classes that val lacks \(1: cat\)"):
        s.split("train")
    shutil.rmtree(tree / "train" / "cat")
    with pytest.raises(InputError, match=r"val has classes that train lacks \(1: dog\)"):
        _ = s.classes


def test_a_folder_without_the_tree_and_a_wrong_split(tree, tmp_path):
    with pytest.raises(InputError, match="none: no such folder; wanted: train/<class>"):
        source(f"folder:{tmp_path / 'none'}").fetch()
    with pytest.raises(InputError, match=r"unknown split 'test' \(choose from train, val\)"):
        source(str(tree)).split("test")


def test_imagenet_is_a_folder_of_the_users(make, data_dir):
    s = source("imagenet")
    with pytest.raises(InputError, match=f"{data_dir}/imagenet"):
        s.fetch()
    make("data/imagenet", 1, 1)
    assert s.split("train").name(0) == f"{data_dir}/imagenet/train/ant/000.png"
    assert s.max_resolution == 500 and 123 < s.mean[0] < 124


@pytest.mark.parametrize("spec", ["{}", "imagenette:{}", "cifar10:{}"])
def test_an_archive_is_unpacked_once_and_again_when_it_changes(tree, tmp_path, spec, lines):
    made = shutil.make_archive(str(tmp_path / "pets"), "gztar", tmp_path, "animals")
    s = source(spec.format(made))
    assert s.name.startswith({"{}": "pets-"}.get(spec, spec.split(":")[0]))
    with pytest.raises(InputError, match=f"not unpacked yet; unpack it with: {s.command}"):
        s.split("train")
    s.fetch(lines)
    s.fetch(lines)
    assert len(lines) == 1 and len(s.split("train")) == 24
    shutil.rmtree(tree / "train")
    shutil.copytree(tree / "val", tree / "train")
    shutil.make_archive(str(tmp_path / "pets"), "gztar", tmp_path, "animals")
    s.fetch(lines)
    assert len(s.split("train")) == 9 and len(list(s.home.glob("unpacked-*"))) == 1


def test_an_archive_of_something_else_is_not_kept(tmp_path, lines):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "readme").write_text("x")
    s = source(shutil.make_archive(str(tmp_path / "docs"), "zip", tmp_path / "x"))
    with pytest.raises(InputError, match="contains no such images; wanted: train/"):
        s.fetch(lines)
    assert not list(s.home.glob("unpacked*"))


@pytest.fixture
def binary(tmp_path, monkeypatch):
    """A small binary edition of CIFAR-10: 5 x 20 and 10 records."""
    rng, folder = np.random.default_rng(0), tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    for name in [*cifar10.PARTS["train"], *cifar10.PARTS["val"]]:
        n = 10 if name.startswith("test") else 20
        records = rng.integers(0, 256, (n, cifar10.RECORD), dtype=np.uint8)
        records[:, 0] = np.arange(n) % 10
        records.tofile(folder / name)
    return folder


def test_cifar10_binary_records_become_images(binary, lines):
    s = source(f"cifar10:{binary}")
    s.fetch(lines)
    train, val = s.split("train"), s.split("val")
    assert (
        (len(train), len(val)) == (100, 10) and s.classes[3] == "cat" and s.max_resolution is None
    )
    record = np.fromfile(binary / "data_batch_3.bin", dtype=np.uint8).reshape(-1, cifar10.RECORD)[7]
    image, label = pickle.loads(pickle.dumps(train))[47]
    assert label == record[0] == 7
    assert (np.asarray(image) == record[1:].reshape(3, 32, 32).transpose(1, 2, 0)).all()
    assert train.digest(47) == hashlib.sha256(record[1:].tobytes()).hexdigest()


def test_cifar10_from_the_archive_by_path_and_by_download(binary, tmp_path, monkeypatch, lines):
    made = shutil.make_archive(str(tmp_path / "cifar-10-binary"), "gztar", tmp_path, binary.name)
    s = source(f"cifar10:{made}")
    s.fetch(lines)
    assert len(s.split("train")) == 100
    data = Path(made).read_bytes()
    monkeypatch.setattr(cifar10.Cifar10, "sha256", hashlib.sha256(data).hexdigest())
    monkeypatch.setattr(cifar10.Cifar10, "md5", hashlib.md5(data).hexdigest())
    monkeypatch.setattr(cifar10.Cifar10, "urls", (f"file://{made}",))
    public = source("cifar10")
    with pytest.raises(InputError, match="download it with: fastscale data write cifar10"):
        public.split("train")
    public.fetch(lines)
    monkeypatch.setattr(cifar10.Cifar10, "urls", ())
    public.fetch(lines)
    assert public.split("train").list_digest() == s.split("train").list_digest()
    assert not list(public.home.glob("*.gz")), "kept once, unpacked"


def test_cifar10_of_another_kind(tmp_path, tree):
    (tmp_path / "junk").mkdir()
    with pytest.raises(InputError, match="neither CIFAR-10's binary edition"):
        source(f"cifar10:{tmp_path / 'junk'}").fetch()
    with pytest.raises(InputError, match="no such folder"):
        source(f"cifar10:{tmp_path / 'nowhere'}")
    assert len(source(f"cifar10:{tree}").split("train")) == 24


def test_cifar10_cut_short(binary):
    with open(binary / "test_batch.bin", "r+b") as f:
        f.truncate(5000)
    with pytest.raises(InputError, match=r"test_batch\.bin: not a file of CIFAR-10"):
        source(f"cifar10:{binary}").split("val")


def test_imagenette_is_downloaded_unpacked_and_kept_once(tree, tmp_path, monkeypatch, lines):
    os.rename(tree, tmp_path / "imagenette2-320")
    made = shutil.make_archive(str(tmp_path / "served"), "gztar", tmp_path, "imagenette2-320")
    data = Path(made).read_bytes()
    s = source("imagenette")
    monkeypatch.setattr(imagenette.Imagenette, "urls", (f"file://{made}",))
    with pytest.raises(InputError, match="wrong file, deleted"):
        s.fetch(lines)
    monkeypatch.setattr(imagenette.Imagenette, "sha256", hashlib.sha256(data).hexdigest())
    monkeypatch.setattr(imagenette.Imagenette, "md5", hashlib.md5(data).hexdigest())
    s.fetch(lines)
    monkeypatch.setattr(imagenette.Imagenette, "urls", ())
    s.fetch(lines)
    assert len(s.split("train")) == 24 and not list(s.home.glob("*.tgz*"))


def test_a_folder_that_cannot_be_written(tree, tmp_path, lines):
    (tmp_path / "file").write_text("x")
    made = shutil.make_archive(str(tmp_path / "pets"), "tar", tree)
    with pytest.raises(InputError, match=r"cannot write in .*FASTSCALE_DATA"):
        source(made, tmp_path / "file").fetch(lines)


@pytest.mark.parametrize("name", ["new\nline", "tab\tand\x1b[31m", "nbsp\u00a0"])
def test_a_folders_name_in_records_is_one_line_of_text(make, tmp_path, name, lines):
    """Newlines and control characters stay in the path alone."""
    tree = make("animals", 2, 1, sides=(20, 30))
    tree.rename(tmp_path / name)
    found = source(str(tmp_path / name))
    assert found.name.isprintable() and found.name.isascii()
    write(found, progress=lines, workers=0)
    assert found.betons.is_dir() and not [line for line in lines if found.name not in line]


def test_a_path_that_is_not_utf8_is_an_error_before_writing(make, tmp_path, data_dir):
    """As source, as the folder to write to, and as the data folder."""
    tree, bad = make("animals", 2, 1, sides=(20, 30)), tmp_path / os.fsdecode(b"latin-\xff")
    bad.mkdir()
    moved = shutil.copytree(tree, bad / "animals")
    for spec, more in (
        (f"folder:{moved}", {}),
        (str(tree), {"out_dir": bad / "out"}),
        (str(tree), {"data_dir": bad}),
    ):
        with pytest.raises(InputError, match=r"latin-\\xff.*: this path is not UTF-8") as error:
            write(spec, workers=0, progress=lambda line: None, **more)
        assert "\n" not in str(error.value)
    assert not [*bad.rglob("*.beton*"), *data_dir.rglob("*.beton*")]
