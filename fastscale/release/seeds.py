"""The finished seeds of a run, and which one is released: the typical one, not the best."""

import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastscale.errors import InputError
from fastscale.records import Record
from fastscale.training.better import ENDING, better_weights, check_choice
from fastscale.training.runs import RunFolder

AVERAGED, RAW = ENDING["ema"], ENDING["raw"]


@dataclass(frozen=True)
class Seed:
    """A finished run's folder and record."""

    path: Path
    record: Record


def finished(
    run: str | os.PathLike, runs_dir: str | os.PathLike = "runs"
) -> tuple[list[Seed], Seed | None]:
    """(all finished seeds of the run, the one that `run` names or None).

    `run`: a run's name, its folder, or a seed's folder.
    """
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
        if not number.isdigit():
            continue
        record = RunFolder(folder.parent, folder.name, int(number)).record
        if record is not None:
            seeds.append(Seed(sub, record))
    chosen = next((s for s in seeds if s.path == named), None)
    if not seeds or (named and chosen is None):
        raise InputError(
            f"{named or folder}: holds no finished run (no record.json); "
            "`fastscale fit` finishes it"
        )
    like = (chosen or seeds[0]).record
    for seed in seeds:
        for field in ("run", "arch", "num_classes", "data", "data_hash", "recipe_hash", "epochs"):
            if getattr(seed.record, field) != getattr(like, field):
                raise InputError(
                    f"{folder}: its seeds differ in {field}; publish runs of a single configuration"
                )
    return seeds, chosen


def choose(
    seeds: Sequence[Seed], named: Seed | None = None, weights: str = "auto"
) -> tuple[str, Seed]:
    """(suffix of the errors, the seed): averaged (EMA) or raw weights by mean recorded error.

    Of these, the seed nearest to the mean (default) or `named`. Not the best seed: no reader's run
    could expect its error.
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
        raise InputError(f"{seeds[0].path}: not every seed has averaged weights")
    kind = ENDING[taken]
    mean = statistics.fmean(top1(kind))

    def distance(seed: Seed) -> tuple[float, int]:
        return abs(seed.record.values[f"top1_error{kind}"] - mean), seed.record.seed or 0

    return kind, named or min(seeds, key=distance)


def errors_over(seeds: Sequence[Seed], chosen: Seed, kind: str) -> dict[str, dict[str, Any]]:
    """Errors of the chosen weights: this seed's value, and n, mean, sample std over all seeds."""
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
