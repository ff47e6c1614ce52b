"""Rooms import only from those above them: the order in which the package reads, top to bottom."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "fastscale"
# a line holds rooms that know nothing of each other
ORDER = """
errors
home common
archs
counts
scaling
records
references
models
data
training
release timing
planning
paper
reproduce
api
cli
__init__ __main__
"""
LEVEL = {room: i for i, line in enumerate(ORDER.split("\n")) for room in line.split()}


def room_of(module: str) -> str:
    """The room that a module lies in; `fastscale` itself stands for the public names, at the end."""
    return [*module.split("."), "__init__"][1]


def imported(path: Path):
    """(line, module) of every import from the package, those within functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "fastscale":
            yield from ((node.lineno, f"fastscale.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}, line {node.lineno}: a relative import"
            yield node.lineno, node.module or ""


def test_every_room_imports_only_from_those_above():
    wrong = []
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE)
        here = LEVEL[name.parts[0].removesuffix(".py")]
        for line, module in imported(path):
            if module.split(".")[0] != "fastscale":
                continue
            there = room_of(module)
            same = there == name.parts[0].removesuffix(".py")
            if not same and LEVEL.get(there, here) >= here:
                wrong.append(f"fastscale/{name}, line {line}: {module}")
    assert not wrong, "\n".join(wrong)
