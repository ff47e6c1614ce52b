"""Every text file keeps to 100 columns, apart from generated ones, data and Markdown tables."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
GENERATED = re.compile(r"paper_figures/(?!reference/README)|checkpoints/")
DATA = {".csv", ".ipynb", ".json", ".jsonl", ".typed"}
# an output that a page quotes: a block that names no language
QUOTED = re.compile(r"^```\n.*?^```$", re.DOTALL | re.MULTILINE)


def test_lines_keep_to_100_columns():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a checkout of git")
    wide = []
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if GENERATED.match(name) or path.suffix in DATA or not path.is_file():
            continue
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".md":
            text = QUOTED.sub(lambda block: "\n" * block[0].count("\n"), text)
        tables = path.suffix in {".md", ".j2"}
        for number, line in enumerate(text.splitlines(), 1):
            if len(line) > 100 and not (tables and line.startswith("|")) and "://" not in line:
                wide.append(f"{name}, line {number}")
    assert not wide, "\n".join(wide)
