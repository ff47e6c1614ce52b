"""The recipe that is chosen by the number of training images."""

import pytest
import torch

from fastscale.cli import main
from fastscale.errors import InputError
from fastscale.training.by_size import for_device, recipe_for, recipe_of_data
from fastscale.training.ema import ema_weight


@pytest.mark.parametrize(
    ("images", "name", "batch"),
    [
        (3, "photos-hundreds", 2),
        (240, "photos-hundreds", 32),
        (999, "photos-hundreds", 32),
        (1_000, "photos-thousands", 64),
        (29_999, "photos-thousands", 64),
        (30_000, "photos-100k", 256),
        (2_000_000, "photos-100k", 256),
    ],
)
def test_the_recipe_follows_the_number_of_images(images, name, batch):
    chosen = recipe_for(images)
    assert (chosen.recipe.name, chosen.recipe.batch_size) == (name, batch)
    assert chosen.line.startswith(f"recipe {name}: chosen for {images:,} training images")


@pytest.mark.parametrize(
    ("images", "name"),
    [(240, "finetune-hundreds"), (3_000, "finetune-thousands"), (100_000, "finetune-100k")],
)
def test_fine_tuning_has_other_recipes(images, name):
    chosen = recipe_for(images, from_weights=True)
    assert chosen.recipe.name == name and "and trained weights" in chosen.line
    assert chosen.recipe.body_lr < 1 and chosen.recipe.epochs < recipe_for(images).recipe.epochs


def test_a_smaller_batch_has_a_smaller_rate():
    assert recipe_for(20).recipe.first_lr == pytest.approx(recipe_for(240).recipe.first_lr / 2)


@pytest.mark.parametrize("images", [60, 900, 1_000, 29_000, 200_000])
def test_weights_are_averaged_over_a_tenth_of_the_steps(images):
    recipe = recipe_for(images).recipe
    steps = images / recipe.batch_size * recipe.epochs
    window = recipe.ema_every / ema_weight(recipe, epoch=recipe.epochs - 1)
    assert window / steps == pytest.approx(0.1, rel=0.04)


@pytest.mark.parametrize(
    ("gpu", "has_bfloat16", "precision"),
    [(True, True, "bf16-mixed"), (True, False, "16-mixed"), (False, False, "32-true")],
)
def test_a_gpu_trains_in_mixed_precision(monkeypatch, gpu, has_bfloat16, precision):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: has_bfloat16)
    assert for_device(recipe_for(240).recipe).precision == precision


def test_the_images_are_counted_where_nothing_is_written(image_folder, data_home):
    chosen = recipe_of_data(f"folder:{image_folder}", None, "regnety-tiny")
    assert "144 training images" in chosen.line


def test_without_a_source_nothing_can_be_chosen():
    with pytest.raises(InputError, match=r"'regnety-tiny' names no recipe: say which images"):
        recipe_of_data(None, None, "regnety-tiny")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["regnety-tiny"], "names no recipe: say which images"),
        (["regnety-tiny", "--run", "regnety-tiny.quick"], "give one of them"),
        (["regnety-tiny.photos-hundreds"], "your own images: say where they are with"),
        (["regnety-tiny.quik"], "did you mean 'quick'"),
        (["regnety-tiny", "--data.source", "folder:/nowhere"], "/nowhere: no such folder"),
        ([], "say what to train"),
    ],
)
def test_unusable_input_is_reported_in_one_line(words, said, capsys):
    assert main(["fit", *words]) == 2
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1
