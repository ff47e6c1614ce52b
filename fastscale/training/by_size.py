"""Chooses a recipe by the number of training images, if the user names none.

Few images need many epochs, small batches and a strong weight decay; many images do not.
"""

from dataclasses import dataclass, replace

import torch

from fastscale.data.sources import source as find_source
from fastscale.data.training_size import training_size
from fastscale.errors import InputError
from fastscale.training.recipe import Recipe, load_recipe

# (the recipe is for fewer training images than this, its name)
SCRATCH = ((1_000, "photos-hundreds"), (30_000, "photos-thousands"), (None, "photos-100k"))
FROM_WEIGHTS = tuple((most, name.replace("photos", "finetune")) for most, name in SCRATCH)
AVERAGED = 0.1  # weights are averaged over this last share of the steps
PLACEHOLDER = "folder:PHOTOS"  # the data of these recipes: the user says where the images are


@dataclass(frozen=True)
class Chosen:
    """A recipe, and the line that explains the choice."""

    recipe: Recipe
    line: str


def recipe_for(images: int, from_weights: bool = False) -> Chosen:
    """The recipe for this number of training images, with a smaller batch if they do not fill one.

    `from_weights`: for fine-tuning (`--weights`). Weights are averaged over the last tenth of the
    steps, whatever their number: with the weight in ema.py, 1 / (rate * images) of them.

    >>> recipe_for(240).recipe.name, recipe_for(20).recipe.batch_size
    ('photos-hundreds', 16)
    >>> recipe_for(4000).recipe.ema_rate
    0.0025
    >>> recipe_for(2_000, from_weights=True).recipe.name
    'finetune-thousands'
    """
    table = FROM_WEIGHTS if from_weights else SCRATCH
    name = next(name for most, name in table if most is None or images < most)
    recipe = load_recipe(name)
    batch = recipe.batch_size
    while batch > max(1, images):
        batch //= 2
    smaller = batch < recipe.batch_size
    if smaller:
        recipe = replace(recipe, batch_size=batch, lr_batch=recipe.batch_size)
    if recipe.ema_rate:
        recipe = replace(recipe, ema_rate=float(f"{1 / (AVERAGED * max(1, images)):.2g}"))
    line = (
        f"recipe {name}: chosen for {images:,} training images"
        f"{' and trained weights' if from_weights else ''}"
        f"{f', in batches of {batch}' if smaller else ''} "
        "(to use another, write NETWORK.RECIPE; to change a setting, --model.recipe.epochs 50)"
    )
    return Chosen(recipe, line)


def recipe_of_data(
    spec: str | None, data_dir: str | None, network: object, from_weights: bool = False
) -> Chosen:
    """The recipe for the training images of the source `spec`.

    InputError if no source is given, or its images are not here.
    """
    if spec is None:
        raise InputError(
            f"{str(network)!r} names no recipe: say which images to train on "
            f"(--data.source folder:PHOTOS), and their number decides the recipe; or name one, "
            f"as in {network}.imagenet-100ep"
        )
    return recipe_for(training_size(find_source(spec, data_dir)), from_weights)


def for_device(recipe: Recipe) -> Recipe:
    """The recipe, in mixed precision if there is a GPU: bfloat16 if supported, else float16."""
    if not torch.cuda.is_available() or recipe.precision != "32-true":
        return recipe
    half = "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "16"
    return replace(recipe, precision=f"{half}-mixed")
