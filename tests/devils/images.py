"""Cases: files that are not the image that their suffix promises, and folders with odd files."""

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

from tests.devils.rule import NEVER, Case, command


def picture(
    kind: str = "PNG", size: tuple[int, int] = (40, 36), mode: str = "RGB", **more: Any
) -> bytes:
    out = io.BytesIO()
    image = Image.effect_noise(size, 60).convert(mode)
    image.save(out, kind, **more)
    return out.getvalue()


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n(made) (w) file closefile\nshowpage\n"


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims to be this large, without pixels."""
    import struct
    import zlib

    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    )


def images() -> dict[str, tuple[str, bytes]]:
    """Files that are not a complete image of the kind that their suffix promises."""
    jpeg, png = picture("JPEG"), picture("PNG")
    return {
        "jpeg-half": ("a.jpg", jpeg[: len(jpeg) // 2]),
        "png-half": ("a.png", png[: len(png) // 2]),
        "empty": ("a.png", b""),
        "eps": ("a.jpg", EPS),
        "eps-png": ("a.png", EPS),
        "text": ("a.jpg", b"not an image"),
        "html": ("a.png", b"<html>"),
        "huge": ("a.png", png_header(1 << 20, 1 << 20)),
        "bomb": ("a.png", png_header(30_000, 30_000) + png[33:]),
        "zero": ("a.png", png_header(0, 0)),
        "pdf": ("a.jpg", b"%PDF-1.4\n" + bytes(99)),
        "svg": ("a.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        "random": ("a.jpg", bytes(range(256)) * 20),
        "jpeg-noise": ("a.jpg", jpeg[:300] + bytes(200) + jpeg[300:400]),
    }


def predict(place: Any, name: str, data: bytes) -> Any:
    return command("predict", place.file(name, data), "--checkpoint", place.made.release)


def write(place: Any, name: str, data: bytes) -> Any:
    """`data write` of a folder with this file among its images."""
    folder = place.copy("images")
    (folder / "train" / "ant" / name).write_bytes(data)
    return command("data", "write", folder, "--out", place.folder / "out", "--workers", "0")


def odd_write(place: Any, name: str) -> Any:
    """`data write` of a folder with a file of this name."""
    folder = place.copy("images")
    (folder / "train" / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / "train" / name).write_bytes(b"\0")
    return command("data", "write", folder, "--out", place.folder / "out", "--workers", "0")


def upright(place: Any, orientation: int) -> Any:
    """Whether an image with that EXIF orientation is decoded as it is meant."""
    from PIL import ImageOps

    from fastscale.data.images import decode

    exif = Image.Exif()
    exif[0x0112] = orientation
    data = picture("PNG", (40, 24), exif=exif)
    meant = ImageOps.exif_transpose(Image.open(io.BytesIO(data)).convert("RGB"))
    return np.array_equal(np.asarray(decode(data)), np.asarray(meant))


def cases() -> Iterator[Case]:
    for kind, (name, data) in images().items():
        yield Case(f"image-predict-{kind}", lambda place, n=name, d=data: predict(place, n, d))
        if kind not in ("html", "svg", "zero", "random"):
            yield Case(
                f"image-write-{kind}", lambda place, n=name, d=data: lines(write(place, n, d))
            )
    for mode in ("L", "P", "RGBA", "CMYK", "1", "I;16"):
        kind = "JPEG" if mode == "CMYK" else "PNG"
        make = lambda m=mode, k=kind: sixteen() if m == "I;16" else picture(k, mode=m)  # noqa: E731
        yield Case(f"image-mode-{mode}", lambda place, f=make: predict(place, "a.png", f()), NEVER)
    for number in range(1, 10):
        yield Case(f"image-exif-{number}", lambda place, n=number: upright(place, n), NEVER, bool)
    for name in (
        ".DS_Store",
        "ant/.DS_Store",
        "ant/._00.png",
        "ant/Thumbs.db",
        "desktop.ini",
        "ant/notes.txt",
    ):
        yield Case(
            f"image-beside-{name.replace('/', '-')}",
            lambda place, n=name: odd_write(place, n),
            NEVER,
        )


def sixteen() -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.arange(40 * 36, dtype=np.uint16).reshape(36, 40) * 40).save(out, "PNG")
    return out.getvalue()


def lines(ended: Any) -> Any:
    """`data write` has a line for each broken image; keep only the last line."""
    assert ended.code in (1, 2), ended
    ended.err = ended.err.strip().splitlines()[-1] + "\n"
    return ended
