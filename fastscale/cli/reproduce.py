"""`fastscale reproduce`: makes tables and figures and their runs, here or on a cluster."""

import argparse
from pathlib import Path

from fastscale.cli.options import MINUTES, RUNS_DIR, Verbs, given, whole
from fastscale.cli.signals import ended_by_signals
from fastscale.errors import InputError
from fastscale.home import home

EXAMPLE = """fastscale reproduce quick --dry-run
  fastscale reproduce --tier smoke
  fastscale reproduce --tier full --cluster slurm --partition gpu --gpus-per-run 8"""


def add_reproduce(verbs: Verbs) -> None:
    p = verbs.verb("reproduce", cmd_reproduce, EXAMPLE)
    text = "from configs/artifacts; default: quick; in the full tier: all with a full tier"
    p.add("names", None, text, nargs="*", metavar="artifact")
    text = "smoke: redraw from committed records; quick: minutes here; full: the paper's runs"
    p.add("--tier", ("smoke", "quick", "full"), f"{text}; default: quick", default="quick")
    p.add("--write", bool, "with --tier smoke: replace committed tables and figures that differ")
    p.add("--dry-run", bool, "show the plan and its cost, and stop")
    text = "evaluate the released weights of the artifacts' networks, and draw from the errors"
    p.add("--from-checkpoints", bool, text)
    p.add("--jobs", whole(1, 10_000), "number of runs at once on this machine")
    text = "stop starting new runs after MINUTES; rerun the command to continue"
    p.add("--budget", MINUTES, text, metavar="MINUTES")
    text = "where a data set is: cifar10:/path/of/folder/or/archive"
    p.add("--data", None, text, action="append", metavar="NAME:PATH", default=[])
    text = "GPUs that share a run, here or in a job; default: 1; 0 with --cluster: CPUs"
    p.add("--gpus-per-run", whole(0, 100_000), text, default=1, dest="gpus", metavar="N")
    p.add("--runs-dir", Path, RUNS_DIR, default=home().runs)
    p.add("--device", None, "predict times for this device; default: this machine's")
    text = "submit missing runs as jobs, requeued on pre-emption, and show their states"
    p.add("--cluster", ("slurm",), text)
    text = "with --cluster: time limit of a job in SLURM's format (1-00:00:00); longer runs resume"
    p.add("--time", None, text)
    p.add("--partition", None, "with --cluster: SLURM partition of the jobs")
    text = "with --cluster: another sbatch option, such as account=vision; may be repeated"
    p.add("--slurm", None, text, action="append", metavar="KEY=VALUE")


def cmd_reproduce(args: argparse.Namespace) -> int:
    """Makes tables and figures, and the runs they need."""
    from fastscale.paper.plan import plans
    from fastscale.reproduce.making import reproduce

    if args.write and args.tier != "smoke":
        raise InputError("--write replaces what the smoke tier makes: give --tier smoke with it")
    if args.from_checkpoints:
        return _from_checkpoints(args)
    if args.cluster:
        from fastscale.reproduce.slurm import Cluster
        from fastscale.reproduce.slurm_options import parse_further, parse_minutes

        minutes, further = parse_minutes(args.time or "1-0"), parse_further(args.slurm or ())
        args.cluster = Cluster(args.gpus, minutes, args.partition, further)
    elif unused := [k for k in ("time", "partition", "slurm") if getattr(args, k) is not None]:
        raise InputError(f"--{unused[0]} is for jobs: give --cluster slurm with it")
    args.names = args.names or (list(plans("full")) if args.tier == "full" else []) or ["quick"]
    with ended_by_signals("the progress of every run is saved; the same command resumes"):
        return reproduce(**given(args, reproduce))


def _from_checkpoints(args: argparse.Namespace) -> int:
    """Draws figures from released weights."""
    from fastscale.reproduce.from_checkpoints import from_checkpoints

    training = ("cluster", "jobs", "budget", "time", "partition", "slurm", "device")
    if given_too := [name for name in training if getattr(args, name)]:
        raise InputError(
            f"--{given_too[0]} and --from-checkpoints: nothing is trained; leave it out"
        )
    if args.tier == "smoke" or not args.names:
        raise InputError("--from-checkpoints needs the name of an artifact: evidence-cifar10-small")
    with ended_by_signals("committed files are unchanged; the same command starts again"):
        return from_checkpoints(**given(args, from_checkpoints))
