"""`fastscale list runs`: every run of the paper by its name, with counts, what it costs on a device, and the published error."""

from dataclasses import dataclass

from fastscale.archs.names import canonical
from fastscale.common import read_yaml
from fastscale.counts import complexity
from fastscale.data.sizes import SIZES
from fastscale.errors import InputError
from fastscale.home import home
from fastscale.paper.plan import plans
from fastscale.paper.points import paper_points
from fastscale.reproduce.cost import UNKNOWN, cost_of, duration
from fastscale.scaling import arch_named
from fastscale.training.recipe import load_recipe, recipe_names


@dataclass(frozen=True)
class ListedRun:
    """A run by name; `artifacts` that need it in the full tier; the published error in %, of the recipe's file or a `figure`'s point."""

    run: str
    arch: str
    recipe: str
    data: str
    artifacts: tuple[str, ...]
    published_error: float | None
    figure: str = ""


def paper_runs() -> list[ListedRun]:
    """The runs of all full-tier artifacts, and of the networks whose error is published for a recipe on ImageNet; each once, by name."""
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
    for (arch, recipe, data), names in sorted(
        asked.items(), key=lambda pair: (order(pair[0][0]), pair[0][1])
    ):
        error, figure = errors.get(recipe, {}).get(arch), ""
        if error is None and names and arch in plotted:
            error, figure = plotted[arch]
        found.append(ListedRun(f"{arch}.{recipe}", arch, recipe, data, tuple(names), error, figure))
    return found


def plotted_errors() -> dict[str, tuple[float, str]]:
    """Network -> (top-1 error in %, figure) of the paper's own points in Fig. 4 and 6."""
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
    """By base, then flops."""
    return arch.split(".")[0], complexity(arch_named(arch)).flops


def list_runs(pattern: str = "", device: str | None = None, devices: int = 8) -> list[str]:
    """The lines of `fastscale list runs`: only runs whose name holds `pattern`; InputError where none does."""
    runs = [run for run in paper_runs() if pattern in run.run]
    if not runs:
        raise InputError(
            f"no run of the paper has {pattern!r} in its name; `fastscale list runs` shows all"
        )
    width = max(len(run.run) for run in runs)
    head = f"{'run':{width}}{'px':>5}{'flops (multiply-adds)':>24}{'params':>14}{'acts':>14}{'training':>12}{'memory':>11}{'published':>18}"
    lines, sources = [f"{head}  artifacts"], set()
    for run in runs:
        arch, recipe = arch_named(run.arch), load_recipe(run.recipe)
        cx = complexity(arch, num_classes=SIZES.get(run.data, (0, 1000))[1])
        cost = cost_of(arch, recipe, run.data, devices=devices, device=device)
        sources.add(cost.source)
        memory = "" if cost.memory_mib is None else f"{cost.memory_mib / 1024:.1f} GiB"
        error = "" if run.published_error is None else f"{run.published_error:.1f} %"
        error += f" ({run.figure})" if run.figure else ""
        lines.append(
            f"{run.run:{width}}{arch.resolution:>5}{cx.flops:>24,}{cx.params:>14,}{cx.acts:>14,}{duration(cost.seconds):>12}"
            f"{memory:>11}{error:>18}  {', '.join(run.artifacts)}".rstrip()
        )
    costs = "; ".join(sorted(sources - {UNKNOWN}))
    lines.append(
        f"{len(runs)} runs; start one with fastscale fit --run NAME"
        + (f" --trainer.devices {devices}" if devices > 1 else "")
    )
    lines.append(f"training: {costs}, {devices} devices" if costs else f"training time: {UNKNOWN}")
    lines.append(
        "published: top-1 error that the same group published for this network and length of training (its later recipe)"
    )
    if any(run.figure for run in runs):
        lines.append(
            "(Fig. 4), (Fig. 6): the paper's own, read off its plots; how long those networks were trained is not known"
        )
    return lines
