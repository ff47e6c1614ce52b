"""What every case of this room is held to: a value that is right, or one line; nothing else.

A case is refused by an InputError or RunError whose text is one line without control characters, or
(a command) by exit code 2 or 1 with that line on stderr. It never hangs, touches nothing outside.
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

SECONDS = 10  # in which a case must end: far more than any needs on a slow machine
MEMORY = 3 << 30  # bytes that a case may ask for beyond what the process has
MUST, MAY, NEVER = "refused", "refused or right", "a right value"


class Hang(BaseException):
    """Not an Exception: nothing on the way may swallow it."""


@dataclass(frozen=True)
class Case:
    """`run(place)` is tried. `refused`: whether it must be, may be or never is. `right(value)`:
    whether what it gave is what it should be. `names`: what the refusal's line must contain.
    `group`: tried one after the other in one place, for a place takes longer than they.
    `slow`: left to those who ask for slow tests."""

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
    """AssertionError unless the case keeps the rule. Any other exception is the product's fault."""
    with alarm(SECONDS), memory(MEMORY):
        try:
            value = case.run(place)
        except (InputError, RunError) as error:
            said = str(error)
            assert said.strip(), "refused without a word"
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
    """None for a command that was refused as it should be."""
    assert type(value.code) is int and value.code in (0, 1, 2), f"exit code {value.code!r}"
    shown = value.out + value.err
    assert not (bad := control_characters(shown)), f"control characters {bad} in {shown[:300]!r}"
    assert "Traceback" not in shown, shown
    if not value.code:
        return value
    lines = value.err.splitlines()
    assert len(lines) == 1 and lines[0].strip(), f"wanted one line, got {len(lines)}: {value.err}"
    assert case.refused != NEVER, f"should not be refused: {lines[0]}"
    assert not case.names or any(name in lines[0] for name in case.names), lines[0]
    return None


def control_characters(text: str) -> set[str]:
    """Those that would drive a terminal."""
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
        except SystemExit as error:  # --help, and processes that say nothing
            code = error.code  # type: ignore[assignment]
    return Ended(code, out.getvalue(), err.getvalue())


@contextmanager
def alarm(seconds: float) -> Iterator[None]:
    """Hang in the block when it takes longer: of the processor, or six times as long by the clock,
    which other processes may slow down."""
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
    """MemoryError in the block for what asks for more: the machine is not brought down."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm") as file:
        now = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + more, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def tree(folder: Path) -> dict[str, tuple]:
    """Every entry below `folder` with its size, times and target: equal trees were not touched."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if "__pycache__" in path.parts:
            continue
        s = path.lstat()
        target = str(path.readlink()) if path.is_symlink() else ""
        size = s.st_size if path.is_file() else 0
        found[str(path.relative_to(folder))] = (s.st_mode, size, s.st_mtime_ns, target)
    return found
