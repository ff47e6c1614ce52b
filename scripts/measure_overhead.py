"""Step time of the LightningModule against a hand-written loop, interleaved.

.venv/bin/python scripts/measure_overhead.py [NETWORK ...] [--recipe quick] [--batch 128]
    [--classes 10] [--steps 40] [--rounds 7]

Both have the same network, optimizer and batches. Prints the median of each over the rounds and the
median of the rounds' ratios (1.00: Lightning costs nothing). Averaged (EMA) weights and training
metrics are timed alone, as a share of a step in %: they take less than the noise between two loops.
"""

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import replace

import pytorch_lightning as pl
import torch

from fastscale.training import Recipe, load_recipe
from fastscale.training.classifier import ImageClassifier
from fastscale.training.ema import update_ema
from fastscale.training.speaking import quiet

WARMUP = 3


class Batches:
    """The same uint8 batch, `count` times an epoch."""

    def __init__(self, count: int, batch: int, resolution: int, classes: int):
        images = torch.randint(
            256, (batch, 3, resolution, resolution), dtype=torch.uint8
        ).contiguous(memory_format=torch.channels_last)
        self.batch = (images, torch.randint(classes, (batch,)))
        self.count, self.next_epoch = count, 0

    def __len__(self) -> int:
        return self.count

    def __iter__(self):
        return iter([self.batch] * self.count)


class Clock(pl.Callback):
    """Seconds a step, from the start of step WARMUP to the end of the last one."""

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx) -> None:
        """Starts after the warm-up."""
        if batch_idx == WARMUP:
            self.began = time.perf_counter()

    def on_train_epoch_end(self, trainer, pl_module) -> None:
        """Stops."""
        self.seconds = (time.perf_counter() - self.began) / (trainer.num_training_batches - WARMUP)


def lightning(module: ImageClassifier, batches: Batches) -> float:
    """Seconds a step in `Trainer.fit`."""
    clock = Clock()
    options = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    pl.Trainer(max_epochs=1, callbacks=[clock], accelerator="auto", devices=1, **options).fit(
        module, batches
    )
    return clock.seconds


def by_hand(module: ImageClassifier, batches: Batches) -> float:
    """Seconds a step in a plain loop: normalise, forward, loss, backward, optimizer."""
    net, optimizer = module.net.train(), module_optimizer(module)
    for i, (images, labels) in enumerate(batches):
        if i == WARMUP:
            began = time.perf_counter()
        optimizer.zero_grad()
        module.criterion(net(module.normalise(images)), labels).backward()
        optimizer.step()
    return (time.perf_counter() - began) / (len(batches) - WARMUP)


def alone(action: Callable[[], object], times: int = 30) -> float:
    """Seconds of one call, the median of `times`."""
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def module_optimizer(module: ImageClassifier) -> torch.optim.Optimizer:
    """The optimizer that the module trains with."""
    from fastscale.training.optimizer import sgd, weight_decay

    return sgd(module.net, module.recipe, weight_decay(module.recipe, module.arch))


def main() -> None:
    """Measures both loops, interleaved, and prints a line for each network."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "networks", nargs="*", default=["regnety-tiny", "regnety-tiny.dWr-x4", "regnety-500mf"]
    )
    parser.add_argument("--recipe", default="quick")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    quiet()
    warnings.filterwarnings("ignore")
    recipe: Recipe = replace(
        load_recipe(args.recipe), mixup=0.0, lr_every="epoch", batch_size=args.batch
    )
    print(
        f"{'network':26}{'by hand, ms':>13}{'Lightning, ms':>15}{'ratio':>8}{'range':>16}"
        f"{'EMA, %':>9}{'metrics, %':>12}"
    )
    for name in args.networks:
        hand, module = (ImageClassifier(name, recipe, args.classes) for _ in range(2))
        batches = Batches(args.steps + WARMUP, args.batch, module.arch.resolution, args.classes)
        seconds = [(by_hand(hand, batches), lightning(module, batches)) for _ in range(args.rounds)]
        ratios = [whole / bare for bare, whole in seconds]
        bare, whole = (statistics.median(each) for each in zip(*seconds, strict=True))
        ema = alone(lambda m=module: update_ema(m.ema, m.net, 0.1)) / recipe.ema_every / bare
        loss = torch.zeros(())
        metrics = alone(lambda m=module, x=loss: m.train_loss.update(x)) / bare
        shown = f"{min(ratios):.3f} to {max(ratios):.3f}"
        print(
            f"{name:26}{1e3 * bare:>13.2f}{1e3 * whole:>15.2f}{statistics.median(ratios):>8.3f}"
            f"{shown:>16}{100 * ema:>9.2f}{100 * metrics:>12.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
