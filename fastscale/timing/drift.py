"""Drift: whether a device was the same at the end of a measurement as at its start, told by a reference's time (needs no torch)."""

DRIFT_BOUND = 1.1  # beyond it (or below its inverse) it was not


def steady(ratio: float) -> bool:
    """Whether a reference's time, over its first time, is within the bound."""
    return 1 / DRIFT_BOUND <= ratio <= DRIFT_BOUND


def drifted(ratio: float) -> str | None:
    """A warning where a reference took another time at the end than at the start, beyond the bound."""
    if steady(ratio):
        return None
    return f"warning: the reference took {ratio:.2f} times its first time at the end: something else was running, or the clock moved"
