"""Cases: one wrong value, or a missing one, in an otherwise valid JSON file."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.devils.readers import a_description, info, manifest, record, store
from tests.devils.rule import NEVER, Case

# wrong values in an otherwise valid file, and the types of the right value
SWAPS: dict[str, tuple[Any, tuple[type, ...]]] = {
    "number-for-text": (5, (str,)),
    "list-for-text": (["x"], (str,)),
    "text-for-number": ("x", (int, float)),
    "minus": (-1, (int, float)),
    "10^400": (10**400, (int, float)),
    "10^30": (10**30, (int,)),
    "half": (0.5, (int,)),
    "true": (True, (int, float)),
    "nested-for-list": ([[[]]], (list,)),
    "text-for-list": ("x", (list,)),
    "object-for-list": ({}, (list,)),
    "list-for-object": ([], (dict,)),
    "text-for-object": ("x", (dict,)),
    "nan-in-list": ([float("nan")], (list,)),
    "nan": (float("nan"), (int, float, str, list, dict)),
    "deep": (json.loads("[" * 60 + "]" * 60), (int, float, str, list, dict)),
}


def a_record(place: Any) -> dict:
    return json.loads((place.made.run / "record.json").read_text())


def an_info(place: Any) -> dict:
    return json.loads((place.made.store / "train.json").read_text())


def a_manifest_entry(place: Any) -> dict:
    root = Path(__file__).resolve().parents[2]
    return json.loads((root / "checkpoints" / "manifest.json").read_text())["checkpoints"][0]


def read_description(place: Any, content: dict) -> Any:
    from fastscale.release.description import KEY, Description

    return Description.from_metadata({KEY: json.dumps(content)}, "x")


def read_entry(place: Any, content: dict) -> Any:
    whole = {"schema": 1, "checkpoints": [content]}
    return manifest(place, json.dumps(whole).encode())


def in_file(read: Callable[[Any, bytes], Any]) -> Callable[[Any, dict], Any]:
    return lambda place, content: read(place, json.dumps(content).encode())


# file -> (content of a valid one, its reader, keys that take any value)
RIGHT: dict[str, tuple[Callable[[Any], dict], Callable[[Any, dict], Any], tuple[str, ...]]] = {
    "record": (a_record, in_file(record), ()),
    "store": (a_record, in_file(store), ()),
    "info": (an_info, in_file(info), ()),
    "entry": (a_manifest_entry, read_entry, ()),
    "description": (a_description, read_description, ("strategy",)),
}
FIELDS: dict[str, dict[str, type]] = {
    "record": {
        "kind": str,
        "run": str,
        "arch": str,
        "base": str,
        "factor": float,
        "resolution": int,
        "num_classes": int,
        "flops": int,
        "params": int,
        "acts": int,
        "data": str,
        "data_hash": str,
        "recipe": str,
        "recipe_hash": str,
        "seed": int,
        "epochs": int,
        "values": dict,
        "env": dict,
        "schema": int,
    },
    "info": {
        "source": str,
        "split": str,
        "classes": list,
        "count": int,
        "class_counts": list,
        "mean": list,
        "std": list,
        "bytes": int,
        "version": int,
    },
    "entry": {
        "name": str,
        "sha256": str,
        "bytes": int,
        "urls": list,
        "arch": str,
        "num_classes": int,
        "resolution": int,
        "flops": int,
        "weights": str,
        "dtype": str,
        "epochs": int,
        "errors": dict,
        "tolerance": float,
        "record_ids": list,
        "date": str,
    },
    "description": {
        "num_classes": int,
        "resolution": int,
        "mean": list,
        "std": list,
        "classes": list,
        "format_version": int,
    },
}
FIELDS["store"] = FIELDS["record"]
MEANT_AS = {"seed": ("10^30",)}  # a seed may be any integer


def swapped(place: Any, file: str, key: str, value: Any) -> Any:
    good, read, _ = RIGHT[file]
    return read(place, {**good(place), key: value})


def without(place: Any, file: str, key: str) -> Any:
    good, read, _ = RIGHT[file]
    return read(place, {k: v for k, v in good(place).items() if k != key})


def cases() -> Iterator[Case]:
    """Valid files, then each field of theirs missing, and with wrong values."""
    for file, keys in FIELDS.items():
        yield Case(
            f"right-{file}", lambda place, f=file: RIGHT[f][1](place, RIGHT[f][0](place)), NEVER
        )
        for key, kind_of in keys.items():
            group = "" if file == "info" else f"{file}-{key}"  # which copies a store
            if file != "description":
                yield Case(
                    f"{file}-without-{key}",
                    lambda place, f=file, k=key: without(place, f, k),
                    group=group,
                )
            for kind, (value, of) in SWAPS.items():
                if kind_of in of and kind not in MEANT_AS.get(key, ()):
                    yield Case(
                        f"{file}-{key}-{kind}",
                        lambda place, f=file, k=key, v=value: swapped(place, f, k, v),
                        group=group,
                    )
