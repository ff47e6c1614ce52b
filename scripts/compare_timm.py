"""Times our networks against timm's and torchvision's: inference and training step, interleaved.

.venv/bin/python scripts/compare_timm.py [NETWORK ...] [--precision bf16-mixed] [--batch 64]
    [--device auto] [--rounds 7] [--runs_dir runs]

Prints ratios of time; below 1, ours takes less. `equal`: the same memory layout and optimizer for
both. `defaults`: ours as in the recipe (layout auto), theirs as a user finds them (contiguous,
plain torch.optim.SGD). Batch and precision are always the same. Each pair is a record and is
measured once. Needs timm or torchvision in the environment or in its folder `parity` (pip install
--no-deps --target .venv/parity timm torchvision huggingface_hub); a missing one is left out. Exit
code 1 if one of our networks is slower beyond the noise.
"""

import argparse
import importlib
import math
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import torch
from torch import nn

import fastscale as fs
from fastscale.errors import InputError
from fastscale.records import Record, RecordStore, network_fields
from fastscale.records.environment import cpu_name, versions
from fastscale.timing.device import usable_device
from fastscale.timing.epoch import measured_under
from fastscale.timing.interleaved import COMPILED_ALONE, StepTime, interleaved
from fastscale.timing.step import InferenceStep, Step, TrainingStep
from fastscale.training.layout import resolve_layout
from fastscale.training.recipe import PRECISIONS, Recipe, load_recipe

# ours: (timm's name, torchvision's)
PAIRS = {
    "regnetx-400mf.dds": ("regnetx_004", "regnet_x_400mf"),
    "regnety-400mf.dds": ("regnety_004", "regnet_y_400mf"),
    "regnety-4gf.dds": ("regnety_040", None),
    "regnetz-500mf.timm": ("regnetz_005", None),
    "regnetz-4gf-h.timm": ("regnetz_040_h", None),
    "efficientnet-b0": ("efficientnet_b0", "efficientnet_b0"),
    "resnet-50": ("resnet50", "resnet50"),
    "resnext-50": ("resnext50_32x4d", "resnext50_32x4d"),
}
KEPT: list[torch.library.Library] = []  # definitions last as long as the library is referenced
WHOLE = {"step": TrainingStep, "inference": InferenceStep}
SETTINGS = ("equal", "defaults")


def make_importable() -> None:
    """Defines two operators that a GPU build of torchvision misses beside a CPU build of torch.

    No network here uses them.
    """
    try:
        importlib.import_module("torchvision")
    except ImportError:
        return
    except RuntimeError:
        for name in [m for m in sys.modules if m.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "FRAGMENT")
        for name in ("nms", "qnms"):
            library.define(name + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        KEPT.append(library)


def others() -> dict[str, Callable[[str, int], nn.Module]]:
    """By project, if installed: (name, classes) -> a network with random weights."""
    folder = Path(sys.prefix) / "parity"
    sys.path += [str(folder)] if folder.is_dir() else []
    make_importable()
    found: dict[str, Callable[[str, int], nn.Module]] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import timm

            found["timm"] = lambda name, classes: timm.create_model(
                name, pretrained=False, num_classes=classes
            )
        except (ImportError, RuntimeError) as error:
            print(f"timm is left out: {error}", file=sys.stderr)
        try:
            import torchvision

            found["torchvision"] = lambda name, classes: torchvision.models.get_model(
                name, weights=None, num_classes=classes
            )
        except (ImportError, RuntimeError) as error:
            print(f"torchvision is left out: {error}", file=sys.stderr)
    return found


def theirs(kind: type[Step], make: Callable[[], nn.Module], plain: bool) -> type[Step]:
    """A step of another project's network; `plain`: with torch's default SGD."""

    class Theirs(kind):  # type: ignore[valid-type, misc]
        def __init__(self, arch, recipe: Recipe, batch: int, num_classes: int, device: str):
            super().__init__(arch, recipe, batch, num_classes, device)
            if plain and kind is TrainingStep:
                settings = {
                    "momentum": recipe.momentum,
                    "nesterov": recipe.nesterov,
                    "weight_decay": 2e-5,
                }
                self.optimizer = torch.optim.SGD(
                    self.net.parameters(), lr=recipe.first_lr, **settings
                )

        def network(self, arch, num_classes: int) -> nn.Module:
            return make()

    return Theirs


def compare(
    ours: str,
    project: str,
    make: Callable[[], nn.Module],
    recipe: Recipe,
    setting: str,
    args: argparse.Namespace,
) -> Record:
    """The record of one pair under one setting."""
    arch, plain = fs.arch(ours), setting == "defaults"
    its_recipe = replace(recipe, layout="contiguous") if plain else recipe
    values: dict[str, float] = {}
    for what, kind in WHOLE.items():

        def our_step(size: int, kind: type[Step] = kind) -> Step:
            return kind(arch, recipe, size, args.classes, args.device)

        def their_step(size: int, kind: type[Step] = kind) -> Step:
            return theirs(kind, make, plain)(arch, its_recipe, size, args.classes, args.device)

        makers = {"ours": our_step, "theirs": their_step}
        times = interleaved(
            makers,
            batch=args.batch,
            device=args.device,
            rounds=args.rounds,
            round_s=args.round_s,
            graph=False,
        )
        each = {name: t.eager.median_s / t.batch for name, t in times.items()}
        for name, t in times.items():
            values[f"{name}_{what}_time_s"] = t.eager.median_s
        values[f"{what}_time_ratio"] = each["ours"] / each["theirs"]
        values[f"{what}_time_ratio_spread"] = values[f"{what}_time_ratio"] * sum(
            relative_spread(t) for t in times.values()
        )
        step = times["ours"]
    env = measured_under(
        recipe, step, asked=args.batch, device=args.device, images="dummy", against=against(project)
    )
    env |= {
        "setting": setting,
        "their_layout": its_recipe.layout,
        "same_params": same_params(ours, make, args.classes),
    }
    fields = network_fields(arch, args.classes)
    return Record(
        kind="time",
        run=f"{arch.name}.{project}-{setting}",
        **fields,
        data="dummy",
        values=values,
        env=env,
    )


def against(project: str) -> str:
    """A project's name and version."""
    return f"{project} {metadata.version(project)}"


def conditions(record: Record) -> tuple:
    """The pair of a record, and the conditions that it was measured under."""
    env = record.env
    where = (
        env["device"],
        env["threads"],
        env["precision"],
        env["layout"],
        env.get("batch_asked", env["batch"]),
    )
    return record.run, record.num_classes, *where, env["versions"]["torch"], env["against"]


def slower(record: Record, slack: float) -> list[str]:
    """Where ours takes more time, by more than twice the spread and the slack."""
    v = record.values
    over = {
        w: v[f"{w}_time_ratio"]
        for w in WHOLE
        if v[f"{w}_time_ratio"] - 2 * v[f"{w}_time_ratio_spread"] > 1 + slack
    }
    return [f"{record.run} {what}: {ratio:.3f}" for what, ratio in over.items()]


def relative_spread(time: StepTime) -> float:
    """Spread over the rounds relative to the median."""
    return time.eager.spread_s / time.eager.median_s


def same_params(ours: str, make: Callable[[], nn.Module], classes: int) -> bool:
    """Whether both networks have the same number of weights."""
    return (
        sum(p.numel() for p in make().parameters())
        == fs.complexity(ours, num_classes=classes).params
    )


def main() -> int:
    """Measures, prints and records each pair."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("networks", nargs="*", default=list(PAIRS))
    parser.add_argument("--recipe", default="imagenet-100ep")
    parser.add_argument("--precision", choices=PRECISIONS, default="bf16-mixed")
    parser.add_argument(
        "--layout",
        choices=("contiguous", "channels_last"),
        help="of both at equal settings (default: what auto chooses)",
    )
    parser.add_argument("--settings", default=",".join(SETTINGS))
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--round_s", type=float, default=0.3)
    parser.add_argument(
        "--slack",
        type=float,
        default=0.02,
        help="share by which ours may be slower, beyond twice the spread (default: 0.02)",
    )
    parser.add_argument("--runs_dir", default="runs")
    args = parser.parse_args()
    args.device = usable_device(args.device)
    for given, known in ((args.networks, PAIRS), (args.settings.split(","), SETTINGS)):
        if unknown := [n for n in given if n not in known]:
            raise InputError(f"{unknown[0]!r} cannot be compared; choose from {', '.join(known)}")
    if min(args.batch, args.classes, args.rounds) < 1 or not 0 < args.round_s < math.inf:
        raise InputError("sizes must be at least 1, and a round's seconds finite and above 0")
    if load_recipe(args.recipe).compile:
        raise InputError(COMPILED_ALONE)
    installed = others()
    if not installed:
        raise InputError(
            "neither timm nor torchvision can be imported: pip install timm torchvision"
        )
    store, losses = RecordStore(Path(args.runs_dir) / "parity.jsonl"), []
    done = {conditions(r): r for r in store.read()}
    device = (
        torch.cuda.get_device_name(args.device) if args.device.startswith("cuda") else cpu_name()
    )
    print(
        f"{'network':22}{'against':14}{'setting':10}{'training step':>22}{'inference':>22}"
        "    time, ours / theirs"
    )
    for name in args.networks:
        for project, its_name in zip(("timm", "torchvision"), PAIRS[name], strict=True):
            if its_name is None or project not in installed:
                continue
            for setting in args.settings.split(","):
                layout = args.layout if args.layout and setting == "equal" else "auto"
                recipe = replace(
                    load_recipe(args.recipe),
                    precision=args.precision,
                    layout=layout,
                    batch_size=args.batch,
                )
                where = (
                    device,
                    torch.get_num_threads(),
                    args.precision,
                    resolve_layout(layout),
                    args.batch,
                    versions()["torch"],
                )
                record = before = done.get(
                    (f"{name}.{project}-{setting}", args.classes, *where, against(project))
                )
                if record is None:
                    record = compare(
                        name,
                        project,
                        lambda p=project, n=its_name: installed[p](n, args.classes),
                        recipe,
                        setting,
                        args,
                    )
                    store.append(record)
                v = record.values
                cells = [
                    f"{v[f'{w}_time_ratio']:.3f} ± {v[f'{w}_time_ratio_spread']:.3f}" for w in WHOLE
                ]
                note = "" if record.env["same_params"] else "   (not the same params)"
                note += "   (measured before)" if before else ""
                print(
                    f"{name:22}{project:14}{setting:10}{cells[0]:>22}{cells[1]:>22}{note}",
                    flush=True,
                )
                losses += slower(record, args.slack)
    for line in losses:
        print(f"slower, beyond the noise: {line}")
    return 1 if losses else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except InputError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
