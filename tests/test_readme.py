"""What the README shows as a command's output is that output, and what it says of the evidence are
the numbers of the tables."""

import csv
import re
import shlex
from pathlib import Path

import pytest

from fastscale.cli import main

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"```\n\$ (fastscale [^\n]+)\n(.+?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize(("command", "shown"), SHOWN, ids=[c for c, _ in SHOWN])
def test_an_output_that_is_shown_is_the_commands(command, shown, capsys):
    """Lines are left out, none is changed, and their order is the command's."""
    assert main(shlex.split(command)[1:]) == 0
    said = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    at = [said.index(line.rstrip()) for line in shown.splitlines()]
    assert at == sorted(at) and len(at) >= 3


def test_there_are_such_outputs():
    assert len(SHOWN) >= 3


def test_the_evidences_differences_are_the_tables():
    """Each mean with its 95 % interval, over both bases, at one size or at both."""
    with open(ROOT / "paper_figures" / "figures" / "evidence-cifar10-differences.csv") as file:
        rows = [row for row in csv.DictReader(file) if row["bases"] == "all"]
    names = ("difference_mean", "difference_low", "difference_high")
    table = {tuple(f"{float(row[name]):+.2f}" for name in names) for row in rows}
    section = TEXT[TEXT.index("The flops are not equal") : TEXT.index("A training of two epochs")]
    said = re.findall(r"([+-]\d+\.\d\d)[^\[\]\n]{0,14}\s\[([^],]+), ([^]]+)\]", section)
    assert len(said) >= 5
    for numbers in said:
        assert tuple(f"{float(n):+.2f}" for n in numbers) in table | {
            (mean, low, high.replace("-0.00", "+0.00")) for mean, low, high in table
        }
