"""Whether a device does what the campaign asks of it, in two minutes: every family, precision and layout, and one compiled network.

python scripts/check_device.py [--device auto] [--seconds 120] [--out check.json] [--tiny]

Each line is a few training steps: the loss must be finite and the gradients too. Exit code 1 if one fails; what time does not allow is left
out and said.
"""

import argparse
import json
import sys
import time
from dataclasses import replace

import torch

import fastscale as fs
from fastscale.common import write_whole
from fastscale.errors import InputError
from fastscale.records import environment
from fastscale.timing.device import usable_device
from fastscale.timing.step import TrainingStep
from fastscale.timing.turns import benchmarked_kernels
from fastscale.training.recipe import load_recipe

NETWORKS = {
    False: [
        "regnety-500mf",
        "regnetz-500mf",
        "efficientnet-b0",
        "regnety-4gf",
        "regnetz-4gf",
        "resnet-50",
    ],
    True: ["regnety-tiny", "regnetz-tiny", "efficientnet-tiny"],
}


def check(name: str, precision: str, layout: str, compiled: bool, batch: int, device: str) -> dict:
    """One network: seconds of the first step and of a later one, and whether loss and gradients are finite."""
    recipe = replace(
        load_recipe("imagenet-100ep"),
        precision=precision,
        layout=layout,
        compile=compiled,
        batch_size=batch,
        lr=0.1,
    )
    step = TrainingStep(fs.arch(name), recipe, batch, 1000, device)
    first = step.round(1)["step_time_s"]
    later = step.round(3)["step_time_s"]
    with step.precision():
        loss = step.criterion(step.net(step.images), step.labels)
    finite = bool(loss.isfinite()) and all(
        bool(p.grad.isfinite().all()) for p in step.net.parameters() if p.grad is not None
    )
    # at fp16 a scaler may pass over its first steps: that is its work, and no failure, as long as the weights stay finite
    weights = all(bool(p.isfinite().all()) for p in step.net.parameters())
    fine = bool(loss.isfinite()) and weights and (finite or precision == "16-mixed")
    return {
        "first_s": round(first, 4),
        "later_s": round(later, 4),
        "loss": round(float(loss.detach()), 3),
        "fine": fine,
    }


def main() -> int:
    """Prints a line each, writes them with the device's envelope."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="auto")
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--out")
    parser.add_argument("--tiny", action="store_true")
    args = parser.parse_args()
    device, began, found = usable_device(args.device), time.monotonic(), []
    networks, batch = NETWORKS[args.tiny], 4 if args.tiny else 64
    cases = []
    for precision in ("bf16-mixed", "16-mixed"):
        cases += [
            (name, precision, layout, False)
            for name in networks
            for layout in ("channels_last", "contiguous")
        ]
    if (
        device.startswith("cuda") or not args.tiny
    ):  # on a processor compiling takes minutes, and another compiler
        cases.append((networks[0], "bf16-mixed", "channels_last", True))
    failed = left = 0
    with benchmarked_kernels():
        for name, precision, layout, compiled in cases:
            if time.monotonic() - began > args.seconds:
                left += 1
                continue
            label = f"{name:18}{precision:12}{layout:15}{'compiled' if compiled else 'eager':9}"
            try:
                result = check(name, precision, layout, compiled, batch, device)
            except Exception as error:  # the next case is another one's
                result = {
                    "fine": False,
                    "error": f"{type(error).__name__}: {' '.join(str(error).split())[:200]}",
                }
            failed += not result["fine"]
            found.append(
                {
                    "network": name,
                    "precision": precision,
                    "layout": layout,
                    "compile": compiled,
                    "batch": batch,
                    **result,
                }
            )
            print(label + ", ".join(f"{k} {v}" for k, v in result.items()), flush=True)
    if args.out:
        cases = {"env": environment(batch=batch), "cases": found}
        write_whole(args.out, json.dumps(cases, indent=1) + "\n")
    print(
        f"{len(found) - failed} fine, {failed} failed, {left} left out; {torch.__version__}, {environment()['device']}"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except InputError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
