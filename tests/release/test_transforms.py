"""`fastscale.transforms`: to the bit what the validation loaders do, for images of any mode; what is no image is refused in one line."""

import numpy as np
import pytest
import torch
from PIL import Image

import fastscale as fs
from fastscale.errors import InputError


@pytest.mark.parametrize("size", [(48, 32), (31, 57), (32, 32), (200, 90)])
def test_transforms_are_the_validation_pipeline(tmp_path, size, release):
    """To the bit for images that are stored as they are: the plain loader's batch, normalised as the training module does."""
    from fastscale.data.folder import FolderSet
    from fastscale.data.framing import Framing
    from fastscale.data.plain_loader import PlainLoader
    from fastscale.training.classifier import ImageClassifier

    entry, _ = release()
    rng = np.random.default_rng(size[0])
    pixels = rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    (tmp_path / "images" / "a").mkdir(parents=True)
    Image.fromarray(pixels).save(tmp_path / "images" / "a" / "0.png")
    about = fs.arch("regnety-tiny")
    loader = PlainLoader(
        FolderSet(tmp_path / "images"), Framing(False, about.resolution, about.test_resolution), 1
    )
    ((batch, _),) = loader
    module = ImageClassifier(
        "regnety-tiny", num_classes=3, mean=(120.0, 110.0, 100.0), std=(60.0, 61.0, 62.0)
    )
    expected = module.normalise(batch)[0]
    prepare = fs.transforms(entry.name)
    for image in (pixels, Image.fromarray(pixels), Image.open(tmp_path / "images" / "a" / "0.png")):
        got = prepare(image)
        assert got.shape == (3, 32, 32) and got.dtype == torch.float32
        torch.testing.assert_close(got, expected, rtol=0, atol=1e-6)


def test_transforms_take_any_mode_and_refuse_what_is_no_image(release):
    entry, _ = release()
    prepare = fs.transforms(entry.name)
    grey = np.arange(48 * 40, dtype=np.uint8).reshape(48, 40)
    torch.testing.assert_close(prepare(grey), prepare(Image.fromarray(grey)))
    for mode in ("RGBA", "P", "CMYK", "LA", "1", "I;16"):
        assert prepare(Image.new(mode, (50, 40))).shape == (3, 32, 32)
    for mode, size, message in (
        ("F", (50, 40), "mode F"),
        ("La", (50, 40), "mode La"),
        ("RGB", (0, 5), "0 x 5 pixels"),
    ):
        with pytest.raises(InputError, match=message):
            prepare(Image.new(mode, size))
    for wrong in (
        np.zeros((4, 4, 3)),
        np.zeros((3, 40, 40), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        "photo.jpg",
        torch.zeros(3, 4, 4),
    ):
        with pytest.raises(InputError):
            prepare(wrong)
