"""ImageNet's size without ImageNet: time and peak memory of what grows with the number of images.

    python scripts/benchmarks/imagenet_size.py [--images 1281167] [--classes 1000] [--folder DIR]

Makes that many tiny JPEG files (and 50,000 for validation), writes them with `data write`, opens
them, and takes an epoch's order and the first batch. Each is timed in a new process, without its
imports. "open, no FFCV" is the plain loader, which asks for the state of every file. Exit code 1 if
one of these takes more than --seconds, or anything more than --memory MB. Writing has no time
limit; its rate is printed. Needs 2 GB of disk.

What this hides: the files are hard links to --distinct pictures of 16 x 16 px, so reading and
decoding cost almost nothing, and all is in the page cache. Real photographs add their decoding and
150 GB of reading to `data write`; to the other rows they add only the first batch's decoding.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from fastscale.common import IMAGENET_IMAGES

LINKS = 60_000  # to one file; ext4 allows 65,000
CLASSES, VALIDATION = 1000, 50_000
LIMITED = ("open", "order", "first batch", "open, no FFCV")


def make_images(root: Path, images: int, classes: int, distinct: int, split: str) -> None:
    """Makes `root`/images/`split`/<class>/*: `images` files, spread evenly over the classes."""
    rng = np.random.default_rng(0)
    first = root / "distinct"
    first.mkdir(parents=True, exist_ok=True)
    distinct = max(distinct, -(-images // LINKS))
    for k in range(distinct):
        pixels = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(first / f"{k:04d}.JPEG", quality=90)
    sources = [str(first / f"{k:04d}.JPEG") for k in range(distinct)]
    for label in range(classes):
        folder = root / "images" / split / f"n{label:08d}"
        folder.mkdir(parents=True)
        for k in range(images * label // classes, images * (label + 1) // classes):
            os.link(sources[k % distinct], folder / f"n{label:08d}_{k:07d}.JPEG")


def opened(spec: str, loader: str):  # type: ignore[no-untyped-def]
    """The data module that `fit` makes."""
    from fastscale.data.module import ImageData

    return ImageData(spec, resolution=16, test_resolution=16, batch_size=256, loader=loader)


def stage(name: str, spec: str) -> dict[str, float]:
    """One row: seconds of the stage, CPU seconds, and peak MB of this process and a worker."""
    import fastscale.data.module
    from fastscale.data.write import write

    def timed(job: Callable[[], object]) -> tuple[float, float]:
        began, busy = time.perf_counter(), time.process_time()
        job()
        return time.perf_counter() - began, time.process_time() - busy

    if name == "write":
        took = timed(lambda: write(spec, progress=lambda line: print(line, file=sys.stderr)))
    elif name.startswith("open"):
        took = timed(lambda: opened(spec, "plain" if "no FFCV" in name else "ffcv"))
    else:
        import fastscale.data.ffcv_loader  # noqa: F401

        data = opened(spec, "ffcv")
        every = np.arange(data.train_size)
        took = timed(
            (lambda: data.train_framing.order(every, 1))
            if name == "order"
            else (lambda: next(iter(data.train_dataloader())))
        )
    peak = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    here, child = (usage.ru_maxrss / 1024 for usage in peak)
    return {"seconds": took[0], "cpu": took[1], "mb": here, "worker_mb": child}


def in_a_process(name: str, spec: str, home: Path) -> dict[str, float]:
    """Runs `stage` in a new process."""
    root = Path(__file__).resolve().parents[2]
    env = {**os.environ, "FASTSCALE_DATA": str(home), "PYTHONPATH": str(root)}
    command = [sys.executable, __file__, "--stage", name, "--folder", spec]
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"{name}: failed")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> int:
    """Prints a line for each stage."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--images", type=int, default=IMAGENET_IMAGES, help="training images (default: 1,281,167)"
    )
    parser.add_argument("--classes", type=int, default=CLASSES)
    parser.add_argument("--distinct", type=int, default=512, help="different pictures")
    parser.add_argument("--folder", help="works there (default: a temporary folder)")
    parser.add_argument(
        "--seconds", type=float, default=15.0, help="limit of a stage, except writing (default: 15)"
    )
    parser.add_argument(
        "--memory", type=float, default=1500.0, help="limit of a stage in MB (default: 1500)"
    )
    parser.add_argument("--stage", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.stage:
        print(json.dumps(stage(args.stage, args.folder)))
        return 0
    validation = max(args.classes, min(VALIDATION, args.images // 20))
    with tempfile.TemporaryDirectory(dir=args.folder, prefix="imagenet-size-") as scratch:
        root, home = Path(scratch), Path(scratch) / "home"
        began = time.perf_counter()
        for split, images in (("train", args.images), ("val", validation)):
            make_images(root, images, args.classes, args.distinct, split)
        total = args.images + validation
        print(f"{total:,} files made in {time.perf_counter() - began:.0f} s", flush=True)
        print(
            f"{'stage':16}{'seconds':>9}{'of CPU':>9}{'peak MB':>9}{'a worker, MB':>14}", flush=True
        )
        over = []
        for name in ("write", "write again", *LIMITED):
            found = in_a_process(name.split(" again")[0], str(root / "images"), home)
            line = f"{name:16}{found['seconds']:9.2f}{found['cpu']:9.2f}"
            line += f"{found['mb']:9.0f}{found['worker_mb']:14.0f}"
            rate = f"   {total / found['seconds']:,.0f} images/s" if "write" in name else ""
            print(line + rate, flush=True)
            slow = name in LIMITED and found["seconds"] > args.seconds
            if slow or max(found["mb"], found["worker_mb"]) > args.memory:
                over.append(name)
    if over:
        print(f"over the limits: {', '.join(over)}")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
