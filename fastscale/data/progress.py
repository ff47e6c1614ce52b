"""Progress of a long job in plain lines every few seconds, with the time left."""

from __future__ import annotations

import io
from typing import Any

from tqdm import tqdm

from fastscale.data.images import Say


class Progress(tqdm):
    """tqdm that passes plain lines to `say`. `total` None: unknown."""

    monitor_interval = 0  # no monitor thread, because writers fork

    def __init__(self, title: str, total: int | None, say: Say, **options: Any):
        self.say = say
        known = "{desc}: {n_fmt} of {total_fmt}{unit}, {remaining} left"
        form = known if total else "{desc}: {n_fmt}{unit}"
        own = {"bar_format": form, "file": io.StringIO(), "mininterval": 3.0, "delay": 3.0}
        super().__init__(desc=title, total=total, **{**own, **options})

    def display(self, msg: str | None = None, pos: int | None = None) -> None:
        """Print a line, unless the job is done or too young to estimate the time left."""
        early = self.total is not None and 0 < self.n < min(100, self.total / 50)
        if not early and (self.total is None or self.n < self.total):
            self.say(str(self))

    def close(self) -> None:
        """Close without a last line."""
        self.delay = float("inf")
        super().close()

    def took(self) -> str:
        """The elapsed time, as `01:05`."""
        return self.format_interval(self.format_dict["elapsed"])
