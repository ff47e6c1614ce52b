"""How much a running loader slows the thread that launches the step.

    python scripts/benchmarks/launches_beside_loader.py FILE.beton [--workers 1]
        [--launches 2000] [--steps 12] [--rounds 9]

A step is 2,000 small additions. The loader runs in one of three places: `foreign`, an unrelated
process that only uses the same machine; `own`, our loader's separate process; `here`, threads of
this process. Each step waits for a batch; then only the additions are timed, while the next batches
are decoded. Rounds are interleaved, and the other loaders wait with full queues.

Prints the median time of a step's additions, and the median over rounds of its ratio to `foreign`.
Both are printed again without the time that the thread waited for a core (Linux counts it), which
other programs cause. What remains is work, and waiting for the interpreter.
"""

import argparse
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from fastscale.data.ffcv_loader import GuardedLoader
from fastscale.data.framing import Framing
from fastscale.data.own.loader import OwnLoader

AHEAD = 5  # batches that wait in a full queue, about


def forever(loader: Any) -> Iterator[Any]:
    """The loader's batches, without end."""
    while True:
        yield from loader


def make(kind: Any, args: argparse.Namespace) -> Any:
    """A loader of training crops."""
    framing = Framing(True, 224, 256, augmentation=args.augmentation)
    return kind(args.file, framing, args.batch, workers=args.workers)


def foreign(args: argparse.Namespace) -> None:
    """Runs in the foreign process: a byte on stdout for each batch, one for each byte on stdin."""
    for _ in forever(make(GuardedLoader, args)):
        os.write(1, b".")
        if not os.read(0, 1):
            return


def without_core() -> float:
    """Seconds so far that this thread waited for a core."""
    with open(f"/proc/self/task/{threading.get_native_id()}/schedstat") as file:
        return int(file.read().split()[1]) / 1e9


def step(wait: Callable[[], Any], launches: int) -> tuple[float, float]:
    """Seconds of the additions, with and without waiting for a core."""
    small = torch.zeros(8)
    wait()
    began, waited = time.perf_counter(), without_core()
    for _ in range(launches):
        small.add_(1)
    took = time.perf_counter() - began
    return took, took - (without_core() - waited)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file")
    for name, value in (("workers", 1), ("launches", 2000), ("steps", 12), ("rounds", 9)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--augmentation", default="none")
    parser.add_argument("--foreign", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.foreign:
        foreign(args)
        return
    torch.set_num_threads(1)
    root = str(Path(__file__).resolve().parents[2])
    process = subprocess.Popen(
        [sys.executable, *sys.argv, "--foreign"],
        env={**os.environ, "PYTHONPATH": root},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
    )
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(b"." * AHEAD)

    def wait_for_foreign() -> None:
        process.stdout.read(1)
        process.stdin.write(b".")

    own, here = make(OwnLoader, args), make(GuardedLoader, args)
    waits: dict[str, Callable[[], Any]] = {"foreign": wait_for_foreign}
    for name, loop in (("own", forever(own)), ("here", forever(here))):
        waits[name] = lambda loop=loop: next(loop)
    found: dict[str, list[tuple[float, ...]]] = {name: [] for name in waits}
    for round_ in range(args.rounds + 1):
        for name, wait in waits.items():
            took = [step(wait, args.launches) for _ in range(AHEAD + 2 + args.steps)][AHEAD + 2 :]
            if round_:  # the first round compiles and fills the page cache
                found[name].append(tuple(map(statistics.median, zip(*took, strict=True))))
    own.close()
    process.kill()
    process.wait()
    print(f"{args.launches} additions a step, {args.workers} workers, batch {args.batch}")
    for k, what in enumerate(("all of it", "without waits for a core")):
        for name, times in found.items():
            ratios = [a[k] / b[k] for a, b in zip(times, found["foreign"], strict=True)]
            print(
                f"{what:26}{name:10}{1000 * statistics.median(t[k] for t in times):8.2f} ms   "
                f"over foreign{statistics.median(ratios):7.3f} "
                f"({min(ratios):.3f} to {max(ratios):.3f})"
            )


if __name__ == "__main__":
    main()
