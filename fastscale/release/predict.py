"""`fastscale predict`: the most likely classes of images, by a checkpoint or an exported file."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from fastscale.archs.check import said_number
from fastscale.common import read_bytes
from fastscale.data.images import Say, decode
from fastscale.data.scan import SUFFIXES, Scan, one_line
from fastscale.errors import InputError
from fastscale.release import places
from fastscale.release.exported import SUFFIXES as SUFFIXES_EXPORTED
from fastscale.release.exported import ExportedNetwork

if TYPE_CHECKING:
    from fastscale.release.checkpoint import Checkpoint

BATCH = 32
LARGEST = 1 << 30  # bytes of an image file


@dataclass(frozen=True)
class Prediction:
    """`top`: (class name, its number, probability from 0 to 1), most likely first.

    For an unusable image `top` is empty and `problem` is the reason.
    """

    image: str
    top: tuple[tuple[str, int, float], ...] = ()
    problem: str | None = None


def image_files(names: Iterable[str], say: Say = places.say) -> list[Path]:
    """Files as given, and the images in and below folders, sorted.

    `say` gets a line about files left out. InputError for "", or for a folder without images.
    """
    out = []
    for name in names:
        if not name:
            raise InputError("an empty name is not an image; give a file or a folder (.: this one)")
        path = Path(name).expanduser()
        if path.is_dir():
            scan = Scan(path)
            inside = [path / file for file in scan.images(".")]
            if scan.left_out:
                say(f"{one_line(path)}: left out: {scan.describe()}")
            if not inside:
                raise InputError(f"{one_line(path)}: holds no images ({' '.join(SUFFIXES)})")
            out += inside
        else:
            out.append(path)
    return out


class Predictor(Protocol):
    """A network with its preprocessing and classes: `OfCheckpoint`, `exported.ExportedNetwork`."""

    @property
    def num_classes(self) -> int:
        """The number of classes."""

    def prepare(self, image: Any) -> np.ndarray:
        """A PIL image as the network's input."""

    def probabilities(self, images: list[np.ndarray]) -> np.ndarray:
        """(N, classes) for N prepared images."""

    def class_name(self, index: int) -> str:
        """The class name of a label."""

    def why_not_finite(self, image: np.ndarray) -> str:
        """The message for an image whose probabilities are not finite."""


class OfCheckpoint:
    """The network of a checkpoint."""

    def __init__(self, checkpoint: "Checkpoint"):
        self.net, self.prepare = checkpoint.network(), checkpoint.preprocessing().normalised
        self.num_classes, self.class_name = checkpoint.about.num_classes, checkpoint.class_name

    def probabilities(self, images: list[np.ndarray]) -> np.ndarray:
        """(N, classes) for N prepared images."""
        import torch

        with torch.inference_mode():
            return self.net(torch.from_numpy(np.stack(images))).softmax(1).numpy()

    def why_not_finite(self, image: np.ndarray) -> str:
        """The message names the layer."""
        import torch

        from fastscale.models.finite import where_not_finite

        layer = where_not_finite(self.net, torch.from_numpy(image[None]))
        return f"the network's outputs are not finite numbers, from {layer} on"


def predictor(name: str, weights: str = "auto") -> Predictor:
    """The predictor for what `fastscale.load` takes, or for an exported file (.onnx: no torch)."""
    if name.endswith(tuple(SUFFIXES_EXPORTED.values())):
        if weights != "auto":
            raise InputError(f"{one_line(name)}: holds one set of weights; leave --weights out")
        return ExportedNetwork(name)
    from fastscale.release.load import open_checkpoint

    return OfCheckpoint(open_checkpoint(name, weights))


def predict(network: Predictor, files: Iterable[Path], top: int = 5) -> Iterator[Prediction]:
    """One prediction for each file, in order; an unreadable file has a `problem`.

    `top`: number of classes to return.
    """
    if isinstance(top, bool) or not isinstance(top, int) or top < 1:
        raise InputError(f"--top must be at least 1, got {said_number(top)}")
    waiting: list[tuple[str, np.ndarray | str]] = []
    for file in files:
        try:
            waiting.append((str(file), network.prepare(decode(read_bytes(file, LARGEST)))))
        except Exception as error:  # a damaged image can make its decoder raise anything
            reason = getattr(error, "strerror", None) or " ".join(str(error).split())
            reason = reason or type(error).__name__
            waiting.append((str(file), f"{one_line(file)}: unreadable ({reason[:120]})"))
        if len(waiting) == BATCH:
            yield from _predicted(network, waiting, top)
            waiting = []
    yield from _predicted(network, waiting, top)


def _predicted(
    network: Predictor, waiting: list[tuple[str, np.ndarray | str]], top: int
) -> Iterator[Prediction]:
    """Predictions for (name, prepared image or problem)."""
    images = [x for _, x in waiting if not isinstance(x, str)]
    rows = iter(network.probabilities(images) if images else ())
    for name, x in waiting:
        if isinstance(x, str):
            yield Prediction(name, problem=x)
            continue
        shares = next(rows)
        if not np.isfinite(shares).all():
            yield Prediction(name, problem=f"{one_line(name)}: {network.why_not_finite(x)}")
            continue
        best = np.argsort(-shares, kind="stable")[:top].tolist()
        yield Prediction(name, tuple((network.class_name(k), k, float(shares[k])) for k in best))
