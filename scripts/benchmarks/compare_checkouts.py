"""Times `fit` and the loader in two checkouts, before and after a change.

    python scripts/benchmarks/compare_checkouts.py BEFORE AFTER [--pairs 10]
        [--source fashion-mnist]

BEFORE and AFTER are folders (`git worktree add ../before COMMIT`). Both run with this interpreter,
each with a separate data folder. Every pair runs each of them in a new process, in alternating
order, so that a machine that drifts slows both equally. Prints the ratios after / before: their
median, and an upper bound of the true median at 95 % (an order statistic, which assumes nothing
about the noise). `fit` is timed by the wall clock and by CPU time, which says more on a machine
that is shared.
"""

import argparse
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LOADER = """
import sys, time
from fastscale.data.module import ImageData
data = ImageData(sys.argv[1], resolution=int(sys.argv[2]), batch_size=128, crop_area=(0.7, 1.0))
loader = data.train_dataloader()
for _ in loader: pass
began = time.perf_counter()
for _ in range(int(sys.argv[3])):
    for _ in loader: pass
print("seconds", time.perf_counter() - began)
"""


def upper_bound(ratios: list[float], confidence: float = 0.95) -> float:
    """The smallest order statistic that is at least the true median with this confidence.

    Infinite if there are too few values.
    """
    n = len(ratios)
    below = 0.0
    for k in range(n):  # P(the median lies below the (k+1)-th) = P(at most k of n below it)
        below += math.comb(n, k) / 2**n
        if below >= confidence:
            return sorted(ratios)[k]
    return math.inf


def run(checkout: Path, data: Path, *command: str) -> tuple[float, float, str]:
    """(wall seconds, CPU seconds, stdout) of a whole process and its children."""
    env = {**os.environ, "PYTHONPATH": str(checkout), "FASTSCALE_DATA": str(data)}
    began, used = time.perf_counter(), processor_seconds()
    done = subprocess.run(
        [sys.executable, *command], cwd=checkout, env=env, capture_output=True, text=True
    )
    took = time.perf_counter() - began
    if done.returncode:
        sys.exit(f"{checkout}: {' '.join(command[:4])} failed:\n{done.stdout}\n{done.stderr}")
    return took, processor_seconds() - used, done.stdout


def processor_seconds() -> float:
    """User and system time of all finished child processes."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Prints a line for each pair, then the summary."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--source", default="fashion-mnist")
    parser.add_argument("--run", default="regnety-tiny.quick")
    parser.add_argument("--resolution", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=2, help="of the loader")
    args = parser.parse_args()
    sides = {"before": args.before.resolve(), "after": args.after.resolve()}
    measured = ("fit", "fit, processor", "loader")
    found: dict[str, dict[str, list[float]]] = {
        what: {"before": [], "after": []} for what in measured
    }
    with tempfile.TemporaryDirectory() as scratch:
        place = {side: Path(scratch) / side for side in sides}
        for side, checkout in sides.items():
            run(checkout, place[side], "-m", "fastscale", "data", "write", args.source)
        for pair in range(args.pairs):
            for side in list(sides)[:: 1 if pair % 2 else -1]:
                checkout = sides[side]
                runs = str(Path(scratch) / f"runs-{side}-{pair}")
                fit = ("-m", "fastscale", "fit", "--run", args.run, "--runs_dir", runs)
                took, used, _ = run(checkout, place[side], *fit, "--data.source", args.source)
                found["fit"][side].append(took)
                found["fit, processor"][side].append(used)
                loader = (args.source, str(args.resolution), str(args.epochs))
                *_, out = run(checkout, place[side], "-c", LOADER, *loader)
                found["loader"][side].append(float(out.split("seconds")[-1]))
            parts = (
                f"{what} {v['before'][-1]:.2f} and {v['after'][-1]:.2f} s"
                for what, v in found.items()
            )
            print(
                f"pair {pair + 1} of {args.pairs}: before and after: {', '.join(parts)}", flush=True
            )
    for what, v in found.items():
        ratios = [after / before for after, before in zip(v["after"], v["before"], strict=True)]
        print(
            f"{what}: after / before: median {statistics.median(ratios):.3f}, "
            f"upper 95 % bound {upper_bound(ratios):.3f}, n = {len(ratios)}"
        )


if __name__ == "__main__":
    main()
