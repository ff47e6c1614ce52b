"""Records as points: runs that differ in nothing but their seed (or were measured again) are one point, with n, mean and deviation."""

from collections.abc import Iterable, Sequence

from fastscale.paper.report.point import Point, Value, family_of, pooled, strategy_of
from fastscale.records import Record, key, latest
from fastscale.records.committed import each_once
from fastscale.scaling import factor_text

SOURCE = "ours"


def record_points(records: Iterable[Record]) -> list[Point]:
    """A point a network and condition. Values that a record does not hold stay out.

    A later record of the same fact replaces the earlier one, so that n counts seeds; runs that
    ended before their recipe are no points.
    """
    groups: dict[tuple, list[Record]] = {}
    by_date = sorted(each_once(records), key=lambda r: r.env["date"])
    newest = {record.id for record in latest(by_date)}
    for record in each_once(records):
        if record.id not in newest or record.early:
            continue
        fact = key(record)
        groups.setdefault((*fact[:9], *fact[10:]), []).append(record)  # without the seed
    return [
        _point(sorted(group, key=lambda r: (r.seed is None, r.seed or 0, r.env["date"], r.id)))
        for group in groups.values()
    ]


def _point(group: Sequence[Record]) -> Point:
    first = group[0]
    cpu = first.env.get("device_type", "cpu") == "cpu"
    scaled = first.strategy is not None
    return Point(
        id=f"record-{first.id}",
        network=first.arch,
        family=family_of(first.base),
        strategy=strategy_of(first.strategy),
        written=f"{first.strategy} x{factor_text(first.factor)}" if scaled else "base",
        data=first.data or "none",
        device=_device(first, cpu),
        cpu=cpu,
        mode="inference" if "inference_time_s" in first.values else "training",
        source=SOURCE,
        setting=_setting(first),
        provenance=_provenance(group),
        members=tuple(f"record-{record.id}" for record in group),
        ours=True,
        n=len(group),
        values=_values(group),
    )


def _values(group: Sequence[Record]) -> dict[str, Value]:
    first = group[0]
    found: dict[str, Value | None] = {
        name: Value(getattr(first, name)) for name in ("flops", "params", "acts")
    }
    by_step = [r.values["epoch_time_min"] for r in group if "epoch_time_min" in r.values]
    by_clock = [r.values["epoch_time_s"] / 60 for r in group if "epoch_time_s" in r.values]
    found["epoch_time"] = pooled(by_step or by_clock)
    found["time_per_image"] = pooled([1000 / speed for r in group if (speed := _speed(r))])
    found["memory"] = pooled(
        [r.values["peak_memory_mib"] for r in group if "peak_memory_mib" in r.values]
    )
    found["error"] = pooled([r.values["top1_error"] for r in group if "top1_error" in r.values])
    for what in ("step_time", "inference_time"):
        repeats = first.values.get(f"{what}_spread_s", 0) / first.values.get(f"{what}_s", 1)
        if len(group) == 1 and repeats:  # one timing is the median of its repeats
            for name in ("epoch_time", "time_per_image"):
                if (value := found[name]) is not None:
                    found[name] = Value(value.value, value.value * repeats)
    return {name: value for name, value in found.items() if value is not None}


def _speed(record: Record) -> float | None:
    """Images a second of what the record is about: training with its loader, inference, or the step alone."""
    return next(
        (
            v
            for name in ("end_to_end_images_per_s", "inference_images_per_s", "images_per_s")
            if (v := record.values.get(name))
        ),
        None,
    )


def _device(record: Record, cpu: bool) -> str:
    count = record.env.get("devices") or 1
    name = f"{count} x {record.env['device']}" if count != 1 else str(record.env["device"])
    return f"{name} (CPU)" if cpu and "CPU" not in name else name


def _setting(record: Record) -> str:
    env = record.env
    how = "median step on dummy data"
    if record.kind == "train":
        how = f"wall clock of an epoch, {record.clock}"
    elif "end_to_end_images_per_s" in record.values:
        how = "steps with their loader"
    elif "inference_time_s" in record.values:
        how = "median pass on dummy data"
    parts = [
        how,
        env.get("precision"),
        env.get("layout"),
        "compiled" if env.get("compile") else "eager",
    ]
    if env.get("batch"):  # a network that needed a smaller one is still of the same setting
        parts.append(f"batch {env.get('batch_asked') or env['batch']}")
    if env.get("threads") and env.get("device_type", "cpu") == "cpu":
        parts.append("1 thread" if env["threads"] == 1 else f"{env['threads']} threads")
    return ", ".join(str(part) for part in parts if part)


def _provenance(group: Sequence[Record]) -> str:
    """Record ids, commits, dates, seeds: what a reader needs to find and to repeat it."""
    ids = ", ".join(record.id for record in group)
    commits = dict.fromkeys(_commit(record) for record in group)
    dates = sorted({record.env["date"][:10] for record in group})
    seeds = [str(record.seed) for record in group if record.seed is not None]
    parts = [
        f"record {ids}" if len(group) == 1 else f"records {ids}",
        f"commit {', '.join(commits)}",
        ", ".join(dates),
    ]
    if group[0].env.get("batch_asked"):
        parts.append(f"batch {group[0].env['batch']}: no larger one fitted")
    if seeds:
        parts.append(f"seed {', '.join(seeds)}")
    return "; ".join(parts)


def _commit(record: Record) -> str:
    commit = record.env.get("git_commit")
    if not commit:
        return "unknown"
    return str(commit)[:10] + (" with changes" if record.env.get("git_dirty") else "")
