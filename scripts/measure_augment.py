"""What augmentation costs, and how close it comes to PIL's.

.venv/bin/python scripts/measure_augment.py [SOURCE] [--resolution 224] [--workers 2]
    [--images 2560] [--rounds 7]

Prints images/s of both loaders with and without augmentation, and time and pixels of the
operations. SOURCE: folder:PATH or another source that `fastscale data write` has written (default:
ImageNet or Imagenette, if written). Rounds are interleaved and compared within a round, because a
busy machine slows all of them. The first round is not counted.
"""

import argparse
import statistics
import sys
import time

import numpy as np

from fastscale.data import Framing, source
from fastscale.data.augment import fast, pillow
from fastscale.data.augment.policy import AUGMENTATIONS, policy, rand_choices
from fastscale.data.ffcv_loader import GuardedLoader
from fastscale.data.images import spread
from fastscale.data.plain_loader import PlainLoader
from fastscale.errors import InputError


def written(spec: str | None):
    """The source, which has a train.beton."""
    for name in [spec] if spec else ["imagenet", "imagenette"]:
        s = source(name)
        if (s.betons / "train.beton").is_file():
            return s
    raise InputError(
        f"no written photographs; write some first: fastscale data write {spec or 'imagenette'}"
    )


def ratio(top: list[float], bottom: list[float]) -> str:
    """The median of the rounds' ratios, and their range."""
    each = [a / b for a, b in zip(top, bottom, strict=True)]
    return f"{statistics.median(each):.2f} ({min(each):.2f} to {max(each):.2f})"


def loaders(s, indices: np.ndarray, args: argparse.Namespace) -> None:
    """Prints images/s of whole epochs."""
    made, rate = {}, {}
    for augmentation in AUGMENTATIONS:
        framing = Framing(
            True, args.resolution, round(args.resolution * 8 / 7), augmentation=augmentation
        )
        common = {"workers": args.workers, "indices": indices}
        made["ffcv", augmentation] = GuardedLoader(s.betons / "train.beton", framing, 128, **common)
        made["plain", augmentation] = PlainLoader(s.split("train"), framing, 128, **common)
        rate["ffcv", augmentation], rate["plain", augmentation] = [], []
    for round_ in range(args.rounds + 1):
        for which, loader in made.items():
            start = time.perf_counter()
            seen = sum(len(labels) for _, labels in loader)
            if round_:
                rate[which].append(seen / (time.perf_counter() - start))
    print(f"{'loader':8}{'augmentation':18}{'images/s':>10}   share of none's{'':9}ffcv over plain")
    for (loader, augmentation), values in rate.items():
        over = ratio(values, rate["plain", augmentation]) if loader == "ffcv" else ""
        print(
            f"{loader:8}{augmentation:18}{statistics.median(values):10.0f}   "
            f"{ratio(values, rate[loader, 'none']):24}{over}"
        )


def operations(s, indices: np.ndarray, args: argparse.Namespace) -> None:
    """Prints microseconds an image for the operations alone, in one thread."""
    images = [
        np.ascontiguousarray(cropped(s.split("train").pixels(int(i)), args.resolution))
        for i in indices[:64]
    ]
    spare = np.empty_like(images[0])
    ways = {"ours": lambda image, ops: fast.apply(image, ops, spare), "PIL": pillow.apply}
    print(f"\n{'operations alone':26}{'ours, us':>10}{'PIL, us':>10}   PIL over ours")
    for augmentation in AUGMENTATIONS[1:]:
        drawn = Framing(True, 32, 32, augmentation=augmentation).operations(0, np.arange(640))
        cost: dict[str, list[float]] = {way: [] for way in ways}
        for round_ in range(args.rounds + 1):
            for way, apply in ways.items():
                copies = [image.copy() for image in images]
                start = time.perf_counter()
                for k, ops in enumerate(drawn):
                    apply(copies[k % len(copies)], ops)
                if round_:
                    cost[way].append((time.perf_counter() - start) / len(drawn) * 1e6)
        ours, theirs = (statistics.median(cost[way]) for way in ways)
        print(f"{augmentation:26}{ours:10.0f}{theirs:10.0f}   {ratio(cost['PIL'], cost['ours'])}")


def errors(s, indices: np.ndarray, args: argparse.Namespace) -> None:
    """Compares every operation of the policies, at all its values, with PIL's."""
    images = [
        np.ascontiguousarray(cropped(s.split("train").pixels(int(i)), args.resolution))
        for i in indices[:32]
    ]
    pairs = [
        pair for name in AUGMENTATIONS[1:3] for choices in policy(name) for _, pair in choices
    ] + list(rand_choices())
    values: dict[str, set[float]] = {}
    for op in (op for pair in pairs for op in pair if op is not None):
        values.setdefault(op[0], set()).add(op[1])
    spare = np.empty_like(images[0])
    print(f"\n{'operation':16}{'values':>8}{'most levels apart':>20}{'levels that differ, %':>24}")
    for name in sorted(values):
        most, differ, total = 0, 0, 0
        for value in sorted(values[name]):
            for image in images:
                ours, theirs = image.copy(), image.copy()
                fast.apply(ours, [(name, value)], spare)
                pillow.apply(theirs, [(name, value)])
                apart = np.abs(ours.astype(np.int16) - theirs)
                most = max(most, int(apart.max()))
                differ += int((apart > 0).sum())
                total += apart.size
        print(f"{name:16}{len(values[name]):>8}{most:>20}{100 * differ / total:>24.3f}")


def cropped(pixels: np.ndarray, side: int) -> np.ndarray:
    """The image resized to `side` x `side` pixels."""
    import cv2

    return cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA)


def main() -> int:
    """Prints the three tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", nargs="?")
    parser.add_argument("--resolution", type=int, default=224)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--images", type=int, default=2560)
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    try:
        s = written(args.source)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    count = len(s.split("train"))
    indices = spread(count, min(count, args.images))
    print(
        f"{s.name}, {len(indices)} images, {args.resolution} px, {args.workers} workers, "
        f"median of {args.rounds} rounds (range)"
    )
    loaders(s, indices, args)
    operations(s, indices, args)
    errors(s, indices, args)
    return 0


if __name__ == "__main__":
    sys.exit(main())
