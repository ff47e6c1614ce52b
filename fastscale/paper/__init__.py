"""Every table and figure of the paper as a declared artifact: which runs it needs, how it is drawn from records, the reference beside ours.

Knows nothing of how runs are made. matplotlib loads only when something is drawn.
"""

from fastscale.paper.artifacts import Artifact, RunSpec, list_artifacts, load_artifact
from fastscale.paper.build import draw_artifact, snapshot
from fastscale.paper.selection import select
from fastscale.paper.smoke import regenerate, smoke
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
    "smoke",
    "snapshot",
]
