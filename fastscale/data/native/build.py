"""Compiles batch.cpp at its first use on a machine and loads it.

Needs a C++ compiler (c++, or $CXX) and the headers of libjpeg-turbo. The library is kept in the
user's cache, under a name made from sources, flags, compiler and processor. On machines that cannot
compile, set $FASTSCALE_NATIVE to a library made elsewhere, or to `off`:

    python -m fastscale.data.native.build OUT.so

That library runs on any x86-64 processor with AVX2, and includes libjpeg if there is a libjpeg.a.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

SOURCES = (
    "batch.cpp",
    "augment.hpp",
    "jpeg.hpp",
    "resize.hpp",
    "area.hpp",
    "linear.hpp",
    "lanes.hpp",
)
# no contraction: multiplications and additions are rounded one by one, as in OpenCV
FLAGS = (
    "-O3",
    "-std=c++17",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-shared",
    "-fPIC",
    "-pthread",
)
HERE = Path(__file__).parent
ADVICE = "needed: a C++ compiler and libjpeg-turbo's headers (apt: g++ libjpeg-dev)"


class CannotBuild(Exception):
    """The reason why there is no library, in a few words."""


@cache
def load() -> tuple[ctypes.CDLL | None, str]:
    """The library, or None and the reason."""
    try:
        given = os.environ.get("FASTSCALE_NATIVE", "")
        if given == "off":
            raise CannotBuild("FASTSCALE_NATIVE is off")
        return ctypes.CDLL(given or str(_built())), ""
    except CannotBuild as error:
        return None, str(error)
    except OSError as error:
        return None, " ".join(str(error).split())


def _built() -> Path:
    """The path of the library, which is compiled if it is missing."""
    compiler = shutil.which(os.environ.get("CXX") or "c++") or shutil.which("g++")
    if compiler is None:
        raise CannotBuild(f"there is no C++ compiler; {ADVICE}")
    name = f"batch-{_digest(compiler)}.so"
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fastscale/native"
    if (folder / name).is_file():
        return folder / name
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        folder = Path(tempfile.mkdtemp(prefix="fastscale-"))  # for this process alone
    native = "-mcpu=native" if platform.machine() in ("aarch64", "arm64") else "-march=native"
    compile_to(folder / name, compiler, native)
    return folder / name


def _digest(compiler: str) -> str:
    """Hash of sources, flags, compiler and processor, so that machines can share a folder."""
    seen = hashlib.sha256(" ".join((compiler, *FLAGS)).encode())
    with suppress(OSError):
        seen.update(str(os.stat(os.path.realpath(compiler)).st_size).encode())
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        wanted = ("model name", "flags", "Features", "CPU part")
        seen.update("\n".join(x for x in lines[:60] if x.startswith(wanted)).encode())
    seen.update(platform.machine().encode())
    for source in SOURCES:
        seen.update((HERE / source).read_bytes())
    return seen.hexdigest()[:16]


def compile_to(out: Path, compiler: str, *options: str, static: bool = False) -> None:
    """Compile the library to `out`; raises CannotBuild. Processes may do so at the same time."""
    descriptor, part = tempfile.mkstemp(suffix=".part", dir=out.parent)
    os.close(descriptor)
    library = "-l:libjpeg.a" if static else "-ljpeg"
    command = [
        compiler,
        *FLAGS,
        *options,
        *_where_jpeglib_is(),
        str(HERE / "batch.cpp"),
        "-o",
        part,
        library,
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if done.returncode:
            errors = [x for x in done.stderr.splitlines() if "error" in x or "cannot find" in x]
            why = errors[0] if errors else f"exit code {done.returncode}"
            raise CannotBuild(f"its compilation failed: {why}; {ADVICE}")
        os.chmod(part, 0o755)
        os.replace(part, out)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(part)


def _where_jpeglib_is() -> list[str]:
    """Options for jpeglib from conda or Homebrew, which compilers do not find on their own."""
    for prefix in (sys.prefix, sys.base_prefix, "/opt/homebrew/opt/jpeg-turbo"):
        if prefix != "/usr" and Path(prefix, "include/jpeglib.h").is_file():
            return [f"-I{prefix}/include", f"-L{prefix}/lib", f"-Wl,-rpath,{prefix}/lib"]
    return []


def main() -> int:
    """Compile a library for other machines."""
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    out, compiler = Path(sys.argv[1]), shutil.which(os.environ.get("CXX") or "c++")
    try:
        if compiler is None:
            raise CannotBuild("there is no C++ compiler")
        options = ("-march=x86-64-v3", "-static-libstdc++", "-static-libgcc")
        try:
            compile_to(out, compiler, *options, static=True)
        except CannotBuild:
            compile_to(out, compiler, *options)
    except (CannotBuild, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
