"""FFCV's JPEG decoder, imported cheaply and without side effects."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import torch


def import_ffcv() -> None:
    """Import FFCV without its side effects.

    Its import compiles a two-entry numba dictionary (3 of its 4 seconds), starts numba's threads
    (a later fork then prints warnings) and sets torch to one thread.
    """
    import numba
    import numba.typed

    kept = torch.get_num_threads(), numba.typed.Dict, numba.set_num_threads
    numba.typed.Dict, numba.set_num_threads = dict, lambda n: None
    try:
        importlib.import_module("ffcv.fields.rgb_image")
        compiler: Any = sys.modules["ffcv.pipeline.compiler"]
        compiler.set_num_threads = kept[2]
    finally:
        numba.typed.Dict, numba.set_num_threads = kept[1:]
        torch.set_num_threads(kept[0])


import_ffcv()

from ffcv.libffcv import ctypes_imdecode  # noqa: E402


def decode_jpeg(address: int, size: int, height: int, width: int, out: int) -> int:
    """Decode the `size` bytes of a JPEG file at `address`. Returns 0 if the file is complete.

    `out`: the address for all its pixels, (height, width, 3) uint8 RGB.
    """
    code: int = ctypes_imdecode(
        address, size, height, width, out, height, width, 0, 0, 1, 1, False, False
    )
    return code
