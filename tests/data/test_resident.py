"""Images kept on the device: the FFCV loader's batches, exactly or within a level by tensors."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from fastscale.data import ImageData, choice
from fastscale.data import module as module_file
from fastscale.data import resident as resident_file
from fastscale.data.beton import read_index
from fastscale.data.resident import Resident, ResidentLoader, bytes_kept
from fastscale.errors import InputError, RunError
from tests.data.test_loaders import TRAIN, VAL, epoch, guarded, same

SMALL = {"resolution": 32, "test_resolution": 36, "batch_size": 10, "workers": 1}


def path(s, framing=TRAIN):
    return s.betons / f"{'train' if framing.train else 'val'}.beton"


def resident(s, framing=TRAIN, batch_size=10, **k):
    kept = Resident(path(s, framing), framing, workers=2)
    return ResidentLoader(kept, framing, batch_size, **k)


@pytest.fixture(params=["small", "photos"])
def stored(request):
    """Sources of 45 and 24 training images of unequal sizes: stored raw, and as JPEG."""
    return request.getfixturevalue(request.param)


def test_batches_equal_the_ffcv_loaders(stored):
    for framing in (TRAIN, VAL, replace(TRAIN, resolution=24, flip=False)):
        ours, theirs = resident(stored, framing), guarded(stored, framing)
        assert len(ours) == len(theirs)
        for _ in range(2):
            for (x, y), (u, v) in zip(ours, theirs, strict=True):
                assert same((x, y), (u, v)) and (x.dtype, y.dtype) == (u.dtype, v.dtype)
                assert x.is_contiguous(memory_format=torch.channels_last)
        assert ours.next_epoch == theirs.next_epoch == 2


def test_by_tensors_within_one_level_and_validation_exactly(stored):
    ours, theirs = epoch(resident(stored, tensors=True)), epoch(guarded(stored))
    difference = (ours[0].int() - theirs[0].int()).abs()
    assert torch.equal(ours[1], theirs[1]), "the same images in the same order"
    assert difference.max() <= 1 and 0 < difference.float().mean() < 0.2
    assert same(epoch(resident(stored, VAL, tensors=True)), epoch(guarded(stored, VAL)))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu(stored):
    for framing, most in ((TRAIN, 1), (VAL, 0)):
        loader = ResidentLoader(Resident(path(stored, framing), framing, "cuda"), framing, 10)
        for (x, y), (u, v) in zip(loader, guarded(stored, framing), strict=True):
            assert x.is_cuda and y.is_cuda and torch.equal(y.cpu(), v)
            assert x.is_contiguous(memory_format=torch.channels_last)
            assert (x.cpu().int() - u.int()).abs().max() <= most


def test_more_batches_than_boxes_are_drawn_at_a_time(small):
    ours, theirs = (epoch(make(small, batch_size=1)) for make in (resident, guarded))
    assert len(ours[1]) == 45 > resident_file.TOGETHER and same(ours, theirs)


@pytest.mark.parametrize("tensors", [False, True])
def test_resumed_within_an_epoch(small, tensors):
    loader = resident(small, tensors=tensors)
    whole = [list(loader), list(loader)]
    loader.next_epoch, loader.first_batch = 0, 3
    rest = [list(loader), list(loader)]
    assert [len(part) for part in rest] == [1, 4]
    assert same(rest[0][0], whole[0][3]) and all(map(same, rest[1], whole[1]))
    assert same(resident(small, epoch=1, tensors=tensors).__iter__().__next__(), whole[1][0])


def test_processes_and_subsets(small):
    few = np.array([40, 3, 20, 44, 7])
    for framing in (TRAIN, VAL):
        share = {"indices": few % 12, "rank": 1, "world": 2}
        ours, theirs = (epoch(make(small, framing, 2, **share)) for make in (resident, guarded))
        assert same(ours, theirs)
    kept = Resident(path(small), TRAIN, indices=few)
    assert len(kept.pixels) == 5
    assert same(
        epoch(ResidentLoader(kept, TRAIN, 2)), epoch(guarded(small, batch_size=2, indices=few))
    )


def test_kept_batches_are_not_overwritten(small):
    batches = [(x, x.clone()) for x, _ in resident(small)]
    assert all(torch.equal(a, b) for a, b in batches)


def test_too_large_a_batch(small):
    with pytest.raises(InputError, match="batch_size 46 is more than the 45 training images"):
        resident(small, batch_size=46)


def test_a_damaged_image_is_named(photos):
    index = read_index(path(photos))
    with open(path(photos), "r+b") as file:
        file.seek(int(index.rows["image"]["pointer"][7]))
        file.write(bytes(300))
    with pytest.raises(RunError, match=r"train\.beton: image 7: its JPEG data is damaged"):
        resident(photos)


def test_the_bytes_are_those_that_are_kept(small):
    rows = read_index(path(small)).rows["image"]
    for indices in (None, np.arange(4)):
        kept = Resident(path(small), TRAIN, indices=indices)
        assert bytes_kept(rows, TRAIN, indices) == kept.pixels.numel()
    rows = read_index(path(small, VAL)).rows["image"]
    assert bytes_kept(rows, VAL) == Resident(path(small, VAL), VAL).pixels.numel()


def module(s, **k):
    return ImageData(s.spec, **{**SMALL, **k})


def test_it_is_chosen_if_images_fit(small, monkeypatch):
    data = module(small)
    assert data.loader_name == "resident" and module(small, loader="ffcv").loader_name == "ffcv"
    assert same(epoch(data.train_dataloader()), epoch(guarded(small, replace(TRAIN, seed=0))))
    kept = data.train_dataloader().images
    assert data.train_dataloader().images is kept, "loaded once"
    assert module(small, augmentation="autoaugment").loader_name == "ffcv"
    assert module(small, only_val=True).loader_name == "ffcv"
    needed = sum(
        bytes_kept(read_index(path(small, f)).rows["image"], replace(f, seed=0))
        for f in (TRAIN, VAL)
    )
    for most, name in ((needed, "resident"), (needed - 1, "ffcv")):
        monkeypatch.setattr(module_file, "MOST", most)
        assert module(small).loader_name == name
    assert module(small, loader="resident").loader_name == "resident", "asked for: any size"
    assert module(small, limit_train=5).loader_name == "resident", "fewer are kept"


def test_reasons_why_it_cannot_be_used(photos, monkeypatch):
    with pytest.raises(InputError, match="only the other loaders support augmentation randaugment"):
        module(photos, loader="resident", augmentation="randaugment")
    monkeypatch.setattr(resident_file, "SHARE", 1e-9)
    with pytest.raises(InputError, match="loader resident: the decoded images need 1 MB, more"):
        module(photos, loader="resident")
    monkeypatch.setattr(resident_file, "SHARE", 0.25)
    monkeypatch.setattr(resident_file.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="stored as JPEG, which FFCV decodes, and it is not"):
        module(photos, loader="resident")


def test_raw_images_need_no_ffcv(small, monkeypatch):
    monkeypatch.setattr(choice, "have_ffcv", lambda: False)
    monkeypatch.setitem(sys.modules, "fastscale.data.ffcv_decoder", None)  # its import fails
    data = module(small, loader="resident")
    assert sum(len(y) for _, y in data.train_dataloader()) == 40
    assert sum(len(y) for _, y in data.val_dataloader()) == 12


def test_a_run_resumes_with_the_loader_that_it_began_with(small, monkeypatch):
    cases = {"ffcv": "ffcv", "resident": "resident", None: "resident", "plain": "resident"}
    for before, after in cases.items():
        data = module(small)
        data.resume_with(before)
        assert data.loader_name == after
    asked = module(small, loader="resident")
    asked.resume_with("ffcv")
    assert asked.loader_name == "resident", "an explicit choice is not replaced"
    monkeypatch.setattr(module_file, "MOST", 0)
    data = module(small)
    assert data.loader_name == "ffcv"
    data.resume_with("resident")
    assert data.loader_name == "resident"
