"""Reads the user's networks from the files named by `--arch`: `FILE.py:NAME`, or a YAML definition.

A Python file is run only because the user names it with `--arch`, never because a record, a
checkpoint or a YAML file refers to it.
"""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from fastscale.archs.arch import Arch, check_arch
from fastscale.archs.definition import from_definition
from fastscale.common import read_yaml
from fastscale.errors import InputError

FORM = "write FILE.py:NAME, or a .yaml file of its definition"


def read_arch(text: str) -> Arch:
    """The network that `text` names. InputError of one line if there is none, or the file fails."""
    if text.endswith((".yaml", ".yml")):
        try:
            return from_definition(read_yaml(Path(text)), text)
        except OSError as error:
            raise InputError(f"--arch {text}: cannot be read ({error.strerror})") from None
    file, colon, name = text.rpartition(":")
    file, name = (file, name) if colon else (text, "")
    if not file.endswith(".py"):
        raise InputError(f"--arch {text[:200]!r}: {FORM}")
    module = _module(Path(file))
    archs = {k: v for k, v in vars(module).items() if isinstance(v, Arch)}
    if not name and len(archs) == 1:
        name = next(iter(archs))
    found: Any = getattr(module, name, None) if name else None
    if not isinstance(found, Arch):
        what = f"{file} has no network {name!r}" if name else f"{file}: which network?"
        raise InputError(f"--arch {text}: {what}; it has {', '.join(archs) or 'none'}; {FORM}")
    check_arch(found)
    return found


def _module(path: Path) -> ModuleType:
    """The file as a module, run once per process."""
    path = path.expanduser().resolve()
    if not path.is_file():
        raise InputError(f"--arch {path}: no such file; {FORM}")
    name = f"fastscale_own.{path.stem}_{abs(hash((str(path), path.stat().st_mtime_ns))):x}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        line = " ".join(str(error).split())[:200]
        raise InputError(f"--arch {path}: {type(error).__name__}: {line}") from None
    return module
