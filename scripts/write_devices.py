"""Writes fastscale/planning/devices.json again: the laws of the named devices, fitted to the published times in paper_figures/reference."""

from fastscale.paper.places import write_text
from fastscale.paper.tables.runtime_law import published_devices
from fastscale.planning.devices import SHIPPED

print(f"wrote {write_text(SHIPPED, published_devices())}")
