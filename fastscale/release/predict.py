"""`fastscale predict`: the classes that a checkpoint gives to images, the likeliest first."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from fastscale.archs.check import said_number
from fastscale.common import read_bytes
from fastscale.data.images import Say, decode
from fastscale.data.scan import SUFFIXES, Scan, one_line
from fastscale.errors import InputError
from fastscale.models.finite import where_not_finite
from fastscale.release import places
from fastscale.release.checkpoint import Checkpoint

BATCH = 32
LARGEST = 1 << 30  # bytes of an image file


@dataclass(frozen=True)
class Prediction:
    """`top`: (class name, its number, probability from 0 to 1), the likeliest first; empty with a `problem` if the image is unusable."""

    image: str
    top: tuple[tuple[str, int, float], ...] = ()
    problem: str | None = None


def image_files(names: Iterable[str], say: Say = places.say) -> list[Path]:
    """The files themselves, and the images in folders (and below), sorted; what is left out of a
    folder is counted in a line. InputError for a folder without any, and for ""."""
    out = []
    for name in names:
        if not name:
            raise InputError("an empty name is no image; give a file or a folder, . for this one")
        path = Path(name).expanduser()
        if path.is_dir():
            scan = Scan(path)
            inside = [path / file for file in scan.images(".")]
            if scan.left_out:
                say(f"{one_line(path)}: left out: {scan.said()}")
            if not inside:
                raise InputError(f"{one_line(path)}: holds no images ({' '.join(SUFFIXES)})")
            out += inside
        else:
            out.append(path)
    return out


def predict(checkpoint: Checkpoint, files: Iterable[Path], top: int = 5) -> Iterator[Prediction]:
    """One prediction a file, in order; an unreadable one has a `problem`. `top`: classes given, at most all."""
    if isinstance(top, bool) or not isinstance(top, int) or top < 1:
        raise InputError(f"--top must be at least 1, got {said_number(top)}")
    net, prepare, top = (
        checkpoint.network(),
        checkpoint.preprocessing(),
        min(top, checkpoint.about.num_classes),
    )

    def flush(waiting: list[tuple[str, torch.Tensor | str]]) -> Iterator[Prediction]:
        images = [x for _, x in waiting if isinstance(x, torch.Tensor)]
        rows: Iterator[tuple[torch.Tensor, torch.Tensor]] = iter(())
        fine: Iterator[bool] = iter(())
        if images:
            with torch.inference_mode():
                logits = net(torch.stack(images))
                fine = iter(logits.isfinite().all(1).tolist())
                rows = iter(zip(*logits.softmax(1).topk(top), strict=True))
        for name, x in waiting:
            if isinstance(x, str):
                yield Prediction(name, problem=x)
            else:
                shares, numbers = next(rows)
                if not next(fine):
                    layer = where_not_finite(net, x.unsqueeze(0))
                    text = f"the network's outputs are not finite numbers, from {layer} on"
                    yield Prediction(name, problem=f"{one_line(name)}: {text}")
                    continue
                pairs = zip(numbers.tolist(), shares.tolist(), strict=True)
                yield Prediction(name, tuple((checkpoint.class_name(k), k, p) for k, p in pairs))

    waiting: list[tuple[str, torch.Tensor | str]] = []
    for file in files:
        try:
            waiting.append((str(file), prepare(decode(read_bytes(file, LARGEST)))))
        except Exception as error:  # whatever a damaged image makes its decoder raise
            reason = (
                getattr(error, "strerror", None)
                or " ".join(str(error).split())
                or type(error).__name__
            )
            waiting.append((str(file), f"{one_line(file)}: unreadable ({reason[:120]})"))
        if len(waiting) == BATCH:
            yield from flush(waiting)
            waiting = []
    yield from flush(waiting)
