"""Unusual files that ImageNet contains, and JPEG files kept byte for byte."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from fastscale.data import source
from fastscale.data.beton import JPG, ROW, ROWS_AT
from fastscale.data.framing import Framing
from fastscale.data.images import decode
from fastscale.data.plain_loader import PlainLoader
from fastscale.data.write import write
from tests.data.conftest import draw

ffcv = pytest.importorskip("fastscale.data.ffcv_loader", reason="FFCV is not installed")

ROTATED = 6  # EXIF: the camera was held upright


def encoded(image, form="JPEG", **options):
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def plain(image):
    return encoded(image, quality=92)


def exif(image):
    tags = Image.Exif()
    tags[0x0112] = ROTATED
    return encoded(image, quality=92, exif=tags)


# name: (file bytes of an image, whether they are kept byte for byte)
ODDITIES = {
    "plain": (plain, True),
    "progressive": (lambda image: encoded(image, quality=92, progressive=True), True),
    "full colour": (lambda image: encoded(image, quality=92, subsampling=0), True),
    "grey": (lambda image: encoded(image.convert("L"), quality=92), True),
    "exif": (exif, False),
    "cmyk": (lambda image: encoded(image.convert("CMYK"), quality=92), False),
    "png": (lambda image: encoded(image, "PNG"), False),
    "bytes after": (lambda image: plain(image) + b"\0" * 500, True),
    "stray byte": (lambda image: plain(image)[:-2] + b"\x17\x17" + plain(image)[-2:], False),
    "small": (lambda image: plain(image.resize((70, 30))), True),
}


@pytest.fixture
def odd(tmp_path, lines):
    """A source whose images are the oddities, all named .JPEG, and the bytes of their files."""
    files = {}
    for split in ("train", "val"):
        folder = tmp_path / "odd" / split / "n01440764"
        folder.mkdir(parents=True)
        for k, (name, (make, _)) in enumerate(ODDITIES.items()):
            files[name] = make(draw(k, 90, 130))
            (folder / f"{k:02d}.JPEG").write_bytes(files[name])
    s = source(str(tmp_path / "odd"))
    write(s, progress=lines, workers=0)
    return s, files


def stored(s):
    """The bytes from the start of each stored image to the end of the file."""
    content = (s.betons / "val.beton").read_bytes()
    image = rows(content)
    assert (image["mode"] == JPG).all()
    return [content[start:] for start in image["pointer"].tolist()]


def rows(content):
    """The index entries of the images."""
    return np.frombuffer(content, ROW, len(ODDITIES), ROWS_AT)["image"]


def test_jpegs_that_both_decoders_agree_on_are_kept_byte_for_byte(odd):
    s, files = odd
    for (name, (_, kept)), data in zip(ODDITIES.items(), stored(s), strict=True):
        assert data.startswith(files[name]) == kept, name


def test_a_quality_encodes_all_images(odd, lines):
    s, files = odd
    write(s, progress=lines, workers=0, jpeg_quality=80)
    assert not any(
        data.startswith(files[name]) for name, data in zip(ODDITIES, stored(s), strict=True)
    )


def test_both_loaders_show_the_same_pictures(odd):
    """Within 3 grey levels on average: JPEG decoders differ in rounding and chroma upsampling."""
    s, _ = odd
    framing = Framing(False, 64, 72)
    ((ours, labels),) = ffcv.GuardedLoader(s.betons / "val.beton", framing, len(ODDITIES))
    ((theirs, same_labels),) = PlainLoader(s.split("val"), framing, len(ODDITIES))
    assert torch.equal(labels, same_labels)
    for name, a, b in zip(ODDITIES, ours.float(), theirs.float(), strict=True):
        assert (a - b).abs().mean() < 3, name


def test_pictures_are_upright_everywhere(odd):
    """Training, evaluation and prediction all rotate pixels as EXIF says."""
    s, files = odd
    k = list(ODDITIES).index("exif")
    assert Image.open(io.BytesIO(files["exif"])).size == (130, 90)
    upright = np.asarray(
        Image.open(io.BytesIO(files["exif"])).transpose(Image.Transpose.ROTATE_270)
    )
    assert (s.split("val").pixels(k) == upright).all()
    assert (np.asarray(decode(files["exif"])) == upright).all()
    stored = rows((s.betons / "val.beton").read_bytes())
    assert (stored["height"][k], stored["width"][k]) == (130, 90)
