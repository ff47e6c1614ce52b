"""Shared helpers: atomic writes, bounded reads, safe texts, system calls and ImageNet's constants.

They import nothing of fastscale but `errors`, and never torch.
"""

from fastscale.common.damage import damage
from fastscale.common.html import html_table
from fastscale.common.imagenet import (
    IMAGENET_IMAGES,
    IMAGENET_MEAN,
    IMAGENET_PIXELS,
    IMAGENET_RESIZED,
    IMAGENET_STD,
)
from fastscale.common.reading import (
    MAX_DEPTH,
    MIB,
    check_zip,
    parse_json,
    parse_yaml,
    read_bytes,
    read_json,
    read_text,
    read_yaml,
)
from fastscale.common.system import (
    cores,
    die_with_parent,
    ending_signals,
    leave_signals_to_parent,
)
from fastscale.common.words import (
    did_you_mean,
    duration,
    matching,
    number,
    plain,
    pluralize,
    render,
    say_once,
    shown,
    slug,
    span,
)
from fastscale.common.writing import open_to_append, remove_stale, whole_file, write_whole

__all__ = [
    "IMAGENET_IMAGES",
    "IMAGENET_MEAN",
    "IMAGENET_PIXELS",
    "IMAGENET_RESIZED",
    "IMAGENET_STD",
    "MAX_DEPTH",
    "MIB",
    "check_zip",
    "cores",
    "damage",
    "did_you_mean",
    "die_with_parent",
    "duration",
    "ending_signals",
    "html_table",
    "leave_signals_to_parent",
    "matching",
    "number",
    "open_to_append",
    "parse_json",
    "parse_yaml",
    "plain",
    "pluralize",
    "read_bytes",
    "read_json",
    "read_text",
    "read_yaml",
    "remove_stale",
    "render",
    "say_once",
    "shown",
    "slug",
    "span",
    "whole_file",
    "write_whole",
]
