"""Rates of other projects with the same pictures on the same device: a process and a line for each.

python scripts/gpu/rivals.py stock|timm|compiled NETWORK --pictures DIR --beton FILE [--batch 256]
    [--seconds 5] [--augmentation none] [--device cuda] [--precision bf16-mixed]

stock: FFCV's own compiled pipeline (crop, flip) with our eager step. timm: its loader (crop, flip,
AutoAugment if asked for; PIL, a process for each core) and its network with torch.optim.SGD,
channels_last and autocast. compiled: our step alone, its network compiled by
torch.compile(mode="reduce-overhead"), which replays CUDA graphs of forward and backward.
"""

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

import fastscale as fs
from fastscale.common import IMAGENET_MEAN, IMAGENET_STD
from fastscale.errors import InputError
from fastscale.records.environment import cores
from fastscale.timing.interleaved import chosen_kernels
from fastscale.timing.rounds import warm_up
from fastscale.timing.step import DTYPES, TrainingStep
from fastscale.training.recipe import load_recipe

# timm's nearest networks; for RegNetY-500MF its 400MF
TIMM = {
    "regnety-500mf": "regnety_004",
    "efficientnet-b0": "efficientnet_b0",
    "resnet-50": "resnet50",
    "regnety-4gf": "regnety_040",
    "regnety-tiny": "regnety_002",
}


def stock(args: argparse.Namespace) -> dict[str, Any]:
    """FFCV's loader with our step.

    Imports FFCV itself: our loader changes that import and does not use its compiler.
    """
    if args.augmentation != "none":
        raise InputError("FFCV has no AutoAugment")
    from ffcv.fields.decoders import IntDecoder, RandomResizedCropRGBImageDecoder
    from ffcv.loader import Loader, OrderOption
    from ffcv.transforms import RandomHorizontalFlip, Squeeze, ToDevice, ToTensor, ToTorchImage

    from fastscale.timing.loader import loading_rate, together

    side, device = fs.arch(args.network).resolution, torch.device(args.device)
    to = [ToDevice(device, non_blocking=True)] if device.type == "cuda" else []
    loader = Loader(
        args.beton,
        args.batch,
        os_cache=True,
        num_workers=cores(),
        order=OrderOption.RANDOM,
        seed=0,
        drop_last=True,
        pipelines={
            "image": [
                RandomResizedCropRGBImageDecoder((side, side)),
                RandomHorizontalFlip(),
                ToTensor(),
                *to,
                ToTorchImage(),
            ],
            "label": [IntDecoder(), ToTensor(), *to, Squeeze(1)],
        },
    )
    alone = loading_rate(loader, args.seconds)
    with chosen_kernels("search"):
        step = our_step(args)
        warm_up(step)
        rate, waited = together(step, loader, IMAGENET_MEAN, IMAGENET_STD, args.seconds)
    return {"loader_images_per_s": alone, "images_per_s": rate, "device_waits": waited}


def our_step(args: argparse.Namespace) -> TrainingStep:
    """Our eager training step."""
    recipe = replace(
        load_recipe("imagenet-100ep"), precision=args.precision, batch_size=args.batch, mixup=0.0
    )
    return TrainingStep(fs.arch(args.network), recipe, args.batch, 10, args.device)


def timm(args: argparse.Namespace) -> dict[str, Any]:
    """timm's loader with its network; the first batches are not counted."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from compare_timm import make_importable

    folder = Path(sys.prefix) / "parity"
    sys.path += [str(folder)] if folder.is_dir() else []
    make_importable()
    import timm as theirs
    from timm.data import create_dataset, create_loader

    device, side = torch.device(args.device), fs.arch(args.network).resolution
    loader = create_loader(
        create_dataset("", root=str(args.pictures / "train"), is_training=True),
        input_size=(3, side, side),
        batch_size=args.batch,
        is_training=True,
        color_jitter=0.0,
        auto_augment="original" if args.augmentation == "autoaugment" else None,
        interpolation="bilinear",
        num_workers=cores(),
        device=device,
    )
    net = theirs.create_model(TIMM[args.network], num_classes=10).to(device)
    net = net.to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.SGD(net.parameters(), 0.1, 0.9, weight_decay=2e-5, nesterov=True)
    criterion = torch.nn.CrossEntropyLoss(label_smoothing=0.1)
    dtype = DTYPES.get(args.precision, torch.float32)
    images, began, late, seen = 0, 0.0, False, 0
    while not late:
        for pixels, labels in loader:
            pixels = pixels.contiguous(memory_format=torch.channels_last)
            with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
                loss = criterion(net(pixels), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            seen += 1
            if seen <= 5:  # not counted: kernels are chosen, processes start
                wait_for(device)
                began = time.perf_counter()
                continue
            images += len(pixels)
            if late := time.perf_counter() - began >= args.seconds:
                break
    wait_for(device)
    rate = images / (time.perf_counter() - began)
    return {"images_per_s": rate, "network": TIMM[args.network], "version": theirs.__version__}


def wait_for(device: torch.device) -> None:
    """Waits until the device has finished its work."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def compiled(args: argparse.Namespace) -> dict[str, Any]:
    """Our compiled step, and the seconds that compiling took."""
    from speed import alone

    step = our_step(args)
    step.net.compile(mode="reduce-overhead")
    began = time.perf_counter()
    warm_up(step)
    took = time.perf_counter() - began
    return {"images_per_s": args.batch / alone(step, args.seconds), "compile_s": took}


def main() -> int:
    """Prints the line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rival", choices=("stock", "timm", "compiled"))
    parser.add_argument("network", choices=list(TIMM))
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--beton")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--augmentation", choices=("none", "autoaugment"), default="none")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--precision", default="bf16-mixed")
    args = parser.parse_args()
    print(json.dumps({"stock": stock, "timm": timm, "compiled": compiled}[args.rival](args)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
