"""Fine-tuning: a run that starts from trained weights (`--weights`) instead of random ones.

The body, all but the last layer, takes the weights. The last layer takes them too if the weights
know every class of the data by name; otherwise it starts at random. Images are normalised as the
weights require. What a run started from is its ancestry, in its settings, checkpoint and record.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from fastscale.archs import Arch
from fastscale.errors import InputError
from fastscale.models import build
from fastscale.training.classes import outputs_by_name
from fastscale.training.recipe import Recipe

LAST = "head.fc."  # the last layer's weights
DIGITS = 12  # of the weights' hash
# properties of a network that its tensors do not show
FACTS = ("family", "block", "strides", "stem_stride", "activation", "padding", "norm_eps")


@dataclass(frozen=True)
class Start:
    """Trained weights to start from.

    `name`: as the user wrote it. `tensors`: float32 on the CPU, by the names of
    `fastscale.build(arch)`. `classes`: names of the outputs, None if unknown. `mean`, `std`: per
    RGB channel, 0 to 255. `origin`: what is known of the weights, for the record.
    """

    name: str
    arch: Arch
    tensors: dict[str, Tensor]
    classes: tuple[str, ...] | None
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    origin: dict[str, Any]

    @property
    def digest(self) -> str:
        """A hash of names, shapes and numbers, which does not depend on the file."""
        found = hashlib.sha256()
        for name, value in sorted(self.tensors.items()):
            found.update(f"{name} {list(value.shape)} {value.dtype}\n".encode())
            found.update(value.contiguous().numpy().tobytes())
        return found.hexdigest()[:DIGITS]

    @property
    def description(self) -> str:
        """Describes the weights: their name, and data and error if known."""
        if "data" not in self.origin:
            return self.name
        error = self.origin.get("top1_error")
        there = "" if error is None else f", {error:.2f} % top-1 error there"
        return f"{self.name} (trained on {self.origin['data']}{there})"

    @property
    def ancestry(self) -> dict[str, Any]:
        """What settings, checkpoint and record say about the weights."""
        return {**self.origin, "arch": self.arch.name, "hash": self.digest}


# finds the weights of a name or path; InputError if there are none
Opener = Callable[[str], Start]


def freeze(net: nn.Module, what: str) -> None:
    """Freezes a part of `net`: the recipe's `freeze`.

    "statistics": batch norms keep their means and variances. "body": all but the last layer stays
    as it is, these included. "none": nothing is frozen. Lightning does not change the modules'
    modes.
    """
    if what == "body":
        last: nn.Module = net.head.fc  # type: ignore[union-attr, assignment]
        net.requires_grad_(False).eval()
        last.requires_grad_(True).train()
    if what == "statistics":
        for module in net.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()


def check_start(recipe: Recipe) -> None:
    """InputError for a recipe that needs trained weights to start from."""
    given = "" if recipe.freeze == "none" else f"freeze {recipe.freeze}"
    if not given and recipe.body_lr != 1:
        given = f"body_lr {recipe.body_lr:g}"
    if given and not recipe.initial:
        raise InputError(
            f"recipe {recipe.name}: {given} is for fine-tuning: name the weights to start from "
            "with --weights NAME|PATH (see `fastscale checkpoint list`), or use another recipe"
        )


def other_body(arch: Arch, start: Start, own: dict[str, Tensor]) -> str:
    """How the body of `start` differs from that of `arch`, whose tensors are `own`; "" if equal.

    Equal shapes of tensors are not enough: see `FACTS`.
    """
    for fact in FACTS:
        if (here := getattr(arch, fact)) != (there := getattr(start.arch, fact)):
            return f"{fact} {there}, not {here}"
    body = {k: v.shape for k, v in start.tensors.items() if not k.startswith(LAST)}
    mine = {k: v.shape for k, v in own.items() if not k.startswith(LAST)}
    wrong = [k for k in sorted({*body, *mine}) if body.get(k) != mine.get(k)]
    return f"{len(wrong)} of its tensors differ, for example {wrong[0]}" if wrong else ""


def check_body(arch: Arch, start: Start, own: dict[str, Tensor] | None = None) -> None:
    """InputError if the body of the weights is not that of `arch`.

    `own`: the tensors of `arch`; default: those of a network without memory.
    """
    if own is None:
        with torch.device("meta"):
            own = build(arch, 1000).state_dict()  # the classes of the last layer do not matter
    if problem := other_body(arch, start, own):
        raise InputError(
            f"--weights {start.name}: of {start.arch.name}, whose body is not that of {arch.name} "
            f"({problem}); train {start.arch.name}, or give weights of {arch.name}"
        )


def load_start(net: nn.Module, arch: Arch, start: Start, there: Sequence[str], data: str) -> str:
    """Loads the weights into `net`, a network of `arch` for the classes `there` of `data`.

    Returns a text that says what was done with the last layer. InputError if the bodies differ.
    """
    own = net.state_dict()
    check_body(arch, start, own)
    outputs = outputs_by_name(start.classes or (), there)
    with torch.no_grad():
        for name, value in start.tensors.items():
            if not name.startswith(LAST):
                own[name].copy_(value)
        for name in ("weight", "bias") if outputs is not None else ():
            own[LAST + name].copy_(start.tensors[LAST + name][list(outputs or ())])
    if outputs is None:
        return f"a new last layer for the {len(there)} classes of {data}"
    of = "" if len(there) == len(start.classes or ()) else f" of {len(start.classes or ())}"
    return f"its last layer too: it knows the {len(there)}{of} classes of {data} by name"
