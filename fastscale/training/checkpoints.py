"""From a training checkpoint to its network, ready to use."""

import os

from fastscale.models import build
from fastscale.models.network import Network
from fastscale.scaling import arch_named
from fastscale.training.checkpoint_io import load_weights, read_checkpoint


def load_network(path: str | os.PathLike, weights: str = "auto") -> Network:
    """The network of a `.ckpt` file or a run's folder, in eval mode on the CPU.

    `weights`: "raw", "ema", or "auto" (the averaged ones unless the recipe made none). InputError if the file is not a run's checkpoint.
    """
    content = read_checkpoint(path)
    settings = content["hyper_parameters"]
    averaged = weights == "ema" or (weights == "auto" and bool(settings["recipe"]["ema_rate"]))
    prefix = "ema." if averaged else "net."
    net = build(arch_named(settings["arch"]), settings["num_classes"])
    load_weights(
        net,
        {
            k.removeprefix(prefix): v
            for k, v in content["state_dict"].items()
            if k.startswith(prefix)
        },
        path,
    )
    return net.eval()
