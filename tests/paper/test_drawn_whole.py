"""Drawing writes whole files: a rerun after a kill makes the same files and no others.

A link is replaced, not followed. A full disk destroys no existing file.
"""

import os
import resource
import signal

import pytest

from fastscale.cli import main
from fastscale.paper import draw_artifact, load_artifact, regenerate, snapshot
from fastscale.paper.report import write_report

POINTS = [(1, "before"), (1, "after"), (3, "before"), (6, "after"), (8, "before")]


def contents(root):
    return {p.relative_to(root): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def killed_at(number, moment, work):
    """Runs `work` in a child that is killed at its n-th rename; returns whether it got that far."""
    child = os.fork()
    if not child:
        seen, rename = 0, os.replace

        def replace(*paths):
            nonlocal seen
            seen += 1
            if seen == number and moment == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            rename(*paths)
            if seen == number:
                os.kill(os.getpid(), signal.SIGKILL)

        os.replace = replace
        try:
            work()
        finally:
            os._exit(0)
    return os.waitpid(child, 0)[1] == signal.SIGKILL


@pytest.mark.slow
@pytest.mark.parametrize(("number", "moment"), POINTS)
def test_killed_while_it_draws(small_copy, synthetic_records, number, moment):
    root = small_copy()

    def work():
        regenerate(["table-4"])
        draw_artifact(load_artifact("quick"), "quick", synthetic_records())

    work()
    work()  # the index and the report show the drawings from the second time on
    whole = contents(root)
    assert snapshot("quick").is_file()
    for path in root.rglob("quick/*"):
        path.unlink()
    assert killed_at(number, moment, work)
    left = contents(root)
    assert all(whole[p] == left[p] for p in left if p in whole)  # each there is whole
    work()
    assert contents(root) == whole


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_while_it_writes_the_report(small_copy, tmp_path, moment):
    small_copy()
    out = tmp_path / "out" / "report.html"
    whole = write_report(out).read_bytes()
    out.write_text("the page before")
    assert killed_at(1, moment, lambda: write_report(out))
    assert out.read_bytes() == (b"the page before" if moment == "before" else whole)
    assert write_report(out).read_bytes() == whole
    assert [p.name for p in out.parent.iterdir()] == ["report.html"]


@pytest.mark.parametrize("name", ["report.html", "report.html.part"])
def test_a_link_is_not_followed(small_copy, tmp_path, name):
    small_copy()
    target = tmp_path / "precious"
    target.write_text("precious")
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / name).symlink_to(target)
    write_report(folder / "report.html")
    assert target.read_text() == "precious" and not (folder / "report.html").is_symlink()


@pytest.mark.slow
def test_a_full_disk_keeps_the_page_before(tmp_path, capfd):
    out = tmp_path / "report.html"
    out.write_text("the page before")
    child = os.fork()
    if not child:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        os._exit(main(["report", "--out", str(out)]))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 2
    err = capfd.readouterr().err
    assert err.count("\n") == 1 and err.startswith("error: ")
    assert out.read_text() == "the page before" and len(list(tmp_path.iterdir())) == 1
