"""Inference time with batch norm folded into the convs, and of the plain network, interleaved.

.venv/bin/python scripts/measure_fused.py [NETWORK ...] [--batch 16] [--rounds 7] [--threads N]
    [--records FILE]
"""

import argparse
import statistics
import time
from pathlib import Path

import torch

import fastscale as fs
from fastscale.records import Record, RecordStore, environment, network_fields
from fastscale.release.fuse import fuse

NETWORKS = [
    "regnety-400mf.dds",
    "regnetz-500mf",
    "efficientnet-b0",
    "efficientnet-lite0",
    "resnet-50",
]
FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


def seconds(net: torch.nn.Module, images: torch.Tensor) -> float:
    """Seconds of one forward pass."""
    if images.is_cuda:
        torch.cuda.synchronize()
    start = time.perf_counter()
    net(images)
    if images.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - start


def main() -> None:
    """Prints images/s plain and folded, and their ratio, in both layouts: medians over rounds."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("networks", nargs="*", default=NETWORKS)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--records", type=Path, help="append a record of each to this file")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    print(
        f"{'network':22}{'layout':16}{'plain':>10}{'folded':>10}{'ratio':>8}   "
        f"images/s on {device}, {args.threads} threads"
    )
    for name in args.networks:
        for layout, form in FORMATS.items():
            plain = fs.build(name).eval().to(device, memory_format=form)
            nets = {"plain": plain, "fused": fuse(plain).to(memory_format=form)}
            side = plain.arch.resolution
            images = torch.randn(args.batch, 3, side, side, device=device).contiguous(
                memory_format=form
            )
            taken: dict[str, list[float]] = {kind: [] for kind in nets}
            with torch.inference_mode():
                for round_ in range(args.rounds + 1):
                    for kind, net in nets.items():
                        took = seconds(net, images)
                        if round_:  # the first warms up
                            taken[kind].append(took)
            step = {kind: statistics.median(t) for kind, t in taken.items()}
            rate = {kind: args.batch / t for kind, t in step.items()}
            print(
                f"{name:22}{layout:16}{rate['plain']:>10.1f}{rate['fused']:>10.1f}"
                f"{rate['fused'] / rate['plain']:>8.2f}",
                flush=True,
            )
            if args.records:
                values = {
                    "inference_time_s": step["plain"],
                    "inference_time_fused_s": step["fused"],
                    "speedup": rate["fused"] / rate["plain"],
                }
                env = environment(
                    precision="32-true",
                    layout=layout,
                    compile=False,
                    batch=args.batch,
                    repeats=args.rounds,
                )
                RecordStore(args.records).append(
                    Record(
                        kind="time",
                        run=f"{name}.fused",
                        **network_fields(plain.arch, 1000),
                        values=values,
                        env=env,
                    )
                )


if __name__ == "__main__":
    main()
