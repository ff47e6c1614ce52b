"""Outputs of every network that timm or torchvision has too, theirs against ours with their weights: a table.

.venv/bin/python scripts/compare_import.py [NAME ...]     # needs what scripts/setup.sh --with-tests installs

Weights and batch-norm statistics are random (tests/parity.py), the computation is in double precision. Exit code 1 where a
difference is more than 1e-5 of the largest output (of 1, where that is less).
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch

from fastscale.release.importing import import_tensors
from tests.parity import CASES, difference, randomise, theirs

BOUND = 1e-5


def main(names: list[str]) -> int:
    """Prints a Markdown table of all, or of those whose name there or here is given."""
    worst = 0.0
    print("| network | source | its name there | largest difference | largest output |\n|---|---|---|---:|---:|")
    for project, name, ours in CASES:
        if names and name not in names and ours not in names:
            continue
        net, images = theirs(project, name), torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(7))
        randomise(net, images)
        found, scale = difference(net, ours, images, import_tensors(net.state_dict(), project, told=name))
        worst = max(worst, found / max(1.0, scale))
        print(f"| {ours} | {project} | {name} | {found:.1e} | {scale:.2f} |", flush=True)
    return int(worst > BOUND)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
