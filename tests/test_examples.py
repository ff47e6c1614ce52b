"""The examples run unchanged and print right results."""

import json
import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


@pytest.fixture
def run(monkeypatch, tmp_path, data_home, capsys, forgotten):
    """A function that runs an example in an empty folder, like `python NAME WORDS`; its output."""
    monkeypatch.chdir(tmp_path)

    def run(name, *words):
        monkeypatch.setattr(sys, "argv", [name, *map(str, words)])
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        return capsys.readouterr().out

    return run


def test_a_users_network_is_scaled_counted_and_built(run):
    said = run("scale_your_own.py")
    growth = dict(re.findall(r"^my-regnet\.(\w+)-x4 .* ([\d.]+)x$", said, re.MULTILINE))
    assert list(growth) == ["d", "w", "r", "dwr", "dWr", "mostly_width"]
    assert float(growth["dWr"]) == pytest.approx(4**0.6, rel=0.2)  # Table 4: s^.6
    assert float(growth["r"]) == pytest.approx(4, rel=0.01)  # Table 1: s
    assert re.search(r"2 G flops: my-regnet\.dWr-x\S+, (1\.9|2\.0)\d\d G", said)
    assert said.endswith("RGB -> 10 logits\n")


def test_a_plan_stays_within_its_budget(run):
    said = run("plan_for_your_gpu.py", "--device", "v100", "--minutes", "20")
    minutes = re.findall(
        r"^regnet\S+ +\S+ +\S+ +([\d.]+)  ([\d.]+) to ([\d.]+)", said, re.MULTILINE
    )
    assert len(minutes) == 6
    for middle, low, high in minutes:
        assert float(low) < float(middle) <= 20 < float(high)
    (best,) = re.findall(r"^recommended: (\S+): ", said, re.MULTILINE)
    assert f"fastscale fit --run {best}.imagenet-100ep" in said
    uniform, fast = map(float, re.findall(r"([\d.]+) min an epoch", said))
    assert fast < 0.8 * uniform  # at equal flops


def test_trained_weights_are_tuned_to_photographs(run, tmp_path):
    rng = np.random.default_rng(0)
    for k, name in enumerate(("blue", "green", "red")):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(10):
            pixels = rng.integers(0, 160, (36, 40, 3))
            pixels[..., 2 - k] += 60
            path = tmp_path / "photos" / name / f"{i}.png"
            Image.fromarray(pixels.astype(np.uint8)).save(path)
    said = run("fine_tune.py", "photos", "--epochs", 2)
    assert re.search(r"^validation: top1_error [\d.]+ %", said, re.MULTILINE)
    found = re.findall(r"^ +(\d+) of (\w+) predicted as (\w+)$", said, re.MULTILINE)
    assert sum(int(count) for count, _, _ in found) == 30
    assert {truth for _, truth, _ in found} == {"blue", "green", "red"}
    (run_folder,) = (tmp_path / "runs").glob("regnety-tiny.dWr-x4.*/seed0")
    record = json.loads((run_folder / "record.json").read_text())
    assert "regnety-tiny.dWr-x4_fashion-mnist" in json.dumps(record)


def test_the_notebook_runs_and_its_outputs_are_up_to_date(monkeypatch, tmp_path):
    import matplotlib

    matplotlib.use("agg")
    monkeypatch.chdir(tmp_path)
    notebook = json.loads((EXAMPLES / "records.ipynb").read_text(encoding="utf-8"))
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    names: dict = {}
    for cell in cells:
        assert cell["outputs"] and all("ename" not in out for out in cell["outputs"])
        exec(compile("".join(cell["source"]), "records.ipynb", "exec"), names)
    r = names["r"].round(3)  # of published numbers, so it does not change
    assert r.to_dict() == {"acts": 0.926, "flops": 0.754, "params": 0.699}
    shown = "".join(cells[3]["outputs"][0]["data"]["text/plain"])
    assert all(str(value) in shown for value in r)
    assert names["every"].idxmax() == "acts" and {"base", "dWr"} <= set(names["of"].index)
