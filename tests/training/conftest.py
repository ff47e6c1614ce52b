"""Runs on a small set of images, in this process and in new ones, as a user starts them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from fastscale.cli import main
from fastscale.data.write import write

RUN = "regnety-tiny.wg-x2.quick"
RECIPE = {"batch_size": 8, "epochs": 2, "lr": 0.05, "mixup": 0.2}


@pytest.fixture
def source(image_folder, data_home):
    write(f"folder:{image_folder}", progress=lambda line: None)
    return f"folder:{image_folder}"


@pytest.fixture
def one_thread():
    """One thread, because the order of sums depends on the number of threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def fit_arguments(source):
    """fit_arguments(runs, *options, **recipe) -> the arguments of `fastscale`."""

    def arguments(runs, *options, **recipe):
        words = [
            "fit",
            "--run",
            RUN,
            "--runs_dir",
            str(runs),
            "--data.source",
            source,
            "--data.workers",
            "1",
        ]
        for name, value in {**RECIPE, **recipe}.items():
            words += [f"--model.recipe.{name}", str(value)]
        return [*words, *options]

    return arguments


@pytest.fixture
def fit_here(fit_arguments, one_thread):
    """fit_here(runs, *options, **recipe) -> exit code of `fastscale fit`, run in this process."""
    return lambda runs, *options, **recipe: main(fit_arguments(runs, *options, **recipe))


@pytest.fixture
def fit_process(fit_arguments):
    """fit_process(runs, *options, environment, **recipe) -> a finished `fastscale fit` process.

    Each of its processes has one thread.
    """

    def start(runs, *options, environment=None, **recipe):
        command = [
            sys.executable,
            str(Path(__file__).with_name("fit_main.py")),
            *fit_arguments(runs, *options, **recipe),
        ]
        variables = {**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})}
        return subprocess.run(command, capture_output=True, text=True, timeout=300, env=variables)

    return start
