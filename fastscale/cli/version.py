"""`fastscale --version`: the facts about a machine for bug reports, without importing torch."""

import argparse
import re
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "pytorch-lightning", "ffcv", "numpy", "onnxruntime")
GPUS = Path("/proc/driver/nvidia/gpus")


class Version(argparse.Action):
    """Prints the lines and ends the command."""

    def __init__(self, option_strings: list[str], dest: str, help: str | None = None):
        super().__init__(option_strings, dest, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        print("\n".join(lines()))
        parser.exit()


def lines(gpus: Path = GPUS) -> list[str]:
    """fastscale and its commit; Python and packages; the device on which `fit` would train."""
    from importlib import metadata

    from fastscale.records.environment import git_state, versions

    commit, dirty = git_state()
    state = f", commit {commit[:12]}{' with changes' if dirty else ''}" if commit else ""
    found = versions()
    for name in PACKAGES:
        if name not in found:
            try:
                found[name] = metadata.version(name)
            except metadata.PackageNotFoundError:
                found[name] = None
    packages = [f"{name} {found[name] or 'not installed'}" for name in ("python", *PACKAGES)]
    return [
        f"fastscale {found['fastscale'] or '(not installed)'}{state}",
        ", ".join(packages),
        f"device: {device(gpus, found)}",
    ]


def device(gpus: Path, found: dict[str, str | None]) -> str:
    """The GPUs that the driver lists, and whether torch can use them; else the processor."""
    from fastscale.common import cores
    from fastscale.records.environment import cpu_name

    names = []
    for file in sorted(gpus.glob("*/information")):
        model = re.search(r"^Model:\s*(\S.*)$", file.read_text(errors="replace"), re.MULTILINE)
        names.append(model[1].strip() if model else "GPU")
    if not names:
        return f"{cpu_name()}, {cores()} cores, no GPU"
    listed = ", ".join(f"{names.count(n)} x {n}" for n in dict.fromkeys(names))
    without = (found.get("torch") or "").endswith("+cpu")
    return f"{listed}{', which this torch cannot use: it is built for CPUs' if without else ''}"
