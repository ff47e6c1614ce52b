"""The crop as tensor operations: within one level of OpenCV's, equal if nothing is resized."""

import numpy as np
import pytest
import torch

from fastscale.data.cut_batch import cut_batch
from fastscale.data.framing import Framing, cut


def both(height, width, side, area=(0.08, 1.0), train=True, images=64):
    """The crops of cut_batch and of cut, (N, side, side, 3) each, from noise."""
    pixels = np.random.default_rng(0).integers(0, 256, (images, height, width, 3), dtype=np.uint8)
    framing = Framing(train, side, side, crop_area=area, seed=3)
    sizes = np.full(images, height), np.full(images, width)
    boxes, flips = framing.boxes(1, np.arange(images), *sizes)
    wanted = np.empty((images, side, side, 3), dtype=np.uint8)
    for k in range(images):
        cut(pixels[k], boxes[k].tolist(), bool(flips[k]), wanted[k])
    given = (torch.from_numpy(a) for a in (pixels, boxes, flips))
    return cut_batch(*given, side).numpy().astype(np.int64), wanted


@pytest.mark.parametrize(
    ("height", "width", "side", "mean"),
    [
        (28, 28, 32, 0.1),  # all crops are enlarged
        (64, 64, 16, 0.06),  # nearly all are reduced
        (32, 32, 24, 0.1),  # both, and one axis of a crop enlarged while the other is reduced
        (31, 77, 40, 0.1),  # edges of output pixels meet edges of crop pixels
        (120, 90, 64, 0.1),
    ],
)
def test_within_one_level_of_opencv(height, width, side, mean):
    found, wanted = both(height, width, side)
    difference = np.abs(found - wanted)
    assert difference.max() <= 1 and difference.mean() < mean


def test_without_resizing_pixels_are_equal():
    found, wanted = both(32, 32, 32, area=(1.0, 1.0))
    assert (found == wanted).all()
    found, wanted = both(40, 36, 24, train=False)
    assert np.abs(found - wanted).max() <= 1


def test_other_crops_exceed_the_bound():
    """A crop that is one pixel off differs by far more."""
    found, wanted = both(28, 28, 32)
    assert np.abs(found[:, :, 1:] - wanted[:, :, :-1]).mean() > 10


def test_surrounding_autocast_does_not_matter():
    plain, _ = both(28, 28, 32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert (both(28, 28, 32)[0] == plain).all()
