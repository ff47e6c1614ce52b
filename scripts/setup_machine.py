"""What scripts/setup.sh asks an interpreter: its version, its torch, and whether FFCV can be built.

It uses the standard library only, because it runs before anything is installed, and prints
NAME='value' lines for the shell. It reads metadata and torch/version.py instead of importing torch.
"""

from __future__ import annotations

import importlib.metadata as metadata
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

TORCH_RANGE = ((2, 11), (2, 14))  # as in pyproject.toml: from the first, below the second
SHIM = Path(__file__).resolve().parent / "native/ffcv"


def version_of(name: str) -> str:
    """The installed version of a distribution; '' if it is not installed, or only half."""
    try:
        return metadata.version(name) or ""
    except (metadata.PackageNotFoundError, KeyError):
        return ""


def torch_state() -> tuple[str, str, bool]:
    """(version, kind, in range) of the torch that this interpreter would import.

    The kind is what it is built for: cuda, rocm, xpu, cpu, or '' without torch.
    """
    version = version_of("torch")
    if not version:
        return "", "", False
    tag = re.search(r"\+(cu|rocm|xpu|cpu)", version)
    kind = {"cu": "cuda"}.get(tag[1], tag[1]) if tag else ""
    try:  # wheels of the package index have no tag; their version.py says what they are built for
        text = Path(str(metadata.distribution("torch").locate_file("torch/version.py"))).read_text()
        found = re.search(r"^(cuda|hip|xpu)\b[^=\n]*=\s*['\"]", text, re.MULTILINE)
        kind = kind or ({"hip": "rocm"}.get(found[1], found[1]) if found else "cpu")
    except OSError:
        pass
    release = tuple(int(n) for n in re.findall(r"\d+", version)[:2])
    return version, kind, TORCH_RANGE[0] <= release < TORCH_RANGE[1]


def interpreter() -> dict[str, str]:
    version, kind, in_range = torch_state()
    inside = sys.prefix != sys.base_prefix
    paths = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")} if inside else set()
    system = (
        not inside
        or "include-system-site-packages = true" in Path(sys.prefix, "pyvenv.cfg").read_text()
    )
    return {
        "PY_VERSION": ".".join(map(str, sys.version_info[:3])),
        "PY_EXECUTABLE": sys.executable,
        "PY_ENSUREPIP": "yes" if importlib.util.find_spec("ensurepip") else "",
        "PY_HEADERS": "yes" if Path(sysconfig.get_path("include"), "Python.h").exists() else "",
        "PY_SYSTEM_SITE": "yes" if system else "",
        "PY_PARENT_SITE": "\n".join(sorted(paths)),
        "TORCH_VERSION": version,
        "TORCH_KIND": kind,
        "FFCV_VERSION": version_of("ffcv"),
        "TORCH_KEPT": "yes" if in_range and kind in ("cuda", "rocm", "xpu") else "",
    }


def probe() -> dict[str, str]:
    """Compiles and links a file with FFCV's includes, as FFCV's setup.py will.

    It tries SHIM first, then the system's opencv4.pc. Compiler and headers may come from apt, dnf,
    brew or conda. FFCV_WHY is '' if the build will work.
    """
    compilers = [os.environ.get("CXX"), sysconfig.get_config_var("CXX"), "c++", "g++", "clang++"]
    compiler = next((c for c in compilers if c and shutil.which(shlex.split(c)[0])), None)
    if compiler is None:
        return {"FFCV_WHY": "no C++ compiler"}
    if shutil.which("pkg-config") is None:
        return {"FFCV_WHY": "no pkg-config"}
    own = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")[0]
    # an interpreter that was built elsewhere may name a compiler that is not here
    answer = {} if shutil.which(own) else {"FFCV_CC": "cc", "FFCV_CXX": compiler}
    why = ""
    for folder in (str(SHIM), ""):
        path = os.pathsep.join(
            p for p in (folder, *_brew_folders(), os.environ.get("PKG_CONFIG_PATH", "")) if p
        )
        error = _builds(shlex.split(compiler), path)
        why = why or error
        if not error:
            return {"FFCV_WHY": "", "FFCV_PKG_CONFIG_PATH": path, **answer}
    return {"FFCV_WHY": why}


def _brew_folders() -> list[str]:
    """The folder of Homebrew's jpeg-turbo, which is not in pkg-config's search path."""
    if sys.platform != "darwin" or not shutil.which("brew"):
        return []
    prefix = subprocess.run(
        ["brew", "--prefix", "jpeg-turbo"], capture_output=True, text=True, check=False
    ).stdout.strip()
    return [f"{prefix}/lib/pkgconfig"] if prefix else []


def _builds(compiler: list[str], pkg_config_path: str) -> str:
    """'' if the build works, else its first error."""
    env = {**os.environ, "PKG_CONFIG_PATH": pkg_config_path, "LC_ALL": "C"}
    ask = ["pkg-config", "--cflags", "--libs", "opencv4", "libturbojpeg"]
    flags = subprocess.run(ask, env=env, capture_output=True, text=True, check=False)
    if flags.returncode:
        return (flags.stderr.strip().splitlines() or ["pkg-config failed"])[0]
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "probe.cpp")
        source.write_text(
            "#include <Python.h>\n#include <opencv2/opencv.hpp>\n#include <turbojpeg.h>\n"
            "int main() { return 0; }\n"
        )
        python = sysconfig.get_paths()
        command = [
            *compiler,
            str(source),
            f"-I{python['include']}",
            f"-I{python['platinclude']}",
            *shlex.split(flags.stdout),
        ]
        done = subprocess.run(
            [*command, "-lpthread", "-o", f"{folder}/probe"],
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
    errors = [line for line in done.stderr.splitlines() if "error" in line or "cannot find" in line]
    return "" if done.returncode == 0 else (errors or ["the compiler failed"])[0]


if __name__ == "__main__":
    answer = {"interpreter": interpreter, "probe": probe}[sys.argv[1]]()
    print("\n".join(f"{name}={shlex.quote(value)}" for name, value in answer.items()))
