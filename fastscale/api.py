"""The public functions: thin, and the one place where a name stands for an arch (design: wherever an arch is taken, a name will do)."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fastscale import counts, scaling
from fastscale.archs import Arch, RegNet, at_resolution, base_names
from fastscale.common import IMAGENET_IMAGES, matching
from fastscale.counts import Complexity
from fastscale.errors import InputError
from fastscale.scaling import ScaledTo, Strategy

DEFAULT_DEVICE = "h100"  # whose times are predicted where no device is named

if TYPE_CHECKING:
    import pandas
    import torch

    from fastscale.planning import Device, Plan, Prediction
    from fastscale.release.preprocess import Preprocessing


def arch(name: str | Arch) -> Arch:
    """The network of that name, a base (`"regnety-4gf"`) or a scaled one (`"regnety-4gf.dWr-x4"`); an arch is given back as it is.

    InputError (a ValueError) with the known names, the nearest first, for any other.
    """
    return scaling.arch_named(name) if isinstance(name, str) else _known(name)


def _known(value: object) -> Arch:
    if isinstance(value, RegNet):  # five numbers, which have no name
        return value.to_anynet("regnet")
    if not isinstance(value, Arch):
        raise InputError(f"expected a network's name or an arch, got {value!r}")
    return value


def list_archs(pattern: str | None = None) -> list[str]:
    """The names of all base networks, those registered last; with `pattern`, those that hold it, or
    fit it where it has * or ?.

    >>> list_archs("regnetz-*0mf")
    ['regnetz-500mf']
    """
    return matching(base_names(), pattern)


def list_strategies(pattern: str | None = None) -> list[str]:
    """The strategies that have names: the paper's, those the planner tries, those registered."""
    return matching(scaling.strategy_names(), pattern)


def list_recipes(pattern: str | None = None) -> list[str]:
    """The recipes that a run can be named by: `<network>.<recipe>`."""
    from fastscale.training.recipe import recipe_names

    return matching(recipe_names(), pattern)


def list_devices(pattern: str | None = None) -> list[str]:
    """The devices whose times `predict_time` and `plan` know by name."""
    from fastscale.planning import shipped_devices

    return matching(shipped_devices(), pattern)


def list_checkpoints(pattern: str | None = None) -> list[str]:
    """The names of released networks, which `load` takes."""
    from fastscale.release.places import released

    return matching([entry.name for entry in released()], pattern)


def scale(
    base: str | Arch,
    strategy: str | Strategy,
    factor: float,
    group_width_rounding: str | None = None,
) -> Arch:
    """`base` grown to about `factor` times its flops; see `fastscale.scaling.scale`.

    >>> scale("regnety-4gf", "dWr", 4).resolution
    256
    >>> scale("regnety-4gf", "dWr", 4, group_width_rounding="power_of_two").name
    'regnety-4gf.dWr-pow2-x4'
    """
    return scaling.scale(arch(base), strategy, factor, group_width_rounding)


def scale_to(
    base: str | Arch,
    strategy: str | Strategy,
    *,
    flops: float | None = None,
    params: float | None = None,
    acts: float | None = None,
    group_width_rounding: str | None = None,
) -> ScaledTo:
    """(factor, arch) that come nearest to one target; `.realised` has the counts reached. See
    `fastscale.scaling.scale_to`."""
    return scaling.scale_to(
        arch(base),
        strategy,
        flops=flops,
        params=params,
        acts=acts,
        group_width_rounding=group_width_rounding,
    )


def complexity(
    network: str | Arch, resolution: int | None = None, num_classes: int = 1000
) -> Complexity:
    """Exact `.flops` (multiply-adds), `.params`, `.acts` of one image at `resolution` px (the network's own unless given)."""
    return counts.complexity(arch(network), resolution, num_classes)


def build(network: str | Arch, num_classes: int = 1000) -> "torch.nn.Module":
    """The torch module: (N, 3, H, W) normalised RGB -> (N, num_classes) logits, freshly initialised, in training mode."""
    from fastscale.models import build as build_module

    return build_module(arch(network), num_classes)


def load(
    name: str | Path,
    num_classes: int | None = None,
    fused: bool = False,
    weights: str = "auto",
) -> "torch.nn.Module":
    """The trained network of that name, in eval mode on the CPU.

    Its file's hash was checked before anything was read. `name`: a released name (`fastscale
    checkpoint list`; with or without its hash), a `.safetensors` file, an address, `hf:org/name` on
    a model hub, `pycls/<network>` and other known public weights, a training checkpoint or a run's
    folder. `num_classes`: another number than its own gives it a freshly initialised last layer.
    `fused`: batch norms folded into convs, for inference. `weights` of a training checkpoint: "raw",
    "ema" (averaged), or "auto": those of the lower recorded top-1 error, with a line on stderr where
    they are more than a point apart. InputError for what cannot be loaded.
    """
    from fastscale.release.load import load as load_released

    return load_released(name, num_classes, fused, weights)


def transforms(name: str | Path) -> "Preprocessing":
    """The test preprocessing of what `load` takes: a PIL image or uint8 array -> (3, R, R) float32 tensor, as in its evaluation."""
    from fastscale.release.load import transforms as transforms_of

    return transforms_of(name)


def predict_time(
    network: str | Arch,
    device: "str | Device" = DEFAULT_DEVICE,
    batch: float | None = None,
    *,
    mode: str | None = None,
    images: int = IMAGENET_IMAGES,
    devices: int | None = None,
    resolution: int | None = None,
    num_classes: int = 1000,
    precision: str | None = None,
    layout: str | None = None,
    compile: bool | None = None,
) -> "Prediction":
    """Time of a network by a device's runtime law, with an interval: `.epoch_time_min`, `.image_time_s`, `.low`, `.high`, `.extrapolated`.

    `device`: a named one ("h100", "v100", ...; `fastscale list devices` shows all), a file of time
    records ("runs/records.jsonl"), or a name found in records. `mode`: "training" where that was
    measured, else "inference". `batch`: images a step on one device (the median of what was
    measured). `images`, `devices`: of an epoch (ImageNet's; 8 for named devices, 1 for records).
    `precision`, `layout` (or "best"), `compile`: which records, where they differ. InputError for an
    unknown device, a mode not measured there, records of mixed envelopes.

    >>> found = predict_time("regnety-4gf", "v100")
    >>> round(found.epoch_time_min, 1), found.extrapolated
    (8.3, False)
    """
    from fastscale import planning

    found = planning.device_named(device, precision=precision, layout=layout, compile=compile)
    return planning.predict(
        arch(network),
        found,
        mode,
        batch,
        images=images,
        devices=devices,
        resolution=resolution,
        num_classes=num_classes,
    )


def plan(
    bases: str | Arch | Sequence[str | Arch] | None = None,
    strategies: str | Strategy | Sequence[str | Strategy] | None = None,
    *,
    flops: float | None = None,
    params: float | None = None,
    acts: float | None = None,
    epoch_time_min: float | None = None,
    memory_mib: float | None = None,
    latency_ms: float | None = None,
    inference_memory_mib: float | None = None,
    device: "str | Device | Sequence[str | Device] | None" = None,
    batch: float | None = None,
    latency_batch: float | None = None,
    images: int = IMAGENET_IMAGES,
    devices: int | None = None,
    num_classes: int = 1000,
    precision: str | None = None,
    layout: str | None = None,
    compile: bool | None = None,
    group_width_rounding: str | None = None,
    weights: bool = False,
    resolution: int | None = None,
) -> "Plan":
    """For each base and strategy the largest network within all budgets: `.candidates` (the best
    supported by evidence first, then most flops),
    `.best`, `.pareto`, `.missing`.

    `bases`: names or archs; default: the paper's three smallest. `strategies`: names, "family" for
    alpha from 0 to 1, default: the usual eight. Budgets: counts of one image; minutes of an epoch of
    `images` on `devices` devices; training memory of one device; latency of one step of
    `latency_batch` images (default: as measured there, else 1), and memory of inference with them.
    `batch` is that of training, and of inference only where nothing of training is planned (a
    budget of latency or inference memory alone).
    `device`: as in `predict_time`, or several: the first that was measured in training tells epoch times, the first at inference latencies.
    `group_width_rounding`: "paper" or "power_of_two"; default: as the strategies say, and where these
    are the usual ones both, if the device's law depends on group width.
    `resolution`: pixels a side of the bases' images (default: their own), which strategies with
    an r grow from there; names have it behind the base's: `regnety-500mf-160px.dWr-x4`.
    `weights`: only networks with public ImageNet weights, as they are, the lowest published error
    first; `bases` are then parts of their names (none: all).
    Default: h100 where an epoch time is a budget, or nothing is.
    Without a budget: the bases as they are. InputError where no network meets a budget (says the smallest that would).

    >>> found = plan("efficientnet-b0", ["dwr", "dWr"], epoch_time_min=45, device="v100")
    >>> [c.strategy for c in found.candidates]
    ['dWr', 'dwr']
    """
    from fastscale import planning

    asked = {
        "flops": flops,
        "params": params,
        "acts": acts,
        "epoch_time_min": epoch_time_min,
        "memory_mib": memory_mib,
        "latency_ms": latency_ms,
        "inference_memory_mib": inference_memory_mib,
    }
    budgets = {name: value for name, value in asked.items() if value is not None}
    if device is None and (epoch_time_min is not None or not budgets):
        device = DEFAULT_DEVICE
    named = [device] if isinstance(device, str) or not isinstance(device, Sequence) else device
    found = [
        planning.device_named(d, precision=precision, layout=layout, compile=compile)
        for d in named
        if d is not None
    ]
    by_mode = {mode: next((d for d in found if mode in d.laws), None) for mode in planning.MODES}
    for mode, budget in (("training", epoch_time_min), ("inference", latency_ms)):
        for d in found:
            if budget is not None and by_mode[mode] is None and mode in d.refused:
                d.law(mode)  # says why
    if strategies == "family":
        strategies = planning.FAMILY
    if bases is None:
        bases = () if weights or not budgets else planning.BASES
    wanted = [bases] if isinstance(bases, str | Arch) else bases
    conditions = planning.Conditions(
        **by_mode,
        batch=batch,
        latency_batch=latency_batch,
        images=images,
        devices=devices,
        num_classes=num_classes,
    )
    if weights:
        words = [str(getattr(b, "name", b)) for b in wanted]
        return planning.plan_trained(words, budgets, conditions, resolution)
    chosen = [arch(b) for b in wanted]
    if resolution is not None:
        chosen = [at_resolution(base, resolution) for base in chosen]
    return planning.plan(
        chosen,
        [strategies] if isinstance(strategies, str | Strategy) else strategies,
        budgets,
        conditions,
        group_width_rounding,
    )


def records(runs_dir: str | Path | None = None) -> "pandas.DataFrame":
    """Everything measured, ours and published, as one tidy table: a line is one network under one set of conditions.

    Ours are the committed records and those of a folder of runs ($FASTSCALE_RUNS, else runs/, where it
    exists), with all their values under their own names; the published ones are the reference tables.
    `fastscale.records.frame.COLUMNS` says of each column what it holds and in which unit: flops are
    multiply-adds, errors in percent, `epoch_time_min` minutes, `image_time_s` seconds an image on one device.

    >>> found = records()
    >>> zoo = found[(found["source"] == "published") & (found["arch"] == "resnet-50")]
    >>> zoo[zoo["mode"] == "training"][["flops", "top1_error", "epoch_time_min"]].iloc[0].to_list()
    [4089185256.0, 23.19, 8.891]
    """
    from fastscale.home import home
    from fastscale.records.committed import committed, each_once, local
    from fastscale.records.frame import data_frame, recorded
    from fastscale.references.published import every_published

    folder = home().runs if runs_dir is None else Path(runs_dir)
    own = local(folder) if runs_dir is not None or folder.is_dir() else []
    ours = [recorded(record) for record in each_once([*committed(), *own])]
    return data_frame([*ours, *every_published()])
