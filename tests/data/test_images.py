"""Every kind of image becomes 8-bit RGB; hashes of image lists can be checked in a shell."""

import io
import pickle
import subprocess

import numpy as np
import pytest
from PIL import Image

from fastscale.data.folder import FolderSet
from fastscale.data.images import decode, spread, to_rgb
from fastscale.data.paths import beton_folder, data_root, write_command
from fastscale.errors import InputError


@pytest.mark.parametrize("mode", ["L", "P", "RGB", "RGBA", "LA", "CMYK", "YCbCr", "I;16"])
def test_every_mode_becomes_rgb_and_keeps_its_brightness(mode):
    grey = np.tile(np.linspace(0, 255, 64).astype(np.uint8), (16, 1))
    image = (
        Image.fromarray(grey.astype(np.uint16) * 257)
        if mode == "I;16"
        else Image.fromarray(grey).convert(mode)
    )
    got = to_rgb(image)
    assert got.mode == "RGB" and got.size == (64, 16)
    assert abs(np.asarray(got)[..., 1].astype(int) - grey).mean() < 2


def test_sixteen_bit_png_is_scaled_not_clipped():
    grey = (np.arange(256, dtype=np.uint16) * 257).reshape(16, 16)
    data = io.BytesIO()
    Image.fromarray(grey).save(data, "png")
    assert (np.asarray(decode(data.getvalue()))[..., 0] == np.arange(256).reshape(16, 16)).all()


def test_float_pixels_of_unknown_range_are_refused():
    with pytest.raises(ValueError, match="range"):
        to_rgb(Image.fromarray(np.ones((4, 4), dtype=np.float32)))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda b: b[: len(b) // 2],
        lambda b: b"",
        lambda b: b"GIF89a" + b[6:],
        lambda b: bytes(len(b)),
    ],
)
def test_damaged_bytes_are_an_error(spoil):
    data = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(data, "jpeg")
    with pytest.raises(Exception, match=r".+"):
        decode(spoil(data.getvalue()))


def test_folder_set_is_ordered_hashed_and_picklable(tree):
    images = FolderSet(tree / "train")
    assert images.classes == ("ant", "bee", "cat") and len(images) == 24
    assert images.labels.tolist() == [0] * 8 + [1] * 8 + [2] * 8
    image, label = pickle.loads(pickle.dumps(images))[9]
    assert label == 1 and isinstance(label, int) and image.mode == "RGB"
    assert images.name(9).endswith("train/bee/001.png")
    assert image.size == Image.open(images.name(9)).size
    shell = f"cd {tree}/train && sha256sum ant/* bee/* cat/* | cut -d' ' -f1 | sha256sum"
    done = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=True)
    assert images.list_digest() == done.stdout.split()[0]


def test_hidden_and_other_files_are_no_images(tree):
    (tree / "train" / "ant" / "notes.txt").write_text("x")
    (tree / "train" / ".cache").mkdir()
    (tree / "train" / "README").write_text("x")
    assert len(FolderSet(tree / "train")) == 24


def test_a_class_without_images_is_named(tree):
    (tree / "train" / "dog").mkdir()
    with pytest.raises(InputError, match=r"train/dog: contains no images"):
        FolderSet(tree / "train")


def test_digest_is_cached_until_a_file_changes(tree, tmp_path, monkeypatch):
    cache = tmp_path / "digest.json"
    first = FolderSet(tree / "train", cache).list_digest()
    monkeypatch.setattr(FolderSet, "digest", lambda self, i: pytest.fail("hashed again"))
    assert FolderSet(tree / "train", cache).list_digest() == first
    monkeypatch.undo()
    Image.new("RGB", (80, 80)).save(tree / "train" / "cat" / "000.png")
    assert FolderSet(tree / "train", cache).list_digest() != first


def test_limited_takes_the_same_images_of_all_classes(tree):
    images = FolderSet(tree / "train")
    few = images.limited(9)
    assert len(few) == 9 and set(few.labels.tolist()) == {0, 1, 2}
    assert few.indices == spread(24, 9).tolist() == sorted(few.indices)
    assert [few.name(i) for i in range(9)] == [images.name(i) for i in few.indices]
    assert (np.asarray(few[4][0]) == np.asarray(images[few.indices[4]][0])).all()
    assert images.limited(24) is images and images.limited(None) is images


def test_data_root_is_the_argument_then_the_variable_then_the_cache(tmp_path, monkeypatch):
    assert data_root(tmp_path / "x") == tmp_path / "x"
    assert beton_folder("imagenet") == tmp_path / "data" / "imagenet" / "beton"
    monkeypatch.delenv("FASTSCALE_DATA")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert data_root() == tmp_path / ".cache" / "fastscale"
    assert write_command("folder:/a b", "/x") == "fastscale data write 'folder:/a b' --data-dir /x"
