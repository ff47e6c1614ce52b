"""The command: what it prints, its exit codes, one line for every mistake."""

import json
import subprocess
import sys

import pytest

import fastscale as fs
from fastscale.cli import main, parser


def run(capsys, *argv):
    code = main(list(argv))
    out, err = capsys.readouterr()
    return code, out, err


def test_list_and_info(capsys):
    code, out, _ = run(capsys, "list", "regnetz")
    assert code == 0 and "regnetz-4gf" in out and "resnet" not in out and "multiply-adds" in out
    code, out, _ = run(capsys, "info", "resnet-50", "--json")
    found = json.loads(out)
    assert code == 0 and (found["flops"], found["params"], found["acts"]) == (
        4089185256,
        25557032,
        11315688,
    )
    assert found["arch"]["depths"] == [3, 4, 6, 3]
    assert "4,089,185,256" in run(capsys, "info", "resnet-50")[1]


def test_scale_by_factor_and_to_a_target(capsys):
    code, out, _ = run(capsys, "scale", "regnety-4gf", "dWr", "4")
    assert code == 0 and "15,459,535,460" in out and "2.297" in out  # acts: 4^.6
    code, out, _ = run(capsys, "scale", "regnetz-500mf", "dWr", "--flops", "4e9", "--json")
    found = json.loads(out)
    assert abs(found["flops"] / 4e9 - 1) < 0.02
    assert fs.complexity(found["arch"]["name"]).flops == found["flops"]


def test_scale_with_group_widths_that_are_powers_of_two(capsys):
    argv = ("scale", "regnety-4gf", "dWr", "2", "--group-width-rounding", "power_of_two")
    code, out, _ = run(capsys, *argv)
    assert code == 0 and out.startswith("regnety-4gf.dWr-pow2-x2: ")
    assert out.splitlines()[-1] == (
        "compared with regnety-4gf.dWr-x2: group widths 40 -> 32; flops -4.0%, params -3.8%, "
        "acts +2.6%; at equal flops (within 3 %): regnety-4gf.dWr-pow2-x2.1"
    )
    assert json.loads(run(capsys, *argv, "--json")[1])["arch"]["group_widths"] == [32] * 4
    code, out, _ = run(capsys, "info", "regnety-4gf.dWr-pow2-x2.1")
    assert code == 0 and "group_widths       32, 32, 32, 32" in out


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["info", "regnety-4g"], "did you mean 'regnety-4gf'"),
        (["info", "resnet-50", "--resolution", "16"], ">= 32"),
        (["scale", "regnety-4gf", "g", "2"], "scales nothing"),
        (["scale", "regnety-4gf", "dWr", "0"], "factor: wanted a number from"),
        (["scale", "regnety-4gf", "dWr", "nan"], "factor: wanted a number from"),
        (["scale", "regnety-4gf", "dWr"], "give a factor"),
        (["scale", "efficientnet-b0", "dWr-pow2", "2"], "has no group widths"),
        (["scale", "regnety-4gf", "d", "2", "--group-width-rounding", "x"], "paper, power_of_two"),
        (["scale", "regnety-4gf", "dWr", "two"], "wanted a number from"),
        (["frobnicate"], "invalid choice"),
        ([], "VERB"),
        (["list", "--colour"], "unrecognised"),
        (
            ["time", "regnety-tiny", "--recipe", "quick", "--rounds", "0"],
            "wanted a whole number from 1",
        ),
        (["reproduce", "figure-99"], "no artifact is named 'figure-99'; known are "),
        (["reproduce", "quick", "--tier", "full"], "no runs in tier 'full'"),
        (["data", "write", "no-such-set"], "no-such-set"),
        (["data", "write", "fashion-mnist", "--limit", "5"], "--data-dir DIR"),
        (["info", "resnet-50", "--resolution", "0"], "wanted a whole number from 1"),
        (["scale", "regnety-4gf", "w", "1e300"], "wanted a number from 0.0001 to 100,000, got"),
        (["scale", "regnety-4gf", "d", "--flops", "1G", "--acts", "1M"], "give a factor, or one"),
        (["scale", "regnety-tiny", "dWr", "--flops", "10"], "a target nearer its own 1,060,"),
        (["info", "regnety-4gf.dWr-x0"], "must be a number from 0.0001 to 100,000, got 0"),
        (["plan", "--flops", "1G", "--layout", "best"], "--layout chooses among the records of"),
        (["plan", "--flops", "1G", "--precision", "foo"], "--precision: invalid choice: 'foo'"),
        (["data", "check", __file__], "is a file, not a folder; wanted"),
        (["plan", "--flops", "0M"], "wanted a number from 1 to 1e15, got '0M'"),
        (["plan", "--latency", "5"], "--latency; did you mean '--latency-ms' or '--latency-batch'"),
        (["predict", "a.jpg", "--chekpoint", "x"], "'--checkpoint'? (see `fastscale predict --he"),
        (["info", "resnet-50", "--flops", "4"], "unrecognised: --flops; see fastscale info --help"),
        (["fitt", "x"], "did you mean 'fit'? (see `fastscale --help`)"),
        (["data", "wite", "x"], "did you mean 'write'? (see `fastscale data --help`)"),
        (
            ["plan", "--flops", "4G", "--device", "no.jsonl"],
            "no.jsonl: no such file of records; `f",
        ),
        (["time", "regnety-tiny", "--recipe", "quick", "--device", "foo"], "give cpu, cuda"),
        (["evaluate", "/no/such/folder"], "no such checkpoint"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(capsys, argv, message, data_home):
    code, _, err = run(capsys, *argv)
    assert code == 2 and message in err and err.count("\n") == 1 and err.startswith("error: ")


@pytest.mark.parametrize(
    "verb", ["list", "info", "scale", "data write", "fit", "evaluate", "time", "reproduce"]
)
def test_every_verb_shows_an_example(capsys, verb):
    with pytest.raises(SystemExit) as stop:
        main([*verb.split(), "--help"])
    assert stop.value.code == 0
    assert f"fastscale {verb}" in capsys.readouterr().out.split("example:")[1]


def parsers(found):
    yield found
    for action in found._subparsers._group_actions if found._subparsers else ():
        for verb in action.choices.values():
            yield from parsers(verb)


def test_every_argument_of_every_verb_has_a_help_text():
    every = list(parsers(parser()))
    assert len(every) > 20
    verbs = ("verb", "action")  # each verb below them has a text
    lacking = [(p.prog, a.dest) for p in every for a in p._actions if not a.help]
    assert [(prog, name) for prog, name in lacking if name not in verbs] == []


def test_import_loads_no_heavy_package():
    code = "import fastscale, fastscale.cli, sys; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "fastscale.cli" in loaded and not {
        "torch",
        "pytorch_lightning",
        "ffcv",
        "matplotlib",
        "numpy",
        "yaml",
    } & set(loaded)


def test_time_writes_records(capsys, tmp_path):
    from fastscale.records import RecordStore

    argv = [
        "time",
        "regnety-tiny",
        "--recipe",
        "quick",
        "--data",
        "x",
        "--images",
        "64",
        "--classes",
        "3",
        "--batch",
        "4",
        "--rounds",
        "1",
    ]
    code, out, _ = run(capsys, *argv, "--runs_dir", str(tmp_path), "--device", "cpu")
    assert code == 0 and "regnety-tiny" in out
    (record,) = RecordStore(tmp_path / "records.jsonl").read()
    assert record.kind == "time" and record.env["batch"] == 4
