"""`fastscale reproduce`: tables and figures, with the runs they need, here or on a cluster."""

import argparse
from pathlib import Path

from fastscale.errors import InputError
from fastscale.verbs.parsing import MOST_DEVICES, MOST_MINUTES, Verbs, real, runs_dir, whole
from fastscale.verbs.signals import ended_by_signals


def add(verbs: Verbs) -> None:
    """reproduce."""
    p = verbs.verb(
        "reproduce",
        cmd_reproduce,
        "Make tables and figures, training and timing what is missing.",
        "fastscale reproduce quick --dry-run\n"
        "  fastscale reproduce --tier full --cluster slurm --partition gpu --gpus-per-run 8 --time 1-00:00:00",
    )
    p.add_argument(
        "artifact",
        nargs="*",
        help="from configs/artifacts; quick unless given (in the full tier: all that have one)",
    )
    p.add_argument("--tier", choices=("smoke", "quick", "full"), default="quick")
    p.add_argument("--dry-run", action="store_true", help="show the plan and its cost, and stop")
    p.add_argument("--jobs", type=whole(1, 10_000), help="runs side by side on this machine")
    p.add_argument(
        "--budget",
        type=real(1e-3, MOST_MINUTES),
        metavar="MINUTES",
        help="begin no run later than that; the same command goes on another time",
    )
    p.add_argument(
        "--data",
        action="append",
        metavar="NAME:PATH",
        help="where you keep a data set: cifar10:/path/of/folder/or/archive",
    )
    p.add_argument(
        "--gpus-per-run",
        type=whole(0, MOST_DEVICES),
        help="how many share a run, here or in a job (1; with --cluster, 0: CPUs)",
    )
    p.add_argument("--runs_dir", default=runs_dir())
    p.add_argument(
        "--device", help="the device whose times are predicted; this machine's unless given"
    )
    p.add_argument(
        "--cluster",
        choices=("slurm",),
        help="submit missing runs as jobs, requeued on pre-emption, and show their states",
    )
    group = p.add_argument_group("with --cluster")
    group.add_argument(
        "--time",
        help="limit of a job as SLURM writes it (1-00:00:00); a longer run is requeued and resumes",
    )
    group.add_argument("--partition")
    group.add_argument(
        "--slurm",
        action="append",
        metavar="KEY=VALUE",
        help="any other sbatch option, as often as needed: account=vision",
    )


def cmd_reproduce(args: argparse.Namespace) -> int:
    """Tables and figures, with the runs they need."""
    from fastscale.reproduce import reproduce
    from fastscale.reproduce.listing import full_artifacts

    cluster, gpus = None, 1 if args.gpus_per_run is None else args.gpus_per_run
    if args.cluster:
        from fastscale.reproduce.slurm import Cluster, parse_further, parse_minutes

        cluster = Cluster(
            gpus, parse_minutes(args.time or "1-0"), args.partition, parse_further(args.slurm or ())
        )
    elif lone := [
        f"--{k.replace('_', '-')}"
        for k in ("time", "partition", "slurm")
        if getattr(args, k) is not None
    ]:
        raise InputError(f"{lone[0]} is for jobs: give --cluster slurm with it")
    names = args.artifact or (full_artifacts() if args.tier == "full" else []) or ["quick"]
    options = {"data": args.data or (), "budget": args.budget, "gpus": gpus}
    with ended_by_signals("every run is saved as far as it came; the same command resumes"):
        return reproduce(
            names,
            args.tier,
            Path(args.runs_dir),
            args.dry_run,
            args.jobs,
            cluster,
            args.device,
            **options,
        )
