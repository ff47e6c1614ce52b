"""README and docs/: commands and Python blocks run, and outputs and numbers are up to date.

A command whose comment says what it needs (a GPU, ImageNet, the network, minutes, your files) is
only parsed; every other command is run.
"""

import csv
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from fastscale.cli import main, parser

ROOT = Path(__file__).resolve().parents[1]
PAGES = {p.relative_to(ROOT).as_posix(): p for p in [ROOT / "README.md", *ROOT.glob("docs/*.md")]}
TEXTS = {name: path.read_text(encoding="utf-8") for name, path in sorted(PAGES.items())}
NEEDS = re.compile(r"GPU|ImageNet|network|minute|hours|server|your|yours|/path")
# (page, command, comment) of shell blocks
COMMANDS = [
    (name, command.strip(), comment)
    for name, text in TEXTS.items()
    for block in re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    for command, _, comment in (line.partition(" #") for line in block.splitlines())
    if command.strip()
]
RUN = [
    (name, command)
    for name, command, comment in COMMANDS
    if command.startswith("fastscale") and not NEEDS.search(comment)
]
SHOWN = [
    (name, command, shown)
    for name, text in TEXTS.items()
    for command, shown in re.findall(r"```\n\$ (fastscale [^\n]+)\n(.+?)```", text, re.DOTALL)
]
PYTHON = [
    (name, block)
    for name, text in TEXTS.items()
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL)
]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Runs in an empty folder, offline."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FASTSCALE_OFFLINE", "1")
    monkeypatch.setenv("FASTSCALE_DATA", str(tmp_path / "data"))


@pytest.mark.parametrize(("page", "command", "comment"), COMMANDS)
def test_every_command_is_valid(page, command, comment):
    """Its verb and options are known, and its script exists."""
    words = shlex.split(command)
    if words[0] == "bash":
        assert (ROOT / words[1]).is_file()
        words = ["fastscale", "reproduce", *words[2:]] if "reproduce_table" in command else []
    if words[:1] == ["fastscale"]:
        args, rest = parser(words[1]).parse_known_args(words[1:])
        assert not rest or args.further


@pytest.mark.parametrize(("page", "command"), RUN)
def test_a_command_that_needs_nothing_runs(page, command, capsys):
    assert main(shlex.split(command)[1:]) == 0


@pytest.mark.parametrize(("page", "block"), PYTHON, ids=[n for n, _ in PYTHON])
def test_python_blocks_run(page, block, forgotten):
    exec(compile(block, page, "exec"), {})


@pytest.mark.parametrize(("page", "command", "shown"), SHOWN, ids=[c for _, c, _ in SHOWN])
def test_a_shown_output_is_that_of_the_command(page, command, shown, capsys):
    """Lines may be left out, but none is changed or moved."""
    assert main(shlex.split(command)[1:]) == 0
    said = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    at = [said.index(line.rstrip()) for line in shown.splitlines()]
    assert at == sorted(at) and len(at) >= 3


def test_there_is_something_to_test():
    assert len(SHOWN) >= 4 and len(RUN) >= 12 and len(PYTHON) >= 5
    assert len(COMMANDS) > 1.5 * len(RUN)


def test_the_readme_is_one_screen_and_some():
    lines = TEXTS["README.md"].splitlines()
    assert len(lines) <= 120 and max(map(len, lines)) <= 100


def test_the_verdicts_of_the_readme_are_those_of_the_claims():
    """claims.csv has a claim with the published number, ours, n and verdict of each row."""
    with open(ROOT / "paper_figures" / "claims.csv") as file:
        claims = list(csv.DictReader(file))
    table = TEXTS["README.md"].split("## Does it hold?")[1].split("\n\n")[1].splitlines()[2:]
    assert len(table) == 6
    for row in table:
        _, _, paper, ours, n, verdict, _ = (cell.strip() for cell in row.split("|"))
        if ours:
            found = [c for c in claims if (c["verdict"], c["ours_n"]) == (verdict, n)]
            assert any(_rounds(c, paper, ours) for c in found), row


def _rounds(claim, paper, ours):
    """Whether the numbers of a row are those of the claim, rounded."""
    published = claim["paper"] or claim["recomputed"]
    pairs = (paper, published), (ours, claim["ours_value"])
    return all(
        float(text) == round(float(own), len(text.split(".")[1]))
        for text, own in ((said.removesuffix("\\*").strip(), own) for said, own in pairs)
        if own
    )


def test_the_quick_table_of_the_readme_is_the_drawn_one():
    drawn = (ROOT / "paper_figures" / "quick" / "summary.md").read_text(encoding="utf-8")
    rows = [line for line in drawn.splitlines() if line.startswith("| ")]
    block = re.search(r"```\n(strategy .+?)```", TEXTS["README.md"], re.DOTALL)[1]
    for line in block.splitlines()[1:]:
        strategy, *numbers = re.split(r"\s{2,}", line.strip())
        (own,) = [row for row in rows if row.startswith(f"| {strategy} |")]
        assert all(f"| {number} |" in own for number in numbers), line


@pytest.mark.slow
def test_the_documentation_is_built_without_a_warning(tmp_path):
    pytest.importorskip("mkdocs", reason="pip install -e '.[docs]'")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-d", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert not done.returncode, done.stderr
    page = (tmp_path / "api" / "index.html").read_text(encoding="utf-8")
    assert "scale_to" in page and "register_strategy" in page
