"""The environment of a record: what produced the number, so that readers can judge and repeat it.

It holds commit and dirty flag, versions, device, cores, threads, date, and the caller's conditions
(precision, layout, compile, batch, warm-up, repeats). Records are published, so it holds no host
name, user name or path.
"""

import platform
import re
import subprocess
import sys
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from fastscale.common import cores
from fastscale.home import PACKAGE

PACKAGES = ("torch", "pytorch-lightning", "torchmetrics", "ffcv", "fvcore", "numpy", "fastscale")
# What decides a result. Outputs (paper_figures) are left out: otherwise the first figure drawn
# would make every later record "dirty".
_CODE = ("fastscale", "configs", "scripts", "pyproject.toml", "setup.py", "requirements.txt")


def environment(
    *,
    precision: str | None = None,
    layout: str | None = None,
    compile: bool | str | None = None,
    batch: int | None = None,
    threads: int | None = None,
    device: str | None = None,
    **extra: Any,
) -> dict[str, Any]:
    """The environment as a dictionary of JSON values, with `extra` (warm-up, repeats, ...) added.

    `threads` defaults to torch's thread count if torch is loaded, else to the cores this process
    may use; `device` to the GPU if this process has used one, else to the processor's name. torch
    is never imported.
    """
    commit, dirty = _own_state()
    name, kind = _device()
    return {
        "git_commit": commit,
        "git_dirty": dirty,
        "versions": dict(_own_versions()),
        "device": device or name,
        "device_type": kind,
        "cores": cores(),
        "threads": threads if threads is not None else _threads(),
        "platform": f"{platform.system()} {platform.machine()}",
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "precision": precision,
        "layout": layout,
        "compile": compile,
        "batch": batch,
        **extra,
    }


@cache
def _own_state() -> tuple[str | None, bool | None]:
    """The state at the first call. Cached: a process keeps the code it started with, and git takes
    longer than a step of a small network."""
    return git_state()


@cache
def _own_versions() -> dict[str, str | None]:
    return versions()


def git_state(root: Path = PACKAGE.parent) -> tuple[str | None, bool | None]:
    """(commit, whether code or configs differ from it) of the package's checkout; (None, None) if
    the package is not in one."""
    top = _git(root, "rev-parse", "--show-toplevel")
    # a virtual environment may lie inside another project's checkout, whose commit is not ours
    if top is None or Path(top).resolve() != root.resolve():
        return None, None
    commit = _git(root, "rev-parse", "--verify", "HEAD")
    if commit is None:
        return None, None
    changes = _git(root, "status", "--porcelain", "--", *_CODE)
    return commit, None if changes is None else bool(changes)


def versions() -> dict[str, str | None]:
    """Versions of Python and of the packages that affect the numbers; None if not installed."""
    from importlib import metadata  # slow: imports an e-mail parser

    found: dict[str, str | None] = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    return found


def cpu_name(cpuinfo: str = "/proc/cpuinfo") -> str:
    """The processor's model name, or its architecture if the system does not report one."""
    try:
        found = re.search(
            r"^(?:model name|Model)\s*:\s*(\S.*)$",
            Path(cpuinfo).read_text(errors="replace"),
            re.MULTILINE,
        )
    except OSError:
        found = None
    name = found.group(1) if found else platform.processor() or platform.machine() or "unknown CPU"
    return " ".join(re.sub(r"\((?:R|TM)\)", "", name).split())


def _device() -> tuple[str, str]:
    torch = sys.modules.get("torch")
    cuda = getattr(torch, "cuda", None)
    if cuda is not None and cuda.is_initialized():
        return cuda.get_device_name(), "cuda"
    return cpu_name(), "cpu"


def _threads() -> int:
    torch = sys.modules.get("torch")
    count = getattr(torch, "get_num_threads", None)
    return count() if count is not None else cores()


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            # without locks: one left by a killed run would keep the user from committing
            ["git", "--no-optional-locks", "-C", str(root), *arguments],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
