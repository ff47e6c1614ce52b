"""The conditions of a plan, what networks cost under them, and the networks it offers."""

from dataclasses import dataclass
from typing import Any

from fastscale.archs import Arch
from fastscale.archs.names import NetworkName, RunName
from fastscale.common import IMAGENET_IMAGES
from fastscale.counts import Complexity
from fastscale.planning.device import Device
from fastscale.planning.evidence import LARGEST_FACTOR, rank
from fastscale.planning.memory import inference_memory_mib, training_memory_mib
from fastscale.planning.predict import FAR, Prediction, predict
from fastscale.planning.search import Costs, Found
from fastscale.planning.terms import Terms, terms

# budget -> (as text, unit)
BUDGETS = {
    "flops": ("flops (multiply-adds)", ""),
    "params": ("params", ""),
    "acts": ("acts", ""),
    "epoch_time_min": ("epoch time", " min"),
    "memory_mib": ("training memory", " MiB"),
    "latency_ms": ("latency", " ms"),
    "inference_memory_mib": ("inference memory", " MiB"),
}
_BATCH = 128  # images a step on one device if none is named: the paper's 1024 over 8 GPUs


@dataclass(frozen=True)
class Conditions:
    """The device of each mode, images a step on one device, and the epoch's images and devices.

    `batch` applies to training, `latency_batch` to inference.
    """

    training: Device | None = None
    inference: Device | None = None
    batch: float | None = None
    latency_batch: float | None = None
    images: int = IMAGENET_IMAGES
    devices: int | None = None
    num_classes: int = 1000

    def count(self, arch: Arch) -> Terms:
        """A network's terms at these conditions' number of classes."""
        return terms(arch, num_classes=self.num_classes)

    @property
    def training_batch(self) -> float:
        """Images a step on one device in training."""
        return self.batch or (self.training.law("training").batch if self.training else _BATCH)

    @property
    def served(self) -> float:
        """Images a step on one device at inference (default: the device's, or 1)."""
        return self.latency_batch or (
            self.inference.law("inference").batch if self.inference else 1
        )

    def time(self, mode: str, arch: Arch, counted: Terms | None = None) -> Prediction | None:
        """The predicted time; None without a device for the mode."""
        device = self.training if mode == "training" else self.inference
        if device is None:
            return None
        batch = self.latency_batch if mode == "inference" else self.batch
        return predict(
            arch, device, mode, batch, images=self.images, devices=self.devices, counted=counted
        )

    @property
    def jump(self) -> bool:
        """Whether a predicted time depends on group width."""
        devices = ((self.training, "training"), (self.inference, "inference"))
        return any("group_width" in d.law(mode).ranges for d, mode in devices if d is not None)

    def memory_mib(self, arch: Arch) -> float:
        """Training memory on one device, MiB.

        A lower bound if the device's records hold no measured peaks (see memory.py).
        """
        law = self.training.law("training") if self.training else None
        precision, factor = (
            (law.environment.get("precision"), law.memory) if law else ("mixed", 1.0)
        )
        return (
            training_memory_mib(arch, self.training_batch, precision, num_classes=self.num_classes)
            * factor
        )

    def inference_memory_mib(self, arch: Arch) -> float:
        """Inference memory on one device, MiB, in its law's precision (default: 32 bits)."""
        law = self.inference.law("inference") if self.inference else None
        precision = law.environment.get("precision") if law else "32-true"
        return inference_memory_mib(arch, self.served, precision, num_classes=self.num_classes)


@dataclass(frozen=True)
class Candidate:
    """The largest network of a base and strategy within the budgets.

    `binds`: the budget it fills most; `load`: how far (0 to 1). `gains`: false if power-of-two
    group widths do not afford clearly more than the paper's rounding. `weights`: the name of its
    trained weights; `error`: their top-1 error (%) on the data set they were trained on.
    """

    base: str
    strategy: str
    factor: float
    arch: Arch
    counts: Complexity
    training: Prediction | None
    inference: Prediction | None
    memory_mib: float
    inference_memory_mib: float
    binds: str | None
    load: float | None
    pareto: bool = False
    gains: bool = True
    weights: str = ""
    error: float | None = None
    trained_on: str = ""

    @property
    def rank(self) -> int:
        """How well evidence supports the strategy: 1 is best (see `evidence`).

        One more for power-of-two group widths without a gain.
        """
        as_it_is = self.binds is None or self.weights
        return 1 if as_it_is else rank(self.strategy) + (not self.gains)

    @property
    def beyond(self) -> float:
        """How many times outside the measured range, or beyond the paper's factors; 1: inside."""
        predicted = [p.beyond for p in (self.training, self.inference) if p is not None]
        return max(1.0, self.factor / LARGEST_FACTOR, *predicted)

    @property
    def far(self) -> bool:
        """Whether it is too far outside to be recommended before any other."""
        return self.beyond > FAR

    @property
    def extrapolated(self) -> bool:
        """Whether a predicted time is outside the measured range."""
        return any(p is not None and p.extrapolated for p in (self.training, self.inference))

    @property
    def standing(self) -> tuple[bool, int]:
        """A sort key: the smaller, the better supported."""
        return self.far, self.rank

    def run(self, recipe: str = "imagenet-100ep") -> str:
        """The run's name for `fastscale fit --run`."""
        return str(RunName(NetworkName(self.arch.name), recipe))

    def to_dict(self, recipe: str = "imagenet-100ep") -> dict[str, Any]:
        """For JSON."""
        times = {
            mode: None if p is None else _prediction(p)
            for mode, p in (("training", self.training), ("inference", self.inference))
        }
        plain = {
            key: getattr(self, key)
            for key in (
                "base",
                "strategy",
                "factor",
                "memory_mib",
                "inference_memory_mib",
                "binds",
                "load",
                "pareto",
                "rank",
                "beyond",
                "weights",
                "error",
                "trained_on",
            )
        }
        return {
            "arch": vars(self.arch),
            **vars(self.counts),
            **plain,
            **times,
            "run": self.run(recipe),
        }


def budget_text(name: str, value: float) -> str:
    """A budget, or a cost under it, in words.

    >>> budget_text("epoch_time_min", 10), budget_text("params", 25e6)
    ('epoch time 10 min', 'params 25,000,000')
    """
    label, unit = BUDGETS[name]
    return f"{label} {value:,.0f}{unit}" if value >= 1000 else f"{label} {value:g}{unit}"


def costs(arch: Arch, counted: Terms, budgets: dict[str, float], conditions: Conditions) -> Costs:
    """A network's costs that have a budget; times come from the devices' laws."""
    found: Costs = {"flops": counted.flops, "params": counted.params, "acts": counted.acts}
    if "epoch_time_min" in budgets:
        training = conditions.time("training", arch, counted)
        # plan._check refuses this budget without a device
        assert training is not None and training.epoch_time_min is not None
        found["epoch_time_min"] = training.epoch_time_min
    if "latency_ms" in budgets:
        inference = conditions.time("inference", arch, counted)
        assert inference is not None
        found["latency_ms"] = 1e3 * inference.step_time_s
    if "memory_mib" in budgets:
        found["memory_mib"] = conditions.memory_mib(arch)
    if "inference_memory_mib" in budgets:
        found["inference_memory_mib"] = conditions.inference_memory_mib(arch)
    return found


def candidate(base: Arch, strategy: str, found: Found, conditions: Conditions) -> Candidate:
    """A network that the search found, with its predictions."""
    counted, arch = found.terms, found.arch
    return Candidate(
        base=base.name,
        strategy=strategy,
        factor=found.factor,
        arch=arch,
        counts=Complexity(counted.flops, counted.params, counted.acts),
        training=conditions.time("training", arch, counted),
        inference=conditions.time("inference", arch, counted),
        memory_mib=conditions.memory_mib(arch),
        inference_memory_mib=conditions.inference_memory_mib(arch),
        binds=found.binds or None,
        load=found.load if found.binds else None,
    )


def _prediction(p: Prediction) -> dict[str, Any]:
    epoch = None if p.epoch_time_min is None else [p.epoch_of(p.low), p.epoch_of(p.high)]
    return {
        **vars(p),
        "epoch_time_min": p.epoch_time_min,
        "epoch_time_min_interval": epoch,
        "step_time_s": p.step_time_s,
    }
