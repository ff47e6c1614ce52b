"""HTML tables for notebooks, for `_repr_html_`."""

from collections.abc import Iterable, Sequence
from html import escape


def html_table(heads: Sequence[str], rows: Iterable[Sequence[object]], caption: str = "") -> str:
    """A plain table, every cell escaped; whole numbers in groups of three digits.

    >>> html_table(["name", "params"], [("a<b", 1234)])
    '<table><tr><th>name</th><th>params</th></tr><tr>...a&lt;b</td><td>1,234</td></tr></table>'
    """
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    lines = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f"<table>{title}<tr>{head}</tr>{lines}</table>"


def _cell(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"<td>{value:,}</td>"
    if isinstance(value, float):
        return f"<td>{value:g}</td>"
    return f'<td style="text-align:left">{escape(str(value))}</td>'
