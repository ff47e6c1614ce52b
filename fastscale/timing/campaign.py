"""A campaign over a grid: one process a network, resumable, safe to kill at any moment, even over the grid when its time is up.

Every record is on the disk before the next measurement begins; what the store already answers is not measured again. A network that
crashes is written to the log and stops no other. A reference network is timed at the start, every few minutes and at the end: its ratio to
the first time (`drift`) is in every record.
"""

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from fastscale.archs.names import NetworkName
from fastscale.common import open_to_append
from fastscale.errors import InputError
from fastscale.records import Record, RecordStore, step_time
from fastscale.timing import worker
from fastscale.timing.device import usable_device
from fastscale.timing.done import Done
from fastscale.timing.grid import Grid, Part, Setting
from fastscale.timing.order import even_order, merged

REFERENCE_EVERY_S = 300.0
# Forked from a process that has imported what all need, once and not once a network; where its imports leave a GPU unusable, each anew.
METHODS = ("forkserver", "spawn")
PRELOAD = [
    "fastscale.timing.worker",
    "torch._dynamo",
]  # the second is what an optimizer imports at its first step
Say = Callable[[str], object]


def campaign_order(parts: Sequence[Part]) -> list[tuple[Part, NetworkName]]:
    """Where some parts take the `better` layout, first those that tell which it is; all others side by side, each in its even order."""
    better = any(setting.layout == "better" for part in parts for setting in part.settings)
    lists = [[(part, network) for network in even_order(part.networks)] for part in parts]
    first = [
        better and all(setting.layout != "better" for setting in part.settings) for part in parts
    ]
    ahead = [pair for pairs, early in zip(lists, first, strict=True) if early for pair in pairs]
    return ahead + merged([pairs for pairs, early in zip(lists, first, strict=True) if not early])


@dataclass
class Outcome:
    """What a campaign did: records of this call, settings found in the store, those that failed with their reason, and those left."""

    measured: list[Record] = field(default_factory=list)
    before: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    left: int = 0
    drift: float = 1.0


class Campaign:
    """One call: `run` goes on until the grid or the time ends."""

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
        self.place = worker.Place(
            usable_device(device), store, store.with_name(f"time-{grid.name}.log"), tuple(own)
        )
        self.ends = time.monotonic() + 60 * budget_min if budget_min is not None else None
        # or the mere question whether there is a GPU, asked by an import, would keep forked processes from using it
        os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
        self.context: Any = None  # how processes are started
        self.outcome = Outcome()
        self.reference_at: float | None = None
        self.reference_took = 0.0
        self.met: set[tuple[str, Setting]] = (
            set()
        )  # networks and settings, as asked and with the better layout found

    def run(self) -> Outcome:
        """Measures what is not measured yet. InputError where another campaign works on the same store."""
        RecordStore(self.place.store).check()
        try:
            with FileLock(
                self.place.store.with_suffix(".time.lock"), timeout=0
            ):  # another's work would be in this one's times
                self._run()
        except Timeout:
            raise InputError(
                f"another sweep is at work on {self.place.store}: wait for it, or give another --runs-dir"
            ) from None
        return self.outcome

    def _run(self) -> None:
        device, threads = self._device()
        self.done = Done(self.grid, RecordStore(self.place.store).read(), device, threads)
        self.total = len(
            {
                (network.name, asked)
                for part in self.grid.parts
                for network in part.networks
                for asked in part.settings
            }
        )
        self.say(
            f"{self.grid.name}: {self.total} measurements on {device}, {threads} threads; log: {self.place.log}"
        )
        for part, network in campaign_order(self.grid.parts):
            self._network(part, network)
        if self.outcome.measured:
            self._reference()

    def _device(self) -> tuple[str, int]:
        """Its name and the thread count, asked of a first worker; this process never touches a GPU."""
        self.place.log.parent.mkdir(parents=True, exist_ok=True)
        os.close(open_to_append(self.place.log))  # a place that can't be used is said here, once
        for method in METHODS:
            self.context = multiprocessing.get_context(method)
            if method == "forkserver":
                self.context.set_forkserver_preload(PRELOAD)
            with self._process(worker.probe, self.place.device, self.place.log) as (
                process,
                connection,
            ):
                process.join(120)
                answer = _received(connection) if connection.poll() else ()
            if len(answer) == 2:
                return answer
        raise InputError(f"device {self.place.device!r} cannot be used; {self.place.log} says why")

    def _network(self, part: Part, network: NetworkName) -> None:
        settings = []
        for asked in part.settings:
            if (network.name, asked) in self.met:  # of an earlier part too
                continue
            self.met.add((network.name, asked))
            setting = asked
            if asked.layout == "better":
                everywhere = [n for p in self.grid.parts for n in p.networks]
                setting = replace(
                    asked, layout=self.done.better_layout(network.base, everywhere, asked)
                )
                if (network.name, setting) in self.met:
                    self.total -= 1
                    continue
                self.met.add((network.name, setting))
            if self.done.record(network.name, setting):
                self.outcome.before += 1
            else:
                settings.append(setting)
        while settings:
            if self._time_is_up(self.reference_took):
                self.outcome.left += len(settings)
                return
            if (
                self.reference_at is None
                or time.monotonic() - self.reference_at > REFERENCE_EVERY_S
            ):
                self._reference()
            settings = settings[self._attempt(network.name, settings) :]

    def _attempt(self, name: str, settings: Sequence[Setting]) -> int:
        """One process on these settings; how many are dealt with when it ended (a crash is dealt with: the log has it)."""
        current, over = -1, -1
        with self._process(
            worker.measure_network, self.grid, name, settings, self.outcome.drift, self.place
        ) as (process, connection):
            began = time.monotonic()
            while True:
                try:
                    if connection.poll(0.1):
                        word, current, *rest = connection.recv()
                        if word == "begin":
                            began = time.monotonic()
                            continue
                        over = current
                        if word == "done":
                            self._measured(Record.from_json(rest[0]), settings[current])
                        else:
                            self._failed(name, settings[current], rest[0])
                        continue
                except EOFError:
                    break
                if self._time_is_up(self.reference_took):
                    self.outcome.left += len(settings) - over - 1
                    return len(settings)
                if time.monotonic() - began > self.grid.limit_s:
                    self._failed(
                        name, settings[max(current, 0)], f"given up after {self.grid.limit_s:.0f} s"
                    )
                    return max(current, 0) + 1
            process.join(10)
        if over == len(settings) - 1:
            return len(settings)
        self._failed(
            name, settings[max(current, 0)], f"its process ended with exit code {process.exitcode}"
        )
        return max(current, 0) + 1

    def _reference(self) -> None:
        """Times the reference, whose ratio to its first time in the store is the drift from here on."""
        name, batch = self.grid.reference
        first_setting = next(part.settings[0] for part in self.grid.parts if part.settings)
        layout = "channels_last" if first_setting.layout == "better" else first_setting.layout
        setting = replace(
            first_setting, what=worker.REFERENCE, layout=layout, compile=False, batch=batch
        )
        earlier = self.done.record(name, setting)
        first = (
            earlier.values["reference_step_time_s"] / earlier.values["drift_ratio"]
            if earlier
            else 0.0
        )
        began = time.monotonic()
        grid = replace(self.grid, limit_s=min(self.grid.limit_s, 120))
        with self._process(worker.measure_network, grid, name, [setting], first, self.place) as (
            process,
            connection,
        ):
            process.join(grid.limit_s)
            while connection.poll():
                word, *rest = _received(connection) or ("end",)
                if word == "end":
                    break
                if word == "done":
                    record = Record.from_json(rest[1])
                    self.done.add(record)
                    self.outcome.drift = record.values["drift_ratio"]
                elif word == "failed":
                    self._failed(name, setting, rest[1])
        self.reference_at = time.monotonic()
        self.reference_took = self.reference_at - began

    def _measured(self, record: Record, setting: Setting) -> None:
        self.outcome.measured.append(record)
        self.done.add(record)
        time = step_time(record)
        value = time.seconds if time else 0.0
        memory = (
            f"{record.values['peak_memory_mib']:8.0f} MiB"
            if "peak_memory_mib" in record.values
            else ""
        )
        less = (
            f"  (batch {record.env['batch']}: no more fitted)"
            if "batch_asked" in record.env
            else ""
        )
        less += f"  (disturbed: {record.env['disturbed']})" if "disturbed" in record.env else ""
        count = len(self.outcome.measured) + self.outcome.before
        self.say(
            f"[{count:{len(str(self.total))}}/{self.total}] {record.arch:32}{1e3 * value:10.2f} ms{memory}  {setting}{less}"
        )

    def _failed(self, name: str, setting: Setting, why: str) -> None:
        self.outcome.failed.append((f"{name}, {setting}", why))
        self.say(f"failed: {name}, {setting}: {why}")
        with os.fdopen(open_to_append(self.place.log), "ab") as log:
            log.write(f"failed: {name}, {setting}: {why}\n".encode(errors="replace"))

    def _time_is_up(self, reserve: float) -> bool:
        return self.ends is not None and time.monotonic() + reserve > self.ends

    @contextmanager
    def _process(self, target: Callable[..., None], *args: object) -> Iterator[tuple]:
        """A worker and its end of the pipe; whatever happens here, it does not outlive the block."""
        mine, its = self.context.Pipe(duplex=False)
        process = self.context.Process(target=target, args=(its, *args))
        process.start()
        its.close()
        try:
            yield process, mine
        finally:
            if process.is_alive():
                process.kill()
            process.join()
            mine.close()


def _received(connection: Connection) -> tuple:
    """What a worker sent; () once it has ended."""
    try:
        return connection.recv()
    except EOFError:
        return ()
