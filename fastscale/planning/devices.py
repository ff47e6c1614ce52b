"""Devices by name: the shipped ones of devices.json, or any in time records."""

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from fastscale.common import did_you_mean, read_json
from fastscale.errors import InputError
from fastscale.planning.device import MODES, Device, from_dict, to_dict

SHIPPED = Path(__file__).with_name("devices.json")


@cache
def shipped_devices() -> dict[str, Device]:
    """The named devices; `fastscale.paper.tables.runtime_law` regenerates their file."""
    laws = [from_dict(content) for content in read_json(SHIPPED)]
    return {
        name: Device(name, {law.mode: law for law in laws if law.device == name})
        for name in dict.fromkeys(law.device for law in laws)
    }


def shipped_text(devices: dict[str, Device]) -> str:
    """The content of devices.json: one law a line."""
    lines = [
        json.dumps(to_dict(law), sort_keys=True)
        for device in devices.values()
        for law in device.laws.values()
    ]
    return "[\n" + ",\n".join(lines) + "\n]\n"


def device_named(text: str | Device, modes: Sequence[str] = MODES, **chosen: Any) -> Device:
    """A shipped device, one of a record file (`runs/records.jsonl`), or one in the records at hand.

    Records at hand: those of $FASTSCALE_RUNS (runs/) and of paper_figures/records.
    `chosen`: the precision, layout or compile of the records to fit, for each of `modes`.
    InputError for an unknown name: it says which are near and how to measure a device.
    """
    if isinstance(text, Device):
        return text
    if not isinstance(text, str):
        raise InputError(
            f"a device is a name (text), got {text!r}; choose from: {', '.join(shipped_devices())}"
        )
    given = {key: value for key, value in chosen.items() if value is not None}
    if text in shipped_devices():
        if given:
            raise InputError(
                f"{', '.join(given)} cannot be chosen for {text}: a built-in device was measured "
                "in one way, and only your own records have several"
            )
        return shipped_devices()[text]
    from fastscale.planning import measured
    from fastscale.records.committed import at_hand

    if ".jsonl" in text:
        return measured.device_from_file(text, modes=modes, **given)
    records = at_hand()
    found = measured.device_by_name(text, records, modes=modes, **given)
    if found is None:
        near = did_you_mean(text, [*shipped_devices(), *measured.device_names(records)])
        raise InputError(
            f"no device is named {text!r}; for your own, {measured.how_to_measure()}; {near}"
        )
    return found
