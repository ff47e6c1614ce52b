"""The runs that artifacts need: which have records, and what the others will cost."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fastscale.common import duration
from fastscale.counts import complexity
from fastscale.errors import InputError
from fastscale.paper import Artifact
from fastscale.paper.artifacts import Plan, RunSpec
from fastscale.records import Record, RecordStore
from fastscale.records.committed import committed
from fastscale.reproduce.cost import UNKNOWN, Cost, cost_of
from fastscale.scaling import arch_named
from fastscale.training.recipe import load_recipe
from fastscale.training.runs import RunFolder


@dataclass
class Run:
    """A needed training run. `published`: its committed record; `own`: the record made here."""

    spec: RunSpec
    folder: RunFolder
    cost: Cost
    work: float  # relative cost, to estimate the time left
    published: Record | None
    counts: bool  # whether the published record is enough
    artifacts: list[str] = field(default_factory=list)
    source: str = ""  # where the user keeps the images, if not the default for `spec.data`

    @property
    def images(self) -> str:
        """The source of the run's images, for `fastscale data` and `fit`."""
        return self.source or self.spec.data

    @property
    def own(self) -> Record | None:
        """The record made here; None if the run ended before its recipe did."""
        record = self.folder.record
        return None if record is None or record.early else record

    @property
    def missing(self) -> bool:
        """Whether it must be made."""
        return self.own is None and not (self.counts and self.published)

    @property
    def label(self) -> str:
        """Its name on the screen."""
        return f"{self.spec.run}, seed {self.spec.seed}"

    @property
    def log(self) -> Path:
        """The file with its output."""
        return self.folder.path / "fit.log"

    def arguments(self) -> list[str]:
        """The arguments of `fastscale` that make it."""
        home = self.folder.path.parent.parent
        words = ["fit", "--run", self.spec.run, "--seed_everything", str(self.spec.seed)]
        words += ["--runs-dir", str(home), "--data.source", self.images]
        return [*words, "--trainer.enable_progress_bar", "false"]


def needed(
    artifacts: Sequence[Artifact],
    tier: str,
    runs_dir: Path,
    devices: int = 1,
    device: str | None = None,
    sources: Mapping[str, str] | None = None,
) -> list[Run]:
    """The runs of all artifacts in `tier`, in order, each once.

    `sources`: by data set name, where the user keeps it. A published run of the full tier is not
    made again; in other tiers it is.
    """
    runs: dict[tuple[str, int, str], Run] = {}
    for artifact in artifacts:
        plan = artifact.plan(tier)
        known = published(artifact) if plan else {}
        for spec in plan.runs() if plan else ():
            key = (spec.run, spec.seed, spec.data)
            record = known.get(key)
            if key not in runs:
                arch, base = arch_named(spec.arch), arch_named(spec.base)
                recipe = load_recipe(spec.recipe)
                # start-up, validation and so on take about as long as the base's training
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
    """The folder of the run's folder and records.

    For data other than the recipe's it is a subfolder, because the run's name omits the data.
    """
    if spec.data == load_recipe(spec.recipe).data:
        return runs_dir
    plain = "".join(c if c.isalnum() or c in "-_" else "-" for c in spec.data)
    return runs_dir / ("on-" + plain.strip("-"))


def read_sources(given: Sequence[str], runs: Sequence[RunSpec]) -> dict[str, str]:
    """The user's data sources (`cifar10:/path`) by data set name; InputError for an unused one."""
    if not given:
        return {}
    from fastscale.data.sources import source

    needed_names = list(dict.fromkeys(spec.data for spec in runs))
    found = {}
    for spec in given:
        name = source(spec).name
        if name not in needed_names:
            wanted = ", ".join(needed_names) or "nothing"
            raise InputError(f"--data {spec} is {name}; these runs train on {wanted}")
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
    """The records in the folders of the plan's runs and timings."""
    specs = plan.runs() if plan else []
    folders = dict.fromkeys([runs_dir, *(folder_of(runs_dir, spec) for spec in specs)])
    return [r for folder in folders for r in RecordStore(folder / "records.jsonl").read()]


def elapsed(seconds: Iterable[float], slots: int) -> float:
    """The time until all are done, if each starts as soon as one of the slots is free.

    >>> elapsed([60, 20, 20, 30], slots=2)
    70.0
    """
    free = [0.0] * slots
    for each in seconds:
        free[free.index(min(free))] += each
    return max(free)


def show(runs: Sequence[Run], runs_dir: Path, side_by_side: int = 1) -> None:
    """Prints the runs' states, and the missing runs' costs with totals; nothing without runs."""
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
        started = "  (started)" if run.folder.checkpoint.is_file() else ""
        seconds = f"{duration(run.cost.seconds):>12}"
        print(f"  {run.label:{width}}{seconds}{memory:>12}  {run.spec.data}{started}")
    for basis in sorted({run.cost.source for run in missing if run.cost.source != UNKNOWN}):
        total = sum(run.cost.seconds or 0 for run in missing if run.cost.source == basis)
        print(f"  in all {duration(total)} of training {basis}")
    known_s = [run.cost.seconds for run in missing if run.cost.seconds is not None]
    if side_by_side > 1 and known_s:
        took = duration(elapsed(known_s, side_by_side))
        print(f"  {side_by_side} side by side: done after {took}, if they do not slow each other")
    if unknown := sum(run.cost.seconds is None for run in missing):
        print(f"  time of {unknown} of them: {UNKNOWN}")
    print(flush=True)


def check_data(runs: Sequence[Run]) -> None:
    """InputError if a missing run needs absent images that only the user can provide."""
    from fastscale.data.source_kinds import FolderSource
    from fastscale.data.sources import source

    for spec in dict.fromkeys(run.images for run in runs if run.missing):
        found = source(spec)
        if isinstance(found, FolderSource) and not written(found.name):
            try:
                found.classes  # noqa: B018  (raises if a split or class is missing)
            except InputError as error:
                waiting = sum(run.missing and run.images == spec for run in runs)
                raise InputError(
                    f"{waiting} of the runs train on {spec}, which is not here: {error}"
                ) from None


def written(name: str) -> bool:
    """Whether the data set's `.beton` files are complete here; then its images are not needed."""
    from fastscale.data.beton import read_info
    from fastscale.data.paths import beton_folder

    folder = beton_folder(name)
    try:
        return all(read_info(folder / f"{split}.beton").count for split in ("train", "val"))
    except InputError:
        return False


def fetch(runs: Sequence[Run]) -> None:
    """Fetches and writes the data of the missing runs, once."""
    fetch_images(run.images for run in runs if run.missing)


def fetch_images(specs: Iterable[str]) -> None:
    """Fetches and writes data sets, each once; images of written ones are not needed."""
    from fastscale.data.source_kinds import FolderSource
    from fastscale.data.sources import source
    from fastscale.data.write import prepare

    for spec in dict.fromkeys(specs):
        if not (isinstance(source(spec), FolderSource) and written(source(spec).name)):
            prepare(spec)
