"""What of a campaign is measured already: records are found again by what was asked for, not by what memory made of it."""

import math
from collections.abc import Iterable, Sequence

from fastscale.archs.names import NetworkName
from fastscale.records import Record, step_time
from fastscale.records.environment import versions
from fastscale.timing.epoch import SUFFIX
from fastscale.timing.grid import Grid, Setting
from fastscale.training.recipe import load_recipe


class Done:
    """The settings that a store's records answer, on one device, as this grid measures them: threads, rounds, images, recipe, torch."""

    def __init__(self, grid: Grid, records: Iterable[Record], device: str, threads: int):
        self.grid = grid
        self.alike = {
            "device": device,
            "threads": threads,
            "repeats": grid.rounds,
            "images_per_epoch": grid.images,
        }
        self.torch, self.recipe = versions()["torch"], load_recipe(grid.recipe).name
        self.found: dict[tuple, Record] = {}
        for record in records:
            self.add(record)

    def add(self, record: Record) -> None:
        """A record that was measured."""
        env = record.env
        if (record.kind, record.data, record.num_classes) != (
            "time",
            self.grid.data,
            self.grid.classes,
        ):
            return
        alike = all(env.get(name) == value for name, value in self.alike.items())
        # records of networks measured in turns do not say the recipe
        if (
            alike
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
        """The record of a network under a setting, if it is there."""
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

    def better_layout(self, base: str, networks: Sequence[NetworkName], setting: Setting) -> str:
        """The layout in which this base's networks took less time, over those measured in both; channels_last where none was."""
        sums = 0.0
        for name in {n.name for n in networks if n.base == base}:
            pair = [
                self._seconds(name, setting, layout) for layout in ("contiguous", "channels_last")
            ]
            if pair[0] and pair[1]:
                sums += math.log(pair[1] / pair[0])
        return "contiguous" if sums > 0 else "channels_last"

    def _seconds(self, name: str, setting: Setting, layout: str) -> float | None:
        """Seconds an image, at whatever batch was asked for: a layout is better or worse than another at all of them."""
        suffix = SUFFIX[setting.what]
        for (run, precision, form, compiled, _), record in self.found.items():
            if (run, precision, form, compiled) == (
                f"{name}.{suffix}",
                setting.precision,
                layout,
                False,
            ):
                time = step_time(record)
                return time and time.seconds / record.env["batch"]
        return None
