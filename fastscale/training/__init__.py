"""The recipe as a value, and what follows it: the LightningModule, schedule, mixup, EMA, callbacks, runs."""

from fastscale.training.recipe import Recipe, load_recipe, recipe_names

__all__ = ["Recipe", "load_recipe", "recipe_names"]
