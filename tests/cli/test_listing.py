"""`fastscale list`: each kind as a table and as JSON; `fastscale --version`."""

import json
import subprocess
import sys

import pytest

import fastscale as fs
from fastscale.cli import main, version
from fastscale.cli.listing import KINDS, table


@pytest.fixture(autouse=True)
def nothing_made(monkeypatch, tmp_path):
    monkeypatch.setenv("FASTSCALE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("FASTSCALE_RUNS", str(tmp_path / "runs"))


def listed(capsys, *argv):
    assert main(["list", *argv]) == 0
    return capsys.readouterr().out


FIRST = {
    "archs": ("regnetz-4gf", "name"),
    "strategies": ("dWr", "name"),
    "recipes": ("imagenet-100ep", "name"),
    "devices": ("h100", "device"),
    "data": ("cifar10", "source"),
    "runs": ("regnety-4gf.dWr-x4.imagenet-100ep", "run"),
    "checkpoints": ("regnety-micro_cifar10-a62bb60a", "name"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_by_a_part_of_a_name(capsys, kind):
    wanted, key = FIRST[kind]
    rows = json.loads(listed(capsys, kind, wanted, "--json"))
    assert wanted in [row[key] for row in rows] and all(wanted in row[key] for row in rows)
    lines = listed(capsys, kind, wanted).splitlines()
    assert any(line.startswith(wanted) for line in lines)
    assert main(["list", kind, "no-such-name"]) == 2
    err = capsys.readouterr().err
    assert "'no-such-name'" in err and err.count("\n") == 1


def test_values_are_the_librarys(capsys):
    (row,) = json.loads(listed(capsys, "regnety-500mf", "--json"))[:1]
    assert row["flops"] == fs.complexity("regnety-500mf").flops and row["resolution"] == 224
    (row,) = json.loads(listed(capsys, "strategies", "dWr", "--json"))  # and not dwr
    assert (row["w"], row["acts_exponent"]) == ("4/5", 0.6)
    assert json.loads(listed(capsys, "archs", "RegNetZ-?gf", "--json"))[0]["name"] == "regnetz-4gf"


def test_the_users_runs_come_first(capsys, tmp_path):
    folder = tmp_path / "runs" / "regnety-tiny.quick" / "seed3"
    folder.mkdir(parents=True)
    (folder / "settings.json").write_text("{}")
    (folder / "progress.json").write_text('{"step": 30, "steps": 120}')
    lines = listed(capsys, "runs", "tiny").splitlines()
    assert "25% done: the same fit resumes it" in lines[1]
    (folder / "record.json").write_text("no record")
    (row,) = json.loads(listed(capsys, "runs", "tiny", "--json"))
    assert (row["run"], row["seed"]) == ("regnety-tiny.quick", 3) and "damaged" in row["state"]


def test_case_tells_strategies_apart(capsys, tmp_path):
    """dWr and dwr are two strategies; case is ignored only if no name has the word as written."""
    folder = tmp_path / "runs" / "regnety-tiny.dwr-x4.quick" / "seed0"
    folder.mkdir(parents=True)
    (folder / "settings.json").write_text("{}")
    names = {row["run"] for row in json.loads(listed(capsys, "runs", "dWr", "--json"))}
    assert names and all(".dWr-" in name for name in names)
    assert listed(capsys, "runs", "dWr").startswith("run  ")
    assert "regnety-tiny.dwr-x4.quick" in listed(capsys, "runs", "dwr")
    assert names < {row["run"] for row in json.loads(listed(capsys, "runs", "DWR", "--json"))}
    assert json.loads(listed(capsys, "devices", "H100", "--json"))[0]["device"] == "h100"
    assert main(["checkpoint", "list", "dWR-X4", "--json"]) == 0
    assert all(".dWr-x4" in row["name"] for row in json.loads(capsys.readouterr().out))


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("nets", "did you mean 'archs'?"),
        ("regnety-500mf.dWr-x4", "try: fastscale info regnety-500mf.dWr-x4"),
        ("regnety-500mf.dWr-x4.quick", "try: fastscale info regnety-500mf.dWr-x4"),
        ("dWr", "try: fastscale list strategies dWr"),
        ("h100", "try: fastscale list devices h100"),
        ("imagenet-100ep", "try: fastscale list recipes imagenet-100ep"),
        ("regnetq-4gf", "did you mean 'regnet"),
    ],
)
def test_a_word_of_another_kind_gets_the_right_command(capsys, word, hint):
    assert main(["list", word]) == 2
    assert f"no base network has {word!r} in its name; {hint}" in capsys.readouterr().err
    said = listed(capsys, "regnety-500mf").splitlines()
    assert said[-1] == "all about it: fastscale info regnety-500mf"


def test_a_misspelt_kind_gets_a_hint(capsys):
    assert main(["list", "recipe"]) == 2 and "did you mean 'recipes'" in capsys.readouterr().err
    assert main(["list", "recipe", "x"]) == 2 and "'recipes'" in capsys.readouterr().err


def test_columns():
    rows = [{"name": "a", "flops": 1234567, "e": None}, {"name": "long", "flops": 1, "e": 0.5}]
    assert table(rows) == [
        "name  flops (multiply-adds)    e",
        "a                 1,234,567",
        "long                      1  0.5",
    ]
    assert table([]) == []


def test_no_kind_imports_torch():
    kinds = ", ".join(repr(kind) for kind in KINDS)
    code = f"""
import sys
from fastscale.cli import main
for kind in ({kinds}):
    main(["list", kind])
print("torch" in sys.modules, file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.endswith("False\n"), done.stderr


def test_version_names_packages_and_device(capsys, tmp_path):
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    out = capsys.readouterr().out
    assert stop.value.code == 0 and out.startswith(f"fastscale {fs.__version__}")
    assert "torch 2." in out and "ffcv " in out and "device: " in out
    for slot in ("0000:01", "0000:02"):
        (tmp_path / slot).mkdir()
        (tmp_path / slot / "information").write_text("Model: \t NVIDIA H100\nIRQ: 1\n")
    assert version.device(tmp_path, {"torch": "2.11.0+cu130"}) == "2 x NVIDIA H100"
    assert "cannot use" in version.device(tmp_path, {"torch": "2.13.0+cpu"})
