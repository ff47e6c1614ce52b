"""Kills a training run or its loader's process again and again, and checks what is left.

    python scripts/benchmarks/kill_loader.py [--kills 50] [--longest 2.0] [--seed 0]

Starts a run of `fastscale fit --data.process own` on pictures of coloured noise, kills it by signal
9 within --longest seconds after its loader's process appeared, and resumes it. It kills the
loader's process and the training process alternately. After each kill:

- if the loader's process was killed, `fit` ends with exit code 1 and one line that says so, when it
  asks for the next batch (within a minute, since the run may still be starting);
- within ten seconds no process of the run is left (each carries a mark in its environment);
- /dev/shm and the system's shared segments and semaphores are as they were before.

At the end the run must resume from its checkpoint and end on Ctrl-C (exit code 130), with no
process and no half-written file left. Exit code 1 at the first failure. Linux only. It takes about
eight seconds a kill on two cores, mostly for imports.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
MARK = "FASTSCALE_KILL_MARK"
CHILD = "fastscale.data.own.child"
SAID = "the process that loads images has ended"
ENDS, GONE = 60.0, 10.0  # seconds after a kill until the run must end, and be gone
PATIENCE = 120.0  # seconds until a run must have a loader's process


def make_pictures(root: Path, images: int = 1200) -> Path:
    """Makes `train|val/<class>/*.jpg` of 80 x 72 px: 3 classes of coloured noise."""
    rng = np.random.default_rng(0)
    for split, count in (("train", images // 3), ("val", 20)):
        for k, name in enumerate(("blue", "green", "red")):
            folder = root / split / name
            folder.mkdir(parents=True)
            for i in range(count):
                pixels = rng.integers(0, 160, (72, 80, 3))
                pixels[..., 2 - k] += 60
                Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{i:04d}.jpg", quality=90)
    return root


def processes(mark: str) -> dict[int, str]:
    """Command lines, by process id, of the living processes that carry the mark."""
    found = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            if mark.encode() in Path(f"/proc/{name}/environ").read_bytes():
                command = Path(f"/proc/{name}/cmdline").read_bytes().replace(b"\0", b" ").decode()
                state = Path(f"/proc/{name}/stat").read_text().rsplit(")", 1)[1].split()[0]
                if state != "Z":
                    found[int(name)] = command
        except OSError:  # it has ended, or belongs to another user
            continue
    return found


def shared() -> tuple[object, ...]:
    """The names in shared memory, and the numbers of segments and semaphores."""
    segments = (Path(f"/proc/sysvipc/{kind}").read_text() for kind in ("shm", "sem"))
    return sorted(os.listdir("/dev/shm")), *(text.count("\n") for text in segments)


def wait_for(condition, seconds: float) -> bool:  # type: ignore[no-untyped-def]
    """Whether the condition becomes true in time."""
    end = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(0.05)
    return bool(found)


class Killing:
    """One run, killed and resumed."""

    def __init__(self, scratch: Path, longest: float, seed: int):
        self.mark, self.log, self.longest = uuid.uuid4().hex, scratch / "log", longest
        self.random, self.runs = random.Random(seed), scratch / "runs"
        pictures = str(make_pictures(scratch / "pictures"))
        self.command = [sys.executable, "-m", "fastscale", "fit", "--run", "regnety-tiny.quick"]
        self.command += ["--runs-dir", str(self.runs), "--data.source", pictures]
        self.command += ["--data.loader", "ffcv", "--data.process", "own", "--data.workers", "1"]
        self.command += ["--model.recipe.epochs", "10000", "--model.recipe.batch_size", "16"]
        self.env = {**os.environ, "PYTHONPATH": str(ROOT), MARK: self.mark}
        self.env |= {"FASTSCALE_DATA": str(scratch / "data"), "OMP_NUM_THREADS": "1"}
        write = [*self.command[:3], "data", "write", pictures]
        subprocess.run(write, env=self.env, check=True, stdout=subprocess.DEVNULL)
        self.before = shared()

    def start(self) -> tuple[subprocess.Popen, int]:
        """A training process, and the process id of its loader."""
        self.log.write_text("")
        with open(self.log, "ab") as log:
            run = subprocess.Popen(self.command, env=self.env, stdout=log, stderr=log)
        end = time.monotonic() + PATIENCE
        while run.poll() is None and time.monotonic() < end:
            for number, command in processes(self.mark).items():
                if CHILD in command:
                    return run, number
            time.sleep(0.05)
        raise SystemExit(f"no loader's process appeared: {self.said()}")

    def said(self) -> str:
        """The last line that the run printed."""
        lines = self.log.read_text().strip().splitlines()
        return lines[-1] if lines else "(nothing)"

    def kill(self, which: str) -> str:
        """Kills once; returns what is wrong afterwards, or ""."""
        run, loader = self.start()
        time.sleep(self.random.uniform(0, self.longest))
        os.kill(loader if which == "loader" else run.pid, signal.SIGKILL)
        try:
            code = run.wait(ENDS)
        except subprocess.TimeoutExpired:
            run.kill()
            return f"the training process did not end within {ENDS:g} s: {self.said()}"
        if which == "loader" and (code != 1 or SAID not in self.said()):
            return f"exit code {code}: {self.said()}"
        if which == "loader" and "Traceback" in self.log.read_text():
            return "a traceback"
        return self.left()

    def left(self) -> str:
        """What is left of a run that has ended, or ""."""
        if not wait_for(lambda: not processes(self.mark), GONE):
            return f"left: {processes(self.mark)}"
        return "" if shared() == self.before else f"shared memory was {self.before}, is {shared()}"

    def resume(self) -> str:
        """Resumes the run and ends it by Ctrl-C; returns what is wrong, or ""."""
        run, _ = self.start()
        if not wait_for(lambda: "resumes from" in self.log.read_text(), PATIENCE):
            return f"it did not resume: {self.said()}"
        time.sleep(5)
        run.send_signal(signal.SIGINT)
        if (code := run.wait(60)) != 130:
            return f"exit code {code} after Ctrl-C: {self.said()}"
        print(self.said())
        half = [p.name for p in self.runs.rglob("*") if p.name.endswith((".part", ".tmp"))]
        return f"half-written files: {half}" if half else self.left()


def main() -> int:
    """Prints a line every ten kills, and the result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--longest", type=float, default=2.0, help="seconds before a kill")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kill-loader-") as folder:
        scratch = Path(folder)
        killing = Killing(scratch, args.longest, args.seed)
        began = time.monotonic()
        for k in range(args.kills):
            which = ("loader", "training")[k % 2]
            if problem := killing.kill(which):
                print(f"kill {k + 1}, of the {which} process: {problem}")
                return 1
            if (k + 1) % 10 == 0:
                print(f"{k + 1} kills, {time.monotonic() - began:.0f} s: nothing left", flush=True)
        if problem := killing.resume():
            print(f"after {args.kills} kills: {problem}")
            return 1
    print(f"{args.kills} kills: no process, no shared memory left; the run resumes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
