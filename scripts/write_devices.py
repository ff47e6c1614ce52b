"""Writes fastscale/planning/devices.json again: the laws of the named devices, fitted to the published times in paper_figures/reference."""

from fastscale.common import write_whole
from fastscale.paper.tables.runtime_law import published_devices
from fastscale.planning.devices import SHIPPED

print(f"wrote {write_whole(SHIPPED, published_devices())}")
