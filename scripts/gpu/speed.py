"""Rates of loader, step and both together, as `fit` runs them, against the slower of the two."""

from dataclasses import replace
from typing import Any

import fastscale as fs
from fastscale.timing.interleaved import chosen_kernels
from fastscale.timing.loader import images_for, loading_rate, together
from fastscale.timing.memory import clean
from fastscale.timing.rounds import warm_up
from fastscale.timing.step import CapturedTrainingStep, TrainingStep
from fastscale.training.recipe import load_recipe

WANTED = 0.95  # share of the rate of the slower of loader and step


def speed(
    network: str,
    augmentation: str,
    source: str,
    data_dir: str | None,
    batch: int,
    device: str,
    seconds: float,
    precision: str,
) -> dict[str, Any]:
    """Images/s of the loader, of the step (captured, eager), and of loader and captured step.

    Each is measured for about `seconds`. `fine`: together at least `WANTED` of the slower one.
    """
    recipe = replace(
        load_recipe("imagenet-100ep"),
        precision=precision,
        batch_size=batch,
        mixup=0.0,
        augmentation=augmentation,
    )
    data = images_for(fs.arch(network), recipe, source, batch, data_dir=data_dir)
    line: dict[str, Any] = {"batch": batch, "precision": precision, "loader": data.loader_name}
    line["loader_images_per_s"] = loading_rate(data.train_dataloader(), seconds)
    for name, kind in (("eager", TrainingStep), ("captured", CapturedTrainingStep)):
        clean()
        with chosen_kernels("search"):
            step = kind(fs.arch(network), recipe, batch, data.num_classes, device)
            warm_up(step)
            line[f"{name}_images_per_s"] = batch / alone(step, seconds)
            if kind is CapturedTrainingStep:
                rate, waited = together(step, data.train_dataloader(), data.mean, data.std, seconds)
        del step
    slower = min(line["loader_images_per_s"], line["captured_images_per_s"])
    line |= {"together_images_per_s": rate, "device_waits": waited, "of_slower": rate / slower}
    return {**line, "fine": rate / slower >= WANTED}


def alone(step: TrainingStep, seconds: float) -> float:
    """Seconds of a step without a loader, measured for about `seconds`."""
    once = step.round(2)[step.whole]
    return step.round(max(2, min(500, round(seconds / once))))[step.whole]
