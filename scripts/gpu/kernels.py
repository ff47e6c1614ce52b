"""The kernels of a network's training step: why a step takes longer than its activations suggest.

    python scripts/gpu/kernels.py               # outliers on the page device-time, and neighbours
    python scripts/gpu/kernels.py regnety-tiny --batch 4 --device cpu    # on a CPU: operators

Prints a line of JSON for each network: seconds of a step by the profiler, and the largest kernels
with their share of the step and how often they ran.
"""

import argparse
import json
from dataclasses import replace
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

import fastscale as fs
from fastscale.timing.device import usable_device
from fastscale.timing.step import TrainingStep
from fastscale.training.recipe import load_recipe

OUTLIERS = (
    "regnetz-500mf.wg-x32",  # 24 channels a group
    "regnetz-500mf.wg-x48",  # 32
    "regnety-4gf.dWr-x2",  # 40
    "regnety-4gf.dWr-x4",  # 56
    "regnety-4gf.dw-x2",  # 32
)
WARM_UP, STEPS, SHOWN = 3, 3, 8


def kernels(network: str, batch: int, device: str, precision: str) -> dict[str, Any]:
    """`step_s` and the SHOWN largest of `kernels`: [name, share of the step, runs a step]."""
    recipe = replace(load_recipe("imagenet-100ep"), precision=precision, layout="channels_last")
    step = TrainingStep(fs.arch(network), recipe, batch, 1000, device)
    for _ in range(WARM_UP):
        step()
    on_gpu = step.device.type == "cuda"
    activity = ProfilerActivity.CUDA if on_gpu else ProfilerActivity.CPU
    with profile(activities=[activity]) as found:
        for _ in range(STEPS):
            step()
        if on_gpu:
            torch.cuda.synchronize()
    of = "self_device_time_total" if on_gpu else "self_cpu_time_total"
    events = sorted(found.key_averages(), key=lambda e: -getattr(e, of))
    whole = sum(getattr(e, of) for e in events) or 1
    largest = [
        [e.key[:120], round(getattr(e, of) / whole, 4), e.count / STEPS] for e in events[:SHOWN]
    ]
    return {"network": network, "batch": batch, "step_s": whole / 1e6 / STEPS, "kernels": largest}


def main() -> None:
    """Prints a line for each network."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("networks", nargs="*", default=OUTLIERS)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--device", default="auto")
    args = parser.parse_args()
    device = usable_device(args.device)
    precision = "32-true" if device == "cpu" else "bf16-mixed"
    for network in args.networks:
        print(json.dumps(kernels(network, args.batch, device, precision)), flush=True)


if __name__ == "__main__":
    main()
