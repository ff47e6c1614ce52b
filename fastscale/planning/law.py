"""The runtime law: time per image as a non-negative combination of a network's counts.

    time per image = a flops + b acts + (c params + d layers) / batch

flops and acts are paid for every image; reading (and, in training, updating) the params and launching the layers once a step, so that an
image's share of them falls with the batch. "split" tells apart the acts of grouped convs. The one-feature laws, `a x + e`, are what the
paper's correlations are about (Fig. 2).
"""

from dataclasses import dataclass

from fastscale.planning.terms import Terms

# law -> what it combines; "one" is a constant per image
LAWS: dict[str, tuple[str, ...]] = {
    "full": ("flops", "acts", "params", "layers"),
    "split": ("flops", "plain_acts", "grouped_acts", "params", "layers"),
    "acts": ("acts", "one"),
    "flops": ("flops", "one"),
    "params": ("params_per_image", "one"),
}
PER_STEP = ("params", "layers")
ONE_FEATURE = ("acts", "flops", "params")


@dataclass(frozen=True)
class Observation:
    """One network measured: seconds an image of a step of `batch` images on one device. `strategy` "none": not scaled."""

    network: str
    family: str
    strategy: str
    resolution: int
    terms: Terms
    batch: float
    image_time_s: float


@dataclass(frozen=True)
class Law:
    """`seconds[term]`: seconds for one unit of each term of `LAWS[name]`, none negative."""

    name: str
    seconds: dict[str, float]

    def image_time_s(self, terms: Terms, batch: float) -> float:
        """Seconds an image, on one device, in steps of `batch` images."""
        return sum(
            self.seconds[name] * value
            for name, value in zip(LAWS[self.name], values(self.name, terms, batch), strict=True)
        )


def values(law: str, terms: Terms, batch: float) -> tuple[float, ...]:
    """What the terms of `law` amount to for one image."""
    return tuple(_value(name, terms, batch) for name in LAWS[law])


def _value(name: str, terms: Terms, batch: float) -> float:
    if name == "one":
        return 1.0
    if name == "params_per_image":
        return terms.params
    return getattr(terms, name) / (batch if name in PER_STEP else 1)
