"""Fig. 2, and the same for the authors' zoo: epoch time against flops, params and acts, with r.

    drawing:
      by: runtime
      points: fig2 | zoo
      acts_range_m: 140     end of the acts axis in millions (default: none); points beyond it are
                            not counted
      log: false            true: logarithmic axes, and r of the logarithms beside the plain one

The paper's r is the linear correlation of epoch time with the count, over all series of a panel.
Its plots hold more points than could be read off, because small networks may hide each other. So r
of the known points differs a little from the printed r; each panel shows both.
"""

import math
from collections.abc import Sequence
from typing import Literal

from fastscale.paper.artifacts import Artifact, Drawing, Figure, drawing, options
from fastscale.paper.chart import Chart, Fit, Mark, Page, Picture
from fastscale.paper.declare import Positive
from fastscale.paper.figure_text import caption, points_table, recorded, statements
from fastscale.paper.figures.panels import AXES, subtitle, title
from fastscale.paper.points import paper_points, zoo_points
from fastscale.paper.pools import Pool, pools_of_figure_2, zoo_pools
from fastscale.paper.stats import least_squares
from fastscale.paper.style import family_style, strategy_style
from fastscale.paper.views import View, views
from fastscale.records import Record
from fastscale.records.frame import Row
from fastscale.references import reference


def published_pools(artifact: Artifact) -> dict[str, Pool]:
    """The pools of published points: the paper's, or the zoo's."""
    if options(artifact, Runtime).points == "zoo":
        return zoo_pools(zoo_points())
    return pools_of_figure_2(paper_points(("fig2", "fig4", "fig6")), _range(artifact))


def our_pools(artifact: Artifact, points: Sequence[Row]) -> dict[str, Pool]:
    """The pools of our points on one device."""
    return (
        zoo_pools(points)
        if options(artifact, Runtime).points == "zoo"
        else pools_of_figure_2(points, _range(artifact))
    )


def printed(artifact: Artifact) -> dict[str, float]:
    """The r that the paper prints for each panel; empty for the zoo, which it does not show."""
    if options(artifact, Runtime).points == "zoo":
        return {}
    found = {}
    for row in reference("correlations"):
        families = "pooled" in row["networks"] and "RegNetY" in row["networks"]
        found["families" if families else row["measure"]] = float(row["pearson_r"])
    return found


class Runtime(Drawing):
    points: Literal["fig2", "zoo"]
    acts_range_m: Positive | None = None
    log: bool = False

    def names(self, artifact: Figure, records: Sequence[Record]) -> list[str]:
        return [view.name for view in views(artifact, records)]

    def recorded(self, artifact: Figure, records: Sequence[Record]) -> str:
        return recorded(artifact, views(artifact, records))


@drawing("runtime", spec=Runtime)
def draw_runtime(artifact: Figure, spec: Runtime, records: Sequence[Record]) -> list[Page]:
    """The figure of published points, and a variant for each device that timed our networks."""
    pages = []
    pools, paper = published_pools(artifact), printed(artifact)
    for view in views(artifact, records):
        if view.foreign:
            continue  # this figure shows no error
        own = our_pools(artifact, view.timed.points) if view.timed else pools
        charts = [
            chart
            for name in pools
            if (chart := runtime_chart(own, name, view, pools, paper, spec.log))
        ]
        picture = Picture(
            title(artifact, view),
            [*subtitle(view, charts, errors=False), *stand_in_note(own, spec.log)],
            charts,
            2 if len(charts) % 2 == 0 else 3,
            alt=artifact.title,
        )
        shown = View(view.name, _all(pools), view.planned, None, view.timed)
        pages.append(
            Page(
                view.name,
                artifact.title + (f": times on one {view.timed.device}" if view.timed else ""),
                artifact.shows,
                statements(shown),
                {view.name: picture} if charts else {},
                [
                    caption(shown, [], errors=False),
                    "\n".join(r_lines(own, view, pools, paper, spec.log)),
                ],
                [points_table(artifact, shown, errors=False)],
            )
        )
    return pages


def runtime_chart(
    own: dict[str, Pool],
    name: str,
    view: View,
    published: dict[str, Pool],
    paper: dict[str, float],
    log: bool,
) -> Chart | None:
    """One panel with the published points and ours; None without points."""
    pool, families = own[name], name == "families"
    if not pool.inside:
        return None
    xlabel, unit = AXES[pool.measure]
    marks, fits = [], []
    for p in [*(published[name].inside if view.timed else ()), *pool.inside]:
        assert p.time is not None
        style = (
            family_style(p.family, p.strategy, by_strategy=False)
            if families or log
            else strategy_style(p.strategy)
        )
        ours = p.source == "ours"
        place = style, getattr(p, pool.measure) / unit, p.time
        marks.append(Mark(*place, p.spread if ours else None, ours, p.clock == "stand-in"))
    parts = [
        Pool(pool.measure, tuple(p for p in pool.inside if p.family == f))
        for f in dict.fromkeys(p.family for p in pool.inside)
    ]
    for part in parts if families else [pool]:
        if part.r(log) is not None:
            colour = family_style(part.points[0].family).colour if families else None
            fits.append(_fit(part, unit, log, colour))
    right = pool.right / unit if pool.right is not None else None
    ylabel = AXES["time"][0] + ("" if view.timed else " (8 V100)")
    return Chart(
        xlabel,
        ylabel,
        marks,
        heading(own, name, view, published, paper, log),
        log,
        log,
        fits=tuple(fits),
        right=right,
    )


def heading(
    own: dict[str, Pool],
    name: str,
    view: View,
    published: dict[str, Pool],
    paper: dict[str, float],
    log: bool,
) -> str:
    """A panel's heading: `r = 0.78, n = 56 (printed: 0.81)`."""
    pool = own[name]
    text = (
        _WHO.get(name, "") * (not log)
        + f"r = {_shown(pool.r())}"
        + (f", of logs {_shown(pool.r(True))}" if log else "")
        + f", n = {len(pool.inside)}"
    )
    if view.timed:
        return text + f" (8 V100: {_shown(paper.get(name, published[name].r()))})"
    return text + (f" (printed: {paper[name]:.2f})" if name in paper else "")


def r_lines(
    own: dict[str, Pool], view: View, published: dict[str, Pool], paper: dict[str, float], log: bool
) -> list[str]:
    """One line per panel for the caption, with r of each family."""
    lines = []
    for name, pool in own.items():
        text = f"- epoch time against {pool.measure}: " + heading(
            own, name, view, published, paper, log
        )
        if name == "families":
            each = [
                (f, Pool(pool.measure, tuple(p for p in pool.inside if p.family == f)))
                for f in dict.fromkeys(p.family for p in pool.inside)
            ]
            text += "; " + ", ".join(
                f"{f} {_shown(part.r())} (n = {len(part.inside)})" for f, part in each
            )
        if without := _without(pool, log):
            text += f"; {without}"
        if pool.right is not None and len(pool.inside) < len(pool.points):
            beyond = len(pool.points) - len(pool.inside)
            text += (
                f"; {beyond} points beyond the axis ({pool.right / 1e6:g} M acts) are neither "
                "drawn nor counted"
            )
        lines.append(text)
    return lines


def stand_in_note(own: dict[str, Pool], log: bool) -> list[str]:
    """One sentence with the r of each panel without stand-ins; empty if there are none."""
    found = {name: text for name, pool in own.items() if (text := _without(pool, log))}
    panels = "; ".join(f"{name}: {text}" for name, text in found.items())
    return [f"Eager time stands in if no graph was captured. {panels}."] if found else []


def _without(pool: Pool, log: bool) -> str:
    """`without 5 stand-ins r = 0.99`, or "" if there are none."""
    own = pool.without.inside
    count = len(pool.inside) - len(own)
    s = "s" * (count != 1)
    return f"without {count} stand-in{s} r = {_shown(pool.without.r(log))}" if count else ""


_WHO = {
    "families": "three families, ",
    "flops": "EfficientNet-B0, ",
    "params": "EfficientNet-B0, ",
    "acts": "EfficientNet-B0, ",
}


def _fit(pool: Pool, unit: float, log: bool, colour: str | None) -> Fit:
    xs = [getattr(p, pool.measure) / unit for p in pool.inside]
    ys = pool.values()[1]
    slope, intercept = (
        least_squares([math.log(x) for x in xs], [math.log(y) for y in ys])
        if log
        else least_squares(xs, ys)
    )
    fit = Fit(slope, intercept, min(xs), max(xs), power=log)
    return fit if colour is None else Fit(slope, intercept, min(xs), max(xs), colour, log)


def _range(artifact: Artifact) -> float | None:
    end = options(artifact, Runtime).acts_range_m
    return None if end is None else 1e6 * end


def _all(pools: dict[str, Pool]) -> tuple[Row, ...]:
    return tuple({p.arch: p for pool in pools.values() for p in pool.points}.values())


def _shown(r: float | None) -> str:
    return "too few networks" if r is None else f"{r:.2f}"
