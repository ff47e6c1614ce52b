"""The evidence at equal flops: chooses the learning rate on the bases, times the networks, then
trains all, several side by side.

Every part resumes: an interrupted run continues, a finished one is not repeated. Each run that ends
adds a line to OUT/runs/records.jsonl. To draw from them:

    fastscale reproduce evidence-cifar10-16px --tier full --runs-dir OUT/runs
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from fastscale.archs.names import NetworkName, RunName
from fastscale.common import cores
from fastscale.paper.artifacts import Artifact, RunSpec, load_artifact
from fastscale.reproduce import local
from fastscale.reproduce.cost import UNKNOWN, Cost
from fastscale.reproduce.drawing import measure
from fastscale.reproduce.plan import Run, fetch, needed, read_sources
from fastscale.reproduce.timings import untimed
from fastscale.training.recipe import load_recipe
from fastscale.training.runs import RunFolder

ARTIFACTS = ("evidence-cifar10-16px", "evidence-imagenette")
RATES = {"cifar10-15ep": (0.4, 0.8, 1.6, 3.2), "imagenette-40ep": (0.2, 0.4, 0.8, 1.6)}
MAIN = (None, "dWr", "dwgr")  # the strategies of the main claim
FIRST_SEEDS = 3  # seeds of the main strategies that run before all else
TUNING_SEED = 1000  # not a seed of runs that are compared
SIDE_BY_SIDE = 4  # small networks leave a GPU idle while their process starts, validates and saves
LAST_START = 20.0  # no run begins in the last seconds
# a rehearsal: one epoch of a few small pictures
TINY = ("epochs", "1", "warmup_epochs", "0", "batch_size", "8", "ema_every", "1")


@dataclass
class Changed(Run):
    """A run with additional settings."""

    settings: tuple[str, ...] = ()

    def arguments(self) -> list[str]:
        """The arguments of `fastscale` that train it."""
        return [*super().arguments(), *self.settings]


def recipe_settings(*pairs: str) -> tuple[str, ...]:
    """("epochs", "1") as options of fit."""
    return tuple(w if i % 2 else f"--model.recipe.{w}" for i, w in enumerate(pairs))


def _rank(spec: RunSpec) -> int:
    return 1 if spec.strategy not in MAIN else 0 if spec.seed < FIRST_SEEDS else 2


class Evidence:
    """The parts of a call. `pictures`: makes the pictures of a rehearsal."""

    def __init__(self, call: Any, pictures: Callable[[], Any]):
        self.call, self.pictures = call, pictures
        self.tiny, self.runs_dir = call.args.tiny, call.out / "runs"
        self.jobs = call.args.jobs or (
            SIDE_BY_SIDE if call.device.startswith("cuda") else max(1, cores())
        )
        self.artifacts = [load_artifact(name) for name in ARTIFACTS]
        specs = [spec for artifact in self.artifacts for spec in artifact.plan("full").runs()]
        self.sources = read_sources(call.args.data, specs)
        self.settings = ("--data.workers", str(max(1, cores() // self.jobs)))
        if self.tiny:
            self.sources = {spec.data: call.source for spec in specs}
            self.settings = recipe_settings(*TINY)
            self.settings += ("--trainer.precision", "32-true", "--data.data_dir", call.data_dir)

    def parts(self) -> Iterator[tuple[str, float, Callable[[], dict[str, Any]]]]:
        """(key, seconds that it needs at least, the function that makes its line), by priority."""
        yield "pictures", 20, self.data  # not taken from an earlier call: this may be a new machine
        for artifact in self.artifacts:
            yield f"rate {artifact.plan('full').recipe}", 60, partial(self.rate, artifact)
        for artifact in [] if self.tiny else self.artifacts:
            yield f"times {artifact.name}", 30, partial(self.times, artifact)
        yield "runs", 30, self.train

    def data(self) -> dict[str, Any]:
        """Downloads and writes the images."""
        if self.tiny:
            return self.pictures()
        fetch(needed(self.artifacts, "full", self.runs_dir, sources=self.sources))
        return {"data": sorted({a.plan("full").data for a in self.artifacts})}

    def rate(self, artifact: Artifact) -> dict[str, Any]:
        """Trains the bases at each rate for a third of the epochs; finds the best mean error."""
        plan = artifact.plan("full")
        rates = RATES[plan.recipe][: 2 if self.tiny else None]
        epochs = str(math.ceil(load_recipe(plan.recipe).epochs / 3))
        own = () if self.tiny else recipe_settings("epochs", epochs)
        runs = {
            (rate, base): self._run(
                RunSpec(RunName(NetworkName(base), plan.recipe), plan.data, TUNING_SEED),
                self.call.out / "rates" / f"{plan.recipe}-{rate:g}",
                (*self.settings, *own, *recipe_settings("lr", f"{rate:g}")),
            )
            for rate in rates
            for base in plan.bases
        }
        self._make(list(runs.values()))
        if any(run.own is None for run in runs.values()):
            raise RuntimeError("not all rates were tried: call again")
        errors = {
            rate: [runs[rate, base].own.values["top1_error"] for base in plan.bases]
            for rate in rates
        }
        best = min(rates, key=lambda rate: sum(errors[rate]))
        return {"rate": best, "errors": {f"{rate:g}": errors[rate] for rate in rates}}

    def times(self, artifact: Artifact) -> dict[str, Any]:
        """Times the step of each network, with nothing else running."""
        if untimed(artifact, "full", self.runs_dir):
            measure(artifact.plan("full"), self.runs_dir)
        left = untimed(artifact, "full", self.runs_dir)
        return {"fine": not left, "untimed": left}

    def train(self) -> dict[str, Any]:
        """Trains all runs at the chosen rates."""
        runs = self.planned()
        todo = [run for run in runs if run.missing]
        self._make(todo)
        left = sum(run.missing for run in runs)
        line: dict[str, Any] = {"fine": not left, "runs": len(runs), "left": left}
        if self.tiny:
            errors = [run.own.values["top1_error"] for run in runs if run.own]
            line["errors"] = errors
        return line

    def planned(self) -> list[Changed]:
        """The runs by priority: those of the main claim on both data sets with three seeds, other
        strategies, other seeds. In a rehearsal: two networks each."""
        runs = needed(self.artifacts, "full", self.runs_dir, sources=self.sources)
        runs.sort(key=lambda run: (_rank(run.spec), run.spec.seed))
        if self.tiny:
            names = [n.name for a in self.artifacts for n in a.plan("full").names()[:2]]
            runs = [run for run in runs if run.spec.arch in names and not run.spec.seed]
        return [self._changed(run) for run in runs]

    def _changed(self, run: Run) -> Changed:
        rate = self.call.value(f"rate {run.spec.recipe}", "rate")
        settings = (*self.settings, *recipe_settings("lr", f"{rate:g}"))
        return Changed(**vars(run), settings=settings)

    def _run(self, spec: RunSpec, runs_dir: Path, settings: Sequence[str]) -> Changed:
        folder = RunFolder(runs_dir, spec.run, spec.seed)
        cost, source = Cost(None, None, UNKNOWN), self.sources.get(spec.data, "")
        return Changed(
            spec, folder, cost, 1.0, None, counts=False, source=source, settings=tuple(settings)
        )

    def _make(self, runs: Sequence[Run]) -> None:
        todo = [run for run in runs if run.missing]
        if not todo:
            return
        budget = max(0.0, self.call.left - LAST_START) / 60
        failed = local.train(todo, self.jobs, budget=budget)
        if failed:
            raise RuntimeError("; ".join(f"{job.run.label}: {job.problem}" for job in failed[:3]))
