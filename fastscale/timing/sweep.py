"""A sweep over a grid: resumable, and safe to kill at any moment.

A worker process measures network after network. If a network crashes it, a new one replaces it, and
the log says so. Every record is on disk before the next measurement starts, and what the store
already holds is not measured again. A reference network is timed at the start, every few minutes
and at the end; its time relative to the first (`drift`) is in every record.
"""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from filelock import FileLock, Timeout

from fastscale.archs.names import NetworkName
from fastscale.common import open_to_append, pluralize
from fastscale.errors import InputError
from fastscale.records import Record, RecordStore, step_time
from fastscale.timing.crew import Crew, TimeIsUp
from fastscale.timing.device import usable_device
from fastscale.timing.done import Done
from fastscale.timing.grid import Grid, Setting
from fastscale.timing.order import sweep_order
from fastscale.timing.worker import REFERENCE, Job, Place

REFERENCE_EVERY_S = 120.0
REFERENCE_LIMIT_S = 120.0
LOOK_BACK = 5  # jobs: the next one is expected to take as long as the longest of them
Say = Callable[[str], object]


@dataclass
class Outcome:
    """What a sweep did.

    `measured`: this call's records; `before`: settings already in the store; `failed`: settings and
    reasons; `left`: settings not reached. `took_s`: seconds of the measurements, `rounds_s`: of
    their rounds alone.
    """

    measured: list[Record] = field(default_factory=list)
    before: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    left: int = 0
    drift: float = 1.0
    took_s: float = 0.0
    rounds_s: float = 0.0


class Sweep:
    """One call: `run` measures until the grid or the time ends."""

    def __init__(
        self,
        grid: Grid,
        store: Path,
        device: str = "auto",
        budget_min: float | None = None,
        say: Say = print,
        own: Sequence[str] = (),
    ):
        if budget_min is not None and not budget_min > 0:
            raise InputError(f"a budget must be above 0 minutes, got {budget_min:g}")
        self.grid, self.say = grid, say
        log = store.with_name(f"time-{grid.name}.log")
        self.place = Place(usable_device(device), store, log, tuple(own))
        self.budget_min = budget_min
        self.ends = time.monotonic() + 60 * budget_min if budget_min is not None else None
        # otherwise, an import that only asks whether there is a GPU keeps forked processes from
        # using it
        os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
        self.outcome = Outcome()
        self.reference_at: float | None = None
        self.reference_took = 0.0
        self.took: list[float] = []  # seconds of each job so far

    def run(self) -> Outcome:
        """Measures what the store lacks. InputError if another sweep uses the store."""
        RecordStore(self.place.store).check()
        try:
            # another sweep would disturb this one's times
            with FileLock(self.place.store.with_suffix(".time.lock"), timeout=0):
                self._run()
        except Timeout:
            raise InputError(
                f"another sweep uses {self.place.store}: wait for it, or give another --runs-dir"
            ) from None
        return self.outcome

    def _run(self) -> None:
        os.close(open_to_append(self.place.log))  # fails here if the folder is not writable
        self.crew = Crew(self.grid, self.place)
        try:
            name, threads = self.crew.name, self.crew.threads
            self.done = Done(self.grid, RecordStore(self.place.store).read(), name, threads)
            jobs = self._jobs()
            self.total = len(jobs)
            most = self.budget_min and f", as many as fit into {self.budget_min:g} minutes"
            self.say(
                f"{self.grid.name}: {self.total} measurements{most or ''}, on {name}, "
                f"{pluralize(threads, 'thread')}; log: {self.place.log}"
            )
            for network, setting in jobs:
                self._job(network.name, setting)
            # after time is up, do not start a worker again only for the reference
            if self.outcome.measured and (self.crew.at_work or not self._time_is_up()):
                self._reference()
        finally:
            self.crew.dismiss()

    def _jobs(self) -> list[tuple[NetworkName, Setting]]:
        """Every network and setting once, in the order of measurement."""
        on_gpu = self.place.device != "cpu"
        order = sweep_order(self.grid.parts, compiled_last=on_gpu)
        jobs = [(network, setting) for part, network in order for setting in part.settings]
        return list(
            {(network.name, setting): (network, setting) for network, setting in jobs}.values()
        )

    def _job(self, name: str, setting: Setting) -> None:
        if self.done.record(name, setting):
            self.outcome.before += 1
            return
        late = self.reference_at is None or time.monotonic() - self.reference_at > REFERENCE_EVERY_S
        if late and not self._time_is_up(self.reference_took):
            self._reference()
        if self._time_is_up(self.reference_took + max(self.took[-LOOK_BACK:], default=0.0)):
            self.outcome.left += 1
            return
        began = time.monotonic()
        job = Job(name, setting, self.outcome.drift)
        try:
            found = self.crew.ask(job, self.grid.limit_s, self._time_is_up)
            self.took.append(time.monotonic() - began)
        except TimeIsUp:
            self.outcome.left += 1
            return
        if isinstance(found, str):
            self._failed(name, setting, found)
        else:
            self.outcome.took_s += self.took[-1]
            self._measured(found, setting)

    def _reference(self) -> None:
        """Times the reference network; relative to its first time in the store, it is the drift."""
        name, batch = self.grid.reference
        first_setting = next(part.settings[0] for part in self.grid.parts if part.settings)
        setting = replace(first_setting, what=REFERENCE, compile=False, batch=batch)
        earlier = self.done.record(name, setting)
        first = 0.0
        if earlier:
            first = earlier.values["reference_step_time_s"] / earlier.values["drift_ratio"]
        began = time.monotonic()
        limit = min(self.grid.limit_s, REFERENCE_LIMIT_S)
        found = self.crew.ask(Job(name, setting, first), limit, lambda: False)
        if isinstance(found, str):
            self._failed(name, setting, found)
        else:
            self.done.add(found)
            self.outcome.drift = found.values["drift_ratio"]
        self.reference_at = time.monotonic()
        self.reference_took = self.reference_at - began

    def _measured(self, record: Record, setting: Setting) -> None:
        self.outcome.measured.append(record)
        self.outcome.rounds_s += record.env["rounds_took_s"]
        self.done.add(record)
        count = len(self.outcome.measured) + self.outcome.before
        place = f"[{count:{len(str(self.total))}}/{self.total}]"
        self.say(f"{place} {record.arch:32}{times_text(record)}  {setting}{remarks(record)}")

    def _failed(self, name: str, setting: Setting, why: str) -> None:
        self.outcome.failed.append((f"{name}, {setting}", why))
        self.say(f"failed: {name}, {setting}: {why}")
        with os.fdopen(open_to_append(self.place.log), "ab") as log:
            log.write(f"failed: {name}, {setting}: {why}\n".encode(errors="replace"))

    def _time_is_up(self, reserve: float = 0.0) -> bool:
        return self.ends is not None and time.monotonic() + reserve > self.ends


def times_text(record: Record) -> str:
    """A record's times and memory, as columns of a line."""
    found = [step_time(record, clock=clock) for clock in ("device", "eager")]
    text = "".join(f"{1e3 * t.seconds:10.2f} ms {t.clock}" for t in found if t)
    peak = record.values.get("peak_memory_mib")
    return text + (f"{peak:8.0f} MiB" if peak is not None else "")


def remarks(record: Record) -> str:
    """Caveats of a record's times, in parentheses; "" without any."""
    env, found = record.env, []
    if "batch_asked" in env:
        found.append(f"batch {env['batch']}: no more fitted")
    if "no_cuda_graph" in env:
        found.append(f"no CUDA graph: {env['no_cuda_graph']:.80}")
    if "disturbed" in env:
        found.append(f"disturbed: {env['disturbed']}")
    return f"  ({'; '.join(found)})" if found else ""
