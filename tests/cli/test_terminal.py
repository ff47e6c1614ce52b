"""Control characters in names never reach the terminal."""

import io
import os
import sys

from fastscale.cli.terminal import PlainStream, plain_output


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
