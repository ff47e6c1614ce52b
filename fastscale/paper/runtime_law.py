"""The runtime law on every device that others measured: how well acts, flops and params alone tell the time, and how well all together.

`python -m fastscale.paper.runtime_law` writes fastscale/planning/devices.json again, the laws that the package ships.
"""

from functools import partial
from pathlib import Path

from fastscale.paper.places import reference, write_text
from fastscale.planning.devices import SHIPPED, shipped_text
from fastscale.planning.references import reference_devices


def fresh_devices(root: Path | None = None) -> str:
    """What devices.json has to hold by the references of the checkout."""
    return shipped_text(reference_devices(partial(reference, root=root)))


if __name__ == "__main__":
    print(f"wrote {write_text(SHIPPED, fresh_devices())}")
