"""Progress of a long job in plain lines, every few seconds, with the time left."""

from __future__ import annotations

import time

from fastscale.data.images import Say


def seconds(value: float) -> str:
    """A duration as people say it.

    >>> seconds(7.2), seconds(150), seconds(7500)
    ('8 s', '2 min 30 s', '2 h 5 min')
    """
    whole = int(-(-value // 1))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


class Progress:
    """`step(n)` after n more are done; a line at most every `every` seconds. `total` None: not known."""

    def __init__(
        self,
        title: str,
        total: int | None,
        unit: str,
        say: Say,
        *,
        scale: float = 1,
        every: float = 3.0,
    ):
        self.title, self.total, self.unit, self.say, self.scale, self.every = (
            title,
            total,
            unit,
            say,
            scale,
            every,
        )
        self.done = 0
        self.start = self.last = time.monotonic()

    def step(self, n: int) -> None:
        self.done += n
        now = time.monotonic()
        if now - self.last < self.every or self.done == self.total:
            return
        self.last = now
        done = f"{self.done / self.scale:.0f}"
        if self.total:
            left = (now - self.start) * (self.total - self.done) / max(self.done, 1)
            self.say(
                f"{self.title}: {done} of {self.total / self.scale:.0f} {self.unit}, {seconds(left)} left"
            )
        else:
            self.say(f"{self.title}: {done} {self.unit}")

    def took(self) -> str:
        return seconds(time.monotonic() - self.start)
