"""scripts/campaign_h200.sh: stopped at once, with what it runs; parts that this machine lacks the packages for are left out."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Stands for Python: sums are Python's, packages are there or not as $THERE says, a part of the campaign writes its process and does $PART.
PYTHON = f"""#!/usr/bin/env bash
case $2 in
*find_spec*) exit "$THERE" ;;
print*) exec {sys.executable} "$@" ;;
import*ffcv*) exit 1 ;;
import*) exit 0 ;;
esac
echo $$ >>"$PARTS"
exec $PART
"""


@pytest.fixture
def campaign(tmp_path):
    """`campaign(part, there)` starts the script with such a Python."""
    python = tmp_path / "python"
    python.write_text(PYTHON)
    python.chmod(0o755)
    started = []

    def start(part, there="1"):
        command = [
            "bash",
            str(ROOT / "scripts/campaign_h200.sh"),
            "--tiny",
            "--out",
            str(tmp_path / "out"),
            "--python",
            str(python),
        ]
        environment = {**os.environ, "PARTS": str(tmp_path / "parts"), "PART": part, "THERE": there}
        # a job in the background, as these tests may be, hands an ignored INT on
        default = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # noqa: E731
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        started.append(subprocess.Popen(command, env=environment, preexec_fn=default, **pipes))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_stopped_at_once_with_the_part_that_runs(campaign, tmp_path, sent):
    running = campaign("sleep 60")
    deadline = time.monotonic() + 30
    while not (tmp_path / "parts").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)
    part = int((tmp_path / "parts").read_text().split()[0])
    running.send_signal(sent)
    out, _ = running.communicate(timeout=30)  # the part would take a minute
    assert running.returncode == 130 and "stopped: the same command goes on from here" in out
    with pytest.raises(ProcessLookupError):
        os.kill(part, 0)


def test_what_is_not_installed_is_left_out(campaign, tmp_path):
    out, _ = (done := campaign("echo a part's own words")).communicate(timeout=60)
    assert done.returncode == 0 and "== parity: left out (it needs timm or torchvision)" in out
    assert (
        out.count("a part's own words")
        == 2
        == (tmp_path / "out/campaign.log").read_text().count("a part's own words")
    )
    out, _ = (done := campaign("false", there="0")).communicate(timeout=60)
    assert done.returncode == 1 and "== parity: exit code 1" in out and "loader: left out" in out
