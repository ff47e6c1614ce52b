"""One network of a campaign, measured in a process of its own: what it breaks is its own, and the next one finds a clean device."""

import os
import select
import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

from fastscale.archs import register_arch
from fastscale.archs.files import read_arch
from fastscale.common import leave_signals_to_parent, open_to_append
from fastscale.records import Record, RecordStore, step_time
from fastscale.scaling import arch_named
from fastscale.timing.device import usable_device
from fastscale.timing.epoch import time_epochs
from fastscale.timing.grid import Grid, Setting
from fastscale.timing.memory import clean
from fastscale.timing.step import TrainingStep
from fastscale.training.recipe import load_recipe

REFERENCE = "reference"  # what a setting of the reference network measures


@dataclass(frozen=True)
class Place:
    """Where a campaign runs, and where its records go; `own`: files of networks of one's own."""

    device: str
    store: Path
    log: Path
    own: tuple[str, ...] = ()


def probe(connection: Connection, device: str, log: Path) -> None:
    """Sends the device's name and the thread count, as records will have them; the campaign's own process never touches a GPU."""
    _own_process(connection, log)
    device = usable_device(device)
    if device.startswith("cuda"):
        torch.zeros(1, device=device)
        connection.send((torch.cuda.get_device_name(device), torch.get_num_threads()))
    else:
        from fastscale.records.environment import cpu_name

        connection.send((cpu_name(), torch.get_num_threads()))


def measure_network(
    connection: Connection,
    grid: Grid,
    name: str,
    settings: Sequence[Setting],
    drift: float,
    place: Place,
) -> None:
    """Measures a network under each setting and appends each record at once.

    Sends ("begin", i), then ("done", i, the record) or ("failed", i, a line that says why) for the setting of number i.
    """
    _own_process(connection, place.log)
    for text in place.own:
        register_arch(read_arch(text))
    if place.device == "cpu":  # what libraries take when first used is not the network's memory
        TrainingStep(arch_named("regnety-tiny"), load_recipe("quick"), 1, 10, "cpu").round(2)
    for i, setting in enumerate(settings):
        connection.send(("begin", i))
        try:
            record = measure(grid, name, setting, drift, place.device)
        except Exception as error:  # one setting's failure is no other's
            print(f"{name}: {setting}", file=sys.stderr)
            traceback.print_exc()
            connection.send(
                ("failed", i, f"{type(error).__name__}: {' '.join(str(error).split())[:200]}")
            )
            del error
        else:
            RecordStore(place.store).append(record)
            connection.send(("done", i, record.to_json()))
        clean()


def measure(grid: Grid, name: str, setting: Setting, drift: float, device: str) -> Record:
    """The record of one network under one setting. `drift`: of the reference so far; for the reference itself its first time in seconds."""
    recipe = replace(
        load_recipe(grid.recipe),
        precision=setting.precision,
        layout=setting.layout,
        compile=setting.compile,
        batch_size=setting.batch,
    )
    (record,) = time_epochs(
        [arch_named(name)],
        recipe,
        data=grid.data,
        images=grid.images,
        num_classes=grid.classes,
        device=device,
        rounds=grid.rounds,
        round_s=grid.round_s,
        what="train" if setting.what == REFERENCE else setting.what,
    )
    values: dict[str, Any] = record.values
    if setting.what == REFERENCE:
        time = step_time(record, "step")
        assert time is not None
        drift = time.seconds / drift if drift else 1.0
        values = {
            "reference_step_time_s": time.seconds,
            "reference_step_time_spread_s": time.spread or 0.0,
            "drift_ratio": drift,
        }
        record = replace(record, run=f"{record.arch}.{REFERENCE}", values=values)
    return replace(
        record,
        env={**record.env, "drift": round(drift, 4), "grid": grid.name, "recipe": recipe.name},
    )


def _own_process(connection: Connection, log: Path) -> None:
    """Dies with the campaign; what libraries print goes to the log."""
    leave_signals_to_parent()
    threading.Thread(target=_die_with_reader, args=(connection.fileno(),), daemon=True).start()
    log.parent.mkdir(parents=True, exist_ok=True)
    descriptor = open_to_append(log)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    os.close(descriptor)


def _die_with_reader(descriptor: int) -> None:
    """Ends this process at once when nobody reads the pipe any more: the campaign is dead.

    A worker's parent is the fork server, which a living worker keeps alive, so that the parent's
    death tells nothing.
    """
    watch = select.poll()
    watch.register(descriptor, 0)
    watch.poll()
    os.kill(os.getpid(), signal.SIGKILL)
