"""Markdown pages from the templates in this folder."""

from typing import Any

from fastscale.common import render
from fastscale.paper.tables.table import to_markdown


def page(template: str, **facts: Any) -> str:
    """The Markdown of `<template>.md.j2` with these values; ends in one newline."""
    filters = {"markdown": to_markdown}
    text = render("fastscale.paper", f"{template}.md.j2", filters, "pages", **facts)
    return text.rstrip() + "\n"
