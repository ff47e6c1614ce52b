"""The index of paper_figures: every artifact with what it shows, its pictures and tables, its verdicts, and what has no record yet."""

from collections.abc import Sequence
from pathlib import Path

from fastscale.home import home
from fastscale.paper.artifacts import Artifact, list_artifacts, load_artifact
from fastscale.paper.claims_table import summary
from fastscale.paper.evidence import Group
from fastscale.paper.paired import trained
from fastscale.paper.paired_tables import amount
from fastscale.paper.verdicts import Verdict
from fastscale.paper.views import views
from fastscale.records import Record

_ORDER = (
    "fig-1",
    "fig-2",
    "fig-3",
    "fig-4",
    "fig-5",
    "fig-6",
    "fig-7",
    "large-networks",
    "zoo-v100",
    "todays-accelerators",
    "imagenette",
    "evidence-cifar10",
    "evidence-imagenet",
)


def index(records: Sequence[Record], found: Sequence[Verdict]) -> str:
    """README.md of paper_figures."""
    artifacts = [load_artifact(name) for name in list_artifacts()]
    figures = sorted(
        (a for a in artifacts if a.kind == "figure"), key=lambda a: (_place(a.name), a.name)
    )
    tables = [a for a in artifacts if a.kind not in ("figure", "comparison")]
    # a copy without records has none to lead to
    kept = home().records.is_dir()
    there = "[records](records)" if kept else "records"
    parts = [
        "# Tables and figures",
        "",
        f"Made by `bash scripts/reproduce_table.sh [ARTIFACT ...]` from the {there} and the",
        "[published references](reference/README.md), and from nothing else. Published points are hollow, ours filled; what has no",
        "record is left out. Every figure is there as SVG, PNG, and as numbers in CSV, Markdown and LaTeX.",
        "",
        f"**[Verdicts](claims.md)**: {summary(found)}",
    ]
    parts += [
        "",
        "**[Interactive report](report.html)**: every record and reference point, to filter and to sort; opens from disk.",
    ]
    parts += ["", "## Figures", ""]
    for artifact in figures:
        parts += _figure(artifact, records, found)
    parts += ["## Tables", "", "| artifact | shows | files |", "|:---|:---|:---|"]
    for artifact in tables:
        files = ", ".join(f"[{Path(output).name}]({output}.md)" for output in artifact.outputs)
        parts.append(f"| `{artifact.name}` {artifact.title} | {artifact.shows.strip()} | {files} |")
    parts += ["", "## Comparisons trained here", ""]
    for artifact in artifacts:
        if artifact.kind == "comparison":
            made = home().found("records", f"{artifact.name}.jsonl").is_file()
            name = f"`{artifact.name}`"
            name = f"[{name}]({artifact.name}/summary.md)" if made else name
            parts += [f"- {name}: {artifact.title}. {artifact.shows.strip()}"]
    return "\n".join(parts).rstrip() + "\n"


def recorded(artifact: Artifact, records: Sequence[Record]) -> str:
    """How many of the planned networks have a training and a timing record, or that none is needed."""
    if artifact.drawing["by"] == "paired":
        return amount(trained(artifact, records))
    plan = artifact.plan("full")
    if plan is None:
        return {"blocks": "Needs no run.", "curves": "A run of ours."}.get(
            artifact.drawing["by"], "Of published numbers alone."
        )
    pictures = views(artifact, records)
    planned = {name.arch_name for name in plan.names()}

    def share(group: Group | None) -> str:
        # a figure also shows networks of its series that it did not plan: they do not count
        known = {p.arch for p in group.points} & planned if group else ()
        return f"{len(known)} of {len(planned)}"

    said = []
    if plan.seeds:
        said.append(f"trained {share(pictures[0].trained)}")
    if plan.timings:
        timed = [v.timed for v in pictures if v.timed]
        said += [f"timed on {group.words} {share(group)}" for group in timed] or [
            f"timed {share(None)}"
        ]
    return f"Records of ours: {'; '.join(said)}."


def _figure(artifact: Artifact, records: Sequence[Record], found: Sequence[Verdict]) -> list[str]:
    folder = Path(artifact.outputs[0]).parent
    names = (
        [view.name for view in views(artifact, records)]
        if artifact.drawing["by"] in ("panels", "runtime")
        else []
    )
    names = names or [Path(output).name for output in artifact.outputs]
    if artifact.drawing["by"] == "paired" and not trained(artifact, records).records:
        names = []  # no picture is drawn of nothing
    own = [v for v in found if v.artifact == artifact.name]
    parts = [
        f"### {artifact.title}",
        "",
        artifact.shows.strip(),
        "",
        recorded(artifact, records),
        "",
    ]
    parts += [
        f"- {v.claim.claim}: **{v.verdict}**" + (f" ({v.ours.where})" if v.ours else "")
        for v in own
    ]
    parts += [""] if own else []
    parts += [
        f'<a href="{folder}/{name}.md"><img src="{folder}/{name}.png" width="420" alt="{artifact.title}"></a>'
        for name in names
    ]
    if not names:
        parts += [f"[Its planned networks]({output}.md)" for output in artifact.outputs]
    return [*parts, ""]


def _place(name: str) -> int:
    return _ORDER.index(name) if name in _ORDER else len(_ORDER)
