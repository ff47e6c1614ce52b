"""Our records as points: runs that differ only in their seed become one point with n and mean."""

from collections.abc import Iterable, Sequence

from fastscale.archs.names import factor_text
from fastscale.common import pluralize
from fastscale.paper.report.point import Point, Value, pooled, strategy_of
from fastscale.records import Record, key, latest, step_time
from fastscale.records.committed import each_once
from fastscale.records.frame import Row, recorded

SOURCE = "ours"


def record_points(records: Iterable[Record]) -> list[Point]:
    """One point per network and conditions, with the values that its records hold.

    A later record replaces an earlier one of the same fact, so that n counts seeds. Runs that ended
    early are left out.
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
    rows = [recorded(record) for record in group]
    first, row = group[0], rows[0]
    return Point(
        id=f"record-{row.id}",
        network=row.network,
        family=row.family,
        strategy=strategy_of(row.strategy),
        written=f"{row.strategy} x{factor_text(row.factor)}" if row.strategy else "base",
        data=row.data or "none",
        device=_device(row),
        cpu=row.device_type == "cpu",
        mode=row.mode,
        source=SOURCE,
        setting=_setting(first),
        provenance=_provenance(group),
        members=tuple(f"record-{record.id}" for record in group),
        ours=True,
        n=len(group),
        values=_values(rows),
    )


def _values(rows: Sequence[Row]) -> dict[str, Value]:
    def mean_of(column: str) -> Value | None:
        return pooled([value for row in rows if (value := getattr(row, column)) is not None])

    first = rows[0]
    found: dict[str, Value | None] = {
        c: Value(getattr(first, c)) for c in ("flops", "params", "acts")
    }
    found["epoch_time"] = mean_of("epoch_time_min")
    found["time_per_image"] = pooled([1000 / speed for row in rows if (speed := _speed(row))])
    found["memory"] = mean_of("peak_memory_mib")
    found["error"] = mean_of("top1_error")
    if len(rows) == 1 and first.image_time_s and first.image_time_spread_s:
        repeats = first.image_time_spread_s / first.image_time_s  # the time is their median
        for name in ("epoch_time", "time_per_image"):
            if (value := found[name]) is not None:
                found[name] = Value(value.value, value.value * repeats)
    return {name: value for name, value in found.items() if value is not None}


def _speed(row: Row) -> float | None:
    """Images per second of training with its loader, of inference, or of the step alone."""
    values = row.record.values if row.record else {}
    names = ("end_to_end_images_per_s", "inference_images_per_s", "images_per_s")
    return next((speed for name in names if (speed := values.get(name))), None)


def _device(row: Row) -> str:
    name = f"{row.devices} x {row.device}" if row.devices != 1 else row.device or ""
    return f"{name} (CPU)" if row.device_type == "cpu" and "CPU" not in name else name


def _setting(record: Record) -> str:
    env, time = record.env, step_time(record)
    on_device = time is not None and time.clock == "device"
    how = "median step on dummy data"
    if record.kind == "train":
        how = f"wall clock of an epoch, {record.clock}"
    elif "end_to_end_images_per_s" in record.values:
        how = "steps with their loader"
    elif time and time.what == "inference":
        how = "median pass on dummy data"
    parts = [
        how,
        env.get("precision"),
        env.get("layout"),
        "compiled" if env.get("compile") else None if on_device else "eager",
        "device time (one CUDA graph)" if on_device else None,
    ]
    if env.get("batch"):  # the batch asked for: a network may have needed a smaller one
        parts.append(f"batch {env.get('batch_asked') or env['batch']}")
    if env.get("threads") and env.get("device_type", "cpu") == "cpu":
        parts.append(pluralize(env["threads"], "thread"))
    return ", ".join(str(part) for part in parts if part)


def _provenance(group: Sequence[Record]) -> str:
    """Record ids, commits, dates and seeds, to find and repeat the measurement."""
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
