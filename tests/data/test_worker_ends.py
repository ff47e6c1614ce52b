"""Workers end with their parent; a killed one and a low limit on open files are one line."""

import os
import signal
import time

import pytest

from fastscale.data import source
from fastscale.data.write import write
from tests.data.test_write_interrupted import children
from tests.waiting import until

pytestmark = pytest.mark.slow

LOAD = """
import os, sys, time
from fastscale.data import ImageData
from fastscale.errors import InputError, RunError
from fastscale.data import plain_loader
real = plain_loader.cut
def slow(*a):
    time.sleep(float(sys.argv[3]))
    real(*a)
plain_loader.cut = slow
if len(sys.argv) > 4:
    import resource
    resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[4]), int(sys.argv[4])))
try:
    small = {"resolution": 64, "batch_size": 2, "workers": int(sys.argv[2])}
    data = ImageData(sys.argv[1], loader="plain", **small)
    n = 0
    for x, y in data.train_dataloader():
        print("batch", flush=True)
        time.sleep(float(sys.argv[3]))
        n += len(y)
    print("ALL", n)
except (InputError, RunError) as e:
    print("SAID", type(e).__name__, e)
"""


@pytest.mark.parametrize("blocked", [0.05, 0.0])
def test_plain_workers_end_with_their_parent(make, start_python, blocked):
    p = start_python(LOAD, make("more", 60, 2, sides=(70, 72)), 2, blocked or 0.3)
    assert p.stdout.readline().strip() == "batch"
    workers = children(p.pid)
    assert len(workers) >= 2
    p.send_signal(signal.SIGKILL)
    p.wait(timeout=30)
    until(lambda: not any(os.path.exists(f"/proc/{w}") for w in workers), 10)


@pytest.mark.parametrize("delay", [0.0, 0.05, 0.1, 0.2])
def test_a_killed_plain_worker_is_one_line_every_time(make, start_python, delay):
    p = start_python(LOAD, make("more", 60, 2, sides=(70, 72)), 2, 0.05)
    assert p.stdout.readline().strip() == "batch"
    time.sleep(delay)
    os.kill(min(children(p.pid)), signal.SIGKILL)
    out, err = p.communicate(timeout=60)
    assert "SAID RunError a process that loads images was killed" in out, out + err
    assert "Traceback" not in err


@pytest.mark.parametrize("limit, workers", [(16, 0), (16, 2), (32, 2), (64, 6)])
def test_few_open_files_are_enough_or_one_line(tree, python, limit, workers):
    r = python(LOAD, tree, workers, 0, limit, timeout=60)
    assert "ALL 24" in r.stdout or "SAID" in r.stdout, r.stdout + r.stderr[-900:]
    assert "Traceback" not in r.stderr and r.stdout.count("\n") < 20


WRITE = """
import resource, sys
import cv2
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[3]), int(sys.argv[3])))
from fastscale.data.write import write
from fastscale.errors import InputError
try:
    write(sys.argv[1], workers=int(sys.argv[2]))
    print("ALL")
except InputError as e:
    print("SAID", e)
"""


@pytest.mark.parametrize("limit, workers", [(16, 0), (16, 2), (32, 2), (64, 6)])
def test_few_open_files_while_writing(tree, python, limit, workers):
    r = python(WRITE, tree, workers, limit, timeout=60)
    assert "ALL" in r.stdout or "SAID" in r.stdout, r.stdout + r.stderr[-900:]
    assert "Traceback" not in r.stderr and "broken" not in r.stdout


KILLED = """
import os, signal, sys
from fastscale.data import write
left = int(sys.argv[3])
def hit(name):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
def wrapped(name):
    real = getattr(os, name)
    def call(*a, **k):
        hit(name)
        return real(*a, **k)
    setattr(os, name, call)
for name in ("replace", "fsync", "unlink"):
    wrapped(name)
from fastscale.data import beton_file
real = beton_file.BetonFile.add
def add(self, *a):
    if len(self.rows) == 5:
        hit("add")
    return real(self, *a)
beton_file.BetonFile.add = add
write.write(sys.argv[1], sys.argv[2], workers=0, jpeg_quality=50)
print("WHOLE")
"""


def test_killed_at_every_write_the_rerun_makes_the_same_files(make, tmp_path, python, lines):
    tree = make("few", 3, 1)
    write(str(tree), tmp_path / "good", workers=0, jpeg_quality=50, progress=lines)
    out, killed = tmp_path / "out", 0
    for k in range(0, 60, 3):
        r = python(KILLED, tree, out, k)
        if "WHOLE" in r.stdout and r.returncode == 0:
            break
        killed += 1
        assert r.returncode == -signal.SIGKILL, r.stderr
        if k % 2 == 0:  # every other run starts from an empty folder
            write(str(tree), out, workers=0, jpeg_quality=50, progress=lines)
            assert not list(out.glob("*.part"))
            for split in ("train", "val"):
                for name in (f"{split}.beton",):
                    assert (out / name).read_bytes() == (tmp_path / "good" / name).read_bytes()
            for file in out.iterdir():
                file.unlink()
    assert killed >= 5
    write(str(tree), out, workers=0, jpeg_quality=50, progress=lines)
    for name in ("train.beton", "val.beton"):
        assert (out / name).read_bytes() == (tmp_path / "good" / name).read_bytes()
    assert source(str(tree)).split("val").left_out == ""
