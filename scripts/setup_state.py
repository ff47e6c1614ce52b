"""The state of .venv, for scripts/setup.sh: is there anything to do, is anything half done?

It uses the standard library only and runs with .venv's interpreter. A complete set-up writes the
stamp, a JSON file: a hash of all that decides a set-up, and the installed versions. Checking it
takes a tenth of a second and imports none of the packages.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
import shutil
import sys
import sysconfig
from pathlib import Path

from setup_machine import version_of

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = (
    "setup.sh",
    "lib.sh",
    "system_packages.sh",
    "setup_machine.py",
    "setup_state.py",
    "native/ffcv/opencv4.pc",
)
INPUTS = [
    "requirements.txt",
    "tests/requirements.txt",
    "tests/requirements-parity.txt",
    "pyproject.toml",
    *(f"scripts/{name}" for name in SCRIPTS),
]


def repair() -> list[str]:
    """Removes the metadata of half-installed distributions, so that pip installs them again.

    Returns a line for each. pip writes RECORD last and believes any .dist-info that it finds, so a
    package whose installation was killed would always count as installed.
    """
    site = Path(sysconfig.get_path("purelib"))
    said = []
    for leftover in site.glob("~*"):  # what pip renames a distribution to while it replaces it
        shutil.rmtree(leftover, ignore_errors=True)
    for info in sorted(site.glob("*.dist-info")):
        if _incomplete(info, site):
            shutil.rmtree(info)
            said.append(f"{info.name.removesuffix('.dist-info')} was only half installed")
    _follow_a_move(Path(sys.prefix))
    return said


def _incomplete(info: Path, site: Path) -> bool:
    try:
        rows = list(csv.reader((info / "RECORD").read_text().splitlines()))
    except OSError:
        return True
    if not any(row and row[0] == f"{info.name}/INSTALLER" for row in rows):
        return True  # RECORD as it was inside the wheel: pip had not finished
    for path, _hash, size in (row for row in rows if len(row) == 3 and not row[0].endswith(".pyc")):
        try:
            found = (site / path).stat().st_size
        except OSError:
            return True
        # commands in bin/ (../) name the path of .venv, which a move rewrites
        if size and found != int(size) and not path.startswith("../"):
            return True
    return False


def _follow_a_move(prefix: Path) -> None:
    """Rewrites the interpreter's path in .venv's commands if the repository was moved or copied."""
    new = str(prefix).encode()
    texts = {
        path: path.read_bytes()
        for path in Path(prefix, "bin").iterdir()
        if path.is_file() and not path.is_symlink()
    }
    first_lines = (re.match(rb"#!(/.*)/bin/python[\d.]*\n", text) for text in texts.values())
    for old in {found[1] for found in first_lines if found and found[1] != new}:
        for path, text in texts.items():
            if old in text and b"\0" not in text:
                for end in (b"/", b'"', b"\n"):
                    text = text.replace(old + end, new + end)
                path.write_bytes(text)


def _names(*files: str) -> list[str]:
    lines = [
        line.split("#")[0].strip()
        for file in files
        for line in (ROOT / file).read_text().splitlines()
    ]
    return sorted({re.split(r"[\[=<>;\s]", line)[0] for line in lines if line})


def state(with_tests: bool) -> dict[str, object]:
    """The content of the stamp: a hash of all that decides the set-up, and the versions."""
    digest = hashlib.sha256(f"{ROOT}\n{sys.prefix}\n{sys.version}\n".encode())
    for name in INPUTS:
        digest.update((ROOT / name).read_bytes())
    names = _names("requirements.txt", *(["tests/requirements.txt"] if with_tests else []))
    return {
        "digest": digest.hexdigest(),
        "versions": {n: version_of(n) for n in [*names, "fastscale"]},
    }


def current(stamp: Path, with_tests: bool, ffcv: str) -> str:
    """Why a new set-up is needed; '' if a complete one is there and nothing has changed since.

    `ffcv`: yes, no or '' (as before).
    """
    try:
        then = json.loads(stamp.read_text())
        product, tests, was = then["product"], then["tests"], then["ffcv"]
    except (OSError, ValueError, KeyError, TypeError):
        return "not set up yet, or interrupted"
    if ffcv and ffcv != was:
        return "FFCV: asked for" if ffcv == "yes" else "FFCV: to be left out"
    if with_tests and not tests:
        return "the test tools are not set up yet"
    now = state(with_tests)
    if product["digest"] != now["digest"]:
        return "requirements, scripts, Python or the folder have changed"
    if with_tests and not Path(sys.prefix, "parity").is_dir():
        return "the packages that tests compare with are gone"
    before, here = (tests if with_tests else product)["versions"], now["versions"]
    gone = [n for n, v in before.items() if here.get(n) != v]  # type: ignore[attr-defined]
    if gone or not Path(sys.prefix, "bin/fastscale").exists():
        return f"{', '.join(gone) or 'the fastscale command'}: changed since the set-up"
    return ""


def choice(stamp: Path, ffcv: str) -> str:
    """'yes' or 'no': whether FFCV is wanted, now or by an earlier call."""
    try:
        return ffcv or str(json.loads(stamp.read_text())["ffcv"])
    except (OSError, ValueError, KeyError, TypeError):
        return ffcv or "yes"


def lacking(pins: list[str]) -> list[str]:
    """Those of the pins `NAME==VERSION` that are not installed in that version."""
    return [pin for pin in pins if version_of(pin.split("==")[0]) != pin.split("==")[1]]


def write_stamp(stamp: Path, with_tests: bool, ffcv: str) -> None:
    content = {"ffcv": ffcv, "product": state(False), "tests": state(True) if with_tests else None}
    partial = stamp.with_suffix(".partial")
    partial.write_text(json.dumps(content, indent=1))
    partial.replace(stamp)


def main(arguments: list[str]) -> int:
    verb, *rest = arguments
    if verb == "repair":
        for finding in repair():
            print(finding)
    elif verb == "current":
        why = current(Path(rest[0]), rest[1] == "yes", rest[2])
        print(why)
        return 1 if why else 0
    elif verb == "choice":
        print(choice(Path(rest[0]), rest[1]))
    elif verb == "lacking":
        print(*lacking(rest))
    elif verb == "begin":  # no full stamp while the work goes on, only the choice
        Path(rest[0]).write_text(json.dumps({"ffcv": rest[1]}))
    elif verb == "stamp":
        write_stamp(Path(rest[0]), rest[1] == "yes", rest[2])
    else:
        raise ValueError(f"unknown verb {verb}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
