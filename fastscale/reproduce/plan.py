"""What artifacts need: their runs, each once whichever of them asks for it, which of these have records, and what the others will cost."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fastscale.counts import complexity
from fastscale.errors import InputError
from fastscale.paper import Artifact
from fastscale.paper.artifacts import Plan, RunSpec
from fastscale.records import Record, RecordStore
from fastscale.records.committed import committed
from fastscale.reproduce.cost import UNKNOWN, Cost, cost_of, duration
from fastscale.scaling import arch_named
from fastscale.training.recipe import load_recipe
from fastscale.training.runs import RunFolder


@dataclass
class Run:
    """One training run that is needed. `published`: its committed record; `own`: that of the run made here."""

    spec: RunSpec
    folder: RunFolder
    cost: Cost
    work: float  # what runs are weighed by in the estimate of the time left
    published: Record | None
    counts: bool  # whether the published record will do
    artifacts: list[str] = field(default_factory=list)
    source: str = ""  # where the user keeps the images, if not where `spec.data` says

    @property
    def images(self) -> str:
        """What `fastscale data` and `fit` take for the run's images."""
        return self.source or self.spec.data

    @property
    def own(self) -> Record | None:
        """The record of the run made here; None where it ended before its recipe did."""
        record = self.folder.record
        return None if record is None or record.early else record

    @property
    def missing(self) -> bool:
        """Whether it has to be made."""
        return self.own is None and not (self.counts and self.published)

    @property
    def label(self) -> str:
        """How a line on the screen calls it."""
        return f"{self.spec.run}, seed {self.spec.seed}"

    @property
    def log(self) -> Path:
        """What it printed."""
        return self.folder.path / "fit.log"

    def arguments(self) -> list[str]:
        """What follows `fastscale` to make it."""
        home = self.folder.path.parent.parent
        words = [
            "fit",
            "--run",
            self.spec.run,
            "--seed_everything",
            str(self.spec.seed),
            "--runs-dir",
            str(home),
        ]
        return [*words, "--data.source", self.images, "--trainer.enable_progress_bar", "false"]


def needed(
    artifacts: Sequence[Artifact],
    tier: str,
    runs_dir: Path,
    devices: int = 1,
    device: str | None = None,
    sources: Mapping[str, str] | None = None,
) -> list[Run]:
    """The runs of all artifacts in `tier`, in their order, each once. `sources`: by name of a data set, where the user keeps it.

    A run of the full tier that somebody published need not be made again; the others are there to be repeated.
    """
    runs: dict[tuple[str, int, str], Run] = {}
    for artifact in artifacts:
        plan = artifact.plan(tier)
        known = published(artifact) if plan else {}
        for spec in plan.runs() if plan else ():
            key = (spec.run, spec.seed, spec.data)
            record = known.get(key)
            if key not in runs:
                arch, base, recipe = (
                    arch_named(spec.arch),
                    arch_named(spec.base),
                    load_recipe(spec.recipe),
                )
                # start, validation and so on take about as long as the base's training
                work = float((complexity(arch).flops + complexity(base).flops) * recipe.epochs)
                cost = cost_of(arch, recipe, spec.data, record, devices, device)
                folder = RunFolder(folder_of(runs_dir, spec), spec.run, spec.seed)
                runs[key] = Run(
                    spec,
                    folder,
                    cost,
                    work,
                    record,
                    counts=tier == "full",
                    source=(sources or {}).get(spec.data, ""),
                )
            runs[key].published = runs[key].published or record
            runs[key].artifacts.append(artifact.name)
    return list(runs.values())


def folder_of(runs_dir: Path, spec: RunSpec) -> Path:
    """Where the run's folder and records lie: one of its own for data that is not its recipe's, which the run's name does not say."""
    if spec.data == load_recipe(spec.recipe).data:
        return runs_dir
    return runs_dir / (
        "on-" + "".join(c if c.isalnum() or c in "-_" else "-" for c in spec.data).strip("-")
    )


def read_sources(given: Sequence[str], runs: Sequence[RunSpec]) -> dict[str, str]:
    """The user's places of data sets (`cifar10:/path`), by name. InputError for one that no run needs."""
    if not given:
        return {}
    from fastscale.data.sources import source

    needed_names = list(dict.fromkeys(spec.data for spec in runs))
    found = {}
    for spec in given:
        name = source(spec).name
        if name not in needed_names:
            raise InputError(
                f"--data {spec} is {name}; these runs train on {', '.join(needed_names) or 'nothing'}"
            )
        found[name] = spec
    return found


def published(artifact: Artifact) -> dict[tuple[str, int, str], Record]:
    """The committed training records of an artifact, by run, seed and data."""
    return {
        (r.run or "", r.seed or 0, r.data or ""): r
        for r in committed(artifact.name)
        if r.kind == "train" and not r.early
    }


def made_here(plan: Plan | None, runs_dir: Path) -> list[Record]:
    """The records of the folders that the plan's runs and timings write to."""
    specs = plan.runs() if plan else []
    folders = dict.fromkeys([runs_dir, *(folder_of(runs_dir, spec) for spec in specs)])
    return [r for folder in folders for r in RecordStore(folder / "records.jsonl").read()]


def show(runs: Sequence[Run], runs_dir: Path) -> None:
    """The plan: every run, its state and cost; then the sum of what is missing. Nothing where nothing is trained."""
    if not runs:
        return
    missing = [run for run in runs if run.missing]
    done = sum(run.own is not None for run in runs)
    known = len(runs) - len(missing) - done
    print(
        f"{len(runs)} runs: {done} finished in {runs_dir}"
        + (f", {known} published" if known else "")
        + f", {len(missing)} to make"
    )
    if missing:
        width = max(len(run.label) for run in missing)
        print(f"  {'to make':{width}}{'training':>12}{'memory':>12}  data")
    for run in missing:
        memory = "" if run.cost.memory_mib is None else f"{run.cost.memory_mib / 1024:.2f} GiB"
        begun = "  (begun)" if run.folder.checkpoint.is_file() else ""
        print(
            f"  {run.label:{width}}{duration(run.cost.seconds):>12}{memory:>12}  {run.spec.data}{begun}"
        )
    for basis in sorted({run.cost.source for run in missing if run.cost.source != UNKNOWN}):
        print(
            f"  in all {duration(sum(run.cost.seconds or 0 for run in missing if run.cost.source == basis))} of training {basis}"
        )
    if unknown := sum(run.cost.seconds is None for run in missing):
        print(f"  time of {unknown} of them: {UNKNOWN}")
    print(flush=True)


def check_data(runs: Sequence[Run]) -> None:
    """InputError where a missing run's images are the user's to provide, and are not here."""
    from fastscale.data.source_kinds import FolderSource
    from fastscale.data.sources import source

    for spec in dict.fromkeys(run.images for run in runs if run.missing):
        found = source(spec)
        if isinstance(found, FolderSource) and not written(found.name):
            try:
                found.classes  # noqa: B018  (raises where a split or class is missing)
            except InputError as error:
                waiting = sum(run.missing and run.images == spec for run in runs)
                raise InputError(
                    f"{waiting} of the runs train on {spec}, which is not here: {error}"
                ) from None


def written(name: str) -> bool:
    """Whether the data set's `.beton` files are whole here; then its images need not be."""
    from fastscale.data.beton import read_info
    from fastscale.data.paths import beton_folder

    try:
        return all(
            read_info(beton_folder(name) / f"{split}.beton").count for split in ("train", "val")
        )
    except InputError:
        return False


def fetch(runs: Sequence[Run]) -> None:
    """The data of the missing runs, fetched and written once."""
    fetch_images(run.images for run in runs if run.missing)


def fetch_images(specs: Iterable[str]) -> None:
    """These data sets, fetched and written once; those that are written need not be here."""
    from fastscale.data.source_kinds import FolderSource
    from fastscale.data.sources import source
    from fastscale.data.write import prepare

    for spec in dict.fromkeys(specs):
        if not (isinstance(source(spec), FolderSource) and written(source(spec).name)):
            prepare(spec)
