"""The recipe that suits a number of training images, where none is named.

Few images need many epochs, small batches and a strong weight decay; many need none of them.
"""

from dataclasses import dataclass, replace

import torch

from fastscale.data.sources import source as find_source
from fastscale.data.training_size import training_size
from fastscale.errors import InputError
from fastscale.training.recipe import Recipe, load_recipe

# (fewer training images than this, the recipe)
SCRATCH = ((1_000, "photos-hundreds"), (30_000, "photos-thousands"), (None, "photos-100k"))
FROM_WEIGHTS = tuple((most, name.replace("photos", "finetune")) for most, name in SCRATCH)
AVERAGED = 0.1  # of the steps, the last ones: over so many weights are averaged
PLACEHOLDER = "folder:PHOTOS"  # the data of these recipes, which is the user's


@dataclass(frozen=True)
class Chosen:
    """A recipe, and the line that explains the choice."""

    recipe: Recipe
    line: str


def recipe_for(images: int, from_weights: bool = False) -> Chosen:
    """The recipe for so many training images; the batch is made smaller where there are too few.
    `from_weights`: to fine-tune (`--weights`).

    Weights are averaged over the last tenth of the steps, however many these are: ema.py's weight
    makes that 1 / (rate * images) of them.

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
        "(another: write it behind the network, NETWORK.RECIPE; a setting: --model.recipe.epochs 50)"
    )
    return Chosen(recipe, line)


def recipe_of_data(
    spec: str | None, data_dir: str | None, network: object, from_weights: bool = False
) -> Chosen:
    """The recipe for the training images of the source `spec`. InputError where there is none, or
    its images are not here."""
    if spec is None:
        raise InputError(
            f"{str(network)!r} names no recipe: say on which images to train it "
            f"(--data.source folder:PHOTOS), and a recipe is chosen for their number; or name one, "
            f"as in {network}.imagenet-100ep"
        )
    return recipe_for(training_size(find_source(spec, data_dir)), from_weights)


def for_device(recipe: Recipe) -> Recipe:
    """The same in mixed precision, where a GPU is there: bfloat16 if it has that, else float16."""
    if not torch.cuda.is_available() or recipe.precision != "32-true":
        return recipe
    half = "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "16"
    return replace(recipe, precision=f"{half}-mixed")
