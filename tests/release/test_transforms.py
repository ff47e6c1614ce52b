"""`fastscale.transforms` equals the validation loaders to the bit, for images of any mode."""

import numpy as np
import pytest
import torch
from PIL import Image

import fastscale as fs
from fastscale.data.images import decode
from fastscale.errors import InputError
from fastscale.release.predict import predict, predictor


@pytest.mark.parametrize("size", [(48, 32), (31, 57), (32, 32), (200, 90)])
def test_transforms_are_the_validation_pipeline(tmp_path, size, release):
    """Bitwise equal to the plain loader's normalised batch, for images stored unchanged."""
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


def test_transforms_take_any_mode_and_refuse_anything_else(release):
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


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_a_photograph_is_rotated_once_by_its_exif(orientation, kind, release, tmp_path):
    """`transforms` and `predict` both see the upright picture of four colours."""
    entry, _ = release()
    upright = np.zeros((48, 64, 3), np.uint8)
    upright[:24, :32], upright[:24, 32:] = (250, 20, 20), (20, 250, 20)
    upright[24:, :32], upright[24:, 32:] = (20, 20, 250), (250, 250, 20)
    lies = {  # the order of the upright picture's pixels in the file: EXIF 2.32, figure 7
        1: lambda p: p,
        2: lambda p: p[:, ::-1],
        3: lambda p: p[::-1, ::-1],
        4: lambda p: p[::-1],
        5: lambda p: p.transpose(1, 0, 2),
        6: lambda p: p.transpose(1, 0, 2)[::-1],
        7: lambda p: p.transpose(1, 0, 2)[::-1, ::-1],
        8: lambda p: p.transpose(1, 0, 2)[:, ::-1],
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = tmp_path / f"photo.{kind.lower()}"
    whole = {"quality": 100, "subsampling": 0} if kind == "JPEG" else {}
    stored = Image.fromarray(np.ascontiguousarray(lies[orientation](upright)))
    stored.save(file, kind, exif=exif, **whole)
    prepare = fs.transforms(entry.name)
    wanted = prepare(upright)
    close = {"rtol": 0, "atol": 0.1 if kind == "JPEG" else 0}
    with Image.open(file) as image:
        torch.testing.assert_close(prepare(image), wanted, **close)
    decoded = decode(file.read_bytes())
    torch.testing.assert_close(prepare(decoded), wanted, **close)
    found = []
    for path in (file, tmp_path / "upright.png"):
        Image.fromarray(upright).save(tmp_path / "upright.png")
        (seen,) = predict(predictor(entry.name), [path], top=3)
        found.append({name: share for name, _, share in seen.top})
    assert found[0] == pytest.approx(found[1], abs=1e-2 if kind == "JPEG" else 1e-6)
