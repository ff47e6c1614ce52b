"""What networks are judged under (`Conditions`), what they cost, and a network as the planner offers it (`Candidate`)."""

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

_BATCH = 128  # images a step on one device, where no device says: the paper's 1024 over 8 GPUs


@dataclass(frozen=True)
class Conditions:
    """What networks are judged under: the device of each mode, images a step on one device, and the epoch's images and devices."""

    training: Device | None = None
    inference: Device | None = None
    batch: float | None = None
    latency_batch: float | None = None  # of inference; `batch` is that of training alone
    images: int = IMAGENET_IMAGES
    devices: int | None = None
    num_classes: int = 1000

    def count(self, arch: Arch) -> Terms:
        """A network's terms, with this many classes."""
        return terms(arch, num_classes=self.num_classes)

    @property
    def training_batch(self) -> float:
        """Images a step on one device in training."""
        return self.batch or (self.training.law("training").batch if self.training else _BATCH)

    @property
    def served(self) -> float:
        """Images a step on one device at inference; 1 where neither they nor a device were given."""
        return self.latency_batch or (
            self.inference.law("inference").batch if self.inference else 1
        )

    def time(self, mode: str, arch: Arch, counted: Terms | None = None) -> Prediction | None:
        """The prediction, where there is a device for it."""
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
        """Training memory on one device; a lower bound, unless the device's records hold peaks (see memory.py)."""
        law = self.training.law("training") if self.training else None
        precision, factor = (law.envelope.get("precision"), law.memory) if law else ("mixed", 1.0)
        return (
            training_memory_mib(arch, self.training_batch, precision, num_classes=self.num_classes)
            * factor
        )

    def inference_memory_mib(self, arch: Arch) -> float:
        """Memory of inference on one device, in the precision of its law, else in 32 bits."""
        law = self.inference.law("inference") if self.inference else None
        precision = law.envelope.get("precision") if law else "32-true"
        return inference_memory_mib(arch, self.served, precision, num_classes=self.num_classes)


@dataclass(frozen=True)
class Candidate:
    """The largest network of a base and strategy within the budgets. `binds`: the budget that it
    fills most, `load` how far (0 to 1). `gains`: false where group widths held to powers of two do
    not afford clearly more than the paper's rounding. `weights`: the name of those that it is
    offered with, `error` their top-1 error (%) on what they were trained on."""

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
        """How well evidence supports the strategy: 1 is best (see `evidence`); one more for group
        widths held to powers of two without a gain."""
        as_it_is = self.binds is None or self.weights
        return 1 if as_it_is else rank(self.strategy) + (not self.gains)

    @property
    def beyond(self) -> float:
        """How many times outside of what was measured, or of the factors that the paper shows."""
        predicted = [p.beyond for p in (self.training, self.inference) if p is not None]
        return max(1.0, self.factor / LARGEST_FACTOR, *predicted)

    @property
    def far(self) -> bool:
        """Whether it lies so far outside that it is not recommended while anything else is there."""
        return self.beyond > FAR

    @property
    def extrapolated(self) -> bool:
        """Whether a predicted time lies outside of what was measured."""
        return any(p is not None and p.extrapolated for p in (self.training, self.inference))

    @property
    def standing(self) -> tuple[bool, int]:
        """The smaller, the better supported."""
        return self.far, self.rank

    def run(self, recipe: str = "imagenet-100ep") -> str:
        """The name that `fastscale fit --run` takes."""
        return str(RunName(NetworkName(self.arch.name), recipe))

    def to_dict(self, recipe: str = "imagenet-100ep") -> dict[str, Any]:
        """For JSON."""
        times = {
            mode: None if p is None else _prediction(p)
            for mode, p in (("training", self.training), ("inference", self.inference))
        }
        own = {
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
            **own,
            **times,
            "run": self.run(recipe),
        }


def costs(arch: Arch, counted: Terms, budgets: dict[str, float], conditions: Conditions) -> Costs:
    """What a network costs of that which has a budget, times by the devices' laws."""
    found: Costs = {"flops": counted.flops, "params": counted.params, "acts": counted.acts}
    if "epoch_time_min" in budgets:
        training = conditions.time("training", arch, counted)
        assert training is not None and training.epoch_time_min is not None  # _check has seen to it
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
    """A network that the search found, with what is predicted for it."""
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
