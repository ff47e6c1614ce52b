"""`fastscale report`: everything measured and published, in one page to explore."""

import argparse
from pathlib import Path

from fastscale.verbs.parsing import Verbs


def add(verbs: Verbs) -> None:
    """report."""
    p = verbs.verb(
        "report",
        cmd_report,
        "Write one page, for any browser, to explore every record and reference point.",
        "fastscale report --runs_dir runs",
    )
    p.add_argument(
        "--out",
        metavar="FILE",
        help="paper_figures/report.html, or DIR/report.html with --runs_dir, unless given",
    )
    p.add_argument("--runs_dir", metavar="DIR", help="show the records of these runs too")


def cmd_report(args: argparse.Namespace) -> int:
    """The page of records and references."""
    from fastscale.paper.report import write_report

    path = write_report(
        Path(args.out) if args.out else None, Path(args.runs_dir) if args.runs_dir else None
    )
    shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    print(f"{shown} ({path.stat().st_size / 1e6:.1f} MB): open it in a browser")
    return 0
