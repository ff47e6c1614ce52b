"""`fastscale checkpoint publish`: from a run's seeds to a released file, its entry and its card."""

import math
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from fastscale.archs.names import released_name
from fastscale.common import shown, write_whole
from fastscale.errors import InputError
from fastscale.records import Record
from fastscale.release import places
from fastscale.release.checkpoint import Checkpoint, from_training, read_file, to_bytes
from fastscale.release.folder import sha256, write_release
from fastscale.release.manifest import (
    AS_RECORDED,
    SUFFIX,
    TOLERANCE_LIMIT,
    Entry,
    is_name,
    is_url,
)
from fastscale.release.retrain import further_arguments
from fastscale.release.score import Score, score
from fastscale.release.seeds import AVERAGED, RAW, Seed, choose, errors_over, finished
from fastscale.training.better import epochs_made, say_apart
from fastscale.training.checkpoint_io import read_checkpoint
from fastscale.training.values import is_number
from fastscale.typed import made

# percentage points: two of 10,000 images, which rounding on another machine may change
TOLERANCE = 0.02


def publish(
    run: str | os.PathLike,
    runs_dir: str | os.PathLike = "runs",
    out: str | os.PathLike | None = None,
    *,
    dtype: str = "float32",
    urls: Sequence[str] = (),
    licence: str | None = None,
    tolerance: float = TOLERANCE,
    source: str | None = None,
    arguments: list[str] | None = None,
    weights: str = "auto",
) -> tuple[Entry, Path]:
    """Releases the run into the folder `out`; returns the entry and its file.

    The file is loaded and evaluated as a user would: its error must equal the recorded one within
    `tolerance` percentage points, also in float16. `out`: default $FASTSCALE_CHECKPOINTS, else
    ./checkpoints. `weights`: raw, ema, or auto (the better by mean recorded error). `licence`:
    default that of the weights that the run started from, or MIT. `urls`: where it will be served;
    `{file}` stands for the file's name. InputError if it is not released.
    """
    if not is_number(tolerance, 0, TOLERANCE_LIMIT):
        raise InputError(
            f"--tolerance {tolerance}: wanted percentage points from 0 to {TOLERANCE_LIMIT:g}"
        )
    folder = Path(out) if out is not None else places.to_publish()
    seeds, named = finished(run, runs_dir)
    kind, chosen = choose(seeds, named, weights)
    licence = licence or inherited_licence(chosen)
    record = chosen.record
    checkpoint = described(chosen, kind, dtype, licence)
    if checkpoint.about.classes is None:  # old training checkpoints have no class names
        classes = class_names(chosen, source, arguments)
        checkpoint = replace(checkpoint, about=replace(checkpoint.about, classes=classes))
    data = to_bytes(checkpoint.about, checkpoint.weights)
    digest = sha256(data)
    with TemporaryDirectory() as scratch:  # read the file as a user will
        path = write_whole(Path(scratch) / f"released{SUFFIX}", data)
        found = score(read_file(path, digest), source or own_source(chosen), arguments)
    errors = errors_over(seeds, chosen, kind)
    compare(found, record, {k: e["value"] for k, e in errors.items()}, tolerance, dtype)
    for name, error in errors.items():
        error["value"] = found.errors[name]
    name = f"{released_name(record.arch, str(record.data))}-{digest[:8]}"
    if not is_name(name):
        raise InputError(
            f"{name!r}: cannot be a file's name; "
            "the data set's name may have letters, digits and . = + _ -"
        )
    served = tuple(u.replace("{file}", name + SUFFIX) for u in urls)
    for url in served:
        if not is_url(url) or not url.endswith(SUFFIX) or shown(url) != url:
            raise InputError(
                f"--url {shown(url)}: wanted an http(s) address that ends with the file's name: "
                "https://.../{file}"
            )
    about = checkpoint.about
    values = dict(
        name=name,
        sha256=digest,
        bytes=len(data),
        urls=served,
        weights=about.weights,
        dtype=dtype,
        test_resolution=about.test_resolution,
        errors=errors,
        tolerance=tolerance,
        val_images=found.total,
        record_ids=tuple(s.record.id for s in seeds),
        commit=record.env.get("git_commit"),
        date=record.env["date"],
        licence=licence,
        arguments=further_arguments(
            record, read_checkpoint(chosen.path / "last.ckpt"), chosen.path
        ),
        **{name: getattr(record, name) for name in (*AS_RECORDED, "seed")},
    )
    entry = made(Entry, values)
    write_release(folder, entry, data, [s.record for s in seeds])
    if weights == "auto":
        say_apart(record.values, "ema" if kind == AVERAGED else "raw", chosen.path)
    return entry, folder / entry.file


def described(seed: Seed, kind: str, dtype: str, licence: str) -> Checkpoint:
    """The seed's checkpoint without optimizer state.

    InputError if training checkpoint and record are from different runs.
    """
    record, path = seed.record, seed.path / "last.ckpt"
    content = read_checkpoint(path)
    settings = content["hyper_parameters"]
    trained = {
        "arch": settings["arch"],
        "num_classes": settings["num_classes"],
        "seed": settings["seed"],
        "epochs": epochs_made(content, record),
    }
    for name, value in trained.items():
        if value != getattr(record, name):
            raise InputError(
                f"{path}: has {name} {value!r}, its record.json says {getattr(record, name)!r}: "
                "not the same run"
            )
    ran = {
        "run": record.run,
        "data": record.data,
        "data_hash": record.data_hash,
        "dtype": dtype,
        "licence": licence,
    }
    ran |= {"loader": record.env.get("loader"), "precision": record.env.get("precision")}
    return from_training(content, "ema" if kind == AVERAGED else "raw", path, **ran)


def inherited_licence(seed: Seed) -> str:
    """The licence of the weights that the run started from; MIT if it started from none.

    InputError if that licence is unknown.
    """
    trained = read_checkpoint(seed.path / "last.ckpt").get("trained_with", {})
    ancestry = trained.get("ancestry") or {"run": ""}
    if licence := ancestry.get("licence"):
        return str(licence)
    if "run" in ancestry:
        return "MIT"
    raise InputError(
        f"{seed.path}: started from {shown(ancestry.get('file') or ancestry.get('name'))}, whose "
        "licence is unknown: give it with --licence"
    )


def own_source(seed: Seed) -> str | None:
    """The run's data source; it may be a folder of this machine, which no released file names."""
    return read_checkpoint(seed.path / "last.ckpt").get("trained_with", {}).get("source")


def class_names(seed: Seed, source: str | None, arguments: list[str] | None) -> tuple[str, ...]:
    """The class names of the data set."""
    kind = AVERAGED if "top1_error_ema" in seed.record.values else RAW
    checkpoint = described(seed, kind, "float32", "-")
    return score(checkpoint, source or own_source(seed), arguments, images=1).classes


def compare(
    found: Score, record: Record, recorded: dict[str, float], tolerance: float, dtype: str
) -> None:
    """InputError unless the file has the recorded errors on the recorded data."""
    if not found.same_data:
        hashes = f"{found.data_hash[:14]}, {str(record.data_hash)[:14]}"
        raise InputError(
            f"{found.data}: not the images that {record.run} was evaluated on (hash {hashes})"
        )
    for name, value in recorded.items():
        if not math.isclose(found.errors[name], value, rel_tol=0, abs_tol=tolerance + 1e-9):
            far = f"{found.errors[name]} %, recorded is {value} %, more than {tolerance} apart"
            raise InputError(f"{record.run}: not released: in {dtype} the {name} is {far}")
