"""Both loaders: the same batches, without the faults of FFCV's loader."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from fastscale.data.framing import Framing
from fastscale.data.plain_loader import PlainLoader
from fastscale.data.verify import verify
from fastscale.data.write import write
from fastscale.errors import InputError, RunError

ffcv = pytest.importorskip("fastscale.data.ffcv_loader", reason="FFCV is not installed")

TRAIN, VAL = Framing(True, 32, 36, seed=5), Framing(False, 32, 36)


def guarded(s, framing=TRAIN, batch_size=10, **k):
    return ffcv.GuardedLoader(
        s.betons / f"{'train' if framing.train else 'val'}.beton", framing, batch_size, **k
    )


def plain(s, framing=TRAIN, batch_size=10, **k):
    return PlainLoader(s.split("train" if framing.train else "val"), framing, batch_size, **k)


def epoch(loader):
    """The images and labels of one loop, one tensor each."""
    x, y = zip(*loader, strict=True)
    return torch.cat(x), torch.cat(y)


def same(a, b):
    return torch.equal(a[0], b[0]) and torch.equal(a[1], b[1])


BOTH = pytest.mark.parametrize("make", [guarded, plain])


@BOTH
def test_shapes_types_and_every_image_once(small, make):
    loader = make(small)
    got = list(loader)
    assert len(loader) == len(got) == 4
    for x, y in got:
        assert (
            x.shape == (10, 3, 32, 32)
            and x.dtype == torch.uint8
            and x.is_contiguous(memory_format=torch.channels_last)
        )
        assert y.shape == (10,) and y.dtype == torch.int64
    loader = make(small, VAL)
    x, y = epoch(loader)
    assert len(loader) == 2 and y.tolist() == small.split("val").labels.tolist() and len(x) == 12


def test_raw_stored_images_give_equal_batches(small):
    for framing in (TRAIN, VAL):
        a, b = guarded(small, framing), plain(small, framing)
        for _ in range(3):
            assert same(epoch(a), epoch(b))


def test_jpeg_stored_images_give_batches_within_the_bound(photos):
    """Same labels, crops and flips; JPEG compression of quality 90 changes about 2 grey levels."""
    for framing in (TRAIN, VAL):
        a, b = epoch(guarded(photos, framing)), epoch(plain(photos, framing))
        difference = (a[0].float() - b[0].float()).abs()
        assert torch.equal(a[1], b[1])
        assert difference.mean() < 4 and difference.mean((1, 2, 3)).max() < 8
        assert difference.mean() > 0, "two loaders are compared"


def test_a_truncated_jpeg_gives_right_pixels_or_an_error_and_verify_finds_it(photos, tree, lines):
    """Training reads a JPEG down to the end of its crop.

    A crop above the truncation gives the pixels of the whole image; one that reaches it is an
    error.
    """
    path = photos.betons / "train.beton"
    framing = replace(TRAIN, crop_area=(0.08, 0.5))
    whole = guarded(photos, framing, 1)
    right = [epoch(whole) for _ in range(8)]
    row = whole.reader.metadata["f0"][17]
    start = int(row["data_ptr"])
    size = int(whole.reader.alloc_table["size"][17])
    with open(path, "r+b") as file:
        file.seek(start + 3 * size // 4)
        file.write(b"\xff\xd9" * (size // 8))  # the end-of-image marker
    loader, order = guarded(photos, framing, 1), []
    for number, (images, labels) in enumerate(right):
        shown = framing.order(loader.indices, number).tolist().index(17)
        loader.next_epoch, got = number, []
        try:
            got.extend(loader)
            order.append("shown")
            assert len(got) == 24
        except RunError as error:
            order.append("found")
            assert "image 17: its JPEG data is damaged" in str(error) and len(got) <= shown
        for k, (image, label) in enumerate(got):
            assert torch.equal(image[0], images[k]) and label == labels[k]
    assert {"shown", "found"} == set(order), order
    assert verify(str(tree), say=lines) == 1
    assert any("damaged: its image data differs from what" in line for line in lines)


def test_a_smaller_stored_size_stays_near(photos, tree, tmp_path, lines):
    write(photos, tmp_path / "small", max_resolution=66, progress=lines, workers=0)
    a = epoch(ffcv.GuardedLoader(tmp_path / "small" / "train.beton", TRAIN, 10))
    b = epoch(plain(photos))
    assert torch.equal(a[1], b[1]) and (a[0].float() - b[0].float()).abs().mean() < 12


@BOTH
def test_epochs_differ_and_resume(small, make):
    loader = make(small)
    first = [epoch(loader) for _ in range(3)]
    assert loader.next_epoch == 3 and not torch.equal(first[0][1], first[1][1])
    assert same(epoch(make(small, epoch=2)), first[2])
    loader.next_epoch = 1
    assert same(epoch(loader), first[1])


@BOTH
def test_seeds(small, make):
    a = epoch(make(small))
    assert same(epoch(make(small)), a)
    other = make(small, replace(TRAIN, seed=6))
    assert not same(epoch(other), a)
    other.next_epoch = 0
    ours = make(small)
    epoch(ours)
    assert not torch.equal(epoch(ours)[1], epoch(other)[1]), (
        "epoch 1 of seed 5 is not epoch 0 of seed 6"
    )


@BOTH
def test_any_number_of_workers_gives_the_same_pixels(photos, make):
    one = epoch(make(photos, workers=1))
    for workers in (0, 2, 64):
        assert same(epoch(make(photos, workers=workers)), one)


@BOTH
def test_processes_share_an_epoch(small, make):
    shares = [epoch(make(small, rank=r, world=2)) for r in range(2)]
    assert [len(y) for _, y in shares] == [20, 20]
    shares = [epoch(make(small, VAL, rank=r, world=5)) for r in range(5)]
    assert [len(y) for _, y in shares] == [3, 3, 2, 2, 2]
    whole = epoch(make(small, VAL))[0]
    assert torch.equal(
        torch.cat([x for x, _ in shares]).flatten(1).sum(1).sort()[0],
        whole.flatten(1).sum(1).sort()[0],
    )


@BOTH
def test_a_subset_and_batches_of_one(small, make):
    few = np.array([3, 20, 44])
    x, y = epoch(make(small, batch_size=1, indices=few))
    assert x.shape == (3, 3, 32, 32) and sorted(y.tolist()) == [0, 1, 2]
    x, y = epoch(make(small, VAL, batch_size=11))
    assert x.shape[0] == 12, "a last batch of one"


@BOTH
def test_too_large_a_batch_is_an_error_before_training(small, make):
    with pytest.raises(InputError, match="batch_size 46 is more than the 45 training images"):
        make(small, batch_size=46)
    with pytest.raises(InputError, match="batch_size 23 is more than the 22 training images"):
        make(small, batch_size=23, world=2)
    with pytest.raises(InputError, match="fewer images than processes"):
        make(small, VAL, rank=12, world=13)


@BOTH
def test_the_resolution_may_change_between_epochs(small, make):
    loader = make(small)
    sizes = []
    for r in (32, 48, 16):
        loader.framing = replace(TRAIN, resolution=r, test_resolution=r)
        sizes.append(tuple(epoch(loader)[0].shape))
    assert sizes == [(40, 3, r, r) for r in (32, 48, 16)]


@BOTH
def test_kept_batches_are_not_overwritten(photos, make):
    kept, copies = [], []
    for x, y in make(photos, batch_size=1):
        kept.append((x, y))
        copies.append((x.clone(), y.clone()))
    assert len(kept) == 24 and all(same(a, b) for a, b in zip(kept, copies, strict=True))


@BOTH
def test_global_random_states_and_thread_counts_are_left_alone(small, make):
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        torch.manual_seed(0)
        np.random.seed(0)
        before = torch.get_rng_state(), np.random.get_state()[1].copy()
        loader = make(small)
        for _ in loader:
            assert torch.get_num_threads() == 3
        assert torch.get_num_threads() == 3
        assert (
            torch.equal(torch.get_rng_state(), before[0])
            and (np.random.get_state()[1] == before[1]).all()
        )
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("workers", [0, 2])
def test_the_plain_loader_names_a_broken_image(small, workers):
    broken = small.split("train").name(7)
    with open(broken, "r+b") as f:
        f.truncate(90)
    with pytest.raises(RuntimeError, match=r"train/ant/007\.png"):
        list(plain(small, batch_size=45, workers=workers))
