"""A copy of the reference tables that a test may damage."""

import shutil

import pytest

from fastscale.home import home, using_home


@pytest.fixture
def tables(tmp_path):
    """The folder of tables in a temporary checkout."""
    folder = tmp_path / "paper_figures" / "reference"
    shutil.copytree(home().references, folder)
    (tmp_path / "configs" / "artifacts").mkdir(parents=True)
    with using_home(tmp_path):
        yield folder
