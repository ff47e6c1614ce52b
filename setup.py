"""What pyproject.toml cannot say: a built package carries the files that it reads of the checkout.

They stay where they are in the checkout and lie in `fastscale/shipped/` of a wheel, in the same
layout; fastscale/home.py finds them in either place.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

SHIPPED = (
    "configs/recipes/*.yaml",
    "configs/artifacts/*.yaml",
    "configs/timing/*.yaml",
    "paper_figures/reference/*.csv",
    "paper_figures/records/*.jsonl",
    "paper_figures/records/curves/*.csv",
    "checkpoints/manifest.json",
    "checkpoints/records.jsonl",
)


class BuildWithShipped(build_py):
    """Copies those files beside the modules; an editable install finds them in the checkout."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        shipped = Path(self.build_lib) / "fastscale" / "shipped"
        shutil.rmtree(shipped, ignore_errors=True)  # what an earlier build left in build/
        for pattern in SHIPPED:
            found = sorted(Path().glob(pattern))
            if not found:
                raise FileNotFoundError(f"{pattern}: nothing to ship; build from a whole checkout")
            for path in found:
                (shipped / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, shipped / path)


setup(cmdclass={"build_py": BuildWithShipped})
