"""`data write`: whole or not there, whatever happens on the way."""

import json
import os
import resource
import shutil
import signal
import threading
import time

import cv2
import numpy as np
import pytest
from PIL import Image

from fastscale.data import BrokenImages, check_beton, prepare, read_info, source
from fastscale.data.beton import JPG, RAW, ROW, ROWS_AT, BetonInfo
from fastscale.data.encode import Settings, encode
from fastscale.data.write import write
from fastscale.errors import InputError


def rows(path, n):
    return np.fromfile(path, dtype=ROW, count=n, offset=ROWS_AT)


def left(folder):
    return sorted(p.name for p in folder.iterdir() if p.name != ".write.lock")


def test_both_splits_and_their_descriptions(tree, lines, data_dir):
    s = source(str(tree))
    infos = write(s, progress=lines, workers=2)
    assert left(s.betons) == ["train.beton", "train.json", "val.beton", "val.json"]
    for split, n in (("train", 24), ("val", 9)):
        info = read_info(s.betons / f"{split}.beton")
        assert info == infos[split]
        assert (info.count, info.classes, info.class_counts) == (n, ("ant", "bee", "cat"), (n // 3,) * 3)
        assert info.list_digest == s.split(split).list_digest()
        assert info.settings == {"max_resolution": 500, "jpeg_quality": None, "raw_share": 0.0, "limit": None}
        assert info.mean == s.mean and info.bytes == (s.betons / f"{split}.beton").stat().st_size
        assert (rows(s.betons / f"{split}.beton", n)["image"]["mode"] == JPG).all()
    assert any(line.endswith("s") and "24 images" in line for line in lines)


def test_the_file_is_the_same_for_any_number_of_workers(tree, tmp_path, lines):
    for workers in (0, 1, 2):
        write(str(tree), tmp_path / str(workers), raw_share=0.5, workers=workers, progress=lines)
    a, b, c = ((tmp_path / str(w) / "train.beton").read_bytes() for w in (0, 1, 2))
    assert a == b == c


def test_what_is_stored_is_what_was_asked_for(tree, tmp_path, lines):
    write(str(tree), tmp_path / "a", max_resolution=80, raw_share=0.5, progress=lines, workers=0)
    image = rows(tmp_path / "a" / "train.beton", 24)["image"]
    assert max(image["width"].max(), image["height"].max()) == 80 and 0 < (image["mode"] == RAW).sum() < 24
    write(str(tree), tmp_path / "b", jpeg_quality=30, progress=lines, workers=0)
    write(str(tree), tmp_path / "c", jpeg_quality=95, progress=lines, workers=0)
    small, large = (json.loads((tmp_path / x / "train.json").read_text())["bytes"] for x in "bc")
    pages = [np.fromfile(tmp_path / x / "train.beton", dtype="u8", offset=n - 24 * 24)[2::3].sum() for x, n in (("b", small), ("c", large))]
    assert pages[0] < pages[1] / 2


def test_small_images_are_stored_raw_and_exact(small_tree, lines):
    s = source(str(small_tree))
    write(s, progress=lines, workers=0)
    row = rows(s.betons / "train.beton", 45)
    assert (row["image"]["mode"] == RAW).all()
    file = np.fromfile(s.betons / "train.beton", dtype=np.uint8)
    for i in (0, 20, 44):
        pixels, at = s.split("train").pixels(i), int(row["image"]["pointer"][i])
        assert (file[at : at + pixels.size].reshape(pixels.shape) == pixels).all()


def test_shrinking_is_ffcvs(tree):
    images = source(str(tree)).split("train")
    pixels = images.pixels(3)
    got = encode(images, 3, Settings(61))
    ratio = 61 / max(pixels.shape[:2])
    wanted = cv2.resize(pixels, (int(pixels.shape[1] * ratio), int(pixels.shape[0] * ratio)), interpolation=cv2.INTER_AREA)
    assert (np.frombuffer(got.data, dtype=np.uint8).reshape(got.height, got.width, 3) == wanted).all()


def test_a_second_call_keeps_what_is_there(tree, lines):
    write(str(tree), progress=lines)
    before = {p: p.stat().st_mtime_ns for p in source(str(tree)).betons.iterdir()}
    infos = prepare(str(tree), progress=lines)
    assert [("is there already" in line) for line in lines[-2:]] == [True, True] and infos["train"].count == 24
    assert {p: p.stat().st_mtime_ns for p in before} == before


@pytest.mark.parametrize("change", ["settings", "image", "cut", "json", "touched"])
def test_what_has_changed_is_written_again(tree, lines, change):
    s = source(str(tree))
    write(s, progress=lines, workers=0)
    old = read_info(s.betons / "train.beton")
    settings = {}
    if change == "settings":
        settings = {"jpeg_quality": 70}
    elif change == "image":
        Image.new("RGB", (90, 90), "red").save(tree / "train" / "ant" / "000.png")
    elif change == "cut":
        with open(s.betons / "train.beton", "r+b") as f:
            f.truncate(old.bytes - 5)
    elif change == "json":
        (s.betons / "train.json").unlink()
    else:
        os.utime(tree / "train" / "ant" / "000.png", (1, 1))  # the same content: nothing to do
    lines.clear()
    new = write(s, progress=lines, workers=0, **settings)["train"]
    assert ("train: 24 images" in "".join(lines)) == (change != "touched")
    assert (new.list_digest != old.list_digest) == (change == "image")
    check_beton(s.betons / "train.beton")


def test_a_trial_of_few_images(tree, lines):
    infos = write(str(tree), limit=6, progress=lines, workers=0)
    assert (infos["train"].count, infos["val"].count) == (6, 6) and infos["train"].settings["limit"] == 6
    assert write(str(tree), progress=lines, workers=0)["train"].count == 24
    with pytest.raises(InputError, match="limit 0"):
        write(str(tree), limit=0)


@pytest.mark.parametrize("wrong", [{"jpeg_quality": 0}, {"raw_share": 1.5}, {"max_resolution": 0}, {"max_resolution": 70000}])
def test_settings_that_cannot_be(tree, wrong):
    with pytest.raises(InputError, match=f"{next(iter(wrong))} .*: wanted"):
        write(str(tree), **wrong)


def spoil(tree):
    good = tree / "train" / "bee" / "004.png"
    good.write_bytes(good.read_bytes()[:300])
    (tree / "val" / "cat" / "001.png").write_bytes(b"not an image")
    return [str(good), str(tree / "val" / "cat" / "001.png")]


@pytest.mark.parametrize("workers", [0, 2])
def test_broken_images_are_all_named_and_end_the_job(tree, lines, workers):
    names = spoil(tree)
    s = source(str(tree))
    with pytest.raises(BrokenImages, match="2 broken images; --skip-broken leaves them out") as e:
        write(s, progress=lines, workers=workers)
    assert [n.split(": ")[0] for n in e.value.names] == names and all(n in str(e.value) for n in names)
    assert left(s.betons) == []


def test_broken_images_are_left_out_on_request(tree, lines):
    spoil(tree)
    s = source(str(tree))
    infos = write(s, skip_broken=True, progress=lines, workers=2)
    train, val = infos["train"], infos["val"]
    assert (train.count, train.class_counts, train.skipped) == (23, (8, 7, 8), 1) and (val.count, val.skipped) == (8, 1)
    assert rows(s.betons / "train.beton", 23)["label"].tolist() == [0] * 8 + [1] * 7 + [2] * 8
    check_beton(s.betons / "train.beton")
    lines.clear()
    write(s, skip_broken=True, progress=lines, workers=2)
    assert all("is there already" in line for line in lines)


def test_nothing_but_broken_images(tree, lines):
    for f in tree.rglob("*.png"):
        f.write_bytes(b"x")
    with pytest.raises(InputError, match="every image is broken"):
        write(str(tree), skip_broken=True, progress=lines, workers=0)


@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "RGBA", "I;16"])
def test_other_kinds_of_images_are_written(tree, lines, mode):
    for k, f in enumerate(sorted((tree / "train").rglob("*.png"))):
        image = Image.open(f).convert("L" if mode == "I;16" else mode)
        if mode == "I;16":
            image = Image.fromarray(np.asarray(image).astype(np.uint16) * 257)
        f.unlink()
        image.save(f.with_suffix(".jpg" if mode == "CMYK" else ".png"))
        if k == 5:
            break
    assert write(str(tree), progress=lines, workers=0)["train"].count == 24


FULL = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
from fastscale.data.write import write
from fastscale.errors import InputError
try:
    write(sys.argv[1], sys.argv[2], raw_share=1.0, workers=int(sys.argv[4]))
except InputError as e:
    print("SAID", e)
    sys.exit(2)
"""


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("room", [100_000, (1 << 21) + 200_000, (1 << 21) + 1_048_576 + 300])
def test_a_full_disk_leaves_nothing(tree, tmp_path, python, room, workers):
    """The system refuses to let a file grow beyond `room` bytes, as a full disk does: before, in and behind the image data."""
    r = python(FULL, tree, tmp_path / "out", room, workers)
    assert r.returncode == 2 and "SAID cannot write" in r.stdout and "Traceback" not in r.stderr, r.stdout + r.stderr
    assert left(tmp_path / "out") == []
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


def test_a_full_disk_keeps_the_older_file(tree, tmp_path, python, lines):
    write(str(tree), tmp_path / "out", progress=lines, workers=0)
    old = (tmp_path / "out" / "train.beton").read_bytes()
    assert python(FULL, tree, tmp_path / "out", 100_000, 0).returncode == 2
    assert (tmp_path / "out" / "train.beton").read_bytes() == old and read_info(tmp_path / "out" / "train.beton").count == 24


@pytest.mark.parametrize("failing", [0, 1])
def test_a_failure_between_the_renames_leaves_no_pair_that_does_not_belong(tree, lines, monkeypatch, failing):
    s = source(str(tree))
    write(s, progress=lines, workers=0)
    calls, real = [], os.replace

    def replace(a, b):
        calls.append(b)
        if len(calls) > failing:
            raise OSError(28, "No space left on device")
        real(a, b)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(InputError, match="cannot write .*: No space left on device"):
        write(s, jpeg_quality=50, progress=lines, workers=0)
    monkeypatch.undo()
    with pytest.raises(InputError, match=r"train\.json: missing"):
        read_info(s.betons / "train.beton")
    assert not list(s.betons.glob("*.part")) and read_info(s.betons / "val.beton").count == 9


def test_a_full_disk_at_the_description_keeps_the_older_pair(tree, lines, monkeypatch):
    s = source(str(tree))
    write(s, progress=lines, workers=0)

    def save(self, path):
        path.write_text("{")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(BetonInfo, "save", save)
    with pytest.raises(InputError, match="No space left on device"):
        write(s, jpeg_quality=50, progress=lines, workers=0)
    assert read_info(s.betons / "train.beton").settings["jpeg_quality"] is None
    assert left(s.betons) == ["train.beton", "train.json", "val.beton", "val.json"]


def test_a_place_that_cannot_be_written_is_one_line(tree, tmp_path, lines):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="cannot write in"):
        write(str(tree), tmp_path / "file" / "out", progress=lines)


SLOW = """
import sys, time
from fastscale.data import encode, write
real = encode.encode
def slow(*a):
    time.sleep(0.05)
    return real(*a)
encode.encode = slow
encode.CHUNK = 2
print("started", flush=True)
write.write(sys.argv[1], sys.argv[2], workers=int(sys.argv[3]))
"""


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def children(pid):
    out = set()
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                with open(f"/proc/{entry.name}/stat") as f:
                    after = f.read().rpartition(")")[2].split()
            except OSError:
                continue
            if int(after[1]) == pid and after[0] != "Z":
                out.add(int(entry.name))
    return out


@pytest.mark.parametrize("workers", [0, 2])
def test_ctrl_c_leaves_nothing(tree, tmp_path, start_python, workers):
    p = start_python(SLOW, tree, tmp_path / "out", workers)
    wait_for(lambda: (tmp_path / "out" / "train.beton.part").exists())
    time.sleep(0.3)
    p.send_signal(signal.SIGINT)
    _, err = p.communicate(timeout=30)
    assert p.returncode != 0 and "KeyboardInterrupt" in err
    assert left(tmp_path / "out") == []


def test_what_kill_9_left_is_removed_and_its_workers_end(tree, tmp_path, start_python, lines):
    p = start_python(SLOW, tree, tmp_path / "out", 2)
    wait_for(lambda: (tmp_path / "out" / "train.beton.part").exists() and len(children(p.pid)) == 2)
    workers = children(p.pid)
    p.kill()
    p.wait(timeout=30)
    assert left(tmp_path / "out") == ["train.beton.part"]
    wait_for(lambda: not any(os.path.exists(f"/proc/{w}") for w in workers))
    write(str(tree), tmp_path / "out", progress=lines, workers=0)
    assert left(tmp_path / "out") == ["train.beton", "train.json", "val.beton", "val.json"]


def test_a_killed_worker_is_an_error_not_a_hang(tree, tmp_path, start_python):
    p = start_python(SLOW, tree, tmp_path / "out", 2)
    wait_for(lambda: len(children(p.pid)) == 2)
    os.kill(min(children(p.pid)), signal.SIGKILL)
    _, err = p.communicate(timeout=30)
    assert "InputError: a process that encodes images was killed" in err and left(tmp_path / "out") == []


def test_two_writers_of_one_folder_take_turns(tree, tmp_path, lines):
    results = []

    def job():
        results.append(write(str(tree), tmp_path / "out", progress=lines, workers=0))

    threads = [threading.Thread(target=job) for _ in range(2)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    assert results[0] == results[1] and sum("is there already" in line for line in lines) == 2
    assert any("waiting for another process" in line for line in lines)


def test_the_command_in_the_json_names_the_place(tree, tmp_path, lines):
    infos = write(str(tree), data_dir=tmp_path / "elsewhere", progress=lines, workers=0)
    assert infos["val"].command == f"fastscale data write {tree} --data-dir {tmp_path / 'elsewhere'}"
    assert len(list((tmp_path / "elsewhere").rglob("*.beton"))) == 2
    shutil.rmtree(tmp_path / "elsewhere")
