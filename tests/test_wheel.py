"""The installed wheel, without its checkout: whatever needs no images works in an empty folder.

The wheel is built from the source distribution, so this tests both.
"""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import fastscale

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE", "fastscale")
SHIPPED = ("configs", "checkpoints", "paper_figures/reference", "paper_figures/records")
BUILD = """
import sys
from setuptools import build_meta
print(getattr(build_meta, sys.argv[1])(sys.argv[2]))
"""

# runs all commands in one process, which imports torch once
RUN = """
import contextlib, io, json, sys, traceback
import fastscale
from fastscale.cli import main
found = [fastscale.__file__]
for words in json.loads(sys.argv[1]):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(words)
        except SystemExit as end:
            code = end.code
        except BaseException:
            code = traceback.format_exc()
    found.append([code, out.getvalue(), err.getvalue()])
print("=====" + json.dumps(found))
"""


def build(hook, source, out):
    """The file that setuptools builds from a folder."""
    done = subprocess.run(
        [sys.executable, "-c", BUILD, hook, str(out)], cwd=source, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return out / done.stdout.split()[-1]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder with only the installed package."""
    folder = tmp_path_factory.mktemp("wheel")
    checkout = folder / "checkout"
    checkout.mkdir()
    ignore = shutil.ignore_patterns("__pycache__", "*.safetensors")
    for name in (*SOURCES, *SHIPPED):
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, checkout / name, ignore=ignore)
        else:
            shutil.copy(path, checkout / name)
    with tarfile.open(build("build_sdist", checkout, folder)) as archive:
        safely = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # since 3.11.4
        archive.extractall(folder / "source", **safely)
    shutil.rmtree(checkout)
    (source,) = (folder / "source").iterdir()
    wheel = build("build_wheel", source, folder)
    shutil.rmtree(folder / "source")
    with zipfile.ZipFile(wheel) as archive:  # as an installer does for pure Python
        archive.extractall(folder / "site")
    return folder / "site"


@pytest.fixture(scope="module")
def run(site, tmp_path_factory):
    """A function that runs commands in an empty folder.

    It returns the [exit code, stdout, stderr] of each, and the folder.
    """

    def run(*commands):
        folder = tmp_path_factory.mktemp("empty")
        kept = {k: v for k, v in os.environ.items() if not k.startswith("FASTSCALE_")}
        environment = kept | {
            "PYTHONPATH": str(site),
            "PYTHONDONTWRITEBYTECODE": "1",
            "FASTSCALE_DATA": str(folder.parent / "no-data"),
            "FASTSCALE_OFFLINE": "1",
            "COLUMNS": "200",
        }
        before = sorted(site.rglob("*"))
        done = subprocess.run(
            [sys.executable, "-c", RUN, json.dumps(commands)],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        where, *found = json.loads(done.stdout.partition("=====")[2])
        assert Path(where).is_relative_to(site), "the installed package is what runs"
        assert sorted(site.rglob("*")) == before, "nothing is written into the package"
        return found, folder

    return run


def test_contents_of_the_wheel(site):
    shipped = {
        str(p.relative_to(site / "fastscale" / "shipped"))
        for p in (site / "fastscale" / "shipped").rglob("*")
        if p.is_file()
    }
    kinds = ("configs/**/*.yaml", "paper_figures/re*/**/*.csv", "paper_figures/records/*.jsonl")
    committed = {str(p.relative_to(ROOT)) for kind in kinds for p in ROOT.glob(kind)}
    assert shipped == committed | {"checkpoints/manifest.json", "checkpoints/records.jsonl"}
    top = {p.name for p in site.iterdir()}
    assert top == {"fastscale", f"fastscale-{fastscale.__version__}.dist-info"}
    assert (site / "fastscale" / "py.typed").is_file()


# command -> part of its stdout
WORKS = {
    "info regnety-4gf.dWr-x4": "flops (multiply-adds)",
    "scale regnety-500mf dWr --flops 2e9": "closed form",
    "list": "efficientnet-b0",
    "list regnetz": "regnetz-4gf",
    "list runs regnety-500mf.dWr-x4.imagenet --device v100": "regnety-500mf.dWr-x4.imagenet-100ep",
    "plan regnety-500mf --flops 2e9": "dWr",
    "plan regnety-4gf --device v100 --epoch-time-min 10": "regnety-4gf",
    "checkpoint list regnety": "regnety-micro.dWr-x5.2_cifar10",
    "checkpoint show regnety-micro.dWr-x5.2_cifar10-a86dd298": "regnety-micro.dWr-x5.2",
    "reproduce table-1 fig-3": "Table 1",
    "reproduce quick --dry-run": "regnety-tiny",
    "report": "paper_figures/report.html",
    "time regnety-tiny --recipe quick --batch 2 --rounds 1 --round_s 0.01": "regnety-tiny",
    "fit --run regnety-500mf.dWr-x4.imagenet-100ep --print_config": "imagenet-100ep",
}
RELEASED = "regnety-micro.dWr-x5.2_cifar10-a86dd298"
# command -> part of its line on stderr
FAILS = {
    "reproduce --tier smoke": "error: this needs a checkout, and fastscale is installed: clone",
    f"checkpoint load-test {RELEASED}": "from the repository's checkpoints/",
    "plan regnety-4gf --device nosuch": "no device is named 'nosuch'",
    "fit --run regnety-500mf.nosuch": "no recipe is named 'nosuch'; known are ",
}


def test_verbs_work_from_an_empty_folder(run):
    commands = [words.split() for words in (*WORKS, *FAILS)]
    found, folder = run(*commands)
    wrong = []
    for words, (code, out, err) in zip((*WORKS, *FAILS), found, strict=True):
        fine = code == 0 and WORKS[words] in out if words in WORKS else FAILS[words] in err
        if not fine or code not in (0, 1, 2) or (code and err.count("\n") != 1):
            wrong.append(f"{words}: {code}\n{out[-500:]}\n{err[-1500:]}")
    assert not wrong, "\n\n".join(wrong)
    made = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert {"runs/records.jsonl", "paper_figures/report.html"} <= made
    assert {"paper_figures/tables/table-1.md", "paper_figures/figures/fig-3.svg"} <= made
    assert {name.split("/")[0] for name in made} == {"runs", "paper_figures"}
    name = Path("tables") / "table-1.md"
    assert (folder / "paper_figures" / name).read_bytes() == (
        ROOT / "paper_figures" / name
    ).read_bytes()
