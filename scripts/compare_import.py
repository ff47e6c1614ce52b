"""Compares outputs of timm's and torchvision's networks with those of ours with the same weights.

.venv/bin/python scripts/compare_import.py [NAME ...]     # after scripts/setup.sh --with-tests

Weights and batch-norm statistics are random (tests/parity.py), and the computation is in double
precision. Exit code 1 if a difference is more than 1e-5 of the largest output (at least of 1), or
if a norm divides by a number that differs by more than 1e-6 of it.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch

from fastscale.release.importing import import_tensors
from tests.parity import CASES, difference, norms_differ, randomise, theirs

BOUND, NORMS = 1e-5, 1e-6


def main(names: list[str]) -> int:
    """Prints a Markdown table of all networks, or of those named (by our name or theirs)."""
    worst = 0.0
    print("| network | source | its name there | largest difference | largest output | norms |")
    print("|---|---|---|---:|---:|---:|")
    for project, name, ours in CASES:
        if names and name not in names and ours not in names:
            continue
        net = theirs(project, name)
        images = torch.randn(4, 3, 128, 128, generator=torch.Generator().manual_seed(7))
        randomise(net, images)
        imported = import_tensors(net.state_dict(), project, their_name=name)
        norms = norms_differ(net, project, imported)
        found, scale = difference(net, ours, images, imported)
        worst = max(worst, found / max(1.0, scale), norms / NORMS * BOUND)
        print(
            f"| {ours} | {project} | {name} | {found:.1e} | {scale:.2f} | {norms:.1e} |", flush=True
        )
    return int(worst > BOUND)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
