"""Seconds of a training step, eager and as one replayed CUDA graph, network by network."""

import statistics
from dataclasses import replace
from typing import Any

import torch

import fastscale as fs
from fastscale.records import network_fields
from fastscale.timing.campaign import campaign_order
from fastscale.timing.grid import load_grid
from fastscale.timing.memory import clean, fitting_batch
from fastscale.timing.step import CapturedTrainingStep, TrainingStep
from fastscale.training.recipe import load_recipe

REFERENCE = {"paper": "regnety-4gf", "tiny": "regnety-tiny"}
ROUNDS, ROUND = 5, 0.12  # rounds, and their seconds
CLASSES = 1000


def networks(grid: str) -> list[str]:
    """Those that the grid trains, in its even order; EfficientNets last, whose kernels are compiled
    at run time."""
    order = campaign_order(load_grid(grid).parts)
    names = list(
        dict.fromkeys(
            network.name
            for part, network in order
            if any(setting.what == "train" for setting in part.settings)
        )
    )
    return sorted(names, key=lambda name: name.startswith("efficientnet"))


def times(name: str, batch: int, device: str) -> dict[str, Any]:
    """Medians of rounds, without cuDNN's search; the batch is halved until it fits."""
    kind = "bf16-mixed" if device.startswith("cuda") else "32-true"
    recipe = replace(load_recipe("imagenet-100ep"), precision=kind, layout="channels_last")
    arch = fs.arch(name)
    before, torch.backends.cudnn.benchmark = torch.backends.cudnn.benchmark, False

    def both(size: int) -> dict[str, float]:
        found = {}
        for what, step_kind in (("eager", TrainingStep), ("graph", CapturedTrainingStep)):
            clean()
            step = step_kind(arch, replace(recipe, batch_size=size), size, CLASSES, device)
            step.round(3)
            count = max(2, min(20, round(ROUND / step.round(1)[step.whole])))
            rounds = [step.round(count)[step.whole] for _ in range(ROUNDS)]
            found[f"{what}_s"] = statistics.median(rounds)
            found[f"{what}_spread_s"] = max(rounds) - min(rounds)
            del step
        return found

    try:
        fitted, found = fitting_batch(batch, both)
    finally:
        torch.backends.cudnn.benchmark = before
    counts = {k: v for k, v in network_fields(arch, CLASSES).items() if k in COUNTS}
    captured = device.startswith("cuda")  # else its code ran uncaptured
    return {**counts, **found, "batch": fitted, "precision": kind, "captured": captured}


COUNTS = ("flops", "params", "acts", "resolution")
