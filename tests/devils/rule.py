"""The rule for every case: a right value or a refusal in one line.

A refusal is an InputError or RunError, or for a command exit code 2 or 1. Its text is one line
without control characters, for a command on stderr. No case hangs or touches anything outside its
folder.
"""

import io
import resource
import signal
import time
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastscale.cli import main
from fastscale.errors import InputError, RunError

SECONDS = 10  # the time limit of a case: far more than any needs on a slow machine
MEMORY = 3 << 30  # bytes that a case may allocate
MUST, MAY, NEVER = "refused", "refused or right", "a right value"


class Hang(BaseException):
    """A BaseException, so that no `except Exception` swallows it."""


@dataclass(frozen=True)
class Case:
    """One call, `run(place)`.

    `refused`: whether it must be, may be or must not be refused. `right(value)`: whether its value
    is right. `names`: one of these must be in the refusal. `group`: cases that share a place,
    because making one takes longer than a case. `slow`: a slow test.
    """

    id: str
    run: Callable[[Any], Any]
    refused: str = MUST
    right: Callable[[Any], bool] = lambda value: True
    names: tuple[str, ...] = ()
    group: str = ""
    slow: bool = False


@dataclass
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


def hold(case: Case, place: Any) -> None:
    """AssertionError unless the case keeps the rule. Other exceptions are bugs of the package."""
    with alarm(SECONDS), memory(MEMORY):
        try:
            value = case.run(place)
        except (InputError, RunError) as error:
            said = str(error)
            assert said.strip(), "refused without a message"
            assert "Traceback" not in said
            assert case.refused != NEVER, f"should not be refused: {said}"
            assert not case.names or any(name in said for name in case.names), said
            return
    if isinstance(value, Ended):
        value = ended(value, case)
        if value is None:
            return
    assert case.refused != MUST, f"should be refused, gave {str(value)[:200]}"
    assert case.right(value), f"not right: {str(value)[:200]}"


def ended(value: Ended, case: Case) -> Ended | None:
    """None for a command that was refused as the rule asks."""
    assert type(value.code) is int and value.code in (0, 1, 2), f"exit code {value.code!r}"
    shown = value.out + value.err
    assert not (bad := control_characters(shown)), f"control characters {bad} in {shown[:300]!r}"
    assert "Traceback" not in shown, shown
    if not value.code:
        return value
    lines = value.err.splitlines()
    assert len(lines) == 1 and lines[0].strip(), f"expected one line, got {len(lines)}: {value.err}"
    assert case.refused != NEVER, f"should not be refused: {lines[0]}"
    assert not case.names or any(name in lines[0] for name in case.names), lines[0]
    return None


def control_characters(text: str) -> set[str]:
    """The control characters in a text, which could drive a terminal."""
    return {ascii(c) for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs")} - {
        r"'\n'",
        r"'\t'",
        r"'\r'",
    }


def command(*words: object) -> Ended:
    """`fastscale WORDS` in this process."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = main([str(w) for w in words])
        except SystemExit as error:  # --help and silent ends
            code = error.code  # type: ignore[assignment]
    return Ended(code, out.getvalue(), err.getvalue())


@contextmanager
def alarm(seconds: float) -> Iterator[None]:
    """Raise Hang if the block takes longer: CPU time, or six times as long on the clock."""
    began, used = time.monotonic(), time.process_time()

    def ring(number: int, frame: object) -> None:
        if time.process_time() - used < seconds and time.monotonic() - began < 6 * seconds:
            signal.setitimer(signal.ITIMER_REAL, 1)
            return
        raise Hang(f"no end after {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def memory(more: int) -> Iterator[None]:
    """MemoryError if the block allocates more, to protect the machine."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm") as file:
        now = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + more, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def tree(folder: Path) -> dict[str, tuple]:
    """Mode, size, time and target of every entry below `folder`: equal trees were not touched."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if "__pycache__" in path.parts:
            continue
        s = path.lstat()
        target = str(path.readlink()) if path.is_symlink() else ""
        size = s.st_size if path.is_file() else 0
        found[str(path.relative_to(folder))] = (s.st_mode, size, s.st_mtime_ns, target)
    return found
