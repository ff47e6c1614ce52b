"""Every fault of a `.beton` is one line with the file and the command; the format is FFCV's."""

import json
import shutil

import numpy as np
import pytest

from fastscale.data import beton, read_info, source
from fastscale.data.beton import check_beton, info_path
from fastscale.data.beton_file import PAGE, BetonFile, page_size
from fastscale.data.write import write
from fastscale.errors import InputError

ffcv = pytest.importorskip("fastscale.data.ffcv_loader", reason="FFCV is not installed")


@pytest.fixture
def written(tree, lines):
    """(folder, source) with both splits written, a third of the images raw."""
    s = source(str(tree))
    write(s, raw_share=0.3, progress=lines, workers=0)
    return s.betons, s


def test_our_types_equal_ffcvs():
    from ffcv import types
    from ffcv.fields import IntField, RGBImageField

    assert beton.FFCV_VERSION == types.CURRENT_VERSION
    for ours, theirs in (
        (beton.HEADER, types.HeaderType),
        (beton.FIELD, types.FieldDescType),
        (beton.TABLE, types.ALLOC_TABLE_TYPE),
    ):
        assert [ours.fields[n][1] for n in ours.names] == [
            theirs.fields[n][1] for n in theirs.names
        ] and ours.itemsize == theirs.itemsize
    theirs = types.get_metadata_type([RGBImageField(), IntField()])
    assert beton.ROW.itemsize == theirs.itemsize and [
        beton.ROW.fields[n][1] for n in beton.ROW.names
    ] == [0, theirs.fields["f1"][1]]
    assert [beton.IMAGE.fields[n][1:] for n in beton.IMAGE.names] == [
        theirs["f0"].fields[n][1:] for n in theirs["f0"].names
    ]
    assert [types.TYPE_ID_HANDLER[t] for _, t in beton.FIELDS] == [RGBImageField, IntField]


@pytest.mark.parametrize("os_cache", [True, False])
def test_ffcvs_own_loader_reads_our_files(written, os_cache):
    from ffcv.fields.decoders import CenterCropRGBImageDecoder, IntDecoder
    from ffcv.loader import Loader, OrderOption
    from ffcv.pipeline.compiler import Compiler
    from ffcv.transforms import Squeeze, ToTensor

    folder, s = written
    Compiler.set_enabled(False)
    try:
        pipelines = {
            "image": [CenterCropRGBImageDecoder((32, 32), ratio=1), ToTensor()],
            "label": [IntDecoder(), ToTensor(), Squeeze(1)],
        }
        order = OrderOption.SEQUENTIAL
        loader = Loader(
            f"{folder}/train.beton",
            batch_size=24,
            num_workers=1,
            os_cache=os_cache,
            order=order,
            pipelines=pipelines,
        )
        ((x, y),) = [(a.clone(), b.clone()) for a, b in loader]
    finally:
        Compiler.set_enabled(True)
    images = s.split("train")
    assert y.tolist() == images.labels.tolist()
    for i in range(24):
        p = images.pixels(i)
        side = min(p.shape[:2])
        top, left = (p.shape[0] - side) // 2, (p.shape[1] - side) // 2
        assert (
            abs(
                p[top : top + side, left : left + side].mean((0, 1))
                - x[i].float().mean((0, 1)).numpy()
            ).max()
            < 3
        )


def test_ffcvs_own_files_pass_the_check(tree, tmp_path):
    from ffcv.fields import IntField, RGBImageField
    from ffcv.writer import DatasetWriter

    images = source(str(tree)).split("val")
    fields = {"image": RGBImageField(write_mode="jpg"), "label": IntField()}
    DatasetWriter(f"{tmp_path}/theirs.beton", fields, num_workers=1).from_indexed_dataset(images)
    check_beton(tmp_path / "theirs.beton")
    loader = ffcv.GuardedLoader(tmp_path / "theirs.beton", ffcv.Framing(False, 32, 32), 9)
    assert [y.tolist() for _, y in loader] == [images.labels.tolist()]


def test_every_truncation_is_found(written, tmp_path):
    folder, _ = written
    path, cut = folder / "train.beton", tmp_path / "train.beton"
    size, n = path.stat().st_size, 24
    for k in (
        0,
        1,
        23,
        24,
        500,
        beton.ROWS_AT,
        beton.ROWS_AT + 100,
        PAGE,
        size // 2,
        size - 24 * n,
        size - 24 * n // 2,
        size - 24,
        size - 1,
    ):
        shutil.copy(path, cut)
        with open(cut, "r+b") as f:
            f.truncate(k)
        with pytest.raises(
            InputError, match=r"train\.beton: .*; rewrite it with: fastscale data write x"
        ) as e:
            check_beton(cut, "fastscale data write x")
        assert "\n" not in str(e.value)
    with open(cut, "wb") as f:
        f.write(path.read_bytes() + b"\0")
    with pytest.raises(InputError):
        check_beton(cut)


@pytest.mark.parametrize(
    "field, value",
    [("mode", 7), ("width", 0), ("height", 60000), ("pointer", 5), ("pointer", 1 << 40)],
)
def test_a_damaged_index_is_found(written, field, value):
    path = written[0] / "val.beton"
    rows = np.memmap(path, dtype=beton.ROW, mode="r+", offset=beton.ROWS_AT, shape=9)
    rows["image"][field][:] = value
    rows.flush()
    with pytest.raises(InputError, match="damaged index"):
        check_beton(path)


@pytest.mark.parametrize("pointer", [8, 1 << 40])
def test_data_outside_the_file_is_found_even_if_rows_and_table_agree(written, pointer):
    path = written[0] / "val.beton"
    rows = np.memmap(path, dtype=beton.ROW, mode="r+", offset=beton.ROWS_AT, shape=9)
    table = np.memmap(
        path,
        dtype=beton.TABLE,
        mode="r+",
        offset=path.stat().st_size - 9 * beton.TABLE.itemsize,
        shape=9,
    )
    rows["image"]["pointer"][4] = table["pointer"][4] = pointer
    rows.flush()
    table.flush()
    with pytest.raises(InputError, match="damaged index"):
        check_beton(path)


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", bytes(5000), b"PK\x03\x04" * 2000, np.random.default_rng(0).bytes(9000)],
)
def test_foreign_files(tmp_path, content):
    path = tmp_path / "a.beton"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.beton: "):
        check_beton(path)


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        check_beton(tmp_path / "a.beton")
    with pytest.raises(InputError, match="not a file"):
        check_beton(tmp_path)
    with pytest.raises(
        InputError, match="not written yet; write it with: fastscale data write cifar10"
    ):
        read_info(tmp_path / "a.beton", "fastscale data write cifar10")


def test_the_json_must_exist_be_valid_and_match(written):
    folder, s = written
    path = folder / "val.beton"
    info = read_info(path)
    assert (info.count, info.class_counts, info.split, info.source) == (9, (3, 3, 3), "val", s.name)
    good = info_path(path).read_text()
    for bad in (
        "",
        "[]",
        "{}",
        good[:-20],
        json.dumps({**json.loads(good), "version": 99}),
        json.dumps({**json.loads(good), "extra": 1}),
    ):
        info_path(path).write_text(bad)
        with pytest.raises(InputError, match=r"val\.json: not the description"):
            read_info(path)
    info_path(path).unlink()
    with pytest.raises(
        InputError,
        match=r"val\.json: missing, so val\.beton was not finished or was not written by "
        "fastscale; rewrite it",
    ):
        read_info(path)
    info_path(path).write_text((folder / "train.json").read_text())
    with pytest.raises(
        InputError,
        match=r"val\.beton: \d+ bytes, val\.json says \d+: cut short or another file; rewrite it",
    ):
        read_info(path)


def test_another_file_of_the_same_size_is_found(written):
    folder, _ = written
    rows = np.memmap(
        folder / "val.beton", dtype=beton.ROW, mode="r+", offset=beton.ROWS_AT, shape=9
    )
    rows["label"][0] = 2
    rows.flush()
    with pytest.raises(InputError, match=r"val\.beton: not the file that val\.json describes"):
        read_info(folder / "val.beton")


def test_images_do_not_cross_pages(tmp_path):
    page = page_size(1_000_000)
    with BetonFile(tmp_path / "a.beton", 10, page) as f:
        for k in range(10):
            f.add(bytes([k]) * 900_000, beton.RAW, 500, 600, k)
        with pytest.raises(ValueError, match="does not fit a page"):
            f.add(bytes(page + 1), beton.RAW, 1, 1, 0)
        f.finish()
    check_beton(tmp_path / "a.beton")
    table = np.fromfile(
        tmp_path / "a.beton", dtype=beton.TABLE, offset=(tmp_path / "a.beton").stat().st_size - 240
    )
    assert (
        table["pointer"] // page == (table["pointer"] + table["size"] - 1) // page
    ).all() and len(set(table["pointer"] // page)) == 5


def dirty_heap():
    """Leave freed memory full of 0xAB in many sizes, which numpy gets next."""
    kept = [np.full(n, 0xAB, np.uint8) for n in range(8, 300) for _ in range(8)]
    kept += [np.full(n * 24, 0xAB, np.uint8) for n in range(8, 200) for _ in range(4)]
    del kept


def test_uninitialised_memory_does_not_reach_the_file(tmp_path):
    """A row has 24 bytes, of which 21 are used; the other three are zero."""
    dirty_heap()
    as_before = np.array([((beton.RAW, 10, 10, 9), 1)] * 45, dtype=beton.ROW)
    padding = np.s_[:, beton.IMAGE.itemsize : beton.ROW.fields["label"][1]]
    assert as_before.view(np.uint8).reshape(45, 24)[padding].any()  # so the heap is dirty
    with BetonFile(tmp_path / "a.beton", 50, PAGE) as f:
        for k in range(45):
            dirty_heap()
            f.add(bytes([k]) * 300, beton.RAW, 10, 10, k)
        dirty_heap()
        f.finish()
    rows = np.fromfile(tmp_path / "a.beton", np.uint8, 50 * 24, offset=beton.ROWS_AT)
    assert not rows.reshape(50, 24)[padding].any() and not rows[45 * 24 :].any()
    assert rows.view(beton.ROW)["label"][:45].tolist() == list(range(45))


def test_without_finish_there_is_no_file(tmp_path):
    with BetonFile(tmp_path / "a.beton", 1, PAGE) as f:
        f.add(bytes(300), beton.RAW, 10, 10, 0)
    with pytest.raises(InputError):
        check_beton(tmp_path / "a.beton")
