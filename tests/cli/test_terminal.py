"""Control characters in names never reach the terminal."""

import io
import os
import sys

from fastscale.cli import main
from fastscale.cli.terminal import PlainStream, plain_output, says_new_folder
from fastscale.paper.report import page


def test_control_characters_are_escaped_and_bars_still_move(capsys):
    with plain_output():
        print("class \x1b]0;title\x07", os.fsdecode(b"\xff"))
        print("\r 50 %|#####", file=sys.stderr, end="")
    seen = capsys.readouterr()
    assert seen.out == "class \\x1b]0;title\\x07 \\xff\n"
    assert seen.err == "\r 50 %|#####"


def test_moves_pass_and_the_stream_is_restored():
    stream = io.StringIO()
    PlainStream(stream).write("\n\n\x1b[A\x1b[A")
    assert stream.getvalue() == "\n\n\x1b[A\x1b[A"
    before = sys.stdout
    with plain_output():
        assert sys.stdout is not before
    assert sys.stdout is before


def test_a_new_folder_is_said(tmp_path, capsys):
    """A misspelt path of a file to write thus shows at once."""
    for again in (False, True):
        with says_new_folder(tmp_path / "a" / "b"):
            (tmp_path / "a" / "b").mkdir(parents=True, exist_ok=again)
    assert capsys.readouterr().err == f"made the folder {tmp_path / 'a' / 'b'}\n"


def test_the_systems_errors_are_in_words(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(page, "report_page", lambda runs_dir: "")
    (tmp_path / "file").touch()
    for out, said in (
        (tmp_path / "file" / "r.html", f"{tmp_path / 'file'}: is a file, not a folder"),
        (tmp_path, f"{tmp_path}: a folder; give the name of a file"),
    ):
        assert main(["report", "--out", str(out)]) == 2
        assert capsys.readouterr().err == f"error: {said}\n"
