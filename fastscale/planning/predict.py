"""Predicted time of a network on a device, with an interval and the measured time if known."""

import math
from dataclasses import dataclass

from fastscale.archs import Arch
from fastscale.common import IMAGENET_IMAGES, html_table
from fastscale.errors import InputError
from fastscale.planning.device import Device, FittedLaw
from fastscale.planning.terms import Terms, terms

# We fitted laws to the smaller (larger, ...) part of what is published for a device and predicted
# the rest, 7,700 cases. Without this widening, the interval held 62 % of networks ten or more times
# beyond the range and 92 % at its edge; with it, 93 to 97 % at every distance.
WIDER = 0.15  # added to the log factor for each e-fold beyond the range
FAR = 4.0  # times beyond the range: too far to rely on


@dataclass(frozen=True)
class Prediction:
    """`image_time_s` and its interval `low` to `high`: seconds an image on one device.

    `mode`: "training" (forward, backward, optimizer) or "inference" (forward), in steps of `batch`
    images. The interval holds 90 % of networks whose strategy (for an unmeasured family: whose
    family) was left out of the fit. `outside`: what is beyond the measured range; `beyond`: how
    many times (1: inside). There the law extrapolates, and the interval widens with the distance.
    `measured`: the known time of this network on this device, or None.
    """

    arch: str
    device: str
    mode: str
    law: str
    batch: float
    image_time_s: float
    low: float
    high: float
    outside: tuple[str, ...]
    measured: float | None
    images: int = IMAGENET_IMAGES
    devices: int = 8
    beyond: float = 1.0

    @property
    def far(self) -> bool:
        """Whether it is so far outside the measured range that the number is unreliable."""
        return self.beyond > FAR

    @property
    def extrapolated(self) -> bool:
        """Whether anything is outside the measured range."""
        return bool(self.outside)

    @property
    def epoch_time_min(self) -> float | None:
        """Minutes for an epoch of `images` images on `devices` devices; None for inference."""
        return self.epoch_of(self.image_time_s) if self.mode == "training" else None

    @property
    def step_time_s(self) -> float:
        """Seconds a step of `batch` images; the latency, for inference."""
        return self.image_time_s * self.batch

    def __repr__(self) -> str:
        return f"Prediction({self.arch} on {self.device}: {self._words()})"

    def _repr_html_(self) -> str:
        from fastscale.planning.notes import three

        heads = ["network", "device", "predicted", "measured"]
        known, train = "", self.mode == "training"
        if self.measured is not None:
            time = self.epoch_of(self.measured) if train else 1e3 * self.batch * self.measured
            known = f"{three(time)} {'min' if train else 'ms'}"
        return html_table(heads, [(self.arch, self.device, self._words(), known)])

    def _words(self) -> str:
        """The time with its interval, and what is outside the measured range."""
        from fastscale.planning.notes import three

        found = (self.image_time_s, self.low, self.high)
        if self.mode == "training":
            times, unit = [self.epoch_of(t) for t in found], "min"
            what = f"an epoch of {self.images:,} images on {self.devices}"
        else:
            times, unit = [1e3 * self.batch * t for t in found], "ms"
            what = f"{self.batch:g} images at inference"
        time, low, high = map(three, times)
        outside = f"; outside the measured range: {', '.join(self.outside)}" * bool(self.outside)
        return f"{time} {unit} for {what}, 90 % interval {low} to {high}{outside}"

    def epoch_of(self, image_time_s: float) -> float:
        """Minutes for an epoch, from the time per image."""
        return image_time_s * self.images / self.devices / 60


def check_sizes(**sizes: float | None) -> None:
    """InputError for the first size that is not a whole number of at least 1.

    64.0 is whole; None means not given.
    """
    for name, value in sizes.items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if value is not None and not (number and 1 <= value < 1e18 and value == int(value)):
            raise InputError(f"{name} must be a whole number of at least 1, got {value!r}")


def predict(
    arch: Arch,
    device: Device,
    mode: str | None = None,
    batch: float | None = None,
    *,
    images: int = IMAGENET_IMAGES,
    devices: int | None = None,
    resolution: int | None = None,
    num_classes: int = 1000,
    counted: Terms | None = None,
) -> Prediction:
    """See `fastscale.predict_time`. `counted`: the network's terms, if already known."""
    law = device.law(
        mode or ("training" if "training" in {**device.laws, **device.refused} else "inference")
    )
    batch = law.batch if batch is None else batch
    devices = law.devices if devices is None else devices
    check_sizes(
        batch=batch, images=images, devices=devices, num_classes=num_classes, resolution=resolution
    )
    found = counted or terms(arch, resolution, num_classes)
    outside = law.beyond(found, batch, resolution or arch.resolution)
    beyond = max(outside.values(), default=1.0)
    time = law.law.image_time_s(found, batch)
    factor = math.exp(law.spread(arch.family.lower()) + WIDER * math.log(beyond))
    return Prediction(
        arch=arch.name,
        device=device.name,
        mode=law.mode,
        law=law.law.name,
        batch=batch,
        image_time_s=time,
        low=time / factor,
        high=time * factor,
        outside=tuple(outside),
        beyond=beyond,
        measured=_measured(law, arch, resolution or arch.resolution, batch),
        images=images,
        devices=devices,
    )


def _measured(law: FittedLaw, arch: Arch, resolution: int, batch: float) -> float | None:
    """The network's measured seconds an image at the nearest batch within a quarter, or None."""
    near = [
        m
        for m in law.measured
        if (m.network, m.resolution) == (arch.name, resolution) and 0.8 <= m.batch / batch <= 1.25
    ]
    return min(near, key=lambda m: abs(m.batch - batch)).image_time_s if near else None
