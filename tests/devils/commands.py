"""Commands that take a second or two, and checks of how they end."""

import re
import signal
from pathlib import Path
from typing import Any

from fastscale.records import Record, RecordStore
from tests.devils.nursery import Ended
from tests.devils.rule import control_characters

RUN = "regnety-tiny.quick"
SHORT = ["--model.recipe.batch_size", "8", "--model.recipe.epochs", "1", "--data.workers", "1"]
LONG = ["--model.recipe.epochs", "4000", "--checkpoint_every", "1"]  # until the test stops it
INT, TERM, KILL = signal.SIGINT, signal.SIGTERM, signal.SIGKILL
HUP, QUIT, STOP, CONT = signal.SIGHUP, signal.SIGQUIT, signal.SIGSTOP, signal.SIGCONT
SILENT = (-KILL, -QUIT, -HUP, -TERM)  # no message: killed, or before the handlers are set


def commands(made: Any) -> dict[str, list[Any]]:
    """The words of each command by name. All write below the working folder."""
    own = ["--data.source", made.source, "--data.data_dir", made.home / "data"]
    fit = ["fit", "--run", RUN, "--runs_dir", "runs", *own, *SHORT]
    store = ["data", "write", made.images, "--out", "store"]
    quick = ["--rounds", "1", "--round_s", "0.001", "--batch", "2", "--classes", "4"]
    timed = ["time", "regnety-tiny", "--device", "cpu", "--recipe", "quick", "--runs_dir", "runs"]
    return {
        "fit": fit,
        "fit-plain": [*fit, "--data.loader", "plain", "--data.workers", "2"],
        "fit-long": [*fit, *LONG],
        "fit-plain-long": [*fit, *LONG, "--data.loader", "plain", "--data.workers", "2"],
        "write": [*store, "--workers", "0"],
        "write-2": [*store, "--workers", "2"],
        "time": [*timed, *quick],
        "time-separate": [*timed, *quick, "--separate"],
        "time-long": [*timed, "--separate", "--rounds", "99", "--round_s", "50", "--batch", "2"],
        "publish": [
            "checkpoint",
            "publish",
            made.run,
            "--out",
            "out",
            "--data",
            made.source,
            "--data.data_dir",
            made.home / "data",
            "--data.workers",
            "1",
        ],
        "report": ["report", "--out", "report.html"],
        "evaluate": [
            "evaluate",
            made.run,
            "--data",
            made.source,
            "--data.data_dir",
            made.home / "data",
        ],
        "predict": ["predict", made.images / "val" / "ant", "--checkpoint", made.release],
        "export": ["export", made.release, "tiny.pt2", "--to", "torch"],
        "import": ["checkpoint", "import", made.release, "--from", "timm"],
        "list": ["list"],
        "info": ["info", "regnety-tiny"],
    }


def one_line(ended: Ended, *codes: int) -> None:
    """Check that it ended with one of the codes, and if not 0 with one line on stderr."""
    assert ended.code in codes, ended
    # Python reports a signal that arrives within a fork, and raises it again
    ended.err = re.sub(r"Exception ignored in: (.+\n)+?\S*Stopped: \d+\n", "", ended.err)
    assert "Traceback" not in ended.out + ended.err, ended.err
    assert not control_characters(ended.out + ended.err), ended
    if ended.code and ended.code not in SILENT:
        # a busy machine disturbs timings, which has its own line
        lines = [
            x for x in ended.err.strip().splitlines() if "measured twice and disturbed" not in x
        ]
        assert len(lines) == 1, ended.err


def left(folder: Path) -> list[str]:
    """The temporary files below the folder."""
    return [str(p) for p in folder.rglob("*") if p.name.endswith((".part", ".tmp"))]


def finished(folder: Path) -> Record:
    """The one record of the run in the folder."""
    (record,) = RecordStore(folder / "runs" / "records.jsonl").read()
    assert (folder / "runs" / RUN / "seed0" / "record.json").is_file()
    return record
