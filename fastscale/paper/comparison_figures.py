"""The figures of a comparison: error against flops (as Fig. 4 and 6), epoch time against flops, params and acts (as Fig. 2)."""

from dataclasses import replace
from pathlib import Path

from fastscale.paper.comparison import Comparison, deviation, least_squares, mean
from fastscale.paper.comparison_tables import MEASURES, correlation, counted, timed_kind, where
from fastscale.paper.figures import Panel, Point, draw

CPU_CAUTION = "Measured on a CPU: neither for nor against the paper's claim, which is about memory-bound accelerators."
_AXES = {
    "flops": ("flops (multiply-adds), M", 1e6),
    "params": ("params, K", 1e3),
    "acts": ("acts, K", 1e3),
}


def error_figure(comparison: Comparison, folder: Path) -> list[Path]:
    """error-vs-flops: a point a network, one standard deviation where there is more than one run."""
    points = []
    for n in comparison.networks:
        y = mean(n.errors)
        if y is not None:
            points.append(
                Point(
                    n.strategy,
                    n.counts.flops / 1e6,
                    y,
                    deviation(n.errors),
                    f"{n.strategy or 'base'}  {y:.2f}",
                )
            )
    if not points:
        return []
    runs = {len(n.errors) for n in comparison.networks if n.errors}
    heading = (
        "single runs" if runs == {1} else f"mean ± one standard deviation of {counted(runs)} runs"
    )
    panel = Panel(
        "flops (multiply-adds), M, log scale",
        "top-1 error, %",
        points,
        heading,
        log_x=True,
        zero_y=False,
        column=True,
    )
    return draw(
        [panel], "Error against flops", where(comparison, "train"), folder, "error-vs-flops"
    )


def time_figures(comparison: Comparison, paper: dict[str, float], folder: Path) -> list[Path]:
    """epoch-time-vs-flops, -params, -acts, and the three side by side."""
    panels = {measure: time_panel(comparison, measure, paper[measure]) for measure in MEASURES}
    if len(panels["flops"].points) < 2:
        return []
    paths = []
    caution, said = (
        CPU_CAUTION if comparison.on_cpu else "",
        where(comparison, timed_kind(comparison)),
    )
    for measure, panel in panels.items():
        paths += draw(
            [panel],
            f"Epoch time against {measure}",
            said,
            folder,
            f"epoch-time-vs-{measure}",
            caution,
        )
    side_by_side = [
        replace(panel, ylabel=panel.ylabel if i == 0 else "")
        for i, panel in enumerate(panels.values())
    ]
    return paths + draw(
        side_by_side,
        "Epoch time against flops, params and acts",
        said,
        folder,
        "epoch-time-vs-all",
        caution,
    )


def time_panel(comparison: Comparison, measure: str, paper: float) -> Panel:
    """Epoch time (s) against one measure, both axes from zero, with r and the least-squares line that r is about."""
    xlabel, unit = _AXES[measure]
    points = []
    for n in comparison.networks:
        time, spread = comparison.epoch_time(n)
        if time is not None:
            points.append(
                Point(
                    n.strategy,
                    getattr(n.counts, measure) / unit,
                    time,
                    spread,
                    n.strategy or "base",
                )
            )
    r, count = correlation(comparison, measure)
    heading = (
        f"r = {r:.2f}" if r is not None else "r: too few networks"
    ) + f", n = {count}   (paper, Fig. 2: {paper:.2f})"
    ylabel = (
        "epoch time, s (step x steps)" if comparison.timed_by_step else "epoch time, s (wall clock)"
    )
    line = least_squares([p.x for p in points], [p.y for p in points]) if r is not None else None
    return Panel(xlabel, ylabel, points, heading, line=line)
