"""scripts/setup.sh: on a machine that lacks something, again, interrupted, with a GPU's torch."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys

import pytest
from packaging.requirements import Requirement

from .conftest import ROOT, Clone

# the Python that .venv was made from, because a GPU torch in .venv would be kept
BASE = getattr(sys, "_base_executable", sys.executable)
# commands of a machine without compiler, apt and sudo
COMMANDS = (
    "bash",
    "cat",
    "date",
    "dirname",
    "grep",
    "id",
    "mkdir",
    "rm",
    "sed",
    "tail",
    "tee",
    "uname",
)


@pytest.mark.parametrize(
    "script",
    [*sorted(p.relative_to(ROOT).as_posix() for p in ROOT.glob("scripts/*.sh")), ".ci/run"],
)
def test_scripts_are_bash(script):
    subprocess.run(["bash", "-n", ROOT / script], check=True)


def test_unknown_option_names_the_options(bare):
    done = bare.setup("--with-test")
    assert done.returncode == 2
    options = "--with-tests, --no-ffcv, --ffcv, --dry-run, --help"
    assert done.stderr == f"setup: unknown option '--with-test'; choose from {options}\n"


def test_help_changes_nothing(bare):
    done = bare.setup("--help")
    assert done.returncode == 0
    assert "--with-tests" in done.stdout
    assert "FASTSCALE_TORCH_INDEX" in done.stdout
    assert not bare.venv.exists()


def test_complete_set_up_and_then_nothing_to_do(clone):
    first = clone.setup()
    assert first.returncode == 0, first.stderr
    assert [line[:5] for line in first.stdout.splitlines() if line.startswith("[")] == [
        f"[{n}/6]" for n in range(1, 7)
    ]
    calls = clone.pip_calls()
    assert "install --no-compile torch==" in calls
    assert f"--editable {clone.root}" in calls
    second = clone.setup()
    assert (second.returncode, second.stdout) == (0, "set-up: complete, nothing to do\n")
    assert clone.pip_calls() == ""


def test_test_tools_only_when_asked_for(clone):
    clone.setup()
    assert "tests/requirements.txt" not in clone.pip_calls()
    assert not (clone.venv / "parity").exists()
    assert clone.setup("--with-tests").returncode == 0
    calls = clone.pip_calls()
    assert f"-r {clone.root}/tests/requirements.txt" in calls
    assert (
        f"--no-deps --target {clone.venv}/parity -r {clone.root}/tests/requirements-parity.txt"
        in calls
    )
    assert "nothing to do" in clone.setup().stdout  # complete with the tools, so also without
    assert "nothing to do" in clone.setup("--with-tests").stdout


def test_packages_that_tests_compare_with_are_restored(clone):
    clone.setup("--with-tests")
    shutil.rmtree(clone.venv / "parity")
    assert "nothing to do" in clone.setup().stdout
    assert "the packages that tests compare with are gone" in clone.setup("--with-tests").stdout
    assert (clone.venv / "parity").is_dir()


@pytest.mark.parametrize("file", ["requirements.txt", "pyproject.toml", "scripts/setup.sh"])
def test_a_changed_input_is_a_reason(clone, file):
    clone.setup()
    with open(clone.root / file, "a") as text:
        text.write("\n# changed\n")
    assert "have changed" in clone.setup().stdout
    assert "nothing to do" in clone.setup().stdout


def test_a_lost_package_is_named_and_restored(clone):
    clone.setup()
    (info,) = clone.site.glob("tqdm-*.dist-info")
    shutil.rmtree(info)
    assert "set-up: tqdm: changed since the set-up" in clone.setup().stdout
    assert info.exists()


def test_half_installed_package_is_installed_again(clone):
    clone.setup()
    (info,) = clone.site.glob("tqdm-*.dist-info")
    (info / "RECORD").unlink()  # pip writes it last
    # the stamp during a set-up
    (clone.venv / ".fastscale-setup.json").write_text(json.dumps({"ffcv": "yes"}))
    done = clone.setup()
    assert done.returncode == 0
    assert f"{info.name.removesuffix('.dist-info')} was only half installed" in done.stdout
    assert (info / "RECORD").exists()


def test_half_made_venv_is_made_again(clone):
    (clone.venv / ".unfinished").touch()
    (clone.site / "pip/__main__.py").unlink()
    # the new .venv has the real pip, which finds nothing offline
    done = clone.setup("--no-ffcv", PYTHON=BASE)
    assert done.returncode == 1
    assert "No matching distribution found for pip==" in done.stderr
    assert not (clone.venv / ".unfinished").exists()
    assert (clone.site / "pip/__main__.py").exists()


def test_broken_interpreter_in_venv(clone):
    (clone.venv / "bin/python").unlink()
    (clone.venv / "bin/python").write_text("#!/bin/sh\nexit 1\n")
    (clone.venv / "bin/python").chmod(0o755)
    done = clone.setup("--dry-run", PYTHON=BASE)
    assert (done.returncode, done.stdout.split()[2]) == (0, f"({BASE})")


def test_without_any_python_it_says_which(bare, tmp_path):
    for name in COMMANDS:
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    done = bare.setup(PATH=str(tmp_path))
    assert done.returncode == 2
    assert done.stderr.startswith("setup: no Python 3.11 to 3.14 found.")


def test_foreign_folder_is_not_removed(bare):
    bare.venv.mkdir()
    (bare.venv / "precious").touch()
    done = bare.setup("--no-ffcv", PYTHON=BASE)
    assert done.returncode == 2
    assert "is no virtual environment" in done.stderr
    assert (bare.venv / "precious").exists()


def test_failure_ends_with_command_log_and_what_to_do(clone):
    done = clone.setup(PIP_FAILS="install --no-compile torch==")
    assert done.returncode == 1
    command, *_, error, advice = [
        line for line in done.stderr.splitlines() if line.startswith(("  ", "What"))
    ]
    assert re.fullmatch(r"  \S+/\.venv/bin/python -m pip install --no-compile torch==\S+", command)
    assert error == "  | ERROR: the index does not answer"
    assert advice.startswith("What to do: no network")
    assert clone.setup().returncode == 0  # resumes where it stopped
    assert "nothing to do" in clone.setup().stdout


def test_without_apt_one_message_names_the_packages(bare, tmp_path):
    for name in COMMANDS:
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    done = bare.setup(PYTHON=BASE, PATH=str(tmp_path))
    assert done.returncode == 2
    for line in (
        r"setup: system packages are missing \(no C\+\+ compiler\), and there is no apt-get here "
        r"to install them\.",
        r"  apt    sudo apt-get install .*g\+\+ pkg-config libopencv-core-dev "
        r"libopencv-imgproc-dev libturbojpeg0-dev.*",
        r"  dnf    sudo dnf install .*gcc-c\+\+ .*opencv-devel turbojpeg-devel.*",
        r"  brew   brew install .*opencv jpeg-turbo",
        r"  conda  conda install -c conda-forge .*libopencv libjpeg-turbo",
    ):
        assert re.search(f"^{line}$", done.stderr, re.MULTILINE), line
    assert "--no-ffcv" in done.stderr.splitlines()[-1]
    assert not bare.venv.exists()  # it checks before it installs


def test_leaving_ffcv_out_is_remembered(clone):
    assert "left out, as asked" in clone.setup("--no-ffcv").stdout
    assert "uninstall -y ffcv" in clone.pip_calls()
    assert not list(clone.site.glob("ffcv-*"))
    assert "nothing to do" in clone.setup().stdout
    with open(clone.root / "requirements.txt", "a") as text:
        text.write("\n")
    assert "left out, as asked" in clone.setup().stdout  # in a new set-up too
    assert "FFCV             ffcv==1.0.2" in clone.setup("--ffcv", "--dry-run").stdout


def test_gpu_torch_in_range_is_kept(clone):
    clone.add_distribution("torch", "2.12.0+cu130")
    done = clone.setup()
    assert done.returncode == 0, done.stderr
    assert "torch 2.12.0+cu130 (cuda build" in done.stdout
    calls = clone.pip_calls()
    assert "install --no-compile torch==" not in calls
    required = (clone.venv / ".requirements.txt").read_text().splitlines()
    assert "torch==2.12.0+cu130" in required  # pip must not replace it
    assert "nothing to do" in clone.setup().stdout


@pytest.mark.parametrize("version", ["2.10.0+cu128", "2.14.0+cu130", "2.12.0+cpu"])
def test_other_torch_is_replaced_by_the_pinned_one(clone, version):
    clone.add_distribution("torch", version)
    assert clone.setup().returncode == 0
    assert "install --no-compile torch==" in clone.pip_calls()
    assert [p.name for p in clone.site.glob("torch-*")] == [f"torch-{pins()['torch'][0]}.dist-info"]


def test_untagged_gpu_torch_is_known_by_its_version_file(clone):
    clone.add_distribution("torch", "2.13.0")
    (clone.site / "torch.py").unlink()
    (clone.site / "torch").mkdir()
    (clone.site / "torch/version.py").write_text(
        "cuda: Optional[str] = '13.0'\nhip: Optional[str] = None\n"
    )
    assert "(cuda build" in clone.setup("--dry-run").stdout
    (clone.site / "torch/version.py").write_text(
        "cuda: Optional[str] = None\nhip: Optional[str] = None\n"
    )
    assert "is kept" not in clone.setup("--dry-run").stdout


def test_gpu_torch_of_the_active_environment_is_kept(bare, tmp_path):
    other = Clone(tmp_path / "other/clone")
    other.make_venv()
    other.add_distribution("torch", "2.11.0+cu130")
    path = f"{other.venv}/bin:{os.environ['PATH']}"
    plan = bare.setup("--dry-run", "--no-ffcv", PATH=path, VIRTUAL_ENV=str(other.venv)).stdout
    assert f"torch 2.11.0+cu130 (cuda build, from {other.venv}) is kept" in plan
    # the real pip fails offline, but .venv is made by then
    assert bare.setup("--no-ffcv", PATH=path).returncode == 1
    version = "import importlib.metadata as m; print(m.version('torch'))"
    seen = subprocess.run(
        [bare.venv / "bin/python", "-c", version], capture_output=True, text=True, check=True
    )
    assert seen.stdout.strip() == "2.11.0+cu130"


def test_torch_index_is_for_torch_alone(clone):
    clone.setup(FASTSCALE_TORCH_INDEX="file:///index")
    with_index = [
        call for call in clone.pip_calls().splitlines() if "--index-url file:///index" in call
    ]
    assert len(with_index) == 1
    assert with_index[0].startswith("install --no-compile torch==")


def test_moved_folder_is_followed(clone):
    clone.setup()
    old = clone.venv
    clone.root = clone.root.rename(clone.root.with_name("moved"))
    (clone.venv / "bin/other-tool").write_text(f"#!{old}/bin/python\n")
    assert "have changed" in clone.setup().stdout
    assert (clone.venv / "bin/other-tool").read_text() == f"#!{clone.venv}/bin/python\n"
    assert str(old) not in (clone.venv / "bin/activate").read_text()


def pins() -> dict[str, list[str]]:
    lines = [
        line.split("#")[0].strip() for line in (ROOT / "requirements.txt").read_text().splitlines()
    ]
    found: dict[str, list[str]] = {}
    for requirement in map(Requirement, filter(None, lines)):
        (pin,) = requirement.specifier
        assert pin.operator == "=="
        found.setdefault(requirement.name.lower(), []).append(pin.version)
    return found


def test_pins_lie_in_the_declared_ranges():
    text = (ROOT / "pyproject.toml").read_text()
    block = re.search(r"^dependencies = \[\n(.*?)^\]", text, re.MULTILINE | re.DOTALL)
    assert block
    declared = [Requirement(found) for found in re.findall(r'"([^"]+)"', block[1])]
    assert len(declared) >= 10
    for requirement in declared:
        assert all(
            version in requirement.specifier for version in pins()[requirement.name.lower()]
        ), requirement


def test_range_of_torch_is_one_range(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import setup_machine

    low, high = (".".join(map(str, bound)) for bound in setup_machine.TORCH_RANGE)
    assert f'"torch>={low},<{high}"' in (ROOT / "pyproject.toml").read_text()
    assert f"torch >= {low}, < {high}" in (ROOT / "scripts/setup.sh").read_text()
