"""The Markdown pages, from the templates of this folder."""

from functools import cache
from typing import Any

from fastscale.paper.tables.table import to_markdown


@cache
def _environment() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("fastscale.paper", "pages"),
        autoescape=False,  # Markdown
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["markdown"] = to_markdown
    return made


def page(template: str, **facts: Any) -> str:
    """The Markdown of `<template>.md.j2` with these facts; ends in one newline."""
    return _environment().get_template(f"{template}.md.j2").render(**facts).rstrip() + "\n"
