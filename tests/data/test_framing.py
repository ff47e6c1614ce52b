"""Crops, flips and order: FFCV's distributions, from seed, epoch and image alone."""

import numpy as np
import pytest

from fastscale.data.framing import Framing, batches, cut, uniforms
from fastscale.errors import InputError

N = 20000


def framing(train=True, resolution=64, test_resolution=73, **k):
    return Framing(train, resolution, test_resolution, **k)


def test_uniforms_are_uniform_and_independent():
    u = uniforms(0, 0, np.arange(N), 5)
    assert u.shape == (N, 5) and u.min() >= 0 and u.max() < 1
    assert abs(u.mean(0) - 0.5).max() < 0.01 and abs(u.var(0) - 1 / 12).max() < 0.003
    assert abs(np.corrcoef(u.T) - np.eye(5)).max() < 0.03, "between the numbers of an image"
    assert abs(np.corrcoef(u[:-1, 0], u[1:, 0])[0, 1]) < 0.03, "between neighbouring images"
    for other in (uniforms(1, 0, np.arange(N), 5), uniforms(0, 1, np.arange(N), 5)):
        assert abs(np.corrcoef(u[:, 0], other[:, 0])[0, 1]) < 0.03, "between seeds, between epochs"


def test_numbers_depend_on_seed_epoch_and_image_only():
    u = uniforms(3, 7, np.arange(10), 4)
    assert (uniforms(3, 7, np.array([4, 2], dtype=np.uint64), 2) == u[[4, 2], :2]).all()
    assert (uniforms(3, 8, np.arange(10), 4) != u).all() and (
        uniforms(4, 7, np.arange(10), 4) != u
    ).all()
    assert not np.array_equal(uniforms(3, 1, np.arange(10), 4), uniforms(4, 0, np.arange(10), 4))
    assert uniforms(-1, 0, np.arange(2), 1).shape == (2, 1)


@pytest.mark.parametrize("height, width", [(100, 100), (90, 130), (28, 28), (400, 60), (31, 500)])
def test_random_crops_have_ffcvs_distribution(height, width):
    """Mean and quantiles of area, ratio and position against FFCV's get_random_crop."""
    get_random_crop = pytest.importorskip(
        "ffcv.fields.rgb_image", reason="FFCV is not installed"
    ).get_random_crop
    np.random.seed(0)
    scale, ratio = np.array([0.08, 1.0]), np.array([3 / 4, 4 / 3])
    theirs = np.array([get_random_crop(height, width, scale, ratio) for _ in range(N)])
    ours, flips = framing().boxes(0, np.arange(N), np.full(N, height), np.full(N, width))
    assert (
        (ours[:, 0] + ours[:, 2] <= height).all()
        and (ours[:, 1] + ours[:, 3] <= width).all()
        and (ours >= [0, 0, 1, 1]).all()
    )
    assert abs(flips.mean() - 0.5) < 0.02
    for of in (
        lambda b: b[:, 2] * b[:, 3],
        lambda b: b[:, 3] / b[:, 2],
        lambda b: b[:, 0],
        lambda b: b[:, 1],
    ):
        a, b = of(theirs), of(ours)
        spread = max(a.std(), 1e-9)
        assert abs(a.mean() - b.mean()) < 0.05 * spread + 1e-9
        assert (
            abs(
                np.quantile(a, [0.1, 0.25, 0.5, 0.75, 0.9])
                - np.quantile(b, [0.1, 0.25, 0.5, 0.75, 0.9])
            )
            <= 0.08 * spread + 1
        ).all()


def test_crops_of_mixed_sizes_and_tiny_images():
    h, w = np.array([1, 1, 2, 500, 3]), np.array([1, 50, 2, 3, 700])
    for epoch in range(50):
        boxes, _ = framing().boxes(epoch, np.arange(5), h, w)
        assert (boxes[:, 2:] >= 1).all() and (boxes[:, :2] >= 0).all()
        assert (boxes[:, 0] + boxes[:, 2] <= h).all() and (boxes[:, 1] + boxes[:, 3] <= w).all()


@pytest.mark.parametrize("shape, resolution, test_resolution, box", [
    ((256, 256), 224, 256, (16, 16, 224, 224)),
    ((256, 341), 224, 256, (16, 58, 224, 224)),
    ((512, 300), 224, 256, (125, 19, 262, 262)),
    ((28, 28), 32, 32, (0, 0, 28, 28)),
    ((1, 9), 224, 256, (0, 4, 1, 1)),
    ((272, 272), 240, 272, (16, 16, 240, 240)),
])  # fmt: skip
def test_the_centre_crop(shape, resolution, test_resolution, box):
    boxes, flips = framing(False, resolution, test_resolution).boxes(
        3, np.array([0]), *(np.array([n]) for n in shape)
    )
    assert tuple(boxes[0]) == box and not flips.any()


@pytest.mark.parametrize("shape", [(300, 400), (350, 260), (256, 256)])
def test_the_centre_crop_is_resize_then_crop(shape, picture):
    """One step instead of two: only the resampling differs from PIL's resize and crop."""
    from PIL import Image

    image = picture(0, *shape)
    scale = 128 / min(shape)
    small = image.resize((round(shape[1] * scale), round(shape[0] * scale)), Image.Resampling.BOX)
    left, top = (small.width - 112) // 2, (small.height - 112) // 2
    wanted = np.asarray(small.crop((left, top, left + 112, top + 112))).astype(int)
    got = np.empty((112, 112, 3), dtype=np.uint8)
    box = framing(False, 112, 128).boxes(
        0, np.array([0]), np.array([shape[0]]), np.array([shape[1]])
    )[0][0]
    cut(np.asarray(image), box.tolist(), False, got)
    assert abs(got - wanted).mean() < 2


def test_flipping_mirrors():
    image = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    a, b = np.empty((20, 20, 3), dtype=np.uint8), np.empty((20, 20, 3), dtype=np.uint8)
    cut(image, [0, 0, 20, 20], False, a)
    cut(image, [0, 0, 20, 20], True, b)
    assert (a == image).all() and (b == image[:, ::-1]).all()
    assert (
        not framing(flip=False).boxes(0, np.arange(99), np.full(99, 50), np.full(99, 50))[1].any()
    )


def test_orders():
    f, indices = framing(seed=3), np.arange(103)
    assert sorted(f.order(indices, 0)) == list(range(103)) and not np.array_equal(
        f.order(indices, 0), f.order(indices, 1)
    )
    assert np.array_equal(
        f.order(indices, 5), framing(seed=3, resolution=32, test_resolution=32).order(indices, 5)
    )
    assert not np.array_equal(f.order(indices, 1), framing(seed=4).order(indices, 0)), (
        "seeds are spaced"
    )
    shares = [f.order(indices, 2, r, 4) for r in range(4)]
    assert [len(s) for s in shares] == [25] * 4 and len(set(np.concatenate(shares))) == 100
    shares = [framing(False).order(indices, 2, r, 4) for r in range(4)]
    assert sorted(np.concatenate(shares)) == list(range(103)), "evaluation counts each image once"
    assert [len(b) for b in batches(indices, 50, True)] == [50, 50] and [
        len(b) for b in batches(indices, 50, False)
    ] == [50, 50, 3]


@pytest.mark.parametrize("wrong", [
    {"resolution": 0}, {"resolution": 5000, "test_resolution": 5000}, {"test_resolution": 63},
    {"crop_area": (0.0, 1.0)}, {"crop_area": (0.5, 1.1)}, {"crop_area": (0.9, 0.5)},
    {"crop_ratio": (2.0, 1.0)}, {"crop_ratio": (0.0, 1.0)},
])  # fmt: skip
def test_invalid_framings(wrong):
    with pytest.raises(InputError):
        framing(**wrong)
