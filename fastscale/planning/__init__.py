"""The runtime law fitted to timings, predictions from it, and the planner under budgets.

numpy is imported only to fit a law.
"""

from fastscale.planning.candidate import BUDGETS, Candidate, Conditions
from fastscale.planning.device import MODES, Device, FittedLaw
from fastscale.planning.devices import device_named, shipped_devices
from fastscale.planning.plan import BASES, FAMILY, STRATEGIES, Plan, plan, plan_trained
from fastscale.planning.predict import Prediction, predict

__all__ = [
    "BASES",
    "BUDGETS",
    "FAMILY",
    "MODES",
    "STRATEGIES",
    "Candidate",
    "Conditions",
    "Device",
    "FittedLaw",
    "Plan",
    "Prediction",
    "device_named",
    "plan",
    "plan_trained",
    "predict",
    "shipped_devices",
]
