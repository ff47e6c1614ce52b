"""scripts/gpu.sh: a check that can fail, and a list of parts with a time limit."""

import argparse
import json
import sys
import time
from pathlib import Path

import pytest

import fastscale as fs
from fastscale.records import Record, RecordStore, network_fields
from fastscale.timing.sweep import Outcome
from fastscale.training.captured import CapturedStep

FOLDER = Path(__file__).resolve().parents[2] / "scripts" / "gpu"


@pytest.fixture
def scripts(monkeypatch):
    """The scripts' modules, by name."""
    monkeypatch.syspath_prepend(str(FOLDER))
    names = ("equal", "evidence", "pictures", "speed", "times", "trained", "run")
    yield lambda name: __import__(name)
    for name in names:
        sys.modules.pop(name, None)


@pytest.fixture
def call(scripts, tmp_path):
    """call(minutes) -> a call of the runner that has not begun."""

    def make(seconds=100.0, lines=None):
        run = scripts("run")
        args = argparse.Namespace(tiny=False, out=tmp_path)
        return run.Call(args, "cpu", time.monotonic() + seconds + run.LAST, lines or {})

    return make


def test_equal_sees_a_step_that_is_not(scripts, monkeypatch):
    equal = scripts("equal").equal
    same = equal("regnety-tiny", "32-true", 2, "cpu", 3, 5)
    assert same["fine"] and same["difference"] == same["control"] == 0
    monkeypatch.setattr(CapturedStep, "average", lambda self, weight: None)
    assert not equal("regnety-tiny", "32-true", 2, "cpu", 3, 5)["fine"]


def test_parts_under_a_clock(scripts, call, tmp_path, capsys):
    """Fine results are kept, a failure stops nothing, and parts without enough time are left."""
    run, file = scripts("run"), tmp_path / "check.jsonl"
    env = {"device": "d"}
    done = []

    def part(key, least=0.0, **line):
        def make():
            done.append(key)
            if "error" in line:
                raise RuntimeError(line["error"])
            return line

        return key, least, make

    before = {"old": {"key": "old", "fine": True}, "bad": {"key": "bad", "fine": False}}
    parts = [part("old"), part("bad", fine=True), part("wrong", fine=False, x=0.123456)]
    parts += [part("broken", error="no"), part("long", 1000.0), part("last", value=1)]
    assert run.run(call(lines=before), iter(parts), file, env) == (2, 1)
    assert done == ["bad", "wrong", "broken", "last"]
    lines = run.read_lines(file)
    assert list(lines) == done and lines["broken"]["error"] == "RuntimeError: no"
    assert all(line["device"] == "d" and line["took_s"] >= 0 for line in lines.values())
    assert "x=0.1235" in capsys.readouterr().out
    with file.open("a") as out:
        out.write('{"key": "cut o')
    assert list(run.read_lines(file)) == done


def test_a_part_that_overruns_is_stopped(scripts, call, tmp_path):
    run = scripts("run")
    began = time.monotonic()

    def forever():
        while time.monotonic() < began + 30:
            time.sleep(0.01)
        return {}

    failed, left = run.run(call(0.3), iter([("slow", 0.0, forever)]), tmp_path / "f", {})
    assert (failed, left) == (1, 0) and time.monotonic() < began + 20
    assert json.loads((tmp_path / "f").read_text())["error"] == "its time was up"


def test_the_lists_name_what_they_measure(scripts, call):
    run = scripts("run")
    one = call()
    one.args.batch = 256
    keys = [key for key, _, _ in run.check(one)]
    assert keys[0] == "pictures" and len(keys) == len(set(keys))
    for network in ("regnety-500mf", "efficientnet-b0", "resnet-50", "regnety-4gf"):
        assert {f"together {network} {a}" for a in ("none", "autoaugment")} <= set(keys)
        assert {f"equal {network} {p}" for p in ("16-mixed", "bf16-mixed")} <= set(keys)
        assert {f"stock {network} none", f"timm {network} none"} <= set(keys)
    assert {"fit regnety-500mf", "killed and resumed", "compiled regnety-500mf"} <= set(keys)


def test_a_call_times_what_an_earlier_one_left(scripts, tmp_path, monkeypatch):
    """The earlier call's records are kept; the line says whether a GPU was steady."""
    times = scripts("times")
    fields = network_fields(fs.arch("regnety-tiny"), 10)
    env = {"device": "g", "date": "2026-01-01T00:00:00Z", "device_type": "cuda"}

    def record(name, spread):
        values = {"device_step_time_s": 1.0, "device_step_time_spread_s": spread}
        return Record(kind="time", run=f"{name}.time", **fields, values=values, env=env)

    now = {}

    class Made:
        def __init__(self, grid, store, device, minutes, say):
            assert grid.name == "tiny" and minutes == 2 and device == "cpu"
            assert len(RecordStore(store).read()) == 1

        def run(self):
            made = [record("b", now["spread"])]
            return Outcome(made, before=1, drift=now["drift"], took_s=2.4, rounds_s=2.0)

    monkeypatch.setattr(times, "Sweep", Made)
    earlier = tmp_path / "earlier"
    RecordStore(earlier / "records.jsonl").append(record("a", 0.1))
    for spread, drift, fine in ((0.001, 1.001, True), (0.02, 1.0, False), (0.001, 1.02, False)):
        now.update(spread=spread, drift=drift)
        line = times.swept(tmp_path, earlier, "cpu", 120, tiny=True)
        assert (line["fine"], line["measured"], line["before"]) == (fine, 1, 1)
        assert line["took_over_rounds"] == pytest.approx(1.2)
        assert line["device_time_spread"] == spread
    assert len((tmp_path / "time.jsonl").read_text().splitlines()) == 3


def test_pictures_are_made_once_and_completely(scripts, tmp_path):
    pictures = scripts("pictures")
    pictures.one(tmp_path, [], 32, 0)
    pictures.one(tmp_path, [pictures.place(tmp_path, 0)], 32, 1)
    files = sorted(p for p in tmp_path.rglob("*") if p.is_file())
    assert files == sorted(pictures.place(tmp_path, i) for i in (0, 1))
    assert {f.relative_to(tmp_path).parts[0] for f in files} == {"train", "val"}
    before = [f.read_bytes() for f in files]
    pictures.one(tmp_path, [], 32, 0)
    assert [f.read_bytes() for f in files] == before


@pytest.fixture
def evidence(scripts, call, tmp_path, monkeypatch):
    """evidence(seconds) -> the parts of a call, and the runs that would be trained, in order."""
    module, begun = scripts("evidence"), []

    def train(todo, jobs, budget):
        begun.extend(todo)
        return []

    monkeypatch.setattr(module.local, "train", train)

    def make(seconds=100.0, lines=None, **options):
        one = call(seconds, lines)
        for name, value in {"jobs": None, "data": [], **options}.items():
            setattr(one.args, name, value)
        return module.Evidence(one, lambda: {"pictures": "none"}), begun

    return make


def test_evidence_trains_the_main_claim_first_at_the_rates_chosen(evidence):
    lines = {"rate cifar10-15ep": {"rate": 0.8}, "rate imagenette-40ep": {"rate": 0.4}}
    found, begun = evidence(lines=lines)
    keys = [key for key, _, _ in found.parts()]
    assert keys[:3] == ["pictures", *lines] and keys[-1] == "runs"
    assert found.train() == {"fine": False, "runs": 72, "left": 72}
    first = begun[: 3 * 9]  # three networks of three bases, three seeds
    assert {run.spec.strategy for run in first} == {None, "dWr", "dwgr"}
    assert [run.spec.seed for run in first] == [0] * 9 + [1] * 9 + [2] * 9
    assert [run.spec.recipe for run in first[:9]] == ["cifar10-15ep"] * 6 + ["imagenette-40ep"] * 3
    assert {run.spec.strategy for run in begun[27:-12]} == {"wg", "d", "r", "dWr-pow2"}
    assert [run.spec.seed for run in begun[-12:]] == [3] * 6 + [4] * 6
    for run, rate in ((begun[0], "0.8"), (begun[6], "0.4")):
        words = run.arguments()
        assert words[words.index("--model.recipe.lr") + 1] == rate


def test_evidence_without_a_rate_trains_nothing(evidence):
    found, begun = evidence()
    with pytest.raises(RuntimeError, match="rate cifar10-15ep has no rate"):
        found.train()
    assert not begun


def test_the_rate_is_chosen_on_the_bases_alone(evidence, scripts, monkeypatch):
    """The rate of the lowest mean over the bases, with a seed that is not compared."""
    module = scripts("evidence")
    found, begun = evidence()
    errors = {0.4: 30.0, 0.8: 21.0, 1.6: 20.0, 3.2: 40.0}

    def own(run):
        words = run.arguments()
        error = errors[float(words[words.index("--model.recipe.lr") + 1])]
        return argparse.Namespace(values={"top1_error": error + len(run.spec.base) / 10})

    with pytest.raises(RuntimeError, match="not all rates were tried"):
        found.rate(found.artifacts[0])
    assert len(begun) == 8 and {run.spec.base for run in begun} == {
        "regnety-16px",
        "efficientnet-16px",
    }
    compared = {run.seed for a in found.artifacts for run in a.plan("full").runs()}
    assert {run.spec.seed for run in begun}.isdisjoint(compared)
    assert len({run.folder.path for run in begun}) == 8
    words = begun[0].arguments()
    assert words[words.index("--model.recipe.epochs") + 1] == "5"
    monkeypatch.setattr(module.Changed, "own", property(own))
    assert found.rate(found.artifacts[0])["rate"] == 1.6
