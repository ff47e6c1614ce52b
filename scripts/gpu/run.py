"""The parts of `scripts/gpu.sh`, most important first; each writes a line of JSON when it is done.

A line has `key`, `took_s`, the device, and for a check `fine`. Results that an earlier call found
fine on the same kind of device are kept. A part that needs longer than is left is not started, and
one that overruns is stopped; both are reported.
"""

import argparse
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import equal
import pictures
import speed
import times
import torch
import trained

from fastscale.data import source
from fastscale.data.write import write
from fastscale.errors import InputError
from fastscale.records import environment
from fastscale.timing.device import usable_device
from fastscale.timing.memory import clean

HERE = Path(__file__).resolve().parent
LAST = 10.0  # seconds kept for the end


@dataclass
class Call:
    """A call: its arguments, device and end, and the lines so far."""

    args: argparse.Namespace
    device: str
    ends: float
    lines: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return self.ends - time.monotonic() - LAST

    @property
    def out(self) -> Path:
        """The folder of --out."""
        return self.args.out

    @property
    def data_dir(self) -> str:
        """The folder of the written pictures."""
        return str(self.out / "data")

    @property
    def source(self) -> str:
        """The source of the pictures."""
        return f"folder:{self.out / 'pictures'}"

    def value(self, key: str, name: str) -> float:
        """A value of an earlier line; RuntimeError if it is missing."""
        try:
            return self.lines[key][name]
        except KeyError:
            raise RuntimeError(f"{key} has no {name}") from None


Part = tuple[str, float, Callable[[], dict[str, Any]]]


def check(call: Call) -> Iterator[Part]:
    """(key, seconds that it needs at least, the function that makes its line), by priority."""
    tiny, seconds = call.args.tiny, 0.5 if call.args.tiny else 4.0
    precision = "32-true" if tiny else "bf16-mixed"
    batch = 8 if tiny else call.args.batch
    first, *others = (
        ["regnety-tiny"]
        if tiny
        else ["regnety-500mf", "efficientnet-b0", "resnet-50", "regnety-4gf"]
    )
    families = (
        ["regnety-tiny", "efficientnet-tiny"]
        if tiny
        else ["regnety-500mf", "regnetz-500mf", "efficientnet-b0", "resnet-50", "regnety-4gf"]
    )
    mixed = ["bf16-mixed"] if tiny else ["16-mixed", "bf16-mixed"]

    def together(network: str, augmentation: str) -> Part:
        how = (call.source, call.data_dir, batch, call.device, seconds, precision)
        return (
            f"together {network} {augmentation}",
            25,
            partial(speed.speed, network, augmentation, *how),
        )

    def rival(name: str, network: str, augmentation: str = "none") -> Part:
        key = f"{name} {network}" + ("" if name == "compiled" else f" {augmentation}")
        return (
            key,
            40,
            partial(against, call, name, network, augmentation, batch, seconds, precision),
        )

    def same(network: str, kind: str) -> Part:
        size, count = (4, 4) if tiny else (32, equal.STEPS)
        return (
            f"equal {network} {kind}",
            15,
            partial(equal.equal, network, kind, size, call.device, count),
        )

    yield "pictures", 20, partial(make_pictures, call)
    yield together(first, "none")
    yield same(families[0], mixed[0])
    yield rival("stock", first)
    yield rival("timm", first)
    yield together(first, "autoaugment")
    yield rival("timm", first, "autoaugment")
    yield f"fit {first}", 60, partial(fit_rate, call, first, batch, precision)
    for network in others:
        yield together(network, "none")
        yield together(network, "autoaugment")
    for network in families:
        for kind in mixed:
            if (network, kind) != (families[0], mixed[0]):
                yield same(network, kind)
    yield "killed and resumed", 90, partial(resumed, call, first, batch, precision)
    for network in others:
        yield rival("stock", network)
        yield rival("timm", network)
    yield rival("compiled", first)


def evidence(call: Call) -> Iterator[Part]:
    """The parts of evidence.py: networks at equal flops, trained here."""
    from evidence import Evidence

    return Evidence(call, partial(make_pictures, call)).parts()


def make_pictures(call: Call) -> dict[str, Any]:
    """Makes the pictures and the .beton file that the loader reads."""
    count, side = (60, 64) if call.args.tiny else (call.args.pictures, pictures.SIDE)
    what = pictures.make(call.out / "pictures", count, call.args.photos, side)
    write(call.source, data_dir=call.data_dir, progress=lambda line: None)
    return {"pictures": what}


def against(
    call: Call,
    name: str,
    network: str,
    augmentation: str,
    batch: int,
    seconds: float,
    precision: str,
) -> dict[str, Any]:
    """A rival's rate, and ours relative to it; `fine`: ours is not slower."""
    beton = source(call.source, call.data_dir).betons / "train.beton"
    words = [sys.executable, str(HERE / "rivals.py"), name, network, "--beton", str(beton)]
    words += ["--pictures", str(call.out / "pictures"), "--batch", str(batch)]
    words += ["--seconds", str(seconds), "--augmentation", augmentation]
    words += ["--device", call.device, "--precision", precision]
    done = call_process(words, call.left)
    if done.returncode:
        raise RuntimeError(done.stderr.strip()[-300:])
    line = json.loads(done.stdout.strip().splitlines()[-1])
    ours = f"together {network} {augmentation}"
    rate = "captured_images_per_s" if name == "compiled" else "together_images_per_s"
    line["ours_over_it"] = call.value(ours, rate) / line["images_per_s"]
    return {**line, "batch": batch, "fine": line["ours_over_it"] >= 1.0}


def fit_options(call: Call, batch: int, precision: str, epochs: int) -> list[str]:
    """Options of `fastscale fit` on the pictures."""
    recipe = {"epochs": epochs, "batch_size": batch, "warmup_epochs": 0, "augmentation": "none"}
    recipe |= {"precise_bn": 0, "lr": 0.05, "mixup": 0.2}
    options = [w for k, v in recipe.items() for w in (f"--model.recipe.{k}", str(v))]
    options += ["--trainer.precision", precision, "--data.data_dir", call.data_dir]
    options += ["--trainer.accelerator", "gpu" if call.device.startswith("cuda") else "cpu"]
    return [*options, "--trainer.devices", "1", "--cuda-graph", "on"]


def fit_rate(call: Call, network: str, batch: int, precision: str) -> dict[str, Any]:
    """See trained.rate."""
    key, epochs = f"together {network} none", 2 if call.args.tiny else 5
    rates = (call.value(key, k) for k in ("captured_images_per_s", "loader_images_per_s"))
    options = fit_options(call, batch, precision, epochs)
    run, out = f"{network}.imagenet-100ep", call.out / "fit"
    return trained.rate(run, out, call.source, [*options, "--restart"], call.left, *rates)


def resumed(call: Call, network: str, batch: int, precision: str) -> dict[str, Any]:
    """See trained.killed_and_resumed."""
    options = fit_options(call, batch, precision, 2)
    run, out = f"{network}.imagenet-100ep", call.out / f"killed-{time.time_ns()}"
    return trained.killed_and_resumed(run, out, call.source, options, call.left)


def call_process(words: list[str], limit: float) -> subprocess.CompletedProcess:
    """Runs a process; TimeoutError after `limit` seconds."""
    try:
        return subprocess.run(
            words,
            capture_output=True,
            text=True,
            timeout=limit,
            env=trained.environment(),
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise TimeoutError from None


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Raises TimeoutError in the block after `seconds`."""

    def late(number: int, frame: Any) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, max(0.1, seconds))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def read_lines(path: Path) -> dict[str, dict[str, Any]]:
    """The last line of each key; incomplete lines are skipped."""
    found: dict[str, dict[str, Any]] = {}
    for text in path.read_text().splitlines() if path.is_file() else []:
        try:
            line = json.loads(text)
            found[line["key"]] = line
        except (ValueError, KeyError, TypeError):
            continue
    return found


def run(call: Call, parts: Iterator[Part], file: Path, env: dict[str, Any]) -> tuple[int, int]:
    """Does the parts; returns how many were not fine, and how many were left out."""
    failed = left = 0
    for key, least, make in parts:
        before = call.lines.get(key)
        if before and before.get("fine", True) and key != "pictures":
            continue
        if call.left < (0 if call.args.tiny else least):
            left += 1
            continue
        began = time.monotonic()
        try:
            with within(call.left):
                line = make()
        except TimeoutError:
            line = {"fine": False, "error": "its time was up"}
        except Exception as error:  # the next parts are independent
            line = {"fine": False, "error": f"{type(error).__name__}: {error!s:.300}"}
        line = {"key": key, **line, "took_s": round(time.monotonic() - began, 1), **env}
        call.lines[key] = line
        failed += line.get("fine") is False
        with file.open("a") as out:
            out.write(json.dumps(line) + "\n")
        shown = {k: round(v, 4) if isinstance(v, float) else v for k, v in line.items()}
        print(" ".join(f"{k}={v}" for k, v in shown.items() if k not in env), flush=True)
        clean()
    return failed, left


def main() -> int:
    """Runs the parts; exit code 1 if a check failed."""
    parser = argparse.ArgumentParser(prog="scripts/gpu.sh", description=__doc__)
    parser.add_argument("what", choices=("check", "time", "evidence"))
    parser.add_argument("--minutes", type=float, default=9.0)
    parser.add_argument("--out", type=Path, default=Path("runs/gpu"))
    parser.add_argument("--from", dest="earlier", type=Path)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--pictures", type=int, default=6000)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--jobs", type=int)
    parser.add_argument("--data", action="append", default=[])
    parser.add_argument("--tiny", action="store_true")
    args = parser.parse_args()
    if not 0 < args.minutes < 1e6 or min(args.pictures, args.batch) < 1:
        raise InputError("--minutes, --pictures and --batch must be above 0")
    if args.jobs is not None and args.jobs < 1:
        raise InputError("--jobs must be above 0")
    if args.earlier and not args.earlier.is_dir():
        raise InputError(f"--from {args.earlier}: no such folder")
    if args.photos and not args.photos.is_dir():
        raise InputError(f"--photos {args.photos}: no such folder")
    ends = time.monotonic() + 60 * args.minutes
    args.out = args.out.resolve()
    args.out.mkdir(parents=True, exist_ok=True)
    call = Call(args, usable_device(args.device), ends)
    if args.what == "time":
        line = times.swept(args.out, args.earlier, call.device, call.left, args.tiny)
        print(" ".join(f"{k}={v}" for k, v in line.items()), flush=True)
        return 0 if line["fine"] else 1
    if call.device.startswith("cuda"):
        torch.cuda.init()  # so that the environment names the device
    facts = environment()
    env = {"device": facts["device"], "torch": torch.__version__, "commit": facts["git_commit"]}
    file = args.out / f"{args.what}.jsonl"
    for folder in filter(None, (args.earlier, args.out)):
        there = read_lines(folder / file.name)
        call.lines |= {k: v for k, v in there.items() if v.get("device") == env["device"]}
    parts = {"check": check, "evidence": evidence}[args.what](call)
    failed, left = run(call, parts, file, env)
    print(f"{failed} not fine, {left} left out for lack of time; {env['device']}; {file}")
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except InputError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
