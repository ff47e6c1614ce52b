"""One measured fact: a network, how it was measured, the values and the environment.

Tables and figures are made only from records and published reference points. A record is one line
of JSON with sorted keys, validated when it is made and when it is read. `kind` is "train" (a
finished training run), "time" (a measured step, inference or loader time) or "evaluate" (errors of
weights from elsewhere, such as an imported checkpoint; `run` names them). A value's name ends in
its unit:

    train     top1_error, top5_error, top1_error_ema, top5_error_ema (%), train_loss, epoch_time_s
              (wall clock, one training epoch), images_per_s, data_wait_share (0 to 1),
              device_busy_share (0 to 1, on a GPU), peak_memory_mib
    evaluate  top1_error, top5_error (%), images (how many), top1_error_among (%, choosing among the
              classes of the data only)
    time      A training step (run `<network>.time`) of env.batch images on dummy data:
                device_step_time_s (on a GPU: replayed as one CUDA graph; median of the repeats)
                device_step_time_spread_s (half the interquartile range)
                eager_step_time_s, eager_step_time_spread_s (launched by the host; all a CPU has)
                step_time_s, step_time_spread_s (older records: eager; see `durations.step_time`)
                forward_time_s (with the loss), backward_time_s, optimizer_time_s (medians, eager)
                images_per_s, epoch_time_min (device time, or eager time if there is none, x the
                steps in one epoch of `data`, on this one device)
                epoch_time_normalised_min (that divided by env.normalised_to_devices, on request)
                peak_memory_mib (of the GPU's tensors; on a CPU, growth of the process)
                first_step_s (the very first step, in which kernels are chosen and compiled)
              Inference (`<network>.inference`) of env.batch images, in eval mode, no gradients:
                the same with `inference` for `step`; inference_images_per_s, peak_memory_mib
              A loader (`<network>.end-to-end`) on the images of `data`:
                loader_images_per_s (the loader alone), images_per_s (the model alone),
                end_to_end_images_per_s, data_wait_share (0 to 1)
              The reference of a sweep (`<network>.reference`):
                reference_step_time_s, reference_step_time_spread_s, drift_ratio (to its first)
              A comparison with other code (`<network>.<project>-<setting>`):
                ours_step_time_s, theirs_step_time_s, step_time_ratio (ours / theirs, per image),
                step_time_ratio_spread, and the same for inference

Some keys of `env`:

    batch           the batch that fitted in memory
    batch_asked     the batch asked for, if it was halved to fit
    drift           time of the sweep's reference over its first time
    cuda_graph      GPU times: whether the step was captured (false: it could not be)
    cudnn           GPU times: how kernels were chosen, by heuristics or by search
    source          the program that measured, if not the `fastscale` command
    evaluated_from  the released checkpoint whose evaluation gave the errors, in place of those at
                    the end of training
"""

import hashlib
import json
import math
import re
from contextlib import suppress
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, ClassVar

from fastscale.archs.names import canonical, strategy_spelling
from fastscale.common import html_table, parse_json
from fastscale.errors import InputError

SCHEMA = 1
KINDS = ("train", "time", "evaluate")
# Environment keys that change a measurement: records that differ in one are different facts.
CONDITIONS = ("device", "precision", "layout", "compile", "batch", "threads", "cudnn")
_VALUE_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
# upper bounds: a larger number means a damaged record
_MOST = {"resolution": 100_000, "num_classes": 10**7, "epochs": 10**7, "seed": 2**64}
_MOST_COUNT = 10**18
MOST_DEFINITION = 20_000  # characters of its JSON
_NEVER_ZERO = re.compile(r"(step|epoch|inference)_time|_per_s\Z|_ratio")


@dataclass(frozen=True, kw_only=True)
class Record:
    """One fact. Counts are integers at `resolution` and `num_classes`; flops are multiply-adds.

    None means that a field does not apply. An unscaled network has strategy None and factor 1.
    `definition` describes a network that others cannot make from its name (see `archs.definition`).
    InputError for a field of the wrong type or range (see `check`).
    """

    kind: str
    run: str
    arch: str
    base: str
    strategy: str | None
    factor: float
    resolution: int
    num_classes: int
    flops: int
    params: int
    acts: int
    data: str | None = None
    data_hash: str | None = None
    recipe: str | None = None
    recipe_hash: str | None = None
    seed: int | None = None
    epochs: int | None = None
    values: dict[str, float] = field(default_factory=dict)
    env: dict[str, Any] = field(default_factory=dict)
    definition: dict[str, Any] | None = None
    schema: int = SCHEMA
    _spelled: ClassVar[dict[str, str]] = {}

    def __repr__(self) -> str:
        seed = "" if self.seed is None else f", seed {self.seed}"
        values = ", ".join(f"{name} {value:g}" for name, value in self.values.items())
        return f"Record({self.kind} {self.run}{seed}: {values})"

    def _repr_html_(self) -> str:
        """Its values, in a notebook."""
        return html_table(["value", ""], self.values.items(), f"{self.kind}: {self.run}")

    def __post_init__(self) -> None:
        check(self)
        # an old spelling of a network is its name; what was read is kept for the line and the id
        new = {"arch": canonical(self.arch), "run": canonical(self.run)}
        if self.strategy is not None:
            with suppress(InputError):
                new["strategy"] = strategy_spelling(self.strategy)
        old = {name: v for name, text in new.items() if (v := getattr(self, name)) != text}
        for name in old:
            object.__setattr__(self, name, new[name])
        if old:
            object.__setattr__(self, "_spelled", old)
        # 4 and 4.0 are one number, so they have to be one line and one id
        object.__setattr__(self, "factor", float(self.factor))
        object.__setattr__(
            self, "values", {name: float(value) for name, value in self.values.items()}
        )

    @property
    def early(self) -> bool:
        """Whether training ended before its recipe's last epoch; `epochs` were completed.

        By default, comparisons leave such records out.
        """
        return self.env.get("finished") == "early"

    @property
    def clock(self) -> str:
        """What `epoch_time_s` includes, in words: only older records include validation."""
        pure = self.env.get("clock") == "training batches"
        return "training batches alone" if pure else "with the validation after each epoch"

    @cached_property
    def id(self) -> str:
        """The first 12 hex digits of the SHA-256 of the canonical line."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:12]

    def to_json(self) -> str:
        """The canonical line, without its newline: sorted keys, no spaces, no NaN, ASCII."""
        content = {f.name: getattr(self, f.name) for f in fields(self)} | self._spelled
        if self.definition is None:
            del content["definition"]
        return json.dumps(
            content, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=True
        )

    @classmethod
    def from_json(cls, line: str) -> "Record":
        """The record in one line. InputError for anything but a complete, valid record."""
        content = parse_json(line, "a record's line")
        if not isinstance(content, dict):
            raise InputError(f"a record is a JSON object, not {type(content).__name__}")
        names = {f.name for f in fields(cls)}
        unknown, missing = (
            sorted(set(content) - names),
            sorted(names - {"definition"} - set(content)),
        )
        if type(content.get("schema")) is not int or content["schema"] != SCHEMA:
            raise InputError(
                f"record schema {content.get('schema')!r}: this version of fastscale reads schema "
                f"{SCHEMA}"
            )
        if unknown or missing:
            what = [f"unknown field {name!r}" for name in unknown] + [
                f"missing field {name!r}" for name in missing
            ]
            raise InputError("; ".join(what))
        return cls(**content)


def key(record: Record) -> tuple:
    """The identity of a fact: its run, data, recipe and seed, and the conditions of measurement.

    Neither its date nor its values are part of it.
    """
    identity = (
        record.kind,
        record.run,
        record.arch,
        record.resolution,
        record.num_classes,
        record.data,
        record.data_hash,
        record.recipe,
    )
    rest = (record.recipe_hash, record.seed, record.epochs)
    return identity + rest + tuple(json.dumps(record.env.get(name)) for name in CONDITIONS)


def check(record: Record) -> None:
    """InputError naming the first field whose type or range is wrong."""
    if type(record.schema) is not int or record.schema != SCHEMA:
        raise InputError(f"schema must be {SCHEMA}, not {record.schema!r}")
    if record.kind not in KINDS:
        raise InputError(f"kind must be one of {', '.join(KINDS)}, not {record.kind!r}")
    for name in ("run", "arch", "base"):
        _text(name, getattr(record, name))
    for name in ("strategy", "data", "data_hash", "recipe", "recipe_hash"):
        if getattr(record, name) is not None:
            _text(name, getattr(record, name))
    for name in ("resolution", "num_classes", "flops", "params", "acts"):
        _whole(name, getattr(record, name), least=1)
    for name in ("seed", "epochs"):
        if getattr(record, name) is not None:
            _whole(name, getattr(record, name), least=0)
    if not _finite(record.factor) or not 0 < record.factor <= 1e12:
        raise InputError(f"factor must be a number above 0, not {_short(record.factor)}")
    if record.strategy is None and record.factor != 1:
        raise InputError(
            "a record without a strategy is of an unscaled network: factor must be 1, not "
            f"{record.factor!r}"
        )
    if not isinstance(record.values, dict) or not record.values:
        raise InputError("values must hold at least one measured value")
    for name, value in record.values.items():
        if not isinstance(name, str) or not _VALUE_NAME.match(name):
            raise InputError(
                f"value name {name!r}: use lower-case letters, digits and _, unit last "
                "(epoch_time_s)"
            )
        _measured(name, value)
    if not isinstance(record.env, dict):
        raise InputError(f"env must be a dictionary, not {type(record.env).__name__}")
    for name in ("device", "date"):
        _text(f"env.{name}", record.env.get(name))
    if not isinstance(record.definition, dict | None):
        raise InputError(f"definition must be a dictionary, not {type(record.definition).__name__}")
    for name in ("env", "definition"):
        try:
            text = json.dumps(getattr(record, name), allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            raise InputError(f"{name} holds what JSON cannot: {error}") from None
        if name == "definition" and len(text) > MOST_DEFINITION:
            raise InputError(f"definition must be of at most {MOST_DEFINITION} characters")


def _measured(name: str, value: float) -> None:
    """Checks a value's range by its name: an error in percent, a share, a time or a speed.

    Only a loss may be negative.
    """
    if not _finite(value):
        raise InputError(
            f"value {name} must be a finite number, not {_short(value)}; "
            "leave out what was not measured"
        )
    most = 100 if "_error" in name else 1 if name.endswith("_share") else math.inf
    if name != "train_loss" and not 0 <= value <= most:
        limits = f"from 0 to {most}" if most < math.inf else "at least 0"
        raise InputError(f"value {name} must be {limits}, not {value!r}")
    if value == 0 and _NEVER_ZERO.search(name) and "spread" not in name:
        raise InputError(
            f"value {name} must be above 0, not {value!r}; leave out what was not measured"
        )


def _text(name: str, value: object) -> None:
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{name} must be a non-empty text, not {value!r}")


def _whole(name: str, value: object, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise InputError(f"{name} must be a whole number of at least {least}, not {_short(value)}")
    if value > (most := _MOST.get(name, _MOST_COUNT)):
        raise InputError(f"{name} must be at most {most}, not {_short(value)}")


def _finite(value: object) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return math.isfinite(value) if isinstance(value, float) else abs(value) < 10**300


def _short(value: object) -> str:
    """A value for a message, shortened: it may be a number of a thousand digits."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**30:
        return "a number of more than 30 digits"
    return repr(value)[:80]
