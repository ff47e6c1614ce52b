"""What each way of storing photographs costs: bytes an image, and images/s of the loader.

.venv/bin/python scripts/measure_storage.py [SOURCE] [--images 768] [--rounds 5] [--workers 2]
    [--out FILE.csv]

Beside it stands torch's DataLoader with PIL on the files. SOURCE: a written source of photographs
(default: imagenet or imagenette, whichever is written). If photographs are small, four of them make
one of ImageNet's usual area, saved at JPEG quality 95 (`--mosaic 2`, the default if the longer side
is under 300 px). Rounds of all settings are interleaved: training crops at 224 px, with and without
AutoAugment; ratios are within a round. The ImageNet column is bytes an image times 1,331,167 images
(train and val): an extrapolation from these photographs, not a measurement.
"""

import argparse
import csv
import io
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from fastscale.common import IMAGENET_IMAGES, write_whole
from fastscale.data import Framing, source
from fastscale.data.ffcv_loader import GuardedLoader
from fastscale.data.images import ImageSet, spread
from fastscale.data.plain_loader import PlainLoader
from fastscale.data.source_kinds import Source
from fastscale.data.write import write
from fastscale.errors import InputError

IMAGENET = IMAGENET_IMAGES + 50_000
SETTINGS: dict[str, dict[str, Any]] = {
    "longer side 500, files kept (default)": {},
    "500, quality 90": {"jpeg_quality": 90},
    "400, quality 90": {"max_resolution": 400, "jpeg_quality": 90},
    "320, quality 90": {"max_resolution": 320, "jpeg_quality": 90},
    "256, quality 90": {"max_resolution": 256, "jpeg_quality": 90},
    "400, half of them raw": {"max_resolution": 400, "raw_share": 0.5},
    "320, raw": {"max_resolution": 320, "raw_share": 1.0},
    "256, raw": {"max_resolution": 256, "raw_share": 1.0},
}


def written(spec: str | None) -> Source:
    """The source, which has a train.beton."""
    for name in [spec] if spec else ["imagenet", "imagenette"]:
        s = source(name)
        if (s.betons / "train.beton").is_file():
            return s
    raise InputError(
        f"no written photographs; write some first: fastscale data write {spec or 'imagenette'}"
    )


def files(images: ImageSet, count: int, mosaic: int, folder: Path) -> Path:
    """Writes `count` photographs, each of mosaic x mosaic images, as train|val/photo/*.JPEG."""
    chosen = spread(len(images), min(len(images), count * mosaic**2))
    for split in ("train", "val"):
        (folder / split / "photo").mkdir(parents=True)
    for k in range(len(chosen) // mosaic**2):
        tiles = [images.pixels(int(i)) for i in chosen[k * mosaic**2 :][: mosaic**2]]
        height, width = (min(t.shape[axis] for t in tiles) for axis in (0, 1))
        rows = [
            np.concatenate([t[:height, :width] for t in tiles[r * mosaic :][:mosaic]], axis=1)
            for r in range(mosaic)
        ]
        split = "val" if k == 0 else "train"
        Image.fromarray(np.concatenate(rows)).save(
            folder / split / "photo" / f"{k:05d}.JPEG", quality=95
        )
    return folder


def measure(photos: Source, args: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    """A row for each setting; the first is the plain loader on the files."""
    train = photos.split("train")
    framings = {
        name: Framing(True, 224, 256, augmentation=name) for name in ("none", "autoaugment")
    }
    loaders: dict[tuple[str, str], Any] = {}
    size = {
        "files, PIL in torch's DataLoader": sum(len(train.read(i)) for i in range(len(train)))
        / len(train)
    }
    for augmentation, framing in framings.items():
        loaders["files, PIL in torch's DataLoader", augmentation] = PlainLoader(
            train, framing, 128, workers=args.workers
        )
    for number, (name, settings) in enumerate(SETTINGS.items()):
        out = folder / f"beton{number}"
        write(photos, out, workers=args.workers, progress=lambda line: None, **settings)
        for augmentation, framing in framings.items():
            loaders[name, augmentation] = GuardedLoader(
                out / "train.beton", framing, 128, workers=args.workers
            )
        # not the file's size: header and last page weigh too much for so few images
        table = loaders[name, "none"].reader.alloc_table
        size[name] = float((table["ptr"] + table["size"]).max() - table["ptr"].min()) / len(table)
        print(f"written: {name}, {size[name] / 1e3:.1f} kB an image", file=sys.stderr, flush=True)
    rate: dict[tuple[str, str], list[float]] = {key: [] for key in loaders}
    for round_ in range(args.rounds + 1):  # the first is not counted: compilation, page cache
        for key, loader in loaders.items():
            began = time.perf_counter()
            seen = sum(len(labels) for _, labels in loader)
            if round_:
                rate[key].append(seen / (time.perf_counter() - began))
        print(f"round {round_} of {args.rounds}", file=sys.stderr, flush=True)
    rows = []
    for name, each in size.items():
        plain = rate[next(iter(size)), "none"]
        over = [a / b for a, b in zip(rate[name, "none"], plain, strict=True)]
        kept = [a / b for a, b in zip(rate[name, "autoaugment"], rate[name, "none"], strict=True)]
        rows.append(
            {
                "stored": name,
                "kB_an_image": round(each / 1e3, 1),
                "imagenet_GB_extrapolated": round(each * IMAGENET / 1e9),
                "images_per_s": round(statistics.median(rate[name, "none"])),
                "over_plain": round(statistics.median(over), 2),
                "over_plain_least": round(min(over), 2),
                "over_plain_most": round(max(over), 2),
                "autoaugment_images_per_s": round(statistics.median(rate[name, "autoaugment"])),
                "autoaugment_share": round(statistics.median(kept), 2),
            }
        )
    return rows


def main() -> int:
    """Prints the table, and writes it as CSV with --out."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", nargs="?")
    parser.add_argument("--images", type=int, default=768)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--mosaic", type=int)
    parser.add_argument("--out")
    args = parser.parse_args()
    try:
        s = written(args.source)
        images = s.split("train")
        mosaic = args.mosaic or (2 if max(images.pixels(0).shape) < 300 else 1)
        with tempfile.TemporaryDirectory() as folder:
            tree = files(images, args.images, mosaic, Path(folder) / "photos")
            rows = measure(source(str(tree), data_dir=folder), args, Path(folder))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(
        f"{s.name}, {args.images} photographs ({mosaic * mosaic} images each), "
        f"{args.workers} workers, {args.rounds} rounds"
    )
    for row in [dict(zip(rows[0], rows[0], strict=True)), *rows]:
        print(
            f"{row['stored']:40}"
            + "".join(f"{value:>14}" for key, value in row.items() if key != "stored")
        )
    if args.out:
        out = io.StringIO(newline="")
        writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_whole(args.out, out.getvalue())
    return 0


if __name__ == "__main__":
    sys.exit(main())
