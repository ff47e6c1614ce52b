"""The `fastscale` command: one function per verb, related verbs in one module.

Unusable input ends with one line on stderr and exit code 2.
"""

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
# verb -> (the module with its options, its help text)
VERBS = {
    "list": (
        "listing",
        "List networks, strategies, recipes, devices, data, runs or checkpoints.",
    ),
    "info": ("networks", "Show one network, base or scaled: stages, resolution, exact counts."),
    "scale": ("networks", "Scale a base network by a factor, or to a target."),
    "plan": (
        "planning",
        "Find the largest networks within a budget of counts, epoch time, memory or latency; "
        "without one, show what the networks cost.",
    ),
    "data": ("data", "Prepare images for training, and check them."),
    "fit": ("training", "Train a network; an interrupted run resumes from its last checkpoint."),
    "evaluate": ("training", "Measure the errors of a checkpoint on a validation set."),
    "checkpoint": ("checkpoint", "Released networks: publish, list, show, verify, load, import."),
    "predict": ("using", "Predict the most likely classes of images."),
    "export": (
        "using",
        "Write a checkpoint as ONNX or a torch.export program, with batch norm folded into convs.",
    ),
    "report": (
        "using",
        "Write an HTML page to explore every record and reference point.",
    ),
    "time": ("timing", "Measure step, inference and epoch time on dummy data, or a data loader."),
    "reproduce": ("reproduce", "Make tables and figures; train and time what is missing."),
}


def parser(verb: str | None = None) -> Parser:
    """The command line. With `verb`, only the options of that verb are loaded."""
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
            args.parser.unknown(rest)
        with own_archs(args):
            return args.run_verb(args, rest) if args.further else args.run_verb(args)
    except (InputError, RunError, OSError) as error:
        if isinstance(error, BrokenPipeError):  # `fastscale list | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        text = str(error)
        if isinstance(error, OSError) and error.filename is not None and error.strerror:
            said = error.strerror[:1].lower() + error.strerror[1:]
            said = "is a file, not a folder" if isinstance(error, FileExistsError) else said
            text = f"{error.filename}: {said}"
        print(f"error: {' '.join(text.split())}", file=sys.stderr)
        return 1 if isinstance(error, RunError) else 2
    except KeyboardInterrupt:
        print("interrupted; rerun the command to resume", file=sys.stderr)
        return 130
