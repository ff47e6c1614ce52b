"""The page: points, records and references as JSON in one HTML file with style and scripts.

The same inputs give the same bytes. A content security policy allows only the file's own style and
script, by their hashes, so a name in a record can neither load nor run anything. The page inserts
every text as text.
"""

import base64
import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastscale.common import write_whole
from fastscale.home import home
from fastscale.paper.report.look import FAMILIES, STRATEGIES, styles
from fastscale.paper.report.ours import record_points
from fastscale.paper.report.point import MEASURES, Point
from fastscale.paper.report.references import PAPER, XIAO, ZOO, Reference, references
from fastscale.records import Record
from fastscale.records.committed import committed, each_once, local

SCRIPTS = ("data.js", "view.js", "marks.js", "plot.js", "table.js", "main.js")
# text columns of a point; each distinct text is written once
TEXTS = ("family", "strategy", "data", "device", "mode", "source", "setting", "at")
COLOURINGS = ("strategy", "family", "device", "source")
FACTS = ("id", "network", "written", "provenance", "members", "n")
# A view shows one machine and setting: of those whose text has all words of `at`, the one with most
# points.
_H100 = {"y": "time_per_image", "at": ("NVIDIA H100", "training", "device time")}
_TODAY = {"y": "time_per_image", "at": ("RTX 4090,", "inference", "torch 2.9.1, eager")}
# EfficientNet-B0's four series of Fig. 2
_CLAIM = {
    "y": "epoch_time",
    "at": ("8 GPUs (the paper)",),
    "family": ["EfficientNet"],
    "strategy": ["base", "w", "dw", "dwr", "dWr"],
    "xs": "linear",
    "ys": "linear",
}
# the page opens on the first
VIEWS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("H100: device time follows acts", {"x": "acts", **_H100}),
    ("… flops less", {"x": "flops", **_H100}),
    ("The paper, 8 V100: time follows acts", {"x": "acts", **_CLAIM}),
    ("… not flops", {"x": "flops", **_CLAIM}),
    (
        "The authors' zoo, 8 V100",
        {"x": "acts", "y": "epoch_time", "at": ("8 V100", "fp32", ZOO), "colour": "family"},
    ),
    ("RTX 4090, inference", {"x": "acts", **_TODAY, "colour": "family"}),
    (
        "A CPU, for contrast",
        {"x": "flops", "y": "time_per_image", "at": ("i7-12700H",), "colour": "family"},
    ),
    (
        "Error against flops",
        {"x": "flops", "y": "error", "source": [PAPER, XIAO, ZOO], "colour": "family"},
    ),
    (
        "All machines",
        {"x": "acts", "y": "time_per_image", "colour": "device"},
    ),
)


def report_page(runs_dir: Path | None = None) -> str:
    """The page from committed records, references and, if given, the records of `runs_dir`."""
    own = local(runs_dir) if runs_dir else []
    records = each_once([*committed(), *own])
    found = references()
    points = record_points(records) + [point for reference in found for point in reference.points]
    views = [[label, _view(wanted, points)] for label, wanted in VIEWS]
    return _page(_data(points, _own_view(own, points) + views), _facts(records, found))


def write_report(out: Path | None = None, runs_dir: Path | None = None) -> Path:
    """Writes report.html and returns its path (default: in `runs_dir`, else paper_figures/)."""
    if out is None:
        out = runs_dir / "report.html" if runs_dir else home().figures / "report.html"
    page = report_page(runs_dir)  # first: an error must not leave an empty folder behind
    out.parent.mkdir(parents=True, exist_ok=True)
    return write_whole(out, page)


def _page(data: str, facts: str) -> str:
    parts = {
        name: Path(__file__).with_name(name).read_text(encoding="utf-8")
        for name in ("page.html", "style.css", *SCRIPTS)
    }
    style_text = "\n" + parts["style.css"]
    script = '\n"use strict";\n' + "\n".join(parts[name] for name in SCRIPTS)
    allowed = f"style-src {_hash(style_text)}; script-src {_hash(script)}"
    policy = f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'"
    texts = {
        "POLICY": policy,
        "STYLE": style_text,
        "DATA": data,
        "FACTS": facts,
        "SCRIPT": script,
    }
    # in one pass, so that inserted text is not searched for placeholders
    return re.sub("@@([A-Z]+)@@", lambda found: texts[found[1]], parts["page.html"])


def _data(points: Sequence[Point], views: Sequence[Any]) -> str:
    """JSON with one entry per line; < is escaped, so that no text can end the script element."""
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
            name: [style._asdict() for style in styles(name, lookups[name])] for name in COLOURINGS
        },
        "views": views,
        "texts": lookups,
        "columns": [*FACTS, *TEXTS, "cpu", "ours", "values", "spreads"],
    }
    lines = [f'"{name}":{_json(value)}' for name, value in top.items()]
    lines.append('"points":[\n' + ",\n".join(_json(row) for row in rows) + "\n]")
    return "{\n" + ",\n".join(lines) + "\n}"


def _facts(records: Sequence[Record], found: Sequence[Reference]) -> str:
    """The records and reference rows behind the points, which the page reads when one is opened."""
    lines = [
        '"records":{\n'
        + ",\n".join(f'"record-{r.id}":{_escape(r.to_json())}' for r in records)
        + "\n}",
        '"references":{\n' + ",\n".join(f'"{r.name}":{_compact(r.rows)}' for r in found) + "\n}",
    ]
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
    """A view's pairs for the address; `at` names the setting of most points whose text has all of
    its words, and is left out where there is none."""
    pairs = []
    for name, value in wanted.items():
        if name == "at":
            named = Counter(p.at for p in points if all(word in p.at for word in value))
            pairs += [[name, text] for text, _ in named.most_common(1)]
        else:
            pairs += [[name, text] for text in (value if isinstance(value, list) else [value])]
    return pairs


def _own_view(own: Sequence[Record], points: Sequence[Point]) -> list[Any]:
    """The view of `runs_dir`'s records, on the machine and setting with most of them."""
    ids = {f"record-{record.id}" for record in own}
    theirs = [point for point in points if ids & set(point.members)]
    if not theirs:
        return []
    errors = [point for point in theirs if "error" in point.values]
    ((at, _),) = Counter(point.at for point in errors or theirs).most_common(1)
    axes = {"x": "flops", "y": "error"} if errors else {"x": "acts", "y": "time_per_image"}
    return [["Your runs", [*map(list, axes.items()), ["at", at]]]]


def _compact(rows: Sequence[dict[str, str]]) -> str:
    """A table by column; a column of few distinct texts holds each once, and an index per row."""
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
    """Rounds to seven digits, more than any measurement has; counts to whole numbers."""
    return value if value is None else round(value) if whole else float(f"{value:.7g}")


def _json(value: Any) -> str:
    return _escape(json.dumps(value, separators=(",", ":"), ensure_ascii=True, allow_nan=False))


def _escape(text: str) -> str:
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
