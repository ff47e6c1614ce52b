"""Cases: damaged and hostile stores, checkpoints, weights, images and archives."""

import io
import json
import random
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from PIL import Image

from tests.devils.rule import MAY, MUST, NEVER, Case, command

# ---- .beton -----------------------------------------------------------------------------------


def beton(place: Any, change: Callable[[bytearray], Any]) -> Any:
    """Opens a changed store for training; then, if that was not refused, verifies its content."""
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
    assert ended.code in (1, 2), f"damage not found: {ended.out}{ended.err}"
    from fastscale.errors import InputError

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
        "grown": lambda d: d + bytes(100), "empty": lambda d: bytearray(1)[:0] or bytearray(b"x"), "in-pages": in_pages, "last-byte": flip(1.0, 0),
        "middle": zero(0.0, 4096), "end": zero(1.0, 64), "mode": at_row(0, 7), "width": at_row(1, 255), "height": at_row(3, 0),
        "pointer": at_row(5, 1), "label": at_row(16, 99), "label-minus": at_row(23, 255),
    }.items():  # fmt: skip
        yield Case(f"beton-{name}", lambda place, c=change: beton(place, c))


# ---- training checkpoints ---------------------------------------------------------------------


def checkpoint(place: Any, change: Callable[[dict], Any]) -> Any:
    """Reads and loads a run's checkpoint with changed content; its digest file is left out."""
    import torch

    import fastscale as fs
    from fastscale.training.checkpoint_io import read_checkpoint

    content = torch.load(place.made.run / "last.ckpt", weights_only=True)
    content = change(content) or content
    path = place.folder / "run" / "last.ckpt"
    path.parent.mkdir()
    torch.save(content, path)
    read_checkpoint(path)
    return fs.load(path)


def set_at(*keys: Any, value: Any = None) -> Callable[[dict], None]:
    def change(content: dict) -> None:
        for key in keys[:-1]:
            content = content[key]
        content[keys[-1]] = value

    return change


def drop(*keys: str) -> Callable[[dict], None]:
    def change(content: dict) -> None:
        for key in keys[:-1]:
            content = content[key]
        del content[keys[-1]]

    return change


def weight(value: float, part: str) -> Callable[[dict], None]:
    """One number of every tensor whose name has this part."""

    def change(content: dict) -> None:
        for name, tensor in content["state_dict"].items():
            if part in name and tensor.is_floating_point():
                tensor.view(-1)[0] = value

    return change


def checkpoint_cases() -> Iterator[Case]:
    nan, settings = float("nan"), "hyper_parameters"
    wrong: dict[str, Callable[[dict], Any]] = {
        "list": lambda c: [1], "empty": lambda c: {"a": 1}, "text": lambda c: "x",
        **{f"without-{k}": drop(k) for k in ("state_dict", settings)},
        **{f"without-{k}": drop(settings, k) for k in ("arch", "recipe", "num_classes", "seed", "mean", "std")},
        **{
            f"{k}-{i}": set_at(settings, k, value=v)
            for k, values in {
                "arch": ("regnety-4gf.dWr-x1000000", "nothing", 5, "regnety-tiny.d-x900000", "\x1b[31m", ""),
                "num_classes": (0, -1, 10**30, 1e308, True, "3", nan, None),
                "seed": ("x", 1.5, None), "mean": ([nan] * 3, [1, 2], "abc", [1e308] * 3, None),
                "std": ([0, 0, 0], [-1.0] * 3, [nan] * 3, []), "recipe": ([], "x", {"lr": nan}, {}),
            }.items()
            for i, v in enumerate(values)
        },
        **{f"epoch-{i}": set_at("epoch", value=v) for i, v in enumerate(("x", 1.5, nan, -5, 10**30, None))},
        **{f"step-{i}": set_at("global_step", value=v) for i, v in enumerate(("x", 1.5, nan, -5, 10**30, None))},
        "weight-text": lambda c: set_at("state_dict", next(iter(c["state_dict"])), value="x")(c),
        "weight-missing": lambda c: drop("state_dict", next(iter(c["state_dict"])))(c),
        "weight-nan": weight(nan, "weight"), "weight-inf": weight(float("inf"), "weight"),
        "statistics-nan": weight(nan, "running_mean"), "statistics-inf": weight(float("inf"), "running_var"),
        "bias-nan": weight(nan, "bias"), "state-list": set_at("state_dict", value=[]),
        "trained-with": set_at("trained_with", value={"classes": 5}), "classes": set_at("trained_with", "classes", value=[1, 2, 3]),
        "errors-text": set_at("errors", value="x"), "errors-nan": set_at("errors", value={"top1_error": nan}),
        "errors-large": set_at("errors", value={"top1_error": 1e9}),
    }  # fmt: skip
    for name, change in wrong.items():
        yield Case(f"checkpoint-{name}", lambda place, c=change: checkpoint(place, c))
    yield Case("checkpoint-right", lambda place: checkpoint(place, lambda c: None), NEVER)
    yield Case("checkpoint-run", lambda place: command("evaluate", place.made.run, "--data", place.made.source, "--data.data_dir", place.made.home / "data"), NEVER)  # fmt: skip
    resumed: dict[str, Callable[[dict], Any]] = {
        **{f"without-{k}": drop(k) for k in ("optimizer_states", "lr_schedulers", "loops")},
        **{
            f"{k}-{i}": set_at(k, value=v)
            for k in ("optimizer_states", "lr_schedulers", "loops")
            for i, v in enumerate(([], {}, "x", None, [{}]))
        },
        "step-huge": set_at("global_step", value=10**12), "seed": set_at(settings, "seed", value=1),
        "nan": weight(nan, "weight"), "statistics": weight(nan, "running_var"),
    }  # fmt: skip
    for name, change in resumed.items():
        yield Case(f"resume-{name}", lambda place, c=change: resume(place, c))
    for kind, cut in {"half": 0.5, "start": 0.01, "end": 0.999}.items():
        yield Case(f"resume-cut-{kind}", lambda place, s=cut: resume(place, None, s))


def resume(place: Any, change: Callable[[dict], Any] | None, cut: float = 1.0) -> Any:
    """`fit` on a run folder whose checkpoint was changed, and which is not marked as finished."""
    import torch

    from tests.devils.conftest import RUN, SHORT

    folder = place.folder / "runs" / RUN
    folder.mkdir(parents=True)
    place.copy("run").rename(folder / "seed0")
    path = folder / "seed0" / "last.ckpt"
    (folder / "seed0" / "record.json").unlink()
    for digest in folder.glob("seed0/last.ckpt.*"):
        digest.unlink()
    if change is not None:
        content = torch.load(path, weights_only=True)
        torch.save(change(content) or content, path)
    path.write_bytes(path.read_bytes()[: int(cut * path.stat().st_size)])
    words = ["fit", "--run", RUN, "--runs_dir", "runs", "--data.source", place.made.source]
    return command(*words, "--data.data_dir", place.made.home / "data", *SHORT)


# ---- .safetensors -----------------------------------------------------------------------------


def weights(place: Any, change: Callable[[dict, bytes], tuple[Any, bytes]]) -> Any:
    """Loads a release with a changed header or body."""
    import fastscale as fs

    data = place.made.release.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header, body = change(json.loads(data[8 : 8 + length]), data[8 + length :])
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return fs.load(place.file("x.safetensors", len(text).to_bytes(8, "little") + text + body))


def first(header: dict, key: str, value: Any) -> dict:
    name = next(k for k in header if k != "__metadata__")
    return {**header, name: {**header[name], key: value}}


def about(header: dict, key: str, value: Any) -> dict:
    return {**header, "__metadata__": {**header["__metadata__"], key: value}}


def weights_cases() -> Iterator[Case]:
    nan = np.float32("nan").tobytes()
    wrong: dict[str, Callable[[dict, bytes], tuple[Any, bytes]]] = {
        "cut": lambda h, b: (h, b[:-1]), "grown": lambda h, b: (h, b + b"\0"), "no-body": lambda h, b: (h, b""),
        "nan": lambda h, b: (h, b[:400] + nan + b[404:]), "all-nan": lambda h, b: (h, nan * (len(b) // 4)),
        "inf": lambda h, b: (h, b[:4000] + np.float32("inf").tobytes() + b[4004:]),
        **{f"shape-{i}": lambda h, b, v=v: (first(h, "shape", v), b) for i, v in enumerate(([-1], [1 << 62, 8], ["x"], [True], [[]], None, [0.5], [0] * 99))},
        **{f"offsets-{i}": lambda h, b, v=v: (first(h, "data_offsets", v), b) for i, v in enumerate(([0], [8, 0], [-8, 0], [0, 1 << 63], "x", [None, 1]))},
        **{f"dtype-{i}": lambda h, b, v=v: (first(h, "dtype", v), b) for i, v in enumerate(("F64", "BOOL", "f32", 5, [], ""))},
        **{f"arch-{i}": lambda h, b, v=v: (about(h, "arch", v), b) for i, v in enumerate(("regnety-4gf", "regnety-4gf.dWr-x1000000", "", "\x1b[31m", "../x"))},
        **{f"{k}-{i}": lambda h, b, k=k, v=v: (about(h, k, v), b) for k in ("mean", "num_classes", "classes") for i, v in enumerate(("NaN", "-1", "[1e308]", "{}", "[" * 50_000, "1" * 5000, "x"))},
        "metadata-list": lambda h, b: ({**h, "__metadata__": []}, b), "metadata-number": lambda h, b: (about(h, "arch", 5), b),
        "no-metadata": lambda h, b: ({k: v for k, v in h.items() if k != "__metadata__"}, b),
        "extra": lambda h, b: ({**h, "extra": {"dtype": "F32", "shape": [1], "data_offsets": [len(b), len(b) + 4]}}, b + b"\0\0\0\0"),
    }  # fmt: skip
    for name, change in wrong.items():
        yield Case(f"weights-{name}", lambda place, c=change: weights(place, c))
    for name, length in {"header-huge": 1 << 62, "header-0": 0, "header-all": 100}.items():
        yield Case(
            f"weights-{name}",
            lambda place, n=length: load_file(place, n.to_bytes(8, "little") + b"{" * 100),
        )
    yield Case("weights-right", lambda place: weights(place, lambda h, b: (h, b)), NEVER)


def load_file(place: Any, data: bytes) -> Any:
    import fastscale as fs

    return fs.load(place.file("x.safetensors", data))


# ---- images -----------------------------------------------------------------------------------


def picture(
    kind: str = "PNG", size: tuple[int, int] = (40, 36), mode: str = "RGB", **more: Any
) -> bytes:
    out = io.BytesIO()
    image = Image.effect_noise(size, 60).convert(mode)
    image.save(out, kind, **more)
    return out.getvalue()


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n(canary/made) (w) file closefile\nshowpage\n"


def png_header(width: int, height: int) -> bytes:
    """A PNG that says it is this large, with no pixels behind."""
    import struct
    import zlib

    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    )


def images() -> dict[str, tuple[str, bytes]]:
    """Files that are no whole image of what their suffix says."""
    jpeg, png = picture("JPEG"), picture("PNG")
    return {
        "jpeg-half": ("a.jpg", jpeg[: len(jpeg) // 2]), "png-half": ("a.png", png[: len(png) // 2]), "empty": ("a.png", b""),
        "eps": ("a.jpg", EPS), "eps-png": ("a.png", EPS), "text": ("a.jpg", b"not an image"), "html": ("a.png", b"<html>"),
        "huge": ("a.png", png_header(1 << 20, 1 << 20)), "bomb": ("a.png", png_header(30_000, 30_000) + png[33:]),
        "zero": ("a.png", png_header(0, 0)), "pdf": ("a.jpg", b"%PDF-1.4\n" + bytes(99)),
        "svg": ("a.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>"), "random": ("a.jpg", bytes(range(256)) * 20),
        "jpeg-noise": ("a.jpg", jpeg[:300] + bytes(200) + jpeg[300:400]),
    }  # fmt: skip


def predict(place: Any, name: str, data: bytes) -> Any:
    return command("predict", place.file(name, data), "--checkpoint", place.made.release)


def write(place: Any, name: str, data: bytes) -> Any:
    """`data write` of a folder that has this among its images."""
    folder = place.copy("images")
    (folder / "train" / "ant" / name).write_bytes(data)
    return command("data", "write", folder, "--out", place.folder / "out", "--workers", "0")


def odd_write(place: Any, name: str) -> Any:
    """Names as people have them."""
    folder = place.copy("images")
    (folder / "train" / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / "train" / name).write_bytes(b"\0")
    return command("data", "write", folder, "--out", place.folder / "out", "--workers", "0")


def upright(place: Any, orientation: int) -> Any:
    """(pixels as decoded, as they are meant) of a picture with that EXIF orientation."""
    from PIL import ImageOps

    from fastscale.data.images import decode

    exif = Image.Exif()
    exif[0x0112] = orientation
    data = picture("PNG", (40, 24), exif=exif)
    meant = ImageOps.exif_transpose(Image.open(io.BytesIO(data)).convert("RGB"))
    return np.array_equal(np.asarray(decode(data)), np.asarray(meant))


def image_cases() -> Iterator[Case]:
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
    """`data write` names each broken image on a line of its own: the last is what counts."""
    assert ended.code in (1, 2), ended
    ended.err = ended.err.strip().splitlines()[-1] + "\n"
    return ended


# ---- archives ---------------------------------------------------------------------------------


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


def archives() -> dict[str, tuple[str, Callable[[], bytes]]]:
    many = lambda: {f"set/train/ant/{i}": b"" for i in range(3)}  # noqa: E731
    return {
        "zip-up": ("a.zip", lambda: zipped({**a_set(), "../../canary/made": b"x"})),
        "zip-absolute": ("a.zip", lambda: zipped({**a_set(), "/tmp/devils-made": b"x"})),
        "zip-drive": ("a.zip", lambda: zipped({**a_set(), "C:\\x": b"x"})),
        "zip-backslash": ("a.zip", lambda: zipped({**a_set(), "..\\..\\x": b"x"})),
        "zip-link": ("a.zip", lambda: zipped({**a_set(), "set/train/ant/l.png": b"/etc/passwd"}, "set/train/ant/l.png")),
        "zip-bomb": ("a.zip", lambda: zipped({**a_set(), "set/train/ant/b.png": bytes(130 << 20)})),
        "zip-cut": ("a.zip", lambda: zipped(a_set())[:-30]),
        "zip-crc": ("a.zip", lambda: zipped(a_set()).replace(b"IDAT", b"IDAX", 1)),
        "zip-not": ("a.zip", lambda: b"not a zip"), "zip-empty": ("a.zip", lambda: zipped({})),
        "zip-long": ("a.zip", lambda: zipped({**a_set(), "set/train/" + "x" * 5000: b"x"})),
        "zip-deep": ("a.zip", lambda: zipped({**a_set(), "a/" * 2000 + "b.png": b"x"})),
        "zip-twice": ("a.zip", lambda: zipped({**a_set(), **many()})),
        "tar-up": ("a.tar.gz", lambda: tarred({**a_set(), "../../canary/made": b"x"})),
        "tar-absolute": ("a.tar.gz", lambda: tarred({**a_set(), "/tmp/devils-made": b"x"})),
        "tar-link": ("a.tar.gz", lambda: tarred({**a_set(), "set/train/ant/l.png": b"/etc/passwd"}, "set/train/ant/l.png")),
        "tar-hard-link": ("a.tar.gz", lambda: tarred({**a_set(), "set/h": b"/etc/passwd"}, "set/h", tarfile.LNKTYPE)),
        "tar-pipe": ("a.tar.gz", lambda: tarred({**a_set(), "set/p": b""}, "set/p", tarfile.FIFOTYPE)),
        "tar-device": ("a.tar.gz", lambda: tarred({**a_set(), "set/d": b""}, "set/d", tarfile.CHRTYPE)),
        "tar-bomb": ("a.tar.gz", lambda: tarred({**a_set(), "set/train/ant/b.png": bytes(130 << 20)})),
        "tar-cut": ("a.tar.gz", lambda: tarred(a_set())[:-200]), "tar-not": ("a.tar", lambda: b"x" * 2000),
    }  # fmt: skip


def archive_cases() -> Iterator[Case]:
    for kind, (name, make) in archives().items():
        yield Case(f"archive-{kind}", lambda place, n=name, m=make: unpacked(place, n, m()))
    good = {
        "zip": ("a.zip", lambda: zipped(a_set())), "tar": ("a.tar.gz", lambda: tarred(a_set())),
        "flat": ("a.zip", lambda: zipped(a_set(""))),
        "mac": ("a.zip", lambda: zipped({**a_set(), **{f"__MACOSX/{n.replace('set/', 'set/._')}": b"\0" for n in a_set()}, "set/.DS_Store": b"\0"})),
    }  # fmt: skip
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
    """All of them."""
    yield from beton_cases()
    yield from checkpoint_cases()
    yield from weights_cases()
    yield from image_cases()
    yield from archive_cases()


__all__ = ["MAY", "MUST", "cases"]
