"""Cases: damaged `.beton` files, and archives that are damaged or hostile."""

import io
import random
import tarfile
import warnings
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from fastscale.errors import InputError
from tests.devils.images import picture
from tests.devils.rule import NEVER, Case, command


def beton(place: Any, change: Callable[[bytearray], Any]) -> Any:
    """Open a changed store for training; if that is not refused, `data verify` must find it."""
    from fastscale.data.module import ImageData

    folder = place.copy("store")
    path = folder / "train.beton"
    data = bytearray(path.read_bytes())
    data = change(data) or data
    path.write_bytes(data)
    betons = place.folder / "data" / folder_name(place) / "beton"
    betons.parent.mkdir(parents=True)
    folder.rename(betons)
    ImageData(place.made.source, str(place.folder / "data"), batch_size=8)
    ended = command("data", "verify", place.made.source, "--data-dir", place.folder / "data")
    assert ended.code in (1, 2) and "invalid choice" not in ended.err, (
        f"damage not found: {ended.out}{ended.err}"
    )
    raise InputError(f"found by verify: {ended.err or ended.out}")


def folder_name(place: Any) -> str:
    return str(place.made.store.parent.relative_to(place.made.home / "data"))


def flip(share: float, bit: int) -> Callable[[bytearray], None]:
    def change(data: bytearray) -> None:
        data[int(share * (len(data) - 1))] ^= 1 << bit

    return change


def zero(share: float, count: int) -> Callable[[bytearray], None]:
    def change(data: bytearray) -> None:
        start = min(int(share * len(data)), max(0, len(data) - count))
        data[start : start + count] = b"\xa5" * count

    return change


def at_row(offset: int, value: int) -> Callable[[bytearray], None]:
    """One byte of the first image's row of metadata."""

    def change(data: bytearray) -> None:
        from fastscale.data.beton import ROWS_AT

        data[ROWS_AT + offset] = value

    return change


def in_pages(data: bytearray) -> None:
    """100 bytes of the first image's pixels."""
    from fastscale.data.beton import ROW, ROWS_AT

    row = np.frombuffer(data, ROW, 1, ROWS_AT)[0]
    start = int(row["image"]["pointer"])
    data[start : start + 100] = bytes(100)


def beton_cases() -> Iterator[Case]:
    dice = random.Random(0)
    for k in range(16):
        share, bit = dice.random(), dice.randrange(8)
        yield Case(
            f"beton-cut-{k}", lambda place, s=share: beton(place, lambda d: d[: int(s * len(d))])
        )
        if k < 6:
            yield Case(
                f"beton-flip-head-{k}",
                lambda place, s=share, b=bit: beton(place, flip(s * 20e-6, b)),
            )
    for name, change in {
        "grown": lambda d: d + bytes(100),
        "empty": lambda d: bytearray(1)[:0] or bytearray(b"x"),
        "in-pages": in_pages,
        "last-byte": flip(1.0, 0),
        "middle": zero(0.0, 4096),
        "end": zero(1.0, 64),
        "mode": at_row(0, 7),
        "width": at_row(1, 255),
        "height": at_row(3, 0),
        "pointer": at_row(5, 1),
        "label": at_row(16, 99),
        "label-minus": at_row(23, 255),
    }.items():
        yield Case(f"beton-{name}", lambda place, c=change: beton(place, c))


def zipped(entries: dict[str, bytes], link: str = "") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            if name == link:
                entry.external_attr = 0o120777 << 16
            archive.writestr(entry, data)
    return out.getvalue()


def tarred(entries: dict[str, bytes], link: str = "", kind: bytes = tarfile.SYMTYPE) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, data in entries.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            if name == link:
                entry.type, entry.linkname, entry.size = kind, data.decode(), 0
            archive.addfile(entry, io.BytesIO(data) if name != link else None)
    return out.getvalue()


def a_set(top: str = "set/") -> dict[str, bytes]:
    """A small data set in an archive."""
    return {
        f"{top}{split}/{name}/{i}.png": picture()
        for split in ("train", "val")
        for name in ("ant", "bee")
        for i in range(2)
    }


OF_A_MAC = {"set/.DS_Store": b"\0", "__MACOSX/set/train/ant/._0.png": b"\0"}


def twice() -> bytes:
    """An archive with a member twice, with different content."""
    first, second = zipped({"set/train/ant/9.png": picture()}), b""
    out = io.BytesIO(zipped(a_set()))
    with warnings.catch_warnings(), zipfile.ZipFile(out, "a") as archive:
        warnings.simplefilter("ignore")
        for data in (first, second):
            archive.writestr("set/train/ant/9.png", data)
    return out.getvalue()


def archives() -> dict[str, tuple[str, Callable[[], bytes]]]:
    return {
        "zip-up": ("a.zip", lambda: zipped({**a_set(), "../../canary/made": b"x"})),
        "zip-absolute": ("a.zip", lambda: zipped({**a_set(), "/tmp/fastscale-canary": b"x"})),
        "zip-drive": ("a.zip", lambda: zipped({**a_set(), "C:\\x": b"x"})),
        "zip-backslash": ("a.zip", lambda: zipped({**a_set(), "..\\..\\x": b"x"})),
        "zip-link": (
            "a.zip",
            lambda: zipped(
                {**a_set(), "set/train/ant/l.png": b"/etc/passwd"}, "set/train/ant/l.png"
            ),
        ),
        "zip-bomb": ("a.zip", lambda: zipped({**a_set(), "set/train/ant/b.png": bytes(130 << 20)})),
        "zip-cut": ("a.zip", lambda: zipped(a_set())[:-30]),
        "zip-crc": ("a.zip", lambda: zipped(a_set())[:150] + bytes(20) + zipped(a_set())[170:]),
        "zip-not": ("a.zip", lambda: b"not a zip"),
        "zip-empty": ("a.zip", lambda: zipped({})),
        "zip-long": ("a.zip", lambda: zipped({**a_set(), "set/train/" + "x" * 5000: b"x"})),
        "zip-deep": ("a.zip", lambda: zipped({**a_set(), "a/" * 2000 + "b.png": b"x"})),
        "zip-twice": ("a.zip", twice),
        "tar-up": ("a.tar.gz", lambda: tarred({**a_set(), "../../canary/made": b"x"})),
        "tar-absolute": ("a.tar.gz", lambda: tarred({**a_set(), "/tmp/fastscale-canary": b"x"})),
        "tar-link": (
            "a.tar.gz",
            lambda: tarred(
                {**a_set(), "set/train/ant/l.png": b"/etc/passwd"}, "set/train/ant/l.png"
            ),
        ),
        "tar-hard-link": (
            "a.tar.gz",
            lambda: tarred({**a_set(), "set/h": b"/etc/passwd"}, "set/h", tarfile.LNKTYPE),
        ),
        "tar-pipe": (
            "a.tar.gz",
            lambda: tarred({**a_set(), "set/p": b""}, "set/p", tarfile.FIFOTYPE),
        ),
        "tar-device": (
            "a.tar.gz",
            lambda: tarred({**a_set(), "set/d": b""}, "set/d", tarfile.CHRTYPE),
        ),
        "tar-bomb": (
            "a.tar.gz",
            lambda: tarred({**a_set(), "set/train/ant/b.png": bytes(130 << 20)}),
        ),
        "tar-cut": ("a.tar.gz", lambda: tarred(a_set())[:-200]),
        "tar-not": ("a.tar", lambda: b"x" * 2000),
    }


def archive_cases() -> Iterator[Case]:
    for kind, (name, make) in archives().items():
        yield Case(f"archive-{kind}", lambda place, n=name, m=make: unpacked(place, n, m()))
    good = {
        "zip": ("a.zip", lambda: zipped(a_set())),
        "tar": ("a.tar.gz", lambda: tarred(a_set())),
        "flat": ("a.zip", lambda: zipped(a_set(""))),
        "mac": ("a.zip", lambda: zipped({**a_set(), **OF_A_MAC})),
    }
    for kind, (name, make) in good.items():
        yield Case(
            f"archive-right-{kind}",
            lambda place, n=name, m=make: unpacked(place, n, m()),
            NEVER,
            lambda ended: "4 images in 2 classes" in ended.out,
        )


def unpacked(place: Any, name: str, data: bytes) -> Any:
    words = ("data", "write", place.file(name, data), "--data-dir", place.folder / "data")
    ended = command(*words, "--workers", "0")
    left = [p for p in (place.folder / "data").rglob("*.part")] if ended.code else []
    assert not left, f"left behind: {left}"
    return ended


def cases() -> Iterator[Case]:
    yield from beton_cases()
    yield from archive_cases()
