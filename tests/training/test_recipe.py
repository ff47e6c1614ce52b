"""Recipes: the paper's settings, strict reading, and the schedule they give."""

from dataclasses import replace

import pytest

from fastscale.training import Recipe, load_recipe, recipe_names
from fastscale.training.schedule import lr_multiplier


def test_the_imagenet_recipes_are_the_papers():
    for epochs in (100, 200, 400):
        r = load_recipe(f"imagenet-{epochs}ep")
        assert (r.data, r.epochs, r.batch_size, r.lr, r.schedule, r.lr_end, r.lr_every) == (
            "imagenet",
            epochs,
            1024,
            2.0,
            "exponential",
            0.02,
            "epoch",
        )
        assert (r.momentum, r.nesterov, r.label_smoothing, r.mixup, r.augmentation) == (
            0.9,
            True,
            0.1,
            0.2,
            "autoaugment",
        )
        assert (r.warmup_epochs, r.warmup_start, r.ema_rate, r.ema_every, r.weight_decay) == (
            5,
            0.1,
            1e-5,
            32,
            None,
        )
        assert r.crop_area == (0.08, 1.0) and r.precision == "16-mixed"


def test_every_committed_recipe_loads():
    assert {"quick", "imagenet-100ep"} <= set(recipe_names())
    for name in recipe_names():
        assert load_recipe(name).name == name


def test_round_trip_and_digest():
    r = load_recipe("quick")
    assert Recipe.from_dict(r.as_dict()) == r
    assert Recipe.from_dict(r.as_dict()).digest == r.digest != replace(r, lr=r.lr * 2).digest


def test_unknown_recipe_names_the_nearest():
    with pytest.raises(ValueError, match="nearest first: imagenet-100ep"):
        load_recipe("imagenet-10ep")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("recipe: {lrr: 1}", "'lrr'.*nearest first: lr,"),
        ("recipe: {lr: -1}", "lr must be finite and > 0"),
        ("recipe: {lr: fast}", "wrong type"),
        ("recipe: {crop_area: [0.5]}", "two numbers"),
        ("recipe: {schedule: linear}", "one of exponential, cosine"),
        ("lr: 1", "under 'recipe:'"),
        ("recipe: [", "not YAML"),
    ],
)
def test_bad_recipe_files(tmp_path, text, message):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        load_recipe(str(path))


def test_exponential_schedule_with_warmup():
    r = load_recipe("imagenet-100ep")
    assert lr_multiplier(r, 0) == pytest.approx(0.1)
    assert lr_multiplier(r, 2) == pytest.approx((0.1 * 0.6 + 0.4) * 0.02**0.02)
    assert lr_multiplier(r, 5) == pytest.approx(0.02**0.05)
    assert lr_multiplier(r, 50) == pytest.approx(0.02**0.5)
    assert lr_multiplier(r, 100) == pytest.approx(0.02)


def test_cosine_schedule():
    r = Recipe(schedule="cosine", lr_end=0.1, warmup_epochs=0, epochs=10)
    assert [lr_multiplier(r, t) for t in (0, 5, 10)] == pytest.approx([1.0, 0.55, 0.1])


def test_a_recipe_is_named_by_text():
    with pytest.raises(ValueError, match="named by text, got 5; there are: "):
        load_recipe(5)
