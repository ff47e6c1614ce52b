"""A clone of the files that set-up reads, with a .venv whose pip is a stand-in.

So scripts/setup.sh runs completely and offline.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Installs packages as empty distributions, writes down each call, and fails if the call contains
# $PIP_FAILS.
PIP = """
import os, pathlib, re, shutil, sys, sysconfig

site = pathlib.Path(sysconfig.get_path("purelib"))
call = " ".join(sys.argv[1:])
with open(os.environ["PIP_CALLS"], "a") as file:
    print(call, file=file)
if os.environ.get("PIP_FAILS") and os.environ["PIP_FAILS"] in call:
    sys.exit("ERROR: the index does not answer")
if "--target" in sys.argv or sys.argv[1] == "wheel":
    sys.exit()  # into another folder
files = [b for a, b in zip(sys.argv, sys.argv[1:]) if a == "-r"]
lines = [line for file in files for line in pathlib.Path(file).read_text().splitlines()]
wanted = dict(re.findall(r"(?m)^([\\w.-]+)[^=\\n#]*==([\\w.+]+)", "\\n".join([*lines, *sys.argv])))
if "--editable" in sys.argv:
    wanted["fastscale"] = "0.1.0"
    command = pathlib.Path(sys.prefix, "bin/fastscale")
    command.write_text(f"#!{sys.executable}\\n")
if sys.argv[1] == "uninstall":
    for info in site.glob(sys.argv[-1] + "-*.dist-info"):
        shutil.rmtree(info)
for name, version in wanted.items():
    for old in site.glob(name + "-*.dist-info"):
        shutil.rmtree(old)
    info = site / f"{name}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n")
    (info / "RECORD").write_text(f"{info.name}/INSTALLER,,\\n")
    (info / "INSTALLER").write_text("pip")
"""
IMPORTED = (
    "cv2",
    "numba",
    "numpy",
    "torch",
    "torchmetrics",
    "pytorch_lightning",
    "tensorboard",
    "fastscale",
)


class Clone:
    """A folder with the files that decide a set-up; `setup(...)` runs its scripts/setup.sh."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.calls = root.parent / "pip-calls"
        for name in (
            "requirements.txt",
            "pyproject.toml",
            "tests/requirements.txt",
            "tests/requirements-parity.txt",
        ):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, root / name)
        shutil.copytree(
            ROOT / "scripts", root / "scripts", ignore=shutil.ignore_patterns("__pycache__")
        )
        self.calls.touch()

    @property
    def venv(self) -> Path:
        return self.root / ".venv"

    @property
    def site(self) -> Path:
        return next(self.venv.glob("lib/python*/site-packages"))

    def make_venv(self) -> None:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", self.venv], check=True)
        modules = [
            *(f"{name}.py" for name in IMPORTED),
            "fvcore/nn.py",
            "ffcv/loader.py",
            "ffcv/writer.py",
        ]
        for name, text in {
            **dict.fromkeys(modules, ""),
            "pip/__main__.py": PIP,
            "pip/__init__.py": "",
        }.items():
            (self.site / name).parent.mkdir(exist_ok=True)
            (self.site / name).write_text(text)
        self.add_distribution("ffcv", "1.0.2")  # there already: these tests compile nothing

    def add_distribution(self, name: str, version: str) -> None:
        environment = {**os.environ, "PIP_CALLS": os.devnull}
        subprocess.run(
            [self.venv / "bin/python", "-m", "pip", "install", f"{name}=={version}"],
            check=True,
            env=environment,
        )

    def setup(self, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
        drop = ("PYTHON", "CC", "CXX", "VIRTUAL_ENV", "FASTSCALE_TORCH_INDEX")
        clean = {k: v for k, v in os.environ.items() if k not in drop and not k.startswith("PIP_")}
        # for the real pip, which some tests install
        offline = {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}
        env = {**clean, **offline, "PIP_CALLS": str(self.calls), **environment}
        command = [shutil.which("bash") or "bash", str(self.root / "scripts/setup.sh"), *options]
        return subprocess.run(
            command,
            env=env,
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
        )

    def pip_calls(self) -> str:
        """The calls of pip since the last call of this method."""
        text = self.calls.read_text()
        self.calls.write_text("")
        return text


@pytest.fixture
def bare(tmp_path: Path) -> Clone:
    """A fresh clone, without .venv."""
    return Clone(tmp_path / "clone")


@pytest.fixture
def clone(bare: Clone) -> Clone:
    """A clone with a .venv in which nothing but FFCV is installed yet."""
    bare.make_venv()
    return bare
