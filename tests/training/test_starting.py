"""Fine-tuning: what a run takes from its starting weights, what it trains and records."""

import json
from dataclasses import replace

import pytest
import torch

import fastscale as fs
from fastscale.cli import main
from fastscale.errors import InputError
from fastscale.records import RecordStore
from fastscale.release.start import open_start
from fastscale.training.checkpoint_io import read_checkpoint
from fastscale.training.classifier import ImageClassifier
from fastscale.training.optimizer import parameter_groups
from fastscale.training.recipe import Recipe, load_recipe
from fastscale.training.starting import Start, check_start
from tests.training.conftest import RUN

MEAN, STD = (100.0, 110.0, 120.0), (50.0, 60.0, 70.0)


def start(arch="regnety-tiny", classes=("cat", "dog", "fox"), **more):
    torch.manual_seed(7)
    net = fs.build(arch, len(classes or range(3)))
    given = fs.arch(arch) if isinstance(arch, str) else arch
    values = {"classes": classes, "mean": MEAN, "std": STD, "origin": {"name": "a test"}, **more}
    return Start("a test", given, net.state_dict(), **values)


def module(classes, **recipe):
    return ImageClassifier("regnety-tiny", Recipe(**recipe), num_classes=classes)


def test_the_body_and_the_normalisation_are_those_of_the_weights():
    found, m = start(), module(2)
    fresh = m.net.head.fc.weight.clone()
    said = m.start_from(found, ("hen", "cat"), "farm")
    assert "new last layer for the 2 classes of farm" in said
    for name, value in m.net.state_dict().items():
        if not name.startswith("head.fc."):
            torch.testing.assert_close(value, found.tensors[name], rtol=0, atol=0)
    torch.testing.assert_close(m.net.head.fc.weight, fresh, rtol=0, atol=0)
    torch.testing.assert_close(m.ema.state_dict(), m.net.state_dict(), rtol=0, atol=0)
    pixels = torch.tensor(MEAN).view(1, 3, 1, 1) + torch.tensor(STD).view(1, 3, 1, 1)
    torch.testing.assert_close(m.normalise(pixels), torch.ones(1, 3, 1, 1))
    assert m.settings["mean"] == list(MEAN) and m.settings["recipe"]["initial"] == found.digest


def test_classes_that_the_weights_know_keep_their_outputs():
    found, m = start(), module(2)
    assert "by name" in m.start_from(found, ("fox", "cat"), "wood")
    images = torch.randn(2, 3, 32, 32)
    net = fs.build("regnety-tiny", 3)
    net.load_state_dict(found.tensors)
    with torch.no_grad():
        theirs, ours = net.eval()(images), m.net.eval()(images)
    torch.testing.assert_close(ours, theirs[:, [2, 0]])


@pytest.mark.parametrize(
    ("arch", "said"),
    [
        ("regnetx-tiny", "family RegNetX, not RegNetY"),
        ("regnety-tiny.d-x2", "of its tensors differ"),
        (replace(fs.arch("regnety-tiny"), name="mine", activation="silu"), "activation silu"),
    ],
)
def test_weights_of_another_body_are_refused(arch, said):
    with pytest.raises(InputError, match=said):
        module(3).start_from(start(arch), ("cat", "dog", "fox"), "wood")


def test_the_same_body_at_another_resolution_is_taken():
    module(3).start_from(start("regnety-tiny.r-x2"), ("cat", "dog", "fox"), "wood")


def test_the_hash_is_of_the_numbers():
    one, other = start(), start()
    assert one.digest == other.digest
    other.tensors["head.fc.bias"][0] += 1
    assert one.digest != other.digest


def test_groups_of_a_body_with_another_rate():
    net = fs.build("regnety-tiny", 3)
    usual = Recipe(lr=0.5, batch_size=8)
    others, norms = parameter_groups(net, usual, 1e-4)
    assert (others["lr"], norms["lr"], norms["weight_decay"]) == (0.5, 0.5, 0.0)
    head, body, norms = parameter_groups(net, replace(usual, body_lr=0.1), 1e-4)
    assert (head["lr"], body["lr"], norms["lr"]) == (0.5, 0.05, 0.05)
    assert [p.shape for p in head["params"]] == [net.head.fc.weight.shape, (3,)]
    assert len(head["params"] + body["params"] + norms["params"]) == len(list(net.parameters()))
    (only,) = parameter_groups(net, replace(usual, freeze="body"), 1e-4)
    assert only["params"] == head["params"] and only["lr"] == 0.5


def test_what_is_frozen():
    def norms(net):
        return [m for m in net.modules() if isinstance(m, torch.nn.BatchNorm2d)]

    free, kept, body = (module(3, freeze=what).net for what in ("none", "statistics", "body"))
    images = torch.randn(4, 3, 32, 32)
    for net in (kept, body):
        before = [n.running_mean.clone() for n in norms(net)]
        net(images)
        torch.testing.assert_close([n.running_mean for n in norms(net)], before)
    assert all(n.training for n in norms(free)) and norms(free)[0].running_mean.any() == 0
    assert all(p.requires_grad for p in kept.parameters()) and kept.head.training
    trained = [name for name, p in body.named_parameters() if p.requires_grad]
    assert trained == ["head.fc.weight", "head.fc.bias"]


def test_a_fine_tuning_recipe_needs_weights():
    check_start(Recipe())
    for recipe in (Recipe(freeze="body"), Recipe(body_lr=0.1)):
        with pytest.raises(InputError, match="--weights NAME"):
            check_start(recipe)
        check_start(replace(recipe, initial="0123456789ab"))


def test_digests_of_recipes_without_fine_tuning_are_as_before():
    assert load_recipe("cifar10-2ep").digest == "15d4a7c91d44"


def test_a_run_starts_from_another(source, fit_here, tmp_path, capsys):
    first, second = tmp_path / "first", tmp_path / "second"
    assert fit_here(first, epochs=1) == 0
    was = first / RUN / "seed0"
    options = ("--weights", str(was), "--freeze", "body")
    assert fit_here(second, *options, epochs=2) == 0
    assert "its last layer too" in capsys.readouterr().out
    before = read_checkpoint(was)["state_dict"]
    after = read_checkpoint(second / RUN / "seed0")
    taken = "ema." if open_start(str(was)).origin["weights"] == "averaged" else "net."
    for name, value in after["state_dict"].items():
        if name.startswith("net.") and ".head.fc." not in f".{name}":
            torch.testing.assert_close(
                value, before[taken + name.removeprefix("net.")], rtol=0, atol=0
            )
    assert not torch.equal(
        after["state_dict"]["net.head.fc.weight"], before[taken + "head.fc.weight"]
    )
    (record,) = RecordStore(second / "records.jsonl").read()
    ancestry = record.env["ancestry"]
    assert ancestry["file"] == f"{RUN}/seed0" and ancestry["run"] == RUN
    assert ancestry == after["trained_with"]["ancestry"]
    assert str(tmp_path) not in record.to_json()
    settings = json.loads((second / RUN / "seed0" / "settings.json").read_text())
    assert settings["ancestry"]["hash"] == settings["recipe"]["initial"]
    # finished; without the weights it is another run
    assert fit_here(second, *options, epochs=2) == 0
    assert fit_here(second, epochs=2) == 2
    assert "ancestry" in capsys.readouterr().err
    assert main(["evaluate", str(second / RUN / "seed0")]) == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--weights", "nowhere"), "no checkpoint is named"),
        (("--freeze", "body"), "--weights NAME|PATH"),
        (("--weights", "timm:nowhere.pth"), "no such file"),
    ],
)
def test_unusable_weights_are_one_line(fit_here, tmp_path, capsys, options, said):
    assert fit_here(tmp_path, *options) == 2
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1, err
