"""Pictures to measure loaders with: JPEGs of 448 px at quality 90, about ImageNet's area and bytes.

Each is a mosaic of four photographs of a folder, or noise with a photograph's spectrum.
"""

import random
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from fastscale.records.environment import cores

SIDE, QUALITY, CLASSES, VAL_EVERY = 448, 90, 10, 20
SUFFIXES = (".jpeg", ".jpg", ".png")


def make(folder: Path, count: int, photos: Path | None, side: int = SIDE) -> str:
    """Makes the missing ones of `count` pictures in folder/{train,val}/<class>/; describes them."""
    found = sorted(p for p in photos.rglob("*") if p.suffix.lower() in SUFFIXES) if photos else []
    missing = [i for i in range(count) if not place(folder, i).exists()]
    with ProcessPoolExecutor(cores()) as pool:
        for _ in pool.map(partial(one, folder, found, side), missing, chunksize=20):
            pass
    what = f"mosaics of {len(found)} photographs" if found else "noise with a photograph's spectrum"
    return f"{count} {what}, {side} px, JPEG quality {QUALITY}"


def place(folder: Path, number: int) -> Path:
    """The path of picture `number`."""
    split = "train" if number % VAL_EVERY else "val"
    return folder / split / f"class{number // VAL_EVERY % CLASSES}" / f"{number:06d}.JPEG"


def one(folder: Path, photos: list[Path], side: int, number: int) -> None:
    """Writes picture `number`, completely or not at all."""
    image = mosaic(photos, side, number) if photos else noise(side, number)
    path = place(folder, number)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial_path = path.with_suffix(".part")
    image.save(partial_path, "JPEG", quality=QUALITY)
    partial_path.replace(path)


def mosaic(photos: list[Path], side: int, number: int) -> Image.Image:
    """Four photographs, two by two."""
    draw, half = random.Random(number), side // 2
    image = Image.new("RGB", (side, side))
    for k in range(4):
        with Image.open(draw.choice(photos)) as photo:
            tile = photo.convert("RGB").resize((half, half))
        image.paste(tile, (k % 2 * half, k // 2 * half))
    return image


def noise(side: int, number: int) -> Image.Image:
    """Noise whose amplitudes fall as 1 / frequency, as in photographs; channels nearly equal."""
    draw = np.random.default_rng(number)
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None])
    frequency[0, 0] = 1.0
    layers = []
    for _ in range(3):
        phase = draw.normal(size=frequency.shape) + 1j * draw.normal(size=frequency.shape)
        layer = np.fft.irfft2(phase / frequency, s=(side, side))
        layers.append((layer - layer.mean()) / layer.std())
    grey = layers[0]
    channels = [128 + 50 * grey + 12 * layer for layer in layers]
    return Image.fromarray(np.stack(channels, -1).clip(0, 255).astype(np.uint8))
