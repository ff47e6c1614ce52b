"""Which measurements of a sweep already have records.

A record is found by the requested batch, not by the smaller one that fitted in memory.
"""

from collections.abc import Iterable

from fastscale.records import Record
from fastscale.records.environment import versions
from fastscale.timing.disturbance import LEAST_ROUNDS
from fastscale.timing.epoch import SUFFIX
from fastscale.timing.grid import Grid, Setting
from fastscale.training.recipe import load_recipe


class Done:
    """A store's records that this grid would measure again, on one device.

    They have the same threads, rounds, images, recipe and torch.
    """

    def __init__(self, grid: Grid, records: Iterable[Record], device: str, threads: int):
        self.grid = grid
        self.fixed = {
            "device": device,
            "threads": threads,
            "images_per_epoch": grid.images,
        }
        self.torch, self.recipe = versions()["torch"], load_recipe(grid.recipe).name
        self.found: dict[tuple, Record] = {}
        for record in records:
            self.add(record)

    def add(self, record: Record) -> None:
        """Takes a record, if it answers one of this grid's settings."""
        env = record.env
        if (record.kind, record.data, record.num_classes) != (
            "time",
            self.grid.data,
            self.grid.classes,
        ):
            return
        same = all(env.get(name) == value for name, value in self.fixed.items())
        # a GPU's replayed rounds end early once they are calm
        rounds = env.get("repeats")
        fewer = bool(env.get("cuda_graph")) and LEAST_ROUNDS <= (rounds or 0) < self.grid.rounds
        searched = env.get("device_type") == "cuda" and env.get("cudnn") != self.grid.cudnn
        # records of interleaved networks do not name the recipe
        if (
            same
            and (fewer or rounds == self.grid.rounds)
            and not searched
            and "source" not in env
            and env.get("versions", {}).get("torch") == self.torch
            and env.get("recipe", self.recipe) == self.recipe
        ):
            conditions = (
                env.get("precision"),
                env.get("layout"),
                env.get("compile"),
                env.get("batch_asked", env.get("batch")),
            )
            self.found[(record.run, *conditions)] = record

    def record(self, network: str, setting: Setting) -> Record | None:
        """The record of a network under a setting, or None."""
        suffix = SUFFIX.get(setting.what, setting.what)
        return self.found.get(
            (
                f"{network}.{suffix}",
                setting.precision,
                setting.layout,
                setting.compile,
                setting.batch,
            )
        )
