"""compare_timm.py: a verdict on every pair asked for, measured in this call or before."""

import importlib.util
import sys
from pathlib import Path

import pytest

import fastscale as fs
from fastscale.records import Record, RecordStore, environment, network_fields

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "compare_timm.py"


@pytest.fixture
def compared(monkeypatch, tmp_path):
    """`compared(ratios, *options)`: (exit code, settings measured); `ratios`: ours / theirs."""
    spec = importlib.util.spec_from_file_location("compare_timm", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    monkeypatch.setattr(script, "others", lambda: {"timm": None})
    monkeypatch.setattr(script, "against", lambda project: f"{project} 1.0")

    def run(ratios, *options):
        measured = []

        def compare(name, project, make, recipe, setting, args):
            measured.append(setting)
            layout = script.resolve_layout(recipe.layout)
            env = environment(
                precision=args.precision,
                layout=layout,
                compile=False,
                batch=args.batch,
                against="timm 1.0",
                same_params=True,
            )
            values = {
                f"{w}_time_ratio{end}": v
                for w in script.WHOLE
                for end, v in (("", ratios[setting]), ("_spread", 0.01))
            }
            fields = network_fields(fs.arch(name), args.classes)
            return Record(
                kind="time",
                run=f"{name}.{project}-{setting}",
                **fields,
                data="dummy",
                values=values,
                env=env,
            )

        monkeypatch.setattr(script, "compare", compare)
        argv = ["compare_timm.py", "regnetx-400mf.dds", "--device", "cpu"]
        argv += ["--runs_dir", str(tmp_path), *options]
        monkeypatch.setattr(sys, "argv", argv)
        return script.main(), measured

    run.script, run.store = script, RecordStore(tmp_path / "parity.jsonl")
    return run


def test_earlier_records_are_judged_too(compared, capsys):
    assert compared({"equal": 1.5, "defaults": 0.7}) == (1, ["equal", "defaults"])
    capsys.readouterr()
    assert compared({}) == (1, [])
    out = capsys.readouterr().out
    assert out.count("measured before") == 2
    assert "slower, beyond the noise: regnetx-400mf.dds.timm-equal step: 1.500" in out
    assert compared({}, "--slack", "0.6") == (0, [])


def test_defaults_are_judged_too(compared, capsys):
    assert compared({"equal": 1.03, "defaults": 1.5}) == (1, ["equal", "defaults"])
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("slower")]
    assert len(lines) == 2 and all("timm-defaults" in line for line in lines)


def test_another_layout_or_number_of_classes_is_measured(compared):
    equal = ("--settings", "equal")
    assert compared({"equal": 0.9}, *equal, "--layout", "contiguous") == (0, ["equal"])
    assert compared({"equal": 1.5}, *equal) == (1, ["equal"])
    assert compared({}, *equal, "--layout", "contiguous") == (0, [])
    assert compared({"equal": 0.9}, *equal, "--classes", "10") == (0, ["equal"])
    assert len(compared.store.read()) == 3


@pytest.mark.parametrize(
    "options", [("--settings", "equal,best"), ("--round_s", "inf"), ("--rounds", "0")]
)
def test_mistakes(compared, options):
    with pytest.raises(
        fs.InputError, match="'best' cannot be compared; choose from equal|seconds finite"
    ):
        compared({}, *options)
