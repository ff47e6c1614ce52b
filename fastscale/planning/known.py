"""The devices with known times: what was measured, by whom, and how well each law predicts.

Nothing is scaled from data sheets.
"""

import math
from collections.abc import Sequence
from typing import Any

from fastscale.common import matching, slug
from fastscale.errors import InputError
from fastscale.planning.device import Device, FittedLaw
from fastscale.planning.devices import shipped_devices
from fastscale.records import Record

HERE = (
    "your own: `fastscale time --here` measures enough networks for a law, "
    "in about 5 minutes on a GPU"
)
NOTES = (
    "off by: the factor within which nine in ten networks lay when their whole family, or whole "
    "strategy, was left out of the fit",
    HERE,
)


def rows(pattern: str = "") -> list[dict[str, Any]]:
    """The named devices, one row for each thing measured there, and those in records at hand.

    InputError if no name contains `pattern`.
    """
    counts = _at_hand()
    names = set(matching([*shipped_devices(), *counts], pattern))
    shipped = [d for d in shipped_devices().values() if d.name in names]
    found = [_row(d.name, law) for d in shipped for law in d.laws.values()]
    none = dict.fromkeys(("off_by_family", "off_by_strategy"))
    found += [
        {"device": name, "what": "", "networks": count, **none, "measured_by": "records at hand"}
        for name, count in counts.items()
        if name in names
    ]
    if not found:
        raise InputError(
            f"no device has {pattern!r} in its name; `fastscale list devices` names them; {HERE}"
        )
    return found


def _row(name: str, law: FittedLaw) -> dict[str, Any]:
    factors = [law.spreads.get(group) for group in ("family", "strategy")]
    what = [law.mode, str(law.environment.get("precision", "")), law.clock_in_words]
    family, strategy = (None if x is None else round(math.exp(x), 2) for x in factors)
    return {
        "device": name,
        "what": ", ".join(filter(None, what)),
        "networks": len(law.measured),
        "off_by_family": family,
        "off_by_strategy": strategy,
        "measured_by": f"{'us' if law.ours else 'others'}: {law.source}",
    }


def _at_hand() -> dict[str, int]:
    """Devices of the records at hand that are not named ones, and how many networks each has."""
    from fastscale.planning.measured import LEAST, device_names
    from fastscale.records.committed import at_hand
    from fastscale.references.devices import short_name

    records = at_hand()
    found = {}
    for name in device_names(records):
        timed = [r for r in records if r.kind == "time" and slug(r.env["device"]) == name]
        count = len({r.arch for r in timed})
        short = short_name(timed[0].env["device"])
        if short not in shipped_devices() and count >= LEAST:
            found[name] = count
    return found


def answer(records: Sequence[Record], where: str = "") -> list[str]:
    """The laws of the last record's device, how well they predict, and how to plan with them.

    Also its times relative to the H100's for the same networks. `where`: the file of the records
    (default: records at hand). InputError if they are too few for a law.
    """
    from fastscale.planning.measured import device_of_records

    timed = [r for r in records if r.kind == "time"]
    name = slug(timed[-1].env["device"]) if timed else ""
    device = device_of_records([r for r in timed if slug(r.env["device"]) == name])
    found = []
    for mode, law in device.laws.items():
        terms = ", ".join(name for name, each in law.law.seconds.items() if each).replace("_", " ")
        off = ", ".join(
            f"x{math.exp(x):.2f} ({group} left out)" for group, x in law.spreads.items()
        )
        found.append(f"{mode}: {law.source}; time from {terms}; nine in ten networks within {off}")
        found += _beside(device, mode)
    named = f"{where}:{name}" if where else name
    return [
        *found,
        f"plan with it: fastscale plan regnety-500mf --device {named} --epoch-time-min 30",
    ]


def _beside(device: Device, mode: str, other: str = "h100") -> list[str]:
    """Time an image relative to the other device's, the median over shared networks."""
    known = shipped_devices().get(other)
    if known is None or mode not in known.laws or mode not in device.laws:
        return []
    theirs = {(m.network, m.resolution): m.image_time_s for m in known.laws[mode].measured}
    ratios = sorted(
        m.image_time_s / theirs[m.network, m.resolution]
        for m in device.laws[mode].measured
        if (m.network, m.resolution) in theirs
    )
    if not ratios:
        return []
    middle = ratios[len(ratios) // 2]
    return [f"  {middle:.2f} times the {other}'s time an image, median of {len(ratios)} networks"]
