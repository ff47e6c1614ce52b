"""`fastscale fit | evaluate`: thin over Lightning's own command line."""

import argparse
import os

from fastscale.verbs.parsing import Verbs, real, runs_dir
from fastscale.verbs.signals import ended_by_signals


def add(verbs: Verbs) -> None:
    """fit, evaluate."""
    options = "--model.recipe.lr 1.0, --data.loader plain, --trainer.devices 8, --seed_everything 1, --config FILE"
    lightning = f"\n\nFurther options are Lightning's: {options}."
    p = verbs.verb(
        "fit",
        cmd_fit,
        "Train a network; an interrupted run resumes from its last checkpoint.",
        "fastscale fit --run regnety-500mf.dWr-x4.imagenet-100ep --trainer.devices 8" + lightning,
        further=True,
    )
    p.add_argument("--run", metavar="NAME", help="<base>[.<strategy>-x<factor>].<recipe>")
    p.add_argument("--runs_dir", default=runs_dir())
    p.add_argument("--restart", action="store_true", help="throw away what this run has so far")
    p.add_argument(
        "--checkpoint_every",
        type=real(0, 1e7),
        default=60.0,
        metavar="SECONDS",
        help="at most between checkpoints within an epoch (default: 60; 0: after every step); "
        "a young run saves sooner, and saving never takes over 1 %% of the time",
    )
    p.add_argument(
        "--cuda-graph",
        choices=("auto", "on", "off"),
        default="auto",
        help="the step as one CUDA graph; default: auto, where a GPU and the run allow it. "
        "on: an error where they do not; on a CPU the graph's code, uncaptured",
    )

    p = verbs.verb(
        "evaluate",
        cmd_evaluate,
        "Errors of a checkpoint on a validation set.",
        "fastscale evaluate runs/regnety-tiny.dWr-x4.quick/seed0 --data fashion-mnist" + lightning,
        further=True,
    )
    p.add_argument(
        "checkpoint", help="a .ckpt file, a run's folder, a released name or a .safetensors file"
    )
    p.add_argument("--data", metavar="SOURCE", help="default: what it was trained on")
    p.add_argument(
        "--weights",
        choices=("auto", "raw", "ema"),
        default="auto",
        help="of a run: raw or averaged (EMA) ones; default: auto, both",
    )


def cmd_fit(args: argparse.Namespace, rest: list[str]) -> int:
    """Trains a run, or resumes it."""
    from fastscale.training.variables import check_variables

    check_variables()
    from fastscale.training.fit import fit, speaks

    record = fit(
        args.run, rest, args.runs_dir, args.restart, args.checkpoint_every, args.cuda_graph
    )
    shown = ", ".join(f"{k} {v:.2f} %" for k, v in record.values.items() if "error" in k)
    if speaks():
        early = f", ended early after {record.epochs} epochs" if record.early else ""
        print(f"{record.run}, seed {record.seed}: {shown}{early}")
    return 0


def cmd_evaluate(args: argparse.Namespace, rest: list[str]) -> int:
    """Errors of a checkpoint."""
    from fastscale.training.variables import check_variables

    check_variables()
    from fastscale.training.fit import speaks

    with ended_by_signals("nothing was changed; the same command evaluates again"):
        found = errors(args.checkpoint, args.data, rest, args.weights)
    for name, value in found.items():
        if speaks():
            print(f"{name:16}{value:10.4f} %")
    return 0


def errors(
    checkpoint: str, source: str | None, arguments: list[str], weights: str = "auto"
) -> dict[str, float]:
    """Of a training checkpoint: raw and averaged weights; of anything else that `fastscale.load`
    takes: the weights it has."""
    if os.path.isdir(checkpoint) or checkpoint.endswith(".ckpt"):
        from fastscale.training.evaluate import evaluate

        return evaluate(checkpoint, source, arguments, weights)
    from fastscale.release.load import open_checkpoint
    from fastscale.release.score import score

    return score(open_checkpoint(checkpoint, weights), source, arguments, tell=True).errors
