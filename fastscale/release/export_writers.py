"""Writes a network with an exporter, after one trace by torch.export."""

import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from fastscale.release.exported import ABOUT, INPUT, LOGITS, PROBABILITIES
from fastscale.release.preprocess import Preprocessing
from fastscale.release.serving import Serving

LARGEST_SIDE = 1 << 16  # pixels


def traced(
    net: Any, side: int, prepare: Preprocessing | None, any_size: bool
) -> torch.export.ExportedProgram:
    """The traced program of the network, with its preprocessing if there is one."""
    sizes = {0: torch.export.Dim("batch", min=1)}
    # two images: from one, the exporter would infer a fixed batch of 1
    if prepare is None:
        return torch.export.export(net, (torch.zeros(2, 3, side, side),), dynamic_shapes=(sizes,))
    shape = [2, side, side, 3]
    if any_size:  # not square, or the exporter would infer that all images are
        for axis, name in ((1, "height"), (2, "width")):
            sizes[axis] = torch.export.Dim(name, min=1, max=LARGEST_SIDE)
            shape[axis] += 8 * axis + 1
    images = torch.zeros(shape, dtype=torch.uint8)
    whole = Serving(net, prepare, any_size).eval()
    return torch.export.export(whole, (images,), dynamic_shapes=(sizes,))


def _write_onnx(traced: torch.export.ExportedProgram, about: dict[str, Any], target: Path) -> None:
    outputs = [LOGITS, PROBABILITIES][: len(about["outputs"])]
    program = torch.onnx.export(
        traced, dynamo=True, input_names=[INPUT], output_names=outputs, verbose=False
    )
    for name, value in about.items():  # one key each, so that other tools show them
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        program.model.metadata_props[name] = text  # type: ignore[union-attr]
    program.save(target, external_data=False)  # type: ignore[union-attr]


def _write_torch(traced: torch.export.ExportedProgram, about: dict[str, Any], target: Path) -> None:
    made = io.BytesIO()  # torch kills the process if it writes to a full disk
    text = json.dumps(about, ensure_ascii=False)
    torch.export.save(traced, made, extra_files={ABOUT: text})
    target.write_bytes(made.getbuffer())


WRITERS: dict[str, Callable[..., None]] = {"onnx": _write_onnx, "torch": _write_torch}


@contextmanager
def quiet() -> Iterator[None]:
    """Silences the exporters' messages."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
