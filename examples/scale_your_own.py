"""Scale your own network by each strategy, count the results exactly, and build one.

    python examples/scale_your_own.py [--factor 4]

Counting needs no torch and no data. To train the result, name it: `fastscale fit --arch
examples/scale_your_own.py:MINE --run my-regnet.dWr-x4.quick`.
"""

import argparse
from dataclasses import replace

import fastscale as fs

# A network is a frozen dataclass: take a similar one and change its fields.
MINE = replace(
    fs.arch("regnetz-500mf"),
    name="my-regnet",
    depths=(1, 3, 8, 2),
    widths=(24, 48, 120, 256),
    resolution=192,
)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--factor", type=float, default=4, help="growth in flops (default: 4)")
    factor = parser.parse_args().factor

    # Registered networks and strategies can be used by name everywhere.
    fs.register_arch(MINE)
    fs.register_strategy(fs.Strategy("mostly_width", 0.2, 0.7, 0.1))  # shares of d, w, r

    base = fs.complexity(MINE)
    print(f"{'network':32}{'flops, G':>10}{'params, M':>11}{'acts, M':>9}{'acts grow':>11}")
    for strategy in ("d", "w", "r", "dwr", "dWr", "mostly_width"):
        big = fs.scale(MINE, strategy, factor)
        cost = fs.complexity(big)  # one multiply-add is one flop
        print(
            f"{big.name:32}{cost.flops / 1e9:10.2f}{cost.params / 1e6:11.1f}"
            f"{cost.acts / 1e6:9.2f}{cost.acts / base.acts:10.2f}x"
        )

    # The factor that meets a budget, by the exact counts after rounding.
    found = fs.scale_to(MINE, "dWr", flops=2e9)
    print(f"\n2 G flops: {found.arch.name}, {found.realised.flops / 1e9:.3f} G")

    import torch

    net = fs.build(found.arch, num_classes=10).eval()
    side = found.arch.resolution
    with torch.no_grad():
        logits = net(torch.zeros(1, 3, side, side))
    print(f"built: ({side}, {side}) RGB -> {logits.shape[1]} logits")


if __name__ == "__main__":
    main()
