"""The runtime law: time per image as a non-negative combination of a network's counts.

    time per image = a flops + b acts + (c params + d layers) / batch

Every image pays for flops and acts. Reading (in training, updating) the params and launching the
layers happen once a step, so an image's share of them falls with the batch. "split" counts the acts
of grouped convs separately. "selected" starts with acts and adds the terms of POOL that help on the
measurements at hand (see `selection`). The one-feature laws, `a x + e`, correspond to the paper's
correlations (Fig. 2).
"""

from dataclasses import dataclass

from fastscale.planning.terms import WIDTHS, Terms

# law -> its terms; "one" is a constant per image
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
    """One measured network: seconds an image in steps of `batch` images on one device.

    `strategy`: "none" for an unscaled network. `base`: the network it was scaled from.
    """

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
    """A fitted law. `seconds[term]`: seconds for one unit of each term, none negative."""

    name: str
    seconds: dict[str, float]

    def image_time_s(self, terms: Terms, batch: float) -> float:
        """Seconds an image, on one device, in steps of `batch` images."""
        return sum(each * value(name, terms, batch) for name, each in self.seconds.items())


def value(name: str, terms: Terms, batch: float) -> float:
    """A term's value for one image."""
    if name in WIDTHS:
        return terms.by_width(name)
    if name == "one":
        return 1.0
    if name == "params_per_image":
        return terms.params
    return getattr(terms, name) / (batch if name in PER_STEP else 1)
