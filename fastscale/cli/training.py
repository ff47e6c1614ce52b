"""`fastscale fit | evaluate`: a thin layer over Lightning's command line."""

import argparse
import os
import sys

from fastscale.cli.options import RUNS_DIR, Verbs, real
from fastscale.cli.signals import ended_by_signals
from fastscale.common import pluralize
from fastscale.home import home

LIGHTNING = "\n\nFurther options are Lightning's: {}--data.loader plain, --trainer.devices 8, "
FITTING = LIGHTNING.format("--model.recipe.lr 1.0, ") + "--seed_everything 1, --config FILE."
EVALUATING = LIGHTNING.format("") + "--model.recipe.batch_size 256."


def add_fit(verbs: Verbs) -> None:
    example = (
        "fastscale fit regnety-500mf.dWr-x4.imagenet-100ep --trainer.devices 8\n"
        "  fastscale fit efficientnet-b0 --data.source folder:PHOTOS"
    )
    p = verbs.verb("fit", cmd_fit, example + FITTING, further=True)
    p.first_word("--run", "NAME")
    text = (
        "<base>[.<strategy>-x<factor>][.<recipe>], also as the first word without --run; "
        "default recipe: one that suits the number of training images"
    )
    p.add("--run", None, text, metavar="NAME")
    p.own_archs()
    p.add("--runs-dir", None, RUNS_DIR, default=str(home().runs))
    p.add("--restart", bool, "delete the progress of this run and start again")
    text = (
        "longest time between checkpoints within an epoch; default: 60; 0: after every step; "
        "a young run saves sooner, and saving never takes over 1 %% of the time"
    )
    p.add("--checkpoint-every", real(0, 1e7), text, default=60.0, metavar="SECONDS")
    text = (
        "run the step as one CUDA graph; default: auto, if the GPU and the run allow it. "
        "on: fail if they do not; on a CPU, run the graph's code without capturing it"
    )
    p.add("--cuda-graph", ("auto", "on", "off"), text, default="auto")
    text = (
        "start from trained weights: a released name, a file or a run's folder, of a network with "
        "the same body, or another project's file as timm:FILE (pycls:, torchvision:)"
    )
    p.add("--weights", None, text, metavar="NAME|PATH")
    text = (
        "what not to train: body (all but the last layer), statistics (of batch norms) or none; "
        "default: as the recipe says"
    )
    p.add("--freeze", ("none", "statistics", "body"), text)


def add_evaluate(verbs: Verbs) -> None:
    example = "fastscale evaluate runs/regnety-tiny.dWr-x4.quick/seed0 --data fashion-mnist"
    p = verbs.verb("evaluate", cmd_evaluate, example + EVALUATING, further=True)
    text = "a .ckpt file, a run's folder, a released name or a .safetensors file"
    p.add("checkpoint", None, text)
    p.add("--data", None, "default: what it was trained on", metavar="SOURCE")
    p.weights("raw or averaged (EMA) weights of a run; default: auto, both")


def cmd_fit(args: argparse.Namespace, rest: list[str]) -> int:
    """Trains a run, or resumes it."""
    with ended_by_signals("nothing was started; run the command again"):  # imports take seconds
        from fastscale.training.variables import check_variables

        check_variables()
        from fastscale.release.public import find_public
        from fastscale.release.start import open_start
        from fastscale.training.fit import fit
        from fastscale.training.lines import ending
        from fastscale.training.runs import RunFolder
        from fastscale.training.speaking import speaks

    if args.weights is None and args.run is not None and find_public(args.run) is not None:
        print(f"trained weights exist: --weights {args.run} starts from them", file=sys.stderr)
    for option, value in (("model.weights", args.weights), ("model.recipe.freeze", args.freeze)):
        rest = [*rest, f"--{option}", value] if value is not None else rest
    record = fit(
        args.run,
        rest,
        args.runs_dir,
        args.restart,
        args.checkpoint_every,
        args.cuda_graph,
        open_start,
    )
    shown = ", ".join(f"{k} {v:.2f} %" for k, v in record.values.items() if "error" in k)
    if speaks():
        early = (
            f", ended early after {pluralize(record.epochs or 0, 'epoch')}" if record.early else ""
        )
        print(f"{record.run}, seed {record.seed}: {shown}{early}")
        print(ending(RunFolder(args.runs_dir, record.run, record.seed or 0).path))
    return 0


def cmd_evaluate(args: argparse.Namespace, rest: list[str]) -> int:
    """Prints the errors of a checkpoint; for a training checkpoint, of raw and averaged weights."""
    from fastscale.training.variables import check_variables

    check_variables()
    from fastscale.training.speaking import speaks

    what = args.checkpoint
    with ended_by_signals("nothing was changed; run the command again"):
        if os.path.isdir(what) or what.endswith(".ckpt"):
            from fastscale.training.evaluate import evaluate

            found = evaluate(what, args.data, rest, args.weights)
        else:
            from fastscale.release.load import open_checkpoint
            from fastscale.release.score import score

            checkpoint = open_checkpoint(what, args.weights)
            found = score(checkpoint, args.data, rest, tell=True).errors
    for name, value in found.items():
        if speaks():
            print(f"{name:16}{value:10.4f} %")
    return 0
