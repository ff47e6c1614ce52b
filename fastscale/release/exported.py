"""An exported file, run by onnxruntime (.onnx, without importing torch) or torch (.pt2)."""

import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np

from fastscale.common import shown
from fastscale.errors import InputError
from fastscale.home import home
from fastscale.release.preprocess import Preprocessing, to_array

SUFFIXES = {"onnx": ".onnx", "torch": ".pt2"}
INPUT, LOGITS, PROBABILITIES = "images", "logits", "probabilities"
ABOUT = "fastscale.json"  # the description's file in a .pt2


class ExportedNetwork:
    """A file of `export.export`. `about`: its description; `runtime`: the name of what runs it.

    InputError for any other file, or if onnxruntime is missing.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        if not self.path.is_file():
            raise InputError(f"{path}: no such file")
        read = _onnx if self.path.suffix == SUFFIXES["onnx"] else _torch
        self.about, self._run, self.runtime = read(self.path)

    def logits(self, images: np.ndarray) -> np.ndarray:
        """(N, classes) float32 for N images in the file's input format."""
        return self._run(images)

    # ---- the protocol of `predict.Predictor`

    def prepare(self, image: Any) -> np.ndarray:
        """A PIL image in the file's input format."""
        kind = self.about["input"]
        if kind == "any":
            return to_array(image)
        prepare = Preprocessing(**self.about["preprocessing"])
        return prepare.pixels(image) if kind == "pixels" else prepare.normalised(image)

    def probabilities(self, images: list[np.ndarray]) -> np.ndarray:
        """(N, classes) float32 for prepared images, which may differ in size."""
        same = len({image.shape for image in images}) == 1
        parts = [np.stack(images)] if same else [image[None] for image in images]
        logits = np.concatenate([self.logits(part) for part in parts]).astype(np.float64)
        shares = np.exp(logits - logits.max(1, keepdims=True))
        return (shares / shares.sum(1, keepdims=True)).astype(np.float32)

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return int(self.about["num_classes"])

    def class_name(self, index: int) -> str:
        """The class name of a label; its number if the file has no names."""
        names = self.about.get("classes")
        return names[index] if names else str(index)

    def why_not_finite(self, image: np.ndarray) -> str:
        """The message for outputs with NaN or infinity."""
        return "the file's outputs are not finite numbers"


def _onnx(path: Path) -> tuple[dict[str, Any], Any, str]:
    try:
        import onnxruntime
    except ImportError:
        raise InputError(f"{path}: needs the package onnxruntime: {home().extra('onnx')}") from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises many kinds
        reason = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", one_line(error))
        raise InputError(f"{path}: not an ONNX file ({reason})") from None
    metadata = session.get_modelmeta().custom_metadata_map

    def run(images: np.ndarray) -> np.ndarray:
        return session.run([LOGITS], {INPUT: images})[0]

    about = {name: _value(text) for name, text in metadata.items()}
    return _checked(about, path), run, f"onnxruntime {onnxruntime.__version__}"


def _torch(path: Path) -> tuple[dict[str, Any], Any, str]:
    import torch

    extra = {ABOUT: ""}
    try:
        program = torch.export.load(path, extra_files=extra).module()
    except Exception as error:
        raise InputError(f"{path}: not a torch.export program ({one_line(error)})") from None

    def run(images: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            found = program(torch.from_numpy(images))
        return (found if isinstance(found, torch.Tensor) else found[0]).numpy()

    return _checked(_value(extra[ABOUT] or "{}"), path), run, f"torch {torch.__version__}"


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _checked(about: Any, path: Path) -> dict[str, Any]:
    """The description; InputError if a field that is used here is missing."""
    kinds = {"input": str, "num_classes": int, "resolution": int}
    if not isinstance(about, dict) or any(
        not isinstance(about.get(name), kind) for name, kind in kinds.items()
    ):
        raise InputError(
            f"{path}: not written by `fastscale export`: it does not describe its input"
        )
    return about


def one_line(error: Exception) -> str:
    """An error's text, shortened to one line."""
    return " ".join(shown(error).split())[:160]
