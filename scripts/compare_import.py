"""Outputs of every network that timm or torchvision has too, theirs against ours with their weights: a table.

.venv/bin/python scripts/compare_import.py [NAME ...]     # needs what scripts/setup.sh --with-tests installs

Weights and batch-norm statistics are random (tests/parity.py), the computation is in double precision. Exit code 1 where a
difference is more than 1e-5 of the largest output (of 1, where that is less), or a norm divides by another number (1e-6 of it).
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch

from fastscale.release.importing import import_tensors
from tests.parity import CASES, difference, norms_differ, randomise, theirs

BOUND, NORMS = 1e-5, 1e-6


def main(names: list[str]) -> int:
    """Prints a Markdown table of all, or of those whose name there or here is given."""
    worst = 0.0
    print(
        "| network | source | its name there | largest difference | largest output | norms |\n|---|---|---|---:|---:|---:|"
    )
    for project, name, ours in CASES:
        if names and name not in names and ours not in names:
            continue
        net, images = (
            theirs(project, name),
            torch.randn(4, 3, 128, 128, generator=torch.Generator().manual_seed(7)),
        )
        randomise(net, images)
        imported = import_tensors(net.state_dict(), project, told=name)
        norms = norms_differ(net, project, imported)
        found, scale = difference(net, ours, images, imported)
        worst = max(worst, found / max(1.0, scale), norms / NORMS * BOUND)
        print(
            f"| {ours} | {project} | {name} | {found:.1e} | {scale:.2f} | {norms:.1e} |", flush=True
        )
    return int(worst > BOUND)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
