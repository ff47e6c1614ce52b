"""`fastscale list [KIND] [PART]`: names of each kind, in under a second and without torch."""

import argparse
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from fastscale.cli.options import DEVICES, Verbs
from fastscale.common import did_you_mean, matching
from fastscale.errors import InputError

Row = dict[str, Any]
NETWORKS = ("nets", "networks", "models", "architectures")  # other words for archs
UNITS = {
    "flops": "flops (multiply-adds)",
    "resolution": "px",
    "top1_error": "top-1 error, %",
    "top1_error_ema": "averaged, %",
    "mb": "MB",
}


def add_list(verbs: Verbs) -> None:
    example = (
        "fastscale list archs regnetz\n  fastscale list runs imagenet-100ep --device v100\n"
        "  fastscale list devices --json"
    )
    p = verbs.verb("list", cmd_list, example)
    p.add("what", None, f"{', '.join(KINDS)}; default: archs", nargs="?", default="archs")
    p.add("pattern", None, "only names that contain this", nargs="?", default="")
    p.add("--device", None, "runs: predict training times for this device; default: h100")
    text = "runs: number of devices that share a run; default: 8, as in the paper"
    p.add("--devices", DEVICES, text, default=8)
    p.add("--json", bool, "print one list of objects")


def cmd_list(args: argparse.Namespace) -> int:
    """Prints one kind as a table or as JSON."""
    if args.what not in KINDS:  # `fastscale list regnetz` lists networks
        if args.pattern:
            raise InputError(
                f"fastscale list: unknown kind {args.what!r}; {did_you_mean(args.what, KINDS)}"
            )
        args.what, args.pattern = "archs", args.what
    rows, notes = KINDS[args.what](args)
    if args.json:
        print(json.dumps(rows, ensure_ascii=False))
    else:
        print("\n".join([*table(rows), *notes]))
    return 0


def table(rows: Sequence[Row]) -> list[str]:
    """The rows as aligned lines, with a column for each key: numbers right, words left."""
    if not rows:
        return []
    heads = list(rows[0])
    columns = []
    for head in heads:
        values = [row[head] for row in rows]
        cells = [UNITS.get(head, head.replace("_", " ")), *(_text(value, head) for value in values)]
        width = max(map(len, cells))
        left = any(isinstance(value, str | list | tuple) for value in values)
        columns.append([c.ljust(width) if left else c.rjust(width) for c in cells])
    return ["  ".join(line).rstrip() for line in zip(*columns, strict=True)]


def _text(value: Any, head: str) -> str:
    if value is None:
        return ""
    if "error" in head and isinstance(value, float):
        return f"{value:.2f}"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _named(rows: list[Row], pattern: str, what: str) -> list[Row]:
    """The rows whose first value contains `pattern`; InputError with similar names if none does."""
    names = [str(next(iter(row.values()))) for row in rows]
    kept = set(matching(names, pattern))
    found = [row for name, row in zip(names, rows, strict=True) if name in kept]
    if rows and not found:
        near = did_you_mean(pattern, names, see=f"fastscale list {what}")
        raise InputError(f"none of the {what} has {pattern!r} in its name; {near}")
    return found


def _archs(args: argparse.Namespace) -> tuple[list[Row], list[str]]:
    from fastscale import api

    names = api.list_archs(args.pattern)
    if not names:
        raise InputError(
            f"no base network has {args.pattern!r} in its name; {_meant(args.pattern)}"
        )
    archs = map(api.arch, names)
    notes = ["", f"all about it: fastscale info {names[0]}"] if len(names) == 1 else []
    return [
        {"name": a.name, "resolution": a.resolution, **vars(api.complexity(a))} for a in archs
    ], notes


def _meant(word: str) -> str:
    """The command for a word that is no base network: a scaled one, or a name of another kind."""
    from fastscale import api
    from fastscale.archs.names import network_and_recipe

    with suppress(InputError):
        return f"try: fastscale info {network_and_recipe(word)[0]}"
    for kind in ("strategies", "recipes", "devices", "checkpoints"):
        if word and word in getattr(api, f"list_{kind}")():
            return f"try: fastscale list {kind} {word}"
    known = [*KINDS, *api.list_archs()]
    return did_you_mean("archs" if word in NETWORKS else word, known, see="fastscale list")


def _strategies(args: argparse.Namespace) -> tuple[list[Row], list[str]]:
    from fastscale import api
    from fastscale.scaling import Strategy
    from fastscale.scaling.strategy import GRAMMAR

    rows = []
    for name in api.list_strategies():
        s = Strategy.parse(name)
        exponents = {f"{k}_exponent": round(float(v), 3) for k, v in vars(s.exponents()).items()}
        letters = {"d": s.depth, "w": s.width, "g": s.group_width, "r": s.resolution}
        shares = {letter: str(share) for letter, share in letters.items()}
        rows.append({"name": name, **shares, **exponents})
    notes = [
        "",
        "d, w, g, r: shares of the factor that depth, width, group width and resolution take",
        "exponents: how flops, params and acts grow with the factor, in a stage of plain convs",
        f"a strategy is any of: {GRAMMAR}",
    ]
    return _named(rows, args.pattern, "strategies"), notes


def _recipes(args: argparse.Namespace) -> tuple[list[Row], list[str]]:
    from fastscale import api
    from fastscale.training.recipe import load_recipe

    rows = []
    for name in api.list_recipes():
        r = load_recipe(name)
        first = {"name": name, "data": r.data, "epochs": r.epochs, "batch": r.batch_size}
        rows.append({**first, "lr": r.lr, "augmentation": r.augmentation, "precision": r.precision})
    notes = ["", "a run is <network>.<recipe>: fastscale fit --run regnety-tiny.quick"]
    return _named(rows, args.pattern, "recipes"), notes


def _devices(args: argparse.Namespace) -> tuple[list[Row], list[str]]:
    from fastscale.planning import known

    return known.rows(args.pattern), ["", *known.NOTES]


def _data(args: argparse.Namespace) -> tuple[list[Row], list[str]]:
    from fastscale.data.here import sources_here

    notes = ["", "to add yours: fastscale data write folder:PHOTOS"]
    return _named(sources_here(), args.pattern, "data"), notes


def _runs(args: argparse.Namespace) -> tuple[list[Row], list[str]]:
    from fastscale.home import home
    from fastscale.reproduce.listing import lines_of, listed_runs, rows_of
    from fastscale.training.runs import runs_here

    users, ours = runs_here(home().runs), listed_runs()
    names = [
        {"run": name}
        for name in dict.fromkeys([*(u["run"] for u in users), *(r.run for r in ours)])
    ]
    kept = {row["run"] for row in _named(names, args.pattern, "runs")}
    users = [row for row in users if row["run"] in kept]
    asked = ([run for run in ours if run.run in kept], args.device, args.devices)
    if args.json:
        return [*users, *rows_of(*asked)[0]], []
    lines = [*table(users), ""] if users else []
    return [], lines + lines_of(*asked)


def _checkpoints(args: argparse.Namespace) -> tuple[list[Row], list[str]]:
    from fastscale.release.listing import rows_of, rows_of_others
    from fastscale.release.places import released
    from fastscale.release.public import known_weights

    rows = [*rows_of(released()), *rows_of_others(known_weights().values())]
    return _named(rows, args.pattern, "checkpoints"), []


KINDS: dict[str, Callable[[argparse.Namespace], tuple[list[Row], list[str]]]] = {
    "archs": _archs,
    "strategies": _strategies,
    "recipes": _recipes,
    "devices": _devices,
    "data": _data,
    "runs": _runs,
    "checkpoints": _checkpoints,
}
