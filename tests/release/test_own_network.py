"""A user's network or family is trained, timed and released like the named ones."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

import fastscale as fs
from fastscale.archs import definition
from fastscale.cli import main
from fastscale.records import RecordStore, arch_of

MOBILE = str(Path(__file__).parents[1] / "archs" / "mobile.py")
MINE = replace(fs.arch("regnety-tiny"), name="mynet", depths=(1, 1, 2))


@pytest.mark.parametrize("whose", ["mine", "mobile"])
def test_from_fit_to_a_released_file(whose, tmp_path, image_folder, data_home, capsys):
    """Train, time and record it with --arch; load, evaluate and check it without."""
    from fastscale.data.write import write
    from fastscale.release.publish import publish

    write(f"folder:{image_folder}", progress=lambda line: None)
    source = f"folder:{image_folder}"
    mine = tmp_path / "mine.yaml"
    mine.write_text(yaml.safe_dump(definition(MINE)))
    own = {"mine": (str(mine), "mynet"), "mobile": (f"{MOBILE}:TINY", "mobilenetv2-tiny")}
    file, name = own[whose]
    network, runs = f"{name}.dWr-x2", tmp_path / "runs"
    words = ["--run", f"{network}.quick", "--arch", file, "--runs_dir", str(runs)]
    options = ["--data.source", source, "--data.workers", "1", "--model.recipe.batch_size", "8"]
    few = ["--model.recipe.epochs", "1"]
    assert main(["fit", *words, *options, *few]) == 0
    few_steps = ["--rounds", "1", "--round_s", "0.01", "--batch", "2", "--recipe", "quick"]
    where = ["--device", "cpu", "--runs_dir", str(runs)]
    assert main(["time", network, "--arch", file, *few_steps, *where]) == 0
    assert main(["info", network]) == 2  # only the commands with --arch know it
    records = RecordStore(runs / "records.jsonl").read()
    assert {r.kind for r in records} == {"train", "time"}
    for record in records:
        assert (record.arch, record.base, record.factor) == (network, name, 2.0)
        arch = arch_of(record)
        cx = fs.complexity(arch, record.resolution, record.num_classes)
        assert (record.flops, record.params, record.acts) == tuple(vars(cx).values())
    folder = runs / f"{network}.quick" / "seed0"
    capsys.readouterr()
    assert main(["evaluate", str(folder), "--data", source]) == 0
    entry, path = publish(folder, out=tmp_path / "out", source=source)
    assert entry.arch == network and path.name.startswith(f"{network}_")
    command = f"fastscale fit --run {network}.quick --seed_everything 0 --arch FILE "
    card = path.with_suffix(".md").read_text()
    assert command in card and f"`FILE` defines the base network `{name}`" in card
    net = fs.load(path)
    assert net.arch == arch and fs.complexity(net.arch, num_classes=net.num_classes)


@pytest.mark.slow
def test_a_sweep_of_a_users_family(tmp_path):
    words = ["mobilenetv2-tiny", "mobilenetv2-tiny.d-x2", "--arch", f"{MOBILE}:TINY", "--separate"]
    sizes = ["--recipe", "quick", "--batch", "2", "--rounds", "1", "--round_s", "0.01"]
    assert main(["time", *words, *sizes, "--device", "cpu", "--runs_dir", str(tmp_path)]) == 0
    records = RecordStore(tmp_path / "records.jsonl").read()
    assert {r.arch for r in records} == {"mobilenetv2-tiny", "mobilenetv2-tiny.d-x2"}
