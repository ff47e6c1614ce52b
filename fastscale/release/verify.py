"""`fastscale checkpoint verify | load-test`: checks released files and their errors."""

import math
import statistics
from dataclasses import dataclass
from pathlib import Path

import torch

from fastscale.errors import InputError
from fastscale.home import home
from fastscale.records import Record
from fastscale.release import places
from fastscale.release.checkpoint import Checkpoint, read_file
from fastscale.release.fetch import fetch
from fastscale.release.manifest import AS_IN_FILE, AS_RECORDED, Entry
from fastscale.release.score import allowance, score_entry


@dataclass(frozen=True)
class Verdict:
    """`lines`: what was checked; `problems`: what is wrong.

    `unevaluated`: why it could not be evaluated, or None.
    """

    name: str
    lines: tuple[str, ...]
    problems: tuple[str, ...]
    unevaluated: str | None = None


def verify(
    entry: Entry,
    source: str | None = None,
    arguments: list[str] | None = None,
    images: int | None = None,
    evaluate: bool = True,
    folder: Path | None = None,
) -> Verdict:
    """Checks the file's hash, header and records against the manifest, and evaluates it again.

    `images`: number of validation images (default: all). With fewer, the error may also differ by
    chance (`score.allowance`), beyond the entry's tolerance. `folder`: of file, records and
    manifest (default: the released checkpoints).
    """
    lines, problems, unevaluated = [], [], None
    folder = folder or home().checkpoints
    try:
        checkpoint = read_file(fetch(entry, folder), entry.sha256)
    except InputError as error:
        return Verdict(entry.name, (), (str(error),))
    lines.append(f"file: {entry.bytes:,} bytes, sha256 {entry.sha256}")
    problems += disagreements(entry, checkpoint)
    found, wrong = check_records(entry, places.records_in(folder / places.RECORDS))
    problems += wrong
    if found:
        lines.append(f"records: {', '.join(found)} agree with the manifest")
    if evaluate:
        try:
            more, wrong = evaluated(entry, checkpoint, source, arguments, images)
        except InputError as error:
            more, wrong, unevaluated = [], [], str(error)
        lines, problems = lines + more, problems + wrong
    return Verdict(entry.name, tuple(lines), tuple(problems), unevaluated)


def disagreements(entry: Entry, checkpoint: Checkpoint) -> list[str]:
    """The fields in which the file's header and the manifest differ."""
    about = checkpoint.about
    return [
        f"the header says {f} {getattr(about, f)!r}, the manifest {getattr(entry, f)!r}"
        for f in AS_IN_FILE
        if getattr(about, f) != getattr(entry, f)
    ]


def check_records(entry: Entry, records: dict[str, Record]) -> tuple[list[str], list[str]]:
    """(ids found, problems): the manifest's errors must follow from its records."""
    problems = [
        f"record {i} is not in {places.RECORDS}" for i in entry.record_ids if i not in records
    ]
    named = [records[i] for i in entry.record_ids if i in records]
    if problems or not named:
        return [r.id for r in named], problems
    kind = "_ema" if entry.weights == "averaged" else ""
    for name, error in entry.errors.items():
        measured = [(r.seed, r.values[name + kind]) for r in named if name + kind in r.values]
        seeds, values = [s for s, _ in measured], [v for _, v in measured]
        found = {"n": len(values), "seeds": seeds}
        found |= {"mean": statistics.fmean(values)} if values else {}
        found["std"] = statistics.stdev(values) if len(values) > 1 else None
        for what, value in found.items():
            claimed = error[what]
            near = isinstance(value, float) and math.isclose(value, claimed or 0)
            if value != claimed and not near:
                problems.append(
                    f"{name}: the manifest's {what} is {claimed}, that of its records {value}"
                )
        # the released file was evaluated separately, perhaps in float16: allow for rounding
        value = dict(measured).get(entry.seed)
        if value is None or abs(value - error["value"]) > entry.tolerance + 1e-9:
            problems.append(
                f"{name}: the manifest says {error['value']}, "
                f"the record of seed {entry.seed} {value}"
            )
    problems += [
        f"{f}: the manifest and record {r.id} differ"
        for r in named
        for f in AS_RECORDED
        if getattr(r, f) != getattr(entry, f)
    ]
    for r in (r for r in named if r.seed == entry.seed):
        for f, value in (("commit", r.env.get("git_commit")), ("date", r.env["date"])):
            if value != getattr(entry, f):
                problems.append(
                    f"{f}: the manifest says {getattr(entry, f)!r}, record {r.id} {value!r}"
                )
    return [r.id for r in named], problems


def evaluated(
    entry: Entry,
    checkpoint: Checkpoint,
    source: str | None,
    arguments: list[str] | None,
    images: int | None,
) -> tuple[list[str], list[str]]:
    """(lines, problems) of a new evaluation."""
    found = score_entry(entry, checkpoint, source, arguments, images)
    if not found.same_data:
        hashes = f"hash {found.data_hash}, wanted {entry.data_hash}"
        return [], [f"{found.data} here is not the data of the manifest: {hashes}"]
    lines: list[str] = []
    problems: list[str] = []
    if entry.val_images not in (None, found.total):
        problems.append(
            f"val_images: the manifest says {entry.val_images:,}, "
            f"{found.data} here has {found.total:,}"
        )
    every = found.images == found.total
    part = f"all {found.total:,}" if every else f"{found.images:,} of {found.total:,}"
    for name, error in entry.errors.items():
        if (value := found.errors.get(name)) is None:
            problems.append(
                f"{name}: not measured for {entry.num_classes} classes, but in the manifest"
            )
            continue
        allowed = entry.tolerance + allowance(error["value"], found.images, found.total)
        manifest = f"manifest {error['value']:.4f} ± {allowed:.2f}"
        line = f"{name}: {value:.4f} % on {part} images, {manifest}"
        (lines if abs(value - error["value"]) <= allowed + 1e-9 else problems).append(line)
    return lines, problems


def load_test(entry: Entry, folder: Path | None = None) -> str:
    """Loads the entry's network, runs it once on noise and returns the shapes.

    InputError if that fails.
    """
    checkpoint = read_file(fetch(entry, folder), entry.sha256)
    side = checkpoint.about.resolution
    noise = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        logits = checkpoint.network()(noise)
    if logits.shape != (1, entry.num_classes) or not torch.isfinite(logits).all():
        raise InputError(f"{entry.name}: its outputs are not {entry.num_classes} finite numbers")
    return f"(1, 3, {side}, {side}) -> (1, {entry.num_classes})"
