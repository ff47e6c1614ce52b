"""`fastscale reproduce ARTIFACT --from-checkpoints`: from released weights to the figure.

Each released network of an artifact is evaluated on its validation images. The new errors replace
those in the record of the same run and seed, and the artifact is drawn from these records into a
separate folder. Seeds that are not released keep their records.
"""

import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fastscale.common import duration, plain
from fastscale.counts import complexity
from fastscale.errors import InputError
from fastscale.home import home
from fastscale.paper.artifacts import Artifact, Comparison, Plan, RunSpec, load_artifact
from fastscale.paper.build import pages, write_pages
from fastscale.paper.quick import comparison_pages
from fastscale.paper.smoke import difference
from fastscale.records import Record, environment, write_snapshot
from fastscale.records.committed import committed, facts
from fastscale.release.checkpoint import read_file
from fastscale.release.fetch import fetch
from fastscale.release.manifest import Entry
from fastscale.release.places import released
from fastscale.release.score import score_entry
from fastscale.reproduce.plan import fetch_images, published, read_sources
from fastscale.scaling import arch_named

FOLDER = "from-checkpoints"  # in the runs folder, with one folder for each artifact
ROUNDING = 1e-9


@dataclass(frozen=True)
class Released:
    """A run of an artifact with its committed record and its released checkpoint."""

    spec: RunSpec
    record: Record
    entry: Entry

    @property
    def label(self) -> str:
        """Its name on the screen."""
        return f"{self.spec.run}, seed {self.spec.seed}"

    @property
    def work(self) -> float:
        """The relative cost of its evaluation: multiply-adds an image."""
        arch = arch_named(self.spec.arch)
        return complexity(arch, arch.test_resolution, self.entry.num_classes).flops + 1e6

    def evaluate(self, source: str) -> dict[str, float]:
        """Errors in % of the released weights, by their names in records.

        `source`: of the images. InputError if they are not the network's data set.
        """
        checkpoint = read_file(fetch(self.entry), self.entry.sha256)
        found = score_entry(self.entry, checkpoint, source)
        if not found.same_data:
            raise InputError(
                f"{found.data} here is not the data of {self.entry.name}: its hash is "
                f"{found.data_hash}, that of the data it was trained on {self.entry.data_hash}"
            )
        ending = "_ema" if self.entry.weights == "averaged" else ""
        return {f"{name}{ending}": value for name, value in found.errors.items()}

    def recorded(self, errors: Mapping[str, float]) -> Record:
        """Its record with these errors, and their origin in `env`."""
        here = {k: environment()[k] for k in ("device", "date")}
        on = ", ".join(here.values())
        env = {**self.record.env, "evaluated_from": self.entry.name, "evaluated_on": on}
        return replace(self.record, values={**self.record.values, **errors}, env=env)

    def beside(self, errors: Mapping[str, float]) -> dict[str, float]:
        """The difference in points between each error and the record's."""
        known = self.record.values
        return {name: abs(value - known[name]) for name, value in errors.items() if name in known}


def from_checkpoints(
    names: Sequence[str],
    tier: str,
    runs_dir: Path,
    data: Sequence[str] = (),
    dry_run: bool = False,
) -> int:
    """Evaluates, draws and compares each artifact of `names`; returns the exit code.

    `tier`: used if the artifact has runs in it, else its other one. All output goes to
    from-checkpoints in `runs_dir`. `data`: where the user keeps a data set (`cifar10:/path`). Exit
    code 1 if an error differs from its record by more than the manifest allows. InputError if none
    of an artifact's runs is released.
    """
    artifacts = [load_artifact(name) for name in dict.fromkeys(names)]
    plans = {artifact.name: _plan(artifact, tier) for artifact in artifacts}
    runs = {a.name: released_runs(a, plans[a.name][1]) for a in artifacts}
    sources = read_sources(data, [run.spec for some in runs.values() for run in some])
    far: list[str] = []
    for artifact in artifacts:
        its_tier, plan = plans[artifact.name]
        found = runs[artifact.name]
        total = len(plan.runs())
        print(f"{artifact.name}: {artifact.title}")
        rest = total - len(found)
        kept = f"; the other {rest} stay as recorded" if rest else ""
        print(f"{len(found)} of {total} runs have a released checkpoint{kept}", flush=True)
        if dry_run:
            print("\n".join(f"  {run.label}: {run.entry.name}" for run in found))
            continue
        fetch_images(sources.get(run.spec.data, run.spec.data) for run in found)
        made, off = _evaluate_all(found, sources)
        far += off
        folder = runs_dir / FOLDER / artifact.name
        write_snapshot(folder / "records.jsonl", made)
        _draw(artifact, its_tier, made, folder)
    for line in far:
        print(f"outside the released tolerance: {line}", file=sys.stderr)
    return 1 if far else 0


def released_runs(artifact: Artifact, plan: Plan) -> list[Released]:
    """The plan's runs with a released checkpoint, in its order; InputError if there is none."""
    entries = {(e.run, e.seed, e.data): e for e in released()}  # the newest of a run comes last
    records = published(artifact)
    found = []
    for spec in plan.runs():
        key = (spec.run, spec.seed, spec.data)
        if key in entries and key in records:
            found.append(Released(spec, records[key], entries[key]))
    if not found:
        raise InputError(
            f"no checkpoint of {artifact.name}'s runs is released; `fastscale checkpoint list` "
            "lists those that are"
        )
    return found


def _plan(artifact: Artifact, tier: str) -> tuple[str, Plan]:
    for name in (tier, *artifact.tiers):
        if (plan := artifact.plan(name)) is not None:
            return name, plan
    raise InputError(
        f"artifact {artifact.name!r} has no runs: it does not depend on trained networks"
    )


def _evaluate_all(
    runs: Sequence[Released], sources: Mapping[str, str]
) -> tuple[list[Record], list[str]]:
    """(records, lines about errors outside the manifest's tolerance)."""
    made: list[Record] = []
    far: list[str] = []
    largest, began, done = 0.0, time.monotonic(), 0.0
    for number, run in enumerate(runs, start=1):
        errors = run.evaluate(sources.get(run.spec.data, run.spec.data))
        made.append(run.recorded(errors))
        text = "; ".join(
            f"{name} {errors[name]:.2f} %, recorded {run.record.values[name]:.2f}"
            for name in run.beside(errors)
        )
        off = max(run.beside(errors).values(), default=0.0)
        largest = max(largest, off)
        if off > run.entry.tolerance + ROUNDING:
            far.append(f"{run.label}: {text}; allowed {run.entry.tolerance:g}")
        done += run.work
        left = (time.monotonic() - began) / done * sum(r.work for r in runs[number:])
        ends = f"  about {duration(max(left, 1))} left" if number < len(runs) else ""
        place = f"[{number:{len(str(len(runs)))}}/{len(runs)}]"
        print(f"{place} {run.label}: {text}{ends}", flush=True)
    print(f"largest difference from the records: {largest:.4f} points", flush=True)
    return made, far


def _draw(artifact: Artifact, tier: str, made: Sequence[Record], folder: Path) -> None:
    """Draws the artifact with the records `made`; prints how it differs from the committed one."""
    new = {(r.run, r.seed, r.data): r for r in made}

    def with_new(records: Sequence[Record]) -> list[Record]:
        return [new.get((r.run, r.seed, r.data), r) if r.kind == "train" else r for r in records]

    if isinstance(artifact, Comparison):
        drawn = comparison_pages(with_new(committed(artifact.name)), artifact, tier)
    else:
        drawn = pages(artifact, with_new(facts()))
    paths = write_pages(artifact, drawn, folder)
    names = [path.relative_to(folder).as_posix() for path in paths]
    print(f"records, figures and tables: {os.path.relpath(folder)}/")
    for name in sorted(n for n in names if n.endswith(".png")):
        print(f"  {os.path.relpath(folder / name)}")
    differ = [
        line
        for path, name in zip(paths, names, strict=True)
        if (line := difference(home().found(*name.split("/")), path, name))
    ]
    for line in differ:
        print(f"differs from the committed one: {plain(line)}")
    if not differ:
        print(f"each of its {len(paths)} files equals the committed one")
