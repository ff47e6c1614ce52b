"""Find the largest network that trains within your time, on a known GPU or on your own.

    python examples/plan_for_your_gpu.py                        # an H100
    python examples/plan_for_your_gpu.py --device v100 --minutes 10
    fastscale time --here                                               # measures this machine
    python examples/plan_for_your_gpu.py --device runs/records.jsonl    # plans for it

`fastscale list devices` lists the known devices, and how well their times are predicted.
"""

import argparse

import fastscale as fs


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "--device", default="h100", help="a name or a file of time records (default: h100)"
    )
    parser.add_argument(
        "--minutes", type=float, default=5, help="for an epoch of ImageNet (default: 5)"
    )
    parser.add_argument("--devices", type=int, default=8, help="share a batch (default: 8)")
    args = parser.parse_args()

    found = fs.plan(
        ["regnety-4gf", "regnetz-4gf"],
        ["dWr", "dwr", "w"],
        epoch_time_min=args.minutes,
        device=args.device,
        devices=args.devices,
    )
    print(f"{'network':30}{'flops, G':>10}{'acts, M':>9}{'epoch, min':>12}  90 % interval")
    for candidate in found.candidates:
        time = candidate.training
        assert time is not None  # an epoch time was asked for
        beyond = ", beyond the measured range" if candidate.extrapolated else ""
        print(
            f"{candidate.arch.name:30}{candidate.counts.flops / 1e9:10.1f}"
            f"{candidate.counts.acts / 1e6:9.1f}{time.epoch_time_min:12.2f}"
            f"  {time.epoch_of(time.low):.2f} to {time.epoch_of(time.high):.2f}{beyond}"
        )
    answer = found.answer
    assert answer is not None  # a budget was given
    print(f"\n{answer.verdict}: {answer.network}: {answer.why}")
    for names, reason in answer.others:
        print(f"not {', '.join(names)}: {reason}")
    print(f"to train it: fastscale fit --run {found.best.run()}\n")

    # Equal flops, unequal time: the paper's point.
    for strategy in ("dwr", "dWr"):
        big = fs.scale_to("efficientnet-b0", strategy, flops=6e9).arch
        time = fs.predict_time(big, args.device, devices=args.devices)
        flops = fs.complexity(big).flops
        print(f"{big.name}: {flops / 1e9:.1f} G flops, {time.epoch_time_min:.2f} min an epoch")


if __name__ == "__main__":
    main()
