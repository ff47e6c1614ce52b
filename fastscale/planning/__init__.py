"""The runtime law fitted to timings, predictions from it, and the planner under budgets. numpy loads only where a law is fitted."""

from fastscale.planning.device import Device, FittedLaw
from fastscale.planning.devices import device_named, shipped_devices
from fastscale.planning.predict import Prediction, predict

__all__ = ["Device", "FittedLaw", "Prediction", "device_named", "predict", "shipped_devices"]
