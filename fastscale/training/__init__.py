"""Training by a recipe: the LightningModule, schedule, mixup, EMA, callbacks and runs."""

from fastscale.training.recipe import Recipe, load_recipe, recipe_names

__all__ = ["Recipe", "load_recipe", "recipe_names"]
