"""Every table and figure of the paper as a declared artifact, drawn from records and references.

This package does not know how runs are made. A name loads its module when it is first used, and
matplotlib loads only when something is drawn.
"""

from typing import TYPE_CHECKING

from fastscale.lazy import lazy

if TYPE_CHECKING:
    from fastscale.paper.artifacts import Artifact, load_artifact
    from fastscale.paper.build import draw_artifact, snapshot
    from fastscale.paper.plan import RunSpec, list_artifacts
    from fastscale.paper.selection import select
    from fastscale.paper.smoke import regenerate
    from fastscale.paper.tables.table import Table, render_terminal

__all__ = [
    "Artifact",
    "RunSpec",
    "Table",
    "draw_artifact",
    "list_artifacts",
    "load_artifact",
    "regenerate",
    "render_terminal",
    "select",
    "snapshot",
]

_HOMES = {
    "artifacts": ("Artifact", "load_artifact"),
    "plan": ("RunSpec", "list_artifacts"),
    "build": ("draw_artifact", "snapshot"),
    "selection": ("select",),
    "smoke": ("regenerate",),  # not `smoke` itself, which is the module's name
    "tables.table": ("Table", "render_terminal"),
}
__getattr__ = lazy(__name__, _HOMES)
