"""The runtime law: time per image as a non-negative combination of a network's counts.

    time per image = a flops + b acts + (c params + d layers) / batch

flops and acts are paid for every image; reading (and, in training, updating) the params and launching the layers once a step, so that an
image's share of them falls with the batch. "split" tells apart the acts of grouped convs. "selected"
begins with acts and takes of POOL what the measurements at hand show to help (see `selection`). The
one-feature laws, `a x + e`, are what the paper's correlations are about (Fig. 2).
"""

from dataclasses import dataclass

from fastscale.planning.terms import WIDTHS, Terms

# law -> what it combines; "one" is a constant per image
LAWS: dict[str, tuple[str, ...]] = {
    "full": ("flops", "acts", "params", "layers"),
    "split": ("flops", "plain_acts", "grouped_acts", "params", "layers"),
    "acts": ("acts", "one"),
    "flops": ("flops", "one"),
    "params": ("params_per_image", "one"),
}
SELECTED = "selected"
POOL = ("acts", "layers", "flops", "params", "grouped_acts", *WIDTHS)
PER_STEP = ("params", "layers")
ONE_FEATURE = ("acts", "flops", "params")


@dataclass(frozen=True)
class Observation:
    """One network measured: seconds an image of a step of `batch` images on one device. `strategy`
    "none": not scaled; `base`: what was."""

    network: str
    family: str
    strategy: str
    resolution: int
    terms: Terms
    batch: float
    image_time_s: float
    base: str = ""


@dataclass(frozen=True)
class Law:
    """`seconds[term]`: seconds for one unit of each of its terms, none negative."""

    name: str
    seconds: dict[str, float]

    def image_time_s(self, terms: Terms, batch: float) -> float:
        """Seconds an image, on one device, in steps of `batch` images."""
        return sum(each * value(name, terms, batch) for name, each in self.seconds.items())


def value(name: str, terms: Terms, batch: float) -> float:
    """What a term amounts to for one image."""
    if name in WIDTHS:
        return terms.by_width(name)
    if name == "one":
        return 1.0
    if name == "params_per_image":
        return terms.params
    return getattr(terms, name) / (batch if name in PER_STEP else 1)
