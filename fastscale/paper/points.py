"""What others measured, as points: the paper's own figures, the later tables of the same group, the earlier zoo, timm's benchmarks.

Every point keeps the published counts (flops are multiply-adds) and, where its network is known here, that network's name.
"""

from dataclasses import dataclass

from fastscale.errors import InputError
from fastscale.paper.artifacts import load_artifact
from fastscale.paper.looks import family_of
from fastscale.paper.places import reference
from fastscale.planning.references import point_arch, zoo_name
from fastscale.scaling import parse_run

MEASURES = ("flops", "params", "acts")
PAPER = "arXiv 2103.06877"  # in the source of the paper's own points


@dataclass(frozen=True)
class Measured:
    """One network as somebody measured it. Time in minutes an epoch or, for inference, seconds an image; error in percent."""

    arch: str
    family: str
    strategy: str | None
    flops: float
    params: float
    acts: float | None
    time: float | None = None
    error: float | None = None
    epochs: int | None = None
    spread: float | None = None  # of the time
    error_spread: float | None = None
    runs: int = 1  # behind the error
    source: str = ""
    counted: bool = False  # whether params and acts were computed for the network, not published (flops are read off the axis)


def paper_points(figures: tuple[str, ...]) -> list[Measured]:
    """The points of these figures (`fig2`, `fig4`, `fig6`) or tables (`xiao2021_table2`) of paper_points.csv, in the file's order."""
    known = {
        (n["source"], n["label"]): n["arch"] for n in load_artifact("published-counts").networks
    }
    rows = reference("paper_points")
    there = sorted({name for row in rows for name in row["artifact"].split()})
    for figure in figures:
        if figure not in there:
            raise InputError(
                f"paper_points.csv holds no point of {figure}; there are {', '.join(there)}"
            )
    found = []
    for row in rows:
        which = set(row["artifact"].split()) & set(figures)
        if not which:
            continue
        label = f"{row['family']} {row['target']}"
        arch = (
            run_name(point_arch(row).name)
            if "counts computed" in row["how"]
            else known[row["artifact"], label]
        )
        strategy = {"none": None}.get(row["strategy"], row["strategy"])
        counts = [
            _number(row[key], unit)
            for key, unit in (("flops_b", 1e9), ("params_m", 1e6), ("acts_m", 1e6))
        ]
        epochs = int(row["epochs"]) if row["epochs"] else None
        time, error = _number(row["epoch_time_min"]), _number(row["top1_error"])
        assert counts[0] is not None and counts[1] is not None  # every row has them
        computed = "counts computed" in row["how"]
        known_counts = (counts[0], counts[1], counts[2])
        found.append(
            Measured(
                arch,
                row["family"],
                strategy,
                *known_counts,
                time,
                error,
                epochs,
                source=row["source"],
                counted=computed,
            )
        )
    return found


def run_name(arch: str) -> str:
    """A network's name as its run is called: alpha=2/3 by its weights, because a slash cannot stand in a folder's name."""
    return arch.replace("alpha=2/3", "d1_w4_g4_r1")


def series_of_figure_2(points: list[Measured]) -> list[Measured]:
    """EfficientNet-B0 and what dwr, dw, dWr and w make of it: the four series whose r the paper prints."""
    return [
        p
        for p in points
        if parse_run(p.arch).base == "efficientnet-b0"
        and p.strategy in (None, "dwr", "dw", "dWr", "w")
    ]


def zoo_points() -> list[Measured]:
    """The authors' zoo: training epoch time on 8 V100."""
    found = []
    for row in reference("pycls_zoo"):
        arch = zoo_name(row["model"])
        counts = (float(row["flops"]), float(row["params"]), float(row["acts"]))
        time, error = float(row["epoch_time_min"]), float(row["top1_error"])
        found.append(
            Measured(arch, family_of(arch), None, *counts, time, error, source="pycls model zoo")
        )
    return found


def timm_points(name: str) -> list[Measured]:
    """One of timm's benchmark files: seconds an image, at the batch it was measured with; networks whose counts timm prints."""
    found = []
    for row in with_timm_counts(reference("timm_benchmarks")):
        if (
            row["source"].partition(";")[0] == f"timm results/{name}.csv"
            and row["gmacs"]
            and row["macts"]
        ):
            counts = (
                1e9 * float(row["gmacs"]),
                1e6 * float(row["params_m"]),
                1e6 * float(row["macts"]),
            )
            found.append(
                Measured(
                    row["model"],
                    timm_family(row["model"]),
                    None,
                    *counts,
                    1 / float(row["images_per_s"]),
                    source=row["source"],
                )
            )
    if not found:
        raise InputError(
            f"timm_benchmarks.csv holds no measurement of {name!r}; restore paper_figures/reference"
        )
    return found


def with_timm_counts(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """timm's training files lack flops and acts, which follow from network and resolution: those in its other files serve."""
    counts = {
        (row["model"], row["resolution"]): (row["gmacs"], row["macts"])
        for row in rows
        if row["gmacs"] and row["macts"]
    }
    complete = []
    for row in rows:
        borrowed = counts.get((row["model"], row["resolution"]))
        if borrowed and not row["gmacs"] and not row["macts"]:
            source = f"{row['source']}; flops and acts from timm's inference files"
            row = row | {"gmacs": borrowed[0], "macts": borrowed[1], "source": source}
        complete.append(row)
    return complete


def timm_family(model: str) -> str:
    """The family of a network as timm calls it; what is derived from ResNet (ECA, SE, wide, ...) counts as ResNet or ResNeXt."""
    if "efficientnet" in model:
        return "EfficientNet"
    for prefix, family in (("regnetx", "RegNetX"), ("regnety", "RegNetY"), ("regnetz", "RegNetZ")):
        if prefix in model:
            return family
    return "ResNeXt" if "resnext" in model else "ResNet"


def _number(text: str, unit: float = 1.0) -> float | None:
    return float(text) * unit if text else None
