"""Images/s of our loader, of stock FFCV's pipeline, and of our loader at an earlier commit.

    python scripts/benchmarks/compare_loaders.py FILE.beton... [--before CHECKOUT] [--workers 1 2]
        [--resolution 224] [--augmentation none autoaugment] [--batch 128] [--images 1024]
        [--rounds 9]

All read training crops and flips of the same .beton files. Each loader is made once, in a separate
process. Rounds are interleaved: one loader reads while the others wait. Ratios are within a round,
because a busy machine slows all of them; printed are their median and range. The first round
(compilation, page cache) is not counted. CHECKOUT: a folder with another commit (`git worktree add
../before COMMIT`). Stock FFCV has no AutoAugment and is compared without. `here` and `own`: our
loader with its threads in the training process, and in a process beside it.

The second ratio is of work: images per second of a core, over all threads. It says more on a busy
machine, where a loader with more threads gets a larger part.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]


def ours(args: argparse.Namespace, process: str | None):
    """Our loader, from the checkout on PYTHONPATH."""
    import numpy as np

    from fastscale.data.ffcv_loader import GuardedLoader
    from fastscale.data.framing import Framing

    size = args.resolution
    framing = Framing(True, size, round(size * 8 / 7), augmentation=args.augmentation[0])
    if process == "own":
        from fastscale.data.own.loader import OwnLoader as Chosen
    else:
        Chosen = GuardedLoader
    count = len(GuardedLoader(args.files[0], framing, 1).indices)
    chosen = np.arange(min(count, args.images))
    return Chosen(args.files[0], framing, args.batch, workers=args.workers[0], indices=chosen)


def stock(args: argparse.Namespace):
    """FFCV's loader as in its documentation."""
    import numpy as np
    from ffcv.fields.basics import IntDecoder
    from ffcv.fields.rgb_image import RandomResizedCropRGBImageDecoder
    from ffcv.loader import Loader, OrderOption
    from ffcv.reader import Reader
    from ffcv.transforms import RandomHorizontalFlip, Squeeze, ToTensor, ToTorchImage

    decoder = RandomResizedCropRGBImageDecoder((args.resolution, args.resolution))
    image = [decoder, RandomHorizontalFlip(), ToTensor(), ToTorchImage()]
    label = [IntDecoder(), ToTensor(), Squeeze(1)]
    count = int(Reader(args.files[0]).num_samples)  # numba does not take an unsigned index
    return Loader(
        args.files[0],
        args.batch,
        num_workers=args.workers[0],
        os_cache=True,
        order=OrderOption.RANDOM,
        indices=np.arange(min(count, args.images)),
        drop_last=True,
        pipelines={"image": image, "label": label},
    )


def child(args: argparse.Namespace) -> None:
    """Reads an epoch for each line on stdin; prints images/s, by the clock and by CPU time."""
    loader = stock(args) if args.child == "stock" else ours(args, args.child)
    for _ in sys.stdin:
        began, worked = time.perf_counter(), work(loader)
        seen = sum(len(labels) for _, labels in loader)
        took = time.perf_counter() - began, work(loader) - worked
        print(*(seen / seconds for seconds in took), flush=True)


def work(loader) -> float:
    """CPU seconds so far of this process and of the loader's process."""
    spent = time.process_time()
    if getattr(loader, "running", None) is not None:
        with open(f"/proc/{loader.running.child.pid}/stat") as file:
            ticks = file.read().rsplit(")", 1)[1].split()[11:13]
        spent += sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
    return spent


class Contender:
    """A loader in a separate process."""

    def __init__(self, args: argparse.Namespace, kind: str, file: str, workers: int, augment: str):
        root = args.before if kind == "before" else HERE
        command = [sys.executable, __file__, file, "--child", kind, "--workers", str(workers)]
        for name in ("resolution", "batch", "images"):
            command += [f"--{name}", str(getattr(args, name))]
        command += ["--augmentation", augment]
        self.process = subprocess.Popen(
            command,
            env={**os.environ, "PYTHONPATH": str(root)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.rates: list[tuple[float, ...]] = []

    def read(self) -> None:
        """Lets it read one epoch."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.rates.append(tuple(map(float, self.process.stdout.readline().split())))

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def over(a: Contender, b: Contender) -> str:
    """Median and range of the rounds' ratios, of the rate and of work."""
    said = []
    for k in range(2):
        each = [x[k] / y[k] for x, y in zip(a.rates[1:], b.rates[1:], strict=True)]
        said.append(f"{statistics.median(each):.2f} ({min(each):.2f}-{max(each):.2f})")
    return " | ".join(said)


def compare(args: argparse.Namespace, file: str, workers: int) -> None:
    """Prints one table."""
    kinds = [*args.kinds, "stock", *(["before"] if args.before else [])]
    found = {}
    for kind in kinds:
        for augment in args.augmentation if kind != "stock" else ["none"]:
            found[kind, augment] = Contender(args, kind, file, workers, augment)
    for _ in range(args.rounds + 1):
        for contender in found.values():
            contender.read()
    print(f"\n{file}, {workers} workers, {args.resolution} px, batch {args.batch}")
    print(
        f"{'loader':8}{'augmentation':16}{'images/s':>9}  "
        f"{'over stock FFCV':38}{'over before':38}over none"
    )
    for (kind, augment), one in found.items():
        one.close()
        columns = [over(one, found["stock", "none"]) if augment == "none" else ""]
        columns += [over(one, found["before", augment]) if args.before else ""]
        plain = found.get((kind, "none"))
        columns += [over(one, plain) if plain and augment != "none" else ""]
        rate = statistics.median(r for r, _ in one.rates[1:])
        print(
            f"{kind:8}{augment:16}{rate:9.0f}  " + "".join(f"{c:38}" for c in columns), flush=True
        )


def main() -> None:
    """Prints a table for each file and number of workers."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+")
    parser.add_argument("--before")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--augmentation", nargs="+", default=["none"])
    parser.add_argument("--kinds", nargs="+", default=["here"], choices=["here", "own"])
    parser.add_argument("--resolution", type=int, default=224)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--images", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        child(args)
        return
    for file in args.files:
        for workers in args.workers:
            compare(args, file, workers)


if __name__ == "__main__":
    main()
