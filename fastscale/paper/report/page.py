"""The page itself: points, records and references as JSON inside one HTML file, with its style and scripts. Same inputs, same bytes.

Nothing in the file is fetched: a content security policy allows its own style and script by their hashes and refuses everything else, so a
name in a record can neither load nor run anything. The page writes every text as text.
"""

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastscale.common import write_whole
from fastscale.home import home
from fastscale.paper.report.look import FAMILIES, STRATEGIES, looks
from fastscale.paper.report.ours import SOURCE, record_points
from fastscale.paper.report.point import MEASURES, Point
from fastscale.paper.report.references import PAPER, TIMM, XIAO, ZOO, Reference, references
from fastscale.records import Record
from fastscale.records.committed import committed, each_once, local

SCRIPTS = ("data.js", "view.js", "marks.js", "plot.js", "table.js", "main.js")
# text columns of a point: each distinct text is written once
TEXTS = ("family", "strategy", "data", "device", "mode", "source", "setting")
COLOURINGS = ("strategy", "family", "device", "source")
FACTS = ("id", "network", "written", "provenance", "members", "n")
# EfficientNet-B0's four series of Fig. 2
_CLAIM = {
    "y": "epoch_time",
    "source": [PAPER],
    "family": ["EfficientNet"],
    "strategy": ["base", "w", "dw", "dwr", "dWr"],
    "xs": "linear",
    "ys": "linear",
}
VIEWS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("All epoch times", {}),
    ("The claim: time follows acts", {"x": "acts", **_CLAIM}),
    ("… not flops", {"x": "flops", **_CLAIM}),
    (
        "The authors' zoo, 8 V100",
        {"x": "acts", "y": "epoch_time", "source": [ZOO], "mode": ["training"], "colour": "family"},
    ),
    (
        "Today's GPUs, inference",
        {
            "x": "acts",
            "y": "time_per_image",
            "source": [TIMM],
            "gpu": ["inference"],
            "colour": "device",
        },
    ),
    (
        "CPUs, for contrast",
        {
            "x": "flops",
            "y": "time_per_image",
            "source": [TIMM],
            "cpu": ["inference"],
            "colour": "device",
        },
    ),
    (
        "Error against flops",
        {"x": "flops", "y": "error", "source": [PAPER, XIAO, ZOO], "colour": "family"},
    ),
    ("Ours", {"x": "acts", "y": "epoch_time", "source": [SOURCE]}),
)


def report_page(runs_dir: Path | None = None) -> str:
    """The whole page from committed records, references and, if given, the records of a folder of runs."""
    records = each_once([*committed(), *(local(runs_dir) if runs_dir else [])])
    found = references()
    points = record_points(records) + [point for reference in found for point in reference.points]
    return _page(_data(points, records, found))


def write_report(out: Path | None = None, runs_dir: Path | None = None) -> Path:
    """Writes the page and returns where: report.html in the folder of runs, or in paper_figures/."""
    if out is None:
        out = runs_dir / "report.html" if runs_dir else home().figures / "report.html"
    page = report_page(runs_dir)  # before a folder is made: what cannot be read leaves none behind
    out.parent.mkdir(parents=True, exist_ok=True)
    return write_whole(out, page)


def _page(data: str) -> str:
    parts = {
        name: Path(__file__).with_name(name).read_text(encoding="utf-8")
        for name in ("page.html", "style.css", *SCRIPTS)
    }
    style_text = "\n" + parts["style.css"]
    script = '\n"use strict";\n' + "\n".join(parts[name] for name in SCRIPTS)
    allowed = f"style-src {_hash(style_text)}; script-src {_hash(script)}"
    policy = f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'"
    texts = {"POLICY": policy, "STYLE": style_text, "DATA": data, "SCRIPT": script}
    # in one pass: a text put in is not searched for the next place
    return re.sub("@@([A-Z]+)@@", lambda found: texts[found[1]], parts["page.html"])


def _data(points: Sequence[Point], records: Sequence[Record], found: Sequence[Reference]) -> str:
    """JSON, an entry a line, that no text in it can end: every < is written as its escape."""
    lookups = {
        name: list(dict.fromkeys(getattr(point, name) for point in points)) for name in TEXTS
    }
    for name, order in (("strategy", STRATEGIES), ("family", FAMILIES)):
        lookups[name] = [text for text in order if text in lookups[name]] + [
            text for text in lookups[name] if text not in order
        ]
    index = {name: {text: i for i, text in enumerate(texts)} for name, texts in lookups.items()}
    rows = [_row(point, index) for point in points]
    top: dict[str, Any] = {
        "measures": [vars(measure) for measure in MEASURES],
        "looks": {
            name: [look._asdict() for look in looks(name, lookups[name])] for name in COLOURINGS
        },
        "views": [[label, _view(wanted, points)] for label, wanted in VIEWS],
        "texts": lookups,
        "columns": [*FACTS, *TEXTS, "cpu", "ours", "values", "spreads"],
    }
    lines = [f'"{name}":{_json(value)}' for name, value in top.items()]
    lines.append('"points":[\n' + ",\n".join(_json(row) for row in rows) + "\n]")
    lines.append(
        '"records":{\n'
        + ",\n".join(f'"record-{r.id}":{_escape(r.to_json())}' for r in records)
        + "\n}"
    )
    lines.append(
        '"references":{\n' + ",\n".join(f'"{r.name}":{_compact(r.rows)}' for r in found) + "\n}"
    )
    return "{\n" + ",\n".join(lines) + "\n}"


def _row(point: Point, index: dict[str, dict[str, int]]) -> list:
    facts: list[Any] = [
        point.id,
        point.network,
        point.written,
        point.provenance,
        list(point.members),
        point.n,
    ]
    texts = [index[name][getattr(point, name)] for name in TEXTS]
    values = [
        _number(point.values[m.key].value, m.counted) if m.key in point.values else None
        for m in MEASURES
    ]
    spreads = {
        m.key: _number(v.spread)
        for m in MEASURES
        if (v := point.values.get(m.key)) and v.spread is not None
    }
    return [*facts, *texts, int(point.cpu), int(point.ours), values, spreads]


def _view(wanted: dict[str, Any], points: Sequence[Point]) -> list[list[str]]:
    """A view's pairs for the address; a `gpu` or `cpu` view names the devices there are."""
    pairs = []
    for name, value in wanted.items():
        if name in ("gpu", "cpu"):
            shown = [
                p
                for p in points
                if p.cpu == (name == "cpu") and p.source in wanted["source"] and p.mode in value
            ]
            devices = dict.fromkeys(p.device for p in shown)
            pairs += [["mode", mode] for mode in value] + [["device", device] for device in devices]
        else:
            pairs += [[name, text] for text in (value if isinstance(value, list) else [value])]
    return pairs


def _compact(rows: Sequence[dict[str, str]]) -> str:
    """A table of texts by column; a column of few distinct texts holds each once and an index a row."""
    columns = {}
    for name in rows[0] if rows else ():
        texts = [row[name] for row in rows]
        distinct = list(dict.fromkeys(texts))
        few = len(distinct) < len(texts) / 2
        columns[name] = (
            {"texts": distinct, "rows": [distinct.index(text) for text in texts]}
            if few
            else {"texts": texts}
        )
    return _json(columns)


def _number(value: float | None, whole: bool = False) -> float | int | None:
    """Seven digits are more than anything here was measured to; counts are whole."""
    return value if value is None else round(value) if whole else float(f"{value:.7g}")


def _json(value: Any) -> str:
    return _escape(json.dumps(value, separators=(",", ":"), ensure_ascii=True, allow_nan=False))


def _escape(text: str) -> str:
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
