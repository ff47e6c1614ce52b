"""The frame: our measurements and the published ones as rows of one tidy table.

A row is one network under one set of conditions. `recorded` makes our rows from records;
`fastscale.references.published` makes the published ones from the reference tables. Tables,
figures, claims, laws and the report select from both. `data_frame` converts rows to pandas.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from fastscale.records.durations import CLOCKS, step_time
from fastscale.records.identity import family_of
from fastscale.records.record import Record

if TYPE_CHECKING:
    import pandas


MEASURED = (
    "epoch_time_min",
    "epoch_time_spread_min",
    "image_time_s",
    "image_time_spread_s",
    "peak_memory_mib",
    "top1_error",
    "top1_error_ema",
    "top1_error_spread",
)


def _column(meaning: str, default: Any = None) -> Any:
    return field(default=default, metadata={"column": meaning})


@dataclass(frozen=True, kw_only=True)
class Row:
    """One measured network. Flops are multiply-adds, and counts are for one image.

    None means that a column does not apply or was not published.
    """

    id: str = field(metadata={"column": "the record's id, or table and line of the reference"})
    source: str = field(metadata={"column": '"ours" or "published"'})
    origin: str = _column("who measured it: `record <id>`, or paper, table or file", "")
    kind: str = _column("train, time or evaluate, as in records", "time")
    mode: str = _column("training or inference", "training")
    network: str = _column("its name in the source", "")
    arch: str | None = _column("its name here")
    family: str = _column("EfficientNet, RegNetX, RegNetY, RegNetZ, ResNet, ResNeXt, ...", "")
    base: str | None = _column("name here of the network that was scaled")
    strategy: str | None = _column('canonical spelling; "orig": an original EfficientNet')
    factor: float = _column("of the scaling; 1: none", 1.0)
    resolution: int | None = _column("px")
    num_classes: int = _column("classes", 1000)
    flops: float | None = _column("multiply-adds")
    params: float | None = _column("parameters")
    acts: float | None = _column("activations: elements of all convolutions' outputs")
    counted: bool = _column("whether params and acts were computed for the network", False)
    data: str | None = _column("data set")
    run: str | None = _column("name of our run: <network>.<recipe>, <network>.time, ...")
    recipe: str | None = _column("how it was trained")
    seed: int | None = _column("of the run")
    epochs: int | None = _column("completed in training")
    early: bool = _column("whether training ended before its recipe says", False)
    device: str | None = _column("one GPU's or CPU's name")
    device_type: str | None = _column("cuda or cpu")
    devices: int = _column("how many shared the work", 1)
    precision: str | None = _column("as Lightning names it: 16-mixed, bf16-mixed, 32-true, ...")
    layout: str | None = _column("contiguous or channels_last")
    compile: bool | None = _column("whether compiled")
    threads: int | None = _column("of the host")
    batch: float | None = _column("images a step on one device")
    torch: str | None = _column("version")
    epoch_time_min: float | None = _column("minutes of a training epoch, over all devices")
    epoch_time_spread_min: float | None = _column("half its interquartile range, minutes")
    image_time_s: float | None = _column("seconds an image on one device, of a step or a pass")
    clock: str | None = _column(
        f"what image_time_s is: {'; '.join(map(': '.join, CLOCKS.items()))}"
    )
    eager_image_time_s: float | None = _column("seconds an image, host launches included")
    image_time_spread_s: float | None = _column("half its interquartile range, seconds")
    peak_memory_mib: float | None = _column("MiB of one device")
    top1_error: float | None = _column("percent")
    top1_error_ema: float | None = _column("percent, of the averaged weights")
    # of points that stand for several runs: how many, and the standard deviation of their errors
    runs: int = 1
    top1_error_spread: float | None = None
    written: Mapping[str, str] = field(default_factory=dict, repr=False)  # fields as published
    record: Record | None = field(default=None, repr=False)  # its source, if ours

    # the names that figures use for these columns
    @property
    def time(self) -> float | None:
        """Minutes of an epoch."""
        return self.epoch_time_min

    @property
    def spread(self) -> float | None:
        """Spread of `time`, minutes."""
        return self.epoch_time_spread_min

    @property
    def error(self) -> float | None:
        """Top-1 error, %."""
        return self.top1_error

    @property
    def error_spread(self) -> float | None:
        """Standard deviation of `error`, percentage points."""
        return self.top1_error_spread


def recorded(record: Record) -> Row:
    """A record as a row: its values in the frame's units, its conditions under its own names."""
    env, values = record.env, record.values
    batch, time, eager = env.get("batch"), step_time(record), step_time(record, clock="eager")
    inference = time is not None and time.what == "inference"
    once, spread = (time.seconds, time.spread) if time else (None, None)
    epoch = values.get("epoch_time_min")
    clock = values.get("epoch_time_s")
    return Row(
        id=record.id,
        source="ours",
        origin=f"record {record.id}",
        kind=record.kind,
        mode="inference" if inference else "training",
        network=record.arch,
        arch=record.arch,
        family=family_of(record),
        base=record.base,
        strategy=record.strategy,
        factor=record.factor,
        resolution=record.resolution,
        num_classes=record.num_classes,
        flops=float(record.flops),
        params=float(record.params),
        acts=float(record.acts),
        data=record.data,
        run=record.run,
        recipe=record.recipe,
        seed=record.seed,
        epochs=record.epochs,
        early=record.early,
        device=env["device"],
        device_type=env.get("device_type", "cpu"),
        devices=env.get("devices") or 1,
        precision=env.get("precision"),
        layout=env.get("layout"),
        compile=None if env.get("compile") is None else bool(env["compile"]),
        threads=env.get("threads"),
        batch=batch,
        torch=env.get("versions", {}).get("torch"),
        epoch_time_min=epoch if epoch is not None else clock and clock / 60,
        epoch_time_spread_min=epoch and once and spread and epoch * spread / once,
        image_time_s=once and batch and once / batch,
        image_time_spread_s=spread and batch and spread / batch,
        clock=time and time.clock,
        eager_image_time_s=eager and batch and eager.seconds / batch,
        peak_memory_mib=values.get("peak_memory_mib"),
        top1_error=values.get("top1_error"),
        top1_error_ema=values.get("top1_error_ema"),
        record=record,
    )


COLUMNS = {f.name: f.metadata["column"] for f in fields(Row) if f.metadata}


def data_frame(rows: Iterable[Row]) -> pandas.DataFrame:
    """One line per row: COLUMNS (name -> unit or meaning), then all other values of our records
    under their own names (see `record`)."""
    import pandas

    lines = []
    for row in rows:
        line = {name: getattr(row, name) for name in COLUMNS}
        recorded_values = row.record.values if row.record else {}
        lines.append(line | {k: v for k, v in recorded_values.items() if k not in COLUMNS})
    columns = dict.fromkeys([*COLUMNS, *(name for line in lines for name in line)])
    return pandas.DataFrame(lines, columns=list(columns)).convert_dtypes()
