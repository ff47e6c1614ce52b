"""`fastscale reproduce`: tables and figures, with the runs they need."""

import argparse
from pathlib import Path

from fastscale.verbs.parsing import Verbs, runs_dir


def add(verbs: Verbs) -> None:
    """reproduce."""
    p = verbs.verb(
        "reproduce", cmd_reproduce, "Make tables and figures, training and timing what is missing.", "fastscale reproduce quick --dry-run"
    )
    p.add_argument("artifact", nargs="*", help="from configs/artifacts; quick unless given")
    p.add_argument("--tier", choices=("smoke", "quick", "full"), default="quick")
    p.add_argument("--dry-run", action="store_true", help="show the plan and stop")
    p.add_argument("--jobs", type=int, help="runs side by side")
    p.add_argument("--runs_dir", default=runs_dir())


def cmd_reproduce(args: argparse.Namespace) -> int:
    """Tables and figures, with the runs they need."""
    from fastscale.reproduce import reproduce

    return reproduce(args.artifact or ["quick"], args.tier, Path(args.runs_dir), args.dry_run, args.jobs)
