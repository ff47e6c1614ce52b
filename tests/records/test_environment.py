"""The environment says what produced a number, but not who or where."""

import getpass
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

import fastscale
from fastscale.records.environment import cores, cpu_name, environment, git_state, versions


def test_the_environment_holds_the_callers_conditions():
    env = environment(
        precision="bf16", layout="channels_last", compile=False, batch=64, threads=2, repeats=5
    )
    assert (env["precision"], env["layout"], env["compile"]) == ("bf16", "channels_last", False)
    assert (env["batch"], env["threads"], env["repeats"]) == (64, 2, 5)
    assert env["device"] and env["device_type"] in ("cpu", "cuda")
    assert env["cores"] == cores() >= 1
    assert env["date"].endswith("Z") and "T" in env["date"]
    assert json.loads(json.dumps(env, allow_nan=False)) == env


def test_the_environment_does_not_say_who_or_where():
    text = json.dumps(environment())
    assert platform.node() not in text
    assert f'"{getpass.getuser()}"' not in text
    for place in (Path.cwd(), Path(fastscale.__file__).parent, Path(sys.executable).parent):
        assert str(place) not in text


def test_versions_of_the_stack():
    found = versions()
    assert found["python"] == platform.python_version()
    assert {
        "torch",
        "pytorch-lightning",
        "torchmetrics",
        "ffcv",
        "fvcore",
        "numpy",
        "fastscale",
    } <= set(found)
    assert found["numpy"] is not None


def test_torch_is_not_imported_for_it():
    code = "import sys; from fastscale.records import environment; environment(); "
    code += "assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_torch_threads_are_reported_when_torch_is_loaded():
    torch = pytest.importorskip("torch")
    assert environment()["threads"] == torch.get_num_threads()


def test_cpu_name(tmp_path):
    info = tmp_path / "cpuinfo"
    lines = ("processor : 0", "model name\t: Toy(R) Chip(TM)  9000 @ 1GHz", "processor : 1", "")
    info.write_text("\n".join(lines))
    assert cpu_name(str(info)) == "Toy Chip 9000 @ 1GHz"
    assert cpu_name(str(tmp_path / "absent"))


def _git(folder, *arguments):
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(
        ["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True
    )


def test_git_state_of_a_checkout(tmp_path):
    assert git_state(tmp_path) == (None, None)
    _git(tmp_path, "init")
    assert git_state(tmp_path) == (None, None)
    (tmp_path / "fastscale").mkdir()
    code = tmp_path / "fastscale" / "code.py"
    code.write_text("one = 1\n")
    _git(tmp_path, "add", ".")
    _git(tmp_path, "commit", "-m", "one")
    commit, dirty = git_state(tmp_path)
    assert commit is not None and len(commit) == 40 and dirty is False
    (tmp_path / "picture.svg").write_text("an output is not code")
    assert git_state(tmp_path) == (commit, False)
    code.write_text("one = 2\n")
    assert git_state(tmp_path) == (commit, True)
    # a folder inside another checkout is not that checkout
    assert git_state(tmp_path / "fastscale") == (None, None)


def test_git_state_writes_nothing(tmp_path):
    """`git status` would update its index, under a lock that a kill leaves behind."""
    _git(tmp_path, "init")
    (tmp_path / "fastscale").mkdir()
    file = tmp_path / "fastscale" / "a.py"
    file.write_text("1")
    _git(tmp_path, "add", ".")
    _git(tmp_path, "commit", "-m", "one")
    os.utime(file, (1e9, 1e9))
    before = (tmp_path / ".git" / "index").read_bytes()
    assert git_state(tmp_path)[1] is False
    assert (tmp_path / ".git" / "index").read_bytes() == before
