"""Recipes: the paper's settings, strict reading, and the schedule they give."""

from dataclasses import dataclass, replace

import pytest

from fastscale.errors import InputError
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
    with pytest.raises(ValueError, match="did you mean 'imagenet-100ep'"):
        load_recipe("imagenet-10ep")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("recipe: {lrr: 1}", "'lrr'; did you mean 'lr'"),
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


def test_a_recipes_name_is_text():
    with pytest.raises(ValueError, match="name must be text, got 5; known: "):
        load_recipe(5)


# digests of the committed recipes, as in the records that were committed with them
DIGESTS = {
    "cifar10-2ep": "15d4a7c91d44",
    "imagenet-100ep": "38426d53e517",
    "imagenet-200ep": "f4ec9de95a56",
    "imagenet-400ep": "9cba416005ff",
    "imagenette-60ep": "47ce73fd4354",
    "quick": "0d6a2a753e65",
}


def test_digests_of_committed_recipes_stay():
    assert {name: load_recipe(name).digest for name in DIGESTS} == DIGESTS
    assert Recipe().digest == "41714c3414de"


def test_a_new_field_with_a_default_changes_no_digest():
    @dataclass(frozen=True)
    class Later(Recipe):
        blur: float = 0.0

    assert Later().digest == Recipe().digest
    assert Later(blur=0.5).digest not in (Recipe().digest, Later(blur=0.6).digest)


HUGE = 10**400
NONSENSE = {
    "epochs": [0, -1, 2.5, True, "3", HUGE, float("nan"), None],
    "batch_size": [0, -8, 1e3, HUGE, [8]],
    "accumulate": [0, -1, 3, HUGE],
    "lr": [0, -1, float("inf"), float("nan"), "1e-1", HUGE, True],
    "lr_end": [0, -0.1, 1.1, float("nan")],
    "warmup_epochs": [-1, 101, float("inf")],
    "momentum": [1, -0.1, 0, float("nan")],
    "nesterov": [1, "yes"],
    "weight_decay": [-1, float("inf"), 1e9],
    "label_smoothing": [1, -1],
    "mixup": [float("inf"), -1, 1e300, {}],
    "cutmix": [float("nan"), -0.5],
    "drop_path": [1, -1],
    "crop_area": [(0.5,), (0, 1), (1, 0.5), "ab", (float("nan"), 1), 3],
    "ema_rate": [float("inf"), -1, HUGE],
    "ema_every": [0, -1, 1.5],
    "precise_bn": [-1, HUGE, float("nan")],
    "limit_train": [0, -1, HUGE],
    "schedule": ["linear", None, 3],
    "name": [None, 5],
    "layout": ["nchw"],
}


@pytest.mark.parametrize(
    ("field", "value"), [(k, v) for k, values in NONSENSE.items() for v in values]
)
def test_nonsense_is_refused_in_one_short_line(field, value):
    with pytest.raises(InputError, match=field) as caught:
        Recipe.from_dict({field: value})
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


@pytest.mark.parametrize("content", [b"\xff", b"[" * 100_000, b"a: &a [*a]", b"1: 2", b"", b"[]"])
def test_files_that_are_no_recipe(tmp_path, content):
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"mine\.yaml"):
        load_recipe(str(path))
