"""The `fastscale` command: a module a theme, a function a verb. Unusable input is one line on
stderr and exit code 2."""

import importlib
import os
import sys
from collections.abc import Sequence

from fastscale.cli.options import Parser, Verbs, own_archs
from fastscale.cli.terminal import plain_output
from fastscale.cli.version import Version
from fastscale.errors import InputError, RunError

TEXT = (
    "Fast and Accurate Model Scaling (CVPR 2021): networks, counts, training, tables and figures."
)
# verb -> the module that has its options, and what it does
VERBS = {
    "list": (
        "listing",
        "List what there is: networks, strategies, recipes, devices, data, runs, checkpoints.",
    ),
    "info": ("networks", "Show one network, base or scaled: stages, resolution, exact counts."),
    "scale": ("networks", "Scale a base network by a factor, or to a target."),
    "plan": (
        "planning",
        "Find the largest networks within a budget of counts, epoch time, memory or latency; "
        "without one, say what the networks cost.",
    ),
    "data": ("data", "Prepare images, and check what was prepared."),
    "fit": ("training", "Train a network; an interrupted run resumes from its last checkpoint."),
    "evaluate": ("training", "Errors of a checkpoint on a validation set."),
    "checkpoint": ("checkpoint", "Released networks: publish, list, show, verify, load, import."),
    "predict": ("using", "The likeliest classes of images."),
    "export": (
        "using",
        "Write a checkpoint as ONNX or as a torch.export program, batch norm folded into the convs.",
    ),
    "report": (
        "using",
        "Write one page, for any browser, to explore every record and reference point.",
    ),
    "time": ("timing", "Measure step, inference and epoch time on dummy data, or a data loader."),
    "reproduce": ("reproduce", "Make tables and figures, training and timing what is missing."),
}


def parser(verb: str | None = None) -> Parser:
    """The whole command line; with `verb`, the options of that one alone are loaded and put on it
    (of the others no more than what the first help says)."""
    top = Parser(prog="fastscale", description=TEXT)
    top.add_argument("--version", action=Version, help="versions of packages, and the device")
    verbs = Verbs(top, "verb", "VERB", {name: text for name, (_, text) in VERBS.items()})
    for name, (theme, _) in VERBS.items():
        if verb in (None, name):
            getattr(importlib.import_module(f"fastscale.cli.{theme}"), f"add_{name}")(verbs)
        else:
            verbs.named(name)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    with plain_output():
        return _run(argv)


def _run(argv: Sequence[str] | None) -> int:
    words = sys.argv[1:] if argv is None else argv
    first = words[0] if words else ""
    top = parser(first if first in VERBS else "")
    try:
        args, rest = top.parse_known_args(words)
        if rest and not args.further:
            top.error(f"unrecognised: {' '.join(rest)}")
        with own_archs(args):
            return args.run_verb(args, rest) if args.further else args.run_verb(args)
    except (InputError, RunError, OSError) as error:
        if isinstance(error, BrokenPipeError):  # `fastscale list | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 1 if isinstance(error, RunError) else 2
    except KeyboardInterrupt:
        print("interrupted; rerun the command to resume", file=sys.stderr)
        return 130
