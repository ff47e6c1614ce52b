"""The envelope of a record: what produced the number, so that a reader can judge it and repeat it.

Commit and dirty flag, versions, device, cores, threads, date, and whatever the caller measured under (precision, layout, compile, batch,
warm-up, repeats). It holds no host name, no user name and no path: records are published.
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
# What decides a result. Outputs (paper_figures) are left out, or the first figure drawn would make every later record "dirty".
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
    """The envelope as a dictionary of JSON values; `extra` (warm-up, repeats, ...) is added under its own names.

    `threads` and `device` are found when not given: torch's thread count and the GPU in use if torch is loaded and has used one, else the
    cores this process may run on and the processor's name. torch is never imported for it.
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
    """Asked once: the code that a process runs is that of its start, and git takes longer than a
    small network's step."""
    return git_state()


@cache
def _own_versions() -> dict[str, str | None]:
    return versions()


def git_state(root: Path = PACKAGE.parent) -> tuple[str | None, bool | None]:
    """(commit, whether code or configs differ from it) of the checkout the package lies in; (None, None) outside one."""
    top = _git(root, "rev-parse", "--show-toplevel")
    # a virtual environment inside some other project's checkout must not pass that project's commit off as ours
    if top is None or Path(top).resolve() != root.resolve():
        return None, None
    commit = _git(root, "rev-parse", "--verify", "HEAD")
    if commit is None:
        return None, None
    changes = _git(root, "status", "--porcelain", "--", *_CODE)
    return commit, None if changes is None else bool(changes)


def versions() -> dict[str, str | None]:
    """Version of Python and of each package that has a part in the numbers; None where it is not installed."""
    from importlib import metadata  # with an e-mail parser, which reading records does not need

    found: dict[str, str | None] = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    return found


def cpu_name(cpuinfo: str = "/proc/cpuinfo") -> str:
    """The processor's model name, or its architecture where the system does not tell."""
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
            # a lock that a killed run left would keep the user from committing
            ["git", "--no-optional-locks", "-C", str(root), *arguments],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
