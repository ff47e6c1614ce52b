"""The public functions. Wherever they take an arch, a name will do."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fastscale import counts, scaling
from fastscale.archs import Arch, RegNet, at_resolution, base_names
from fastscale.common import IMAGENET_IMAGES, matching
from fastscale.counts import Complexity
from fastscale.errors import InputError
from fastscale.scaling import ScaledTo, Strategy

DEFAULT_DEVICE = "h100"  # of predicted times

if TYPE_CHECKING:
    import pandas
    import torch

    from fastscale.planning import Device, Plan, Prediction
    from fastscale.release.preprocess import Preprocessing


def arch(name: str | Arch) -> Arch:
    """The network of that name, a base (`"regnety-4gf"`) or a scaled one (`"regnety-4gf.dWr-x4"`).

    An arch is returned unchanged. InputError (a ValueError) for an unknown name, with the nearest
    known names.
    """
    return scaling.arch_named(name) if isinstance(name, str) else _known(name)


def _known(value: object) -> Arch:
    if isinstance(value, RegNet):  # it has no name
        return value.to_anynet("regnet")
    if not isinstance(value, Arch):
        raise InputError(f"expected a network's name or an arch, got {value!r}")
    return value


def list_archs(pattern: str | None = None) -> list[str]:
    """The names of all base networks, yours last; with `pattern`, only names that contain it.

    With * or ? in it, `pattern` must match the whole name.

    >>> list_archs("regnetz-*0mf")
    ['regnetz-500mf']
    """
    return matching(base_names(), pattern)


def list_strategies(pattern: str | None = None) -> list[str]:
    """The strategies that have names: the paper's, others that the planner tries, and yours."""
    return matching(scaling.strategy_names(), pattern)


def list_recipes(pattern: str | None = None) -> list[str]:
    """The training recipes; a run is named `<network>.<recipe>`."""
    from fastscale.training.recipe import recipe_names

    return matching(recipe_names(), pattern)


def list_devices(pattern: str | None = None) -> list[str]:
    """The devices that `predict_time` and `plan` know by name."""
    from fastscale.planning import shipped_devices

    return matching(shipped_devices(), pattern)


def list_checkpoints(pattern: str | None = None) -> list[str]:
    """The names of released networks, which `load` takes; superseded ones come last."""
    from fastscale.release.manifest import current_first
    from fastscale.release.places import released

    return matching([entry.name for entry in current_first(released())], pattern)


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
    """(factor, arch) nearest to one target; `.realised` has its counts. See
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
    """Exact `.flops` (multiply-adds), `.params` and `.acts` for one image at `resolution` px.

    `resolution`: default: the network's own.
    """
    return counts.complexity(arch(network), resolution, num_classes)


def build(network: str | Arch, num_classes: int = 1000) -> "torch.nn.Module":
    """The torch module: (N, 3, H, W) normalised RGB -> (N, num_classes) logits.

    It is freshly initialised and in training mode.
    """
    from fastscale.models import build as build_module

    return build_module(arch(network), num_classes)


def load(
    name: str | Path,
    num_classes: int | None = None,
    fused: bool = False,
    weights: str = "auto",
) -> "torch.nn.Module":
    """A trained network, in eval mode on the CPU.

    The hash of a released file is checked before the file is read. InputError for anything that
    cannot be loaded.

    `name`: a released name (see `fastscale checkpoint list`; with or without its hash), a
    `.safetensors` file, a URL, `hf:org/name` on a model hub, `pycls/<network>` and other known
    public weights, a training checkpoint, or the folder of a run.
    `num_classes`: if it differs from the checkpoint's, the last layer is freshly initialised.
    `fused`: fold batch norms into convs, for inference.
    `weights`: of a training checkpoint: "raw", "ema" (averaged) or "auto", those with the lower
    recorded top-1 error. If they differ by more than a point, "auto" says so on stderr.
    """
    from fastscale.release.load import load as load_released

    return load_released(name, num_classes, fused, weights)


def transforms(name: str | Path) -> "Preprocessing":
    """The test preprocessing of a checkpoint: PIL image or uint8 array -> (3, R, R) float32 tensor.

    It is the one used in the checkpoint's evaluation. `name`: as in `load`.
    """
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
    """The time of a network by a device's runtime law, with an interval.

    The result has `.epoch_time_min`, `.image_time_s`, `.low`, `.high` and `.extrapolated`.
    InputError for an unknown device, a mode that was not measured there, and records of mixed
    environments.

    `device`: a named device ("h100", "v100", ...; see `fastscale list devices`), a file of time
    records ("runs/records.jsonl"), or the name of a device in records.
    `mode`: "training" or "inference"; default: training, if it was measured.
    `batch`: images per step on one device; default: the median of the measurements.
    `images`: in an epoch; default: ImageNet's.
    `devices`: that share an epoch; default: 8 for named devices, 1 for records.
    `precision`, `layout` (or "best"), `compile`: which records to use, where they differ.

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
    """The largest network within all budgets, for each base and strategy.

    The result has `.candidates` (those best supported by evidence first, then by flops), `.best`,
    `.pareto` and `.missing`. Without a budget it describes the bases themselves. InputError if no
    network is within them; it names the limit, and what the nearest network reaches.

    `bases`: names or archs; default: the paper's three smallest.
    `strategies`: names, or "family" for alpha from 0 to 1; default: the usual eight.
    `flops`, `params`, `acts`: budgets of the counts for one image.
    `epoch_time_min`: budget of an epoch of `images` on `devices` devices, in minutes.
    `memory_mib`: budget of training memory on one device.
    `latency_ms`, `inference_memory_mib`: budgets of one forward pass of `latency_batch` images;
    `latency_batch`: default: as measured on the device, else 1.
    `batch`: images per training step on one device. If all budgets are of inference, it is the
    batch of inference.
    `device`: as in `predict_time`, or several: epoch times are those of the first measured in
    training, latencies those of the first measured at inference. Default: h100 if there is a budget
    of epoch time, or none at all.
    `group_width_rounding`: "paper" or "power_of_two"; default: as the strategies say. The usual
    strategies are tried with both, if the device's law depends on group width.
    `resolution`: pixels a side of the bases' images; default: their own. Strategies with an r scale
    it. Names contain it: `regnety-500mf-160px.dWr-x4`.
    `weights`: choose among networks with public ImageNet weights, unscaled, the lowest published
    error first; `bases` are then parts of their names; default: all.

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
                d.law(mode)  # raises, with the reason
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
    """All measurements, ours and published, as one tidy table.

    A row is one network under one set of conditions. Ours are the committed records and those in
    `runs_dir` (default: $FASTSCALE_RUNS, else runs/, if it exists), with all values under their own
    names; the published ones are the reference tables. `fastscale.records.frame.COLUMNS` describes
    each column and its unit: flops are multiply-adds, errors percent, `epoch_time_min` minutes,
    `image_time_s` seconds per image on one device.

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
    users = local(folder) if runs_dir is not None or folder.is_dir() else []
    ours = [recorded(record) for record in each_once([*committed(), *users])]
    return data_frame([*ours, *every_published()])
