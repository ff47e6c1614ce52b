"""`plan --weights`: networks with public ImageNet weights, lowest error first."""

import subprocess
import sys

import pytest

import fastscale as fs
from fastscale.cli import main
from fastscale.release.public import known_weights


def test_the_lowest_published_error_within_the_budget_is_recommended():
    found = fs.plan(weights=True, flops=1e9)
    within = {
        known.arch: min(k.top1_error for k in known_weights().values() if k.arch == known.arch)
        for known in known_weights().values()
        if fs.complexity(known.arch).flops <= 1e9
    }
    assert {c.arch.name: c.error for c in found.candidates} == within
    assert found.best.error == min(within.values())
    errors = [c.error for c in found.candidates]
    assert errors == sorted(errors) and len(errors) > 10
    over = {name for name, _ in found.missing}
    assert over | set(within) == {known.arch for known in known_weights().values()}
    for c in found.candidates:  # a star: no better one is cheaper
        cheaper = [
            o
            for o in found.candidates
            if o.error < c.error and o.counts.acts <= 1.05 * c.counts.acts
        ]
        assert c.pareto == (not cheaper)


def test_a_name_selects_and_the_commands_train_from_the_weights(capsys):
    assert main(["plan", "--weights", "efficientnet-lite", "--flops", "700M"]) == 0
    out = capsys.readouterr().out
    best = "efficientnet-lite1"
    said = " ".join(out.split())
    assert (
        f"Recommended: {best}: with the weights efficientnet-lite/{best}, of 23.3 % top-1" in said
    )
    run = f"{best}.finetune-thousands"
    start = f"--weights efficientnet-lite/{best} --data.source folder:PHOTOS"
    assert f"train:  fastscale fit --run {run} {start}\n" in out
    assert f"check:  fastscale evaluate runs/{run}/seed0\n" in out
    assert "Over the budget: efficientnet-lite2." in out


def test_released_weights_are_used_if_no_public_ones_have_the_name(capsys):
    assert main(["plan", "--weights", "regnety-tiny", "--flops", "5M", "--classes", "10"]) == 0
    out = capsys.readouterr().out
    name = "regnety-tiny.dWr-x4"
    assert f"Recommended: {name}: with the weights {name}_fashion-mnist, of 13." in out
    assert f"--weights {name}_fashion-mnist --data.source" in out
    assert "trained on fashion-mnist" in out


def test_without_a_connection_only_packages_are_offered(monkeypatch):
    monkeypatch.setenv("FASTSCALE_OFFLINE", "1")
    found = fs.plan(weights=True, flops=1e9)
    assert found.best.weights == "efficientnet-lite/efficientnet-lite2"
    assert len(found.candidates) == 3


def test_at_another_resolution(capsys):
    found = fs.plan("efficientnet-lite0", weights=True, flops=4e8, resolution=160).best
    assert found.arch.name == "efficientnet-lite0-160px" and found.counts.flops < 2.2e8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["nonsense", "--flops", "1G"],
            "no public or released weights have nonsense in their name",
        ),
        (
            ["--flops", "1M"],
            "no network is within flops (multiply-adds) 1,000,000; the nearest, ",
        ),
    ],
)
def test_mistakes_are_one_line(capsys, options, message):
    assert main(["plan", "--weights", *options]) == 2
    err = capsys.readouterr().err
    assert message in err and err.count("\n") == 1


def test_torch_is_not_loaded():
    code = (
        "import sys; from fastscale.cli import main; main(['plan', '--weights', '--flops', '1G']); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0
