"""FFCV's JPEG decoder; its import is made cheap and free of side effects."""

from __future__ import annotations

import importlib
import sys

import torch


def import_ffcv() -> None:
    """Import FFCV without what its import does beside: it compiles a two-entry numba dictionary (3 of its 4 seconds), starts numba's
    threads (a later fork then prints warnings) and sets torch to one thread."""
    import numba
    import numba.typed

    kept = torch.get_num_threads(), numba.typed.Dict, numba.set_num_threads
    numba.typed.Dict, numba.set_num_threads = dict, lambda n: None
    try:
        importlib.import_module("ffcv.fields.rgb_image")
        sys.modules["ffcv.pipeline.compiler"].set_num_threads = kept[2]  # type: ignore[attr-defined]
    finally:
        numba.typed.Dict, numba.set_num_threads = kept[1:]
        torch.set_num_threads(kept[0])


import_ffcv()

from ffcv.libffcv import ctypes_imdecode  # noqa: E402


def decode_jpeg(address: int, size: int, height: int, width: int, out: int) -> int:
    """FFCV's decoder: the `size` bytes of a JPEG file at an address to all its pixels, (height,
    width, 3) uint8 RGB, at the address `out`. 0 where the file is whole."""
    code: int = ctypes_imdecode(
        address, size, height, width, out, height, width, 0, 0, 1, 1, False, False
    )
    return code
