"""Rewrites fastscale/planning/devices.json: the laws of the named devices, fitted to published
times and to our records."""

from fastscale.common import write_whole
from fastscale.paper.tables.runtime_law import fresh_devices
from fastscale.planning.devices import SHIPPED

print(f"wrote {write_whole(SHIPPED, fresh_devices())}")
