"""Rooms import only from those above them: the order in which the package reads, top to bottom."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "fastscale"
# a line holds rooms that know nothing of each other
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
    """The room that a module lies in; `fastscale` itself stands for the public names, at the end."""
    return [*module.split("."), "__init__"][1]


def imported(path: Path, annotations: bool = True):
    """(line, module) of every import from the package, those within functions too; `annotations`:
    and those for type checkers alone."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    checked = [n for n in nodes if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.dump(n.test)]
    unread = {id(inner) for block in checked for inner in ast.walk(block)}
    for node in nodes:
        if id(node) in unread and not annotations:
            continue
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}, line {node.lineno}: a relative import"
            for alias in node.names:  # a module of that package, or what a module holds
                module = f"{node.module}.{alias.name}"
                yield node.lineno, module if module in MODULES else str(node.module)


def test_every_room_imports_only_from_those_above():
    wrong = []
    for name, path in MODULES.items():
        here = room_of(name)
        for line, module in imported(path):
            there = room_of(module)
            if module in MODULES and there != here and LEVEL[there] >= LEVEL[here]:
                wrong.append(f"{path.relative_to(PACKAGE)}, line {line}: {module}")
    assert not wrong, "\n".join(wrong)


def test_no_two_modules_need_each_other():
    """Not even by an import within a function."""
    needs = {
        name: {module for _, module in imported(path, annotations=False)} & MODULES.keys()
        for name, path in MODULES.items()
    }
    for _ in range(len(needs)):  # what is needed by nobody, or needs nobody, is in no circle
        used = set().union(*needs.values())
        needs = {name: of & needs.keys() for name, of in needs.items() if of and name in used}
    assert not needs, "\n".join(f"{name}: {', '.join(sorted(of))}" for name, of in needs.items())
