"""Compares `fastscale fit --weights` with a plain torch loop and with training from scratch.

    python scripts/benchmarks/fine_tuning.py FOLDER [--weights efficientnet-lite0]
        [--network efficientnet-lite0.r-x0.25] [--epochs 8] [--ways fit body plain scratch]
        [--records FILE]

FOLDER holds train/CLASS/ and val/CLASS/. Network, images, epochs and seed are the same each time;
the error is that of the last weights on all of val/:

    fit      `fastscale fit NETWORK --weights W`; the number of images decides the recipe
    body     the same with --freeze body: only the last layer is trained
    plain    the loop below: one rate for all, SGD with momentum .9, cosine, batches of 32, crops of
             .08 to 1 of the image, flips; the images are decoded once and held in memory
    scratch  `fastscale fit NETWORK` without weights, for as many epochs

Prints error, wall-clock seconds and CPU seconds of each, for whole processes with start and
validation. CPU seconds show what it would take on quiet cores.
"""

import argparse
import json
import math
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

WAYS = ("fit", "body", "plain", "scratch")


def images_in(folder: Path) -> list[tuple[Path, int]]:
    """All files of the class folders, with their labels."""
    classes = sorted(p for p in folder.iterdir() if p.is_dir())
    return [(f, k) for k, name in enumerate(classes) for f in sorted(name.iterdir())]


def plain(folder: Path, weights: str, network: str, epochs: int) -> float:
    """Trains by the plain loop; returns the top-1 error in %."""
    import numpy as np
    import torch
    from PIL import Image

    import fastscale as fs

    lr, batch, arch = 0.01, 32, fs.arch(network)
    torch.manual_seed(0)
    random.seed(0)
    train, val = images_in(folder / "train"), images_in(folder / "val")
    classes = 1 + max(k for _, k in train)
    net = fs.load(weights, num_classes=classes).to(memory_format=torch.channels_last)
    sizes = {k: getattr(arch, k) for k in ("resolution", "test_resolution")}
    prepare = replace(fs.transforms(weights), **sizes)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (prepare.mean, prepare.std))
    side = prepare.resolution
    pictures = [Image.open(f).convert("RGB") for f, _ in train]

    def crop(image: "Image.Image") -> "torch.Tensor":
        area = image.width * image.height
        for _ in range(10):
            share, ratio = random.uniform(0.08, 1), math.exp(random.uniform(-0.288, 0.288))
            w = round(math.sqrt(area * share * ratio))
            h = round(math.sqrt(area * share / ratio))
            if w <= image.width and h <= image.height:
                break
        else:
            w = h = min(image.size)
        x, y = random.randint(0, image.width - w), random.randint(0, image.height - h)
        cut = image.resize((side, side), Image.Resampling.BILINEAR, (x, y, x + w, y + h))
        if random.random() < 0.5:
            cut = cut.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return (torch.from_numpy(np.array(cut)).permute(2, 0, 1).float() - mean) / std

    optimizer = torch.optim.SGD(net.parameters(), lr=lr, momentum=0.9, weight_decay=1e-4)
    steps = epochs * (len(train) // batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    net.train()
    for _ in range(epochs):
        order = random.sample(range(len(train)), len(train))
        for i in range(0, len(train) - batch + 1, batch):
            some = order[i : i + batch]
            x = torch.stack([crop(pictures[k]) for k in some])
            y = torch.tensor([train[k][1] for k in some])
            loss = torch.nn.functional.cross_entropy(
                net(x.contiguous(memory_format=torch.channels_last)), y
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    net.eval()
    wrong = 0
    with torch.inference_mode():
        for i in range(0, len(val), batch):
            x = torch.stack([prepare(Image.open(f)) for f, _ in val[i : i + batch]])
            y = torch.tensor([k for _, k in val[i : i + batch]])
            wrong += int((net(x).argmax(1) != y).sum())
    return 100 * wrong / len(val)


def command(way: str, args: argparse.Namespace, runs: str) -> list[str]:
    """The command of a way."""
    if way == "plain":
        words = [str(args.folder), "--here", "--weights", args.weights, "--network", args.network]
        return [sys.executable, __file__, *words, "--epochs", str(args.epochs)]
    words = [sys.executable, "-m", "fastscale", "fit", args.network]
    words += ["--data.source", f"folder:{args.folder}", "--runs-dir", f"{runs}/{way}"]
    words += ["--model.recipe.epochs", str(args.epochs)]
    words += ["--trainer.check_val_every_n_epoch", "1000"]  # only the last weights, like the loop
    if way == "scratch":  # its recipe warms up for 5 of 100 epochs
        words += ["--model.recipe.warmup_epochs", f"{args.epochs / 20:g}"]
    else:
        words += ["--weights", args.weights]
    return words + (["--freeze", "body"] if way == "body" else [])


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights", default="efficientnet-lite0")
    parser.add_argument("--network", help="default: WEIGHTS; as efficientnet-lite0.r-x0.25")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--records", type=Path, help="append a line of JSON for each")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.folder, args.network = args.folder.resolve(), args.network or args.weights
    if args.here:
        print(f"top1_error {plain(args.folder, args.weights, args.network, args.epochs):.4f}")
        return 0
    train, val = (len(images_in(args.folder / split)) for split in ("train", "val"))
    print(f"{train} training images, {val} validation images, {args.epochs} epochs")
    print(f"{'':10}{'top-1 error, %':>15}{'seconds':>10}{'CPU seconds':>13}", flush=True)
    for way in args.ways:
        with tempfile.TemporaryDirectory() as runs:
            before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
            ended = subprocess.run(command(way, args, runs), capture_output=True, text=True)
            if ended.returncode:
                print(ended.stderr, file=sys.stderr)
                return 1
            seconds = time.monotonic() - began
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            cpu = sum(getattr(after, k) - getattr(before, k) for k in ("ru_utime", "ru_stime"))
            if way == "plain":
                error = float(ended.stdout.split()[-1])
            else:
                (file,) = Path(runs).glob("*/records.jsonl")
                error = json.loads(file.read_text())["values"]["top1_error"]
        print(f"{way:10}{error:>15.2f}{seconds:>10.0f}{cpu:>13.0f}", flush=True)
        if args.records:
            found = {"way": way, "error": error, "seconds": seconds, "cpu_seconds": cpu}
            found |= {"epochs": args.epochs, "train": train, "val": val, "cores": os.cpu_count()}
            with open(args.records, "a", encoding="utf-8") as out:
                out.write(json.dumps(found) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
