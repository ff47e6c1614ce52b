"""Rooms import only from those above them in ORDER, in which the package is best read."""

import ast
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "fastscale"
# rooms in one line do not import each other
ORDER = """
errors lazy
home common
typed
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
plot
cli
__init__ __main__
"""
LEVEL = {room: i for i, line in enumerate(ORDER.split("\n")) for room in line.split()}


def name_of(path: Path) -> str:
    parts = ("fastscale", *path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts).removesuffix(".__init__")


MODULES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def room_of(module: str) -> str:
    """The room of a module; `fastscale` itself holds the public names and comes last."""
    return [*module.split("."), "__init__"][1]


@cache
def imported(path: Path) -> list[tuple[int, str, bool]]:
    """(line, module, for type checkers only) of every import, also within functions."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    checked = [n for n in nodes if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.dump(n.test)]
    unread = {id(inner) for block in checked for inner in ast.walk(block)}
    found = []
    for node in nodes:
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name, id(node) in unread) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}, line {node.lineno}: a relative import"
            for alias in node.names:  # a module of that package, or a name in a module
                module = f"{node.module}.{alias.name}"
                name = module if module in MODULES else str(node.module)
                found.append((node.lineno, name, id(node) in unread))
    return found


def test_every_room_imports_only_from_those_above():
    wrong = []
    for name, path in MODULES.items():
        here = room_of(name)
        for line, module, _ in imported(path):
            there = room_of(module)
            if module in MODULES and there != here and LEVEL[there] >= LEVEL[here]:
                wrong.append(f"{path.relative_to(PACKAGE)}, line {line}: {module}")
    assert not wrong, "\n".join(wrong)


def test_there_are_no_circular_imports():
    """Not even within functions."""
    needs = {
        name: {module for _, module, typed in imported(path) if not typed} & MODULES.keys()
        for name, path in MODULES.items()
    }
    for _ in range(len(needs)):  # a module that nobody needs, or that needs nobody, is in no circle
        used = set().union(*needs.values())
        needs = {name: of & needs.keys() for name, of in needs.items() if of and name in used}
    assert not needs, "\n".join(f"{name}: {', '.join(sorted(of))}" for name, of in needs.items())
