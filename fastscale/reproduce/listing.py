"""`fastscale list runs`: the runs of tables and figures with counts, cost and published error."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastscale.archs.names import canonical
from fastscale.common import duration, read_yaml
from fastscale.counts import complexity
from fastscale.data.sizes import SIZES
from fastscale.home import home
from fastscale.paper.plan import plans
from fastscale.paper.points import paper_points
from fastscale.reproduce.cost import UNKNOWN, cost_of
from fastscale.scaling import arch_named
from fastscale.training.recipe import load_recipe, recipe_names

DEVICE = "h100"  # default; its law is shipped


@dataclass(frozen=True)
class ListedRun:
    """A run, the artifacts that need it in the full tier, and its published error in %.

    The error is from the recipe's file, or from a point of `figure`.
    """

    run: str
    arch: str
    recipe: str
    data: str
    artifacts: tuple[str, ...]
    published_error: float | None
    figure: str = ""


def listed_runs() -> list[ListedRun]:
    """All full-tier artifacts' runs, and those with a published error on ImageNet, each once."""
    asked: dict[tuple[str, str, str], list[str]] = {}
    for name, plan in plans("full").items():
        for spec in plan.runs():
            names = asked.setdefault((spec.arch, spec.recipe, spec.data), [])
            names += [] if name in names else [name]
    errors = {recipe: expected(recipe) for recipe in recipe_names()}
    for recipe, networks in errors.items():
        if load_recipe(recipe).data == "imagenet":
            for arch in networks:
                asked.setdefault((arch, recipe, "imagenet"), [])
    plotted = plotted_errors()
    found = []
    by_size = sorted(asked.items(), key=lambda pair: (order(pair[0][0]), pair[0][1]))
    for (arch, recipe, data), names in by_size:
        error, figure = errors.get(recipe, {}).get(arch), ""
        if error is None and names and arch in plotted:
            error, figure = plotted[arch]
        found.append(ListedRun(f"{arch}.{recipe}", arch, recipe, data, tuple(names), error, figure))
    return found


def plotted_errors() -> dict[str, tuple[float, str]]:
    """Network -> (top-1 error in %, figure), from the points in the paper's Fig. 4 and 6."""
    points = [(p, figure) for figure in ("6", "4") for p in paper_points((f"fig{figure}",))]
    return {
        p.arch: (p.error, f"Fig. {figure}")
        for p, figure in points
        if p.arch and p.error is not None
    }


def expected(recipe: str) -> dict[str, float]:
    """Network -> published top-1 error in %, from the recipe's file."""
    content = read_yaml(home().recipes / f"{recipe}.yaml")
    networks = (content.get("expected") or {}).get("networks") or {}
    return {
        canonical(arch): float(values["top1_error"])
        for arch, values in networks.items()
        if "top1_error" in values
    }


def order(arch: str) -> tuple[str, int]:
    """A sort key: base, then flops."""
    return arch.split(".")[0], complexity(arch_named(arch)).flops


def rows_of(
    runs: Sequence[ListedRun], device: str | None = None, devices: int = 8
) -> tuple[list[dict[str, Any]], set[str]]:
    """(a row for each run, the sources of their training times on `device`, default: h100)."""
    rows, sources = [], set()
    for run in runs:
        arch, recipe = arch_named(run.arch), load_recipe(run.recipe)
        cx = complexity(arch, num_classes=SIZES.get(run.data, (0, 1000))[1])
        cost = cost_of(arch, recipe, run.data, devices=devices, device=device or DEVICE)
        sources.add(cost.source)
        rows.append(
            {
                "run": run.run,
                "resolution": arch.resolution,
                **vars(cx),
                "training_s": cost.seconds,
                "memory_mib": cost.memory_mib,
                "published_error": run.published_error,
                "figure": run.figure or None,
                "artifacts": list(run.artifacts),
            }
        )
    return rows, sources


def lines_of(runs: Sequence[ListedRun], device: str | None = None, devices: int = 8) -> list[str]:
    """The lines of `fastscale list runs`; the arguments are those of `rows_of`."""
    if not runs:
        return []
    rows, sources = rows_of(runs, device, devices)
    width = max(len(row["run"]) for row in rows)
    lines = [
        f"{'run':{width}}{'px':>5}{'flops (multiply-adds)':>24}{'params':>14}"
        f"{'acts':>14}{'training':>12}{'memory':>11}{'published':>18}  artifacts"
    ]
    for r in rows:
        memory = "" if r["memory_mib"] is None else f"{r['memory_mib'] / 1024:.1f} GiB"
        error = "" if r["published_error"] is None else f"{r['published_error']:.1f} %"
        error += f" ({r['figure']})" if r["figure"] else ""
        lines.append(
            f"{r['run']:{width}}{r['resolution']:>5}{r['flops']:>24,}{r['params']:>14,}"
            f"{r['acts']:>14,}{duration(r['training_s']):>12}{memory:>11}{error:>18}  "
            f"{', '.join(r['artifacts'])}".rstrip()
        )
    costs = "; ".join(sorted(sources - {UNKNOWN}))
    lines.append(
        f"{len(rows)} runs; start one with fastscale fit --run NAME"
        + (f" --trainer.devices {devices}" if devices > 1 else "")
    )
    lines.append(f"training: {costs}, {devices} devices" if costs else f"training time: {UNKNOWN}")
    lines.append(
        "published: top-1 error that the same group published for this network and length of "
        "training (its later recipe)"
    )
    if any(row["figure"] for row in rows):
        lines.append(
            "(Fig. 4), (Fig. 6): digitised from the paper's plots; how long those networks were "
            "trained is unknown"
        )
    return lines
