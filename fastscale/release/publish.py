"""`fastscale checkpoint publish`: from a run's seeds to one released file, its manifest entry, its records and its card."""

import hashlib
import math
import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fastscale.archs.names import released_name
from fastscale.common import shown, write_whole
from fastscale.data.source_kinds import lock
from fastscale.errors import InputError
from fastscale.records import Record, RecordStore, read_records, write_snapshot
from fastscale.release import places
from fastscale.release.card import card, index, with_zoo
from fastscale.release.checkpoint import Checkpoint, from_training, read_file, to_bytes
from fastscale.release.manifest import (
    AS_RECORDED,
    SUFFIX,
    TOLERANCE_LIMIT,
    Entry,
    is_name,
    is_url,
    manifest_text,
    read_manifest,
)
from fastscale.release.retrain import further_arguments
from fastscale.release.score import Score, score
from fastscale.training.better import (
    ENDING,
    better_weights,
    check_choice,
    epochs_made,
    say_apart,
)
from fastscale.training.checkpoint_io import is_number, read_checkpoint
from fastscale.training.runs import RunFolder
from fastscale.typed import made

AVERAGED, RAW = ENDING["ema"], ENDING["raw"]
TOLERANCE = (
    0.02  # percentage points: two of 10,000 images, which another machine's rounding may turn
)


@dataclass(frozen=True)
class Seed:
    """A finished run's folder and record."""

    path: Path
    record: Record


def finished(
    run: str | os.PathLike, runs_dir: str | os.PathLike = "runs"
) -> tuple[list[Seed], Seed | None]:
    """(all finished seeds of the run, the one that `run` names or None): `run` is a run's name, its folder, or a seed's folder."""
    path = Path(run).expanduser()
    if not path.is_dir():
        path = RunFolder(runs_dir, str(run), 0).path.parent
    path = path.absolute()
    named = path if (path / "record.json").is_file() or (path / "last.ckpt").is_file() else None
    folder = named.parent if named else path
    if not folder.is_dir():
        raise InputError(
            f"{run}: no such run in {runs_dir}; give its folder, or its name and --runs-dir"
        )
    seeds = []
    for sub in sorted(folder.glob("seed*"), key=lambda p: (len(p.name), p.name)):
        number = sub.name.removeprefix("seed")
        if (
            number.isdigit()
            and (record := RunFolder(folder.parent, folder.name, int(number)).record) is not None
        ):
            seeds.append(Seed(sub, record))
    own = next((s for s in seeds if s.path == named), None)
    if not seeds or (named and own is None):
        raise InputError(
            f"{named or folder}: holds no finished run (no record.json); `fastscale fit` finishes it"
        )
    like = (own or seeds[0]).record
    for seed in seeds:
        for field in ("run", "arch", "num_classes", "data", "data_hash", "recipe_hash", "epochs"):
            if getattr(seed.record, field) != getattr(like, field):
                raise InputError(
                    f"{folder}: its seeds differ in {field}: they are not runs of one thing; publish a folder of equal ones"
                )
    return seeds, own


def choose(
    seeds: Sequence[Seed], named: Seed | None = None, weights: str = "auto"
) -> tuple[str, Seed]:
    """(suffix of the errors, the seed): averaged or raw weights by mean recorded error, then the seed nearest to their mean.

    Never the best one: that would be a number no reader's own run can expect.
    """

    def top1(kind: str) -> list[float]:
        return [
            s.record.values[f"top1_error{kind}"]
            for s in seeds
            if f"top1_error{kind}" in s.record.values
        ]

    check_choice(weights)
    averaged, raw = top1(AVERAGED), top1(RAW)
    if len(raw) < len(seeds):
        raise InputError(f"{seeds[0].path}: its record has no top1_error")
    means = {"top1_error": statistics.fmean(raw)}
    if all_averaged := len(averaged) == len(seeds):
        means["top1_error_ema"] = statistics.fmean(averaged)
    taken = better_weights(means, all_averaged) if weights == "auto" else weights
    if taken == "ema" and not all_averaged:
        raise InputError(f"{seeds[0].path}: has no averaged weights of every seed")
    kind = ENDING[taken]
    mean = statistics.fmean(top1(kind))
    return kind, named or min(
        seeds, key=lambda s: (abs(s.record.values[f"top1_error{kind}"] - mean), s.record.seed or 0)
    )


def errors_over(seeds: Sequence[Seed], chosen: Seed, kind: str) -> dict[str, dict[str, Any]]:
    """Each error of the chosen weights: this seed's value, and n, mean, sample std over all seeds."""
    out: dict[str, dict[str, Any]] = {}
    for name in ("top1_error", "top5_error"):
        values = [s.record.values[name + kind] for s in seeds if name + kind in s.record.values]
        if values:
            std = statistics.stdev(values) if len(values) > 1 else None
            out[name] = {
                "value": chosen.record.values[name + kind],
                "n": len(values),
                "mean": statistics.fmean(values),
                "std": std,
                "seeds": [s.record.seed for s in seeds if name + kind in s.record.values],
            }
    return out


def publish(
    run: str | os.PathLike,
    runs_dir: str | os.PathLike = "runs",
    out: str | os.PathLike | None = None,
    *,
    dtype: str = "float32",
    urls: Sequence[str] = (),
    licence: str = "MIT",
    tolerance: float = TOLERANCE,
    source: str | None = None,
    arguments: list[str] | None = None,
    weights: str = "auto",
) -> tuple[Entry, Path]:
    """Releases the run into the folder `out`; returns the entry and its file.

    `out`: default $FASTSCALE_CHECKPOINTS, else checkpoints/ of the current folder. `weights`: raw,
    ema, or auto, the better by the mean recorded error.

    The file is loaded again as a user would and evaluated: its error must be the recorded one within `tolerance` percentage points, in
    float16 as in float32. `urls`: where it will be served, `{file}` standing for the file's name. InputError where nothing is released.
    """
    if not is_number(tolerance, 0, TOLERANCE_LIMIT):
        raise InputError(
            f"--tolerance {tolerance}: wanted percentage points from 0 to {TOLERANCE_LIMIT:g}"
        )
    seeds, named = finished(run, runs_dir)
    kind, chosen = choose(seeds, named, weights)
    record = chosen.record
    checkpoint = described(chosen, kind, dtype, licence)
    if (
        checkpoint.about.classes is None
    ):  # a run from before checkpoints knew the names of their classes
        checkpoint = replace(
            checkpoint,
            about=replace(checkpoint.about, classes=class_names(chosen, source, arguments)),
        )
    data = to_bytes(checkpoint.about, checkpoint.weights)
    digest = sha256(data)
    with TemporaryDirectory() as scratch:  # as a user will read it
        path = write_whole(Path(scratch) / f"released{SUFFIX}", data)
        found = score(read_file(path, digest), source or own_source(chosen), arguments)
    errors = errors_over(seeds, chosen, kind)
    compare(found, record, {k: e["value"] for k, e in errors.items()}, tolerance, dtype)
    for name, error in errors.items():
        error["value"] = found.errors[name]
    name = f"{released_name(record.arch, str(record.data))}-{digest[:8]}"
    if not is_name(name):
        raise InputError(
            f"{name!r}: cannot be a file's name; data sets are named by letters, digits and . = + _ -"
        )
    served = tuple(u.replace("{file}", name + SUFFIX) for u in urls)
    for url in served:
        if not is_url(url) or not url.endswith(SUFFIX) or shown(url) != url:
            raise InputError(
                f"--url {shown(url)}: wanted an http(s) address that ends with the file's name: https://.../{{file}}"
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
    folder = Path(out) if out is not None else places.own_home()
    write_release(folder, entry, data, [s.record for s in seeds])
    if weights == "auto":
        say_apart(record.values, "ema" if kind == AVERAGED else "raw", chosen.path)
    return entry, folder / entry.file


def sha256(data: bytes) -> str:
    """Hex digest."""
    return hashlib.sha256(data).hexdigest()


def described(seed: Seed, kind: str, dtype: str, licence: str) -> Checkpoint:
    """The seed's network, with optimizer state left behind; InputError where checkpoint and record are not of one run."""
    record, path = seed.record, seed.path / "last.ckpt"
    content = read_checkpoint(path)
    settings = content["hyper_parameters"]
    there = {
        "arch": settings["arch"],
        "num_classes": settings["num_classes"],
        "seed": settings["seed"],
        "epochs": epochs_made(content, record),
    }
    for name, value in there.items():
        if value != getattr(record, name):
            raise InputError(
                f"{path}: has {name} {value!r}, its record.json says {getattr(record, name)!r}: not one run"
            )
    own = {
        "run": record.run,
        "data": record.data,
        "data_hash": record.data_hash,
        "dtype": dtype,
        "licence": licence,
    }
    own |= {"loader": record.env.get("loader"), "precision": record.env.get("precision")}
    return from_training(content, "ema" if kind == AVERAGED else "raw", path, **own)


def own_source(seed: Seed) -> str | None:
    """What the run was trained on, by its checkpoint: perhaps a folder of this machine, which no released file names."""
    return read_checkpoint(seed.path / "last.ckpt").get("trained_with", {}).get("source")


def class_names(seed: Seed, source: str | None, arguments: list[str] | None) -> tuple[str, ...]:
    """The names that the data themselves give."""
    kind = AVERAGED if "top1_error_ema" in seed.record.values else RAW
    return score(
        described(seed, kind, "float32", "-"), source or own_source(seed), arguments, images=1
    ).classes


def compare(
    found: Score, record: Record, recorded: dict[str, float], tolerance: float, dtype: str
) -> None:
    """InputError unless the file gives the recorded errors, on the recorded data."""
    if not found.same_data:
        raise InputError(
            f"{found.data}: not the images that {record.run} was evaluated on (hash {found.data_hash[:14]}, {str(record.data_hash)[:14]})"
        )
    for name, value in recorded.items():
        if not math.isclose(found.errors[name], value, rel_tol=0, abs_tol=tolerance + 1e-9):
            far = f"{found.errors[name]} %, recorded is {value} %, more than {tolerance} apart"
            raise InputError(f"{record.run}: not released: in {dtype} the {name} is {far}")


def write_release(folder: Path, entry: Entry, data: bytes, records: Sequence[Record]) -> None:
    """File, records, manifest, cards: each whole or as before, the manifest last but for the cards that are made from it."""
    with lock(folder / ".publish.lock", places.say):
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / entry.file, data)
        store = folder / places.RECORDS
        write_snapshot(store, [*RecordStore(store).read(), *records])
        entries = [e for e in read_manifest(folder / places.MANIFEST) if e.name != entry.name] + [
            entry
        ]
        write_whole(folder / places.MANIFEST, manifest_text(entries))
        write_cards(folder)


def write_cards(folder: Path) -> None:
    """Every card, the index, and the table in the README above the folder (where it has marks), made again from manifest and records."""
    entries = read_manifest(folder / places.MANIFEST)
    records = (
        {r.id: r for r in read_records(folder / places.RECORDS)}
        if (folder / places.RECORDS).is_file()
        else {}
    )
    for entry in entries:
        write_whole(
            folder / f"{entry.name}.md",
            card(entry, [records[i] for i in entry.record_ids if i in records]),
        )
    write_whole(folder / "README.md", index(entries))
    readme = folder.parent / "README.md"
    if (
        readme.is_file()
        and (text := with_zoo(before := readme.read_text(encoding="utf-8"), entries)) != before
    ):
        write_whole(readme, text)


def write_imported(checkpoint: Checkpoint, source: str, out: str | os.PathLike = ".") -> Path:
    """Another project's weights as a local file in the released format, which loads by its path; no manifest names it."""
    data = to_bytes(checkpoint.about, checkpoint.weights)
    name = f"{released_name(checkpoint.about.arch, source)}-{sha256(data)[:8]}"
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / (name + SUFFIX), data)
    return folder / (name + SUFFIX)
