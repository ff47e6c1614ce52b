"""The process that measures for a sweep, one network and setting after another.

If a network crashes it, the sweep starts a new process and continues with the next network.
"""

import gc
import os
import select
import signal
import sys
import threading
import traceback
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path

import torch

from fastscale.archs import register_arch
from fastscale.archs.files import read_arch
from fastscale.common import leave_signals_to_parent, open_to_append
from fastscale.records import Record, RecordStore, step_time
from fastscale.records.environment import cpu_name
from fastscale.scaling import arch_named
from fastscale.timing.device import usable_device
from fastscale.timing.epoch import time_epochs
from fastscale.timing.grid import Grid, Setting
from fastscale.timing.memory import clean
from fastscale.timing.step import TrainingStep
from fastscale.training.recipe import load_recipe

REFERENCE = "reference"  # the `what` of the reference network's setting


@dataclass(frozen=True)
class Place:
    """Where a sweep runs and where its records go; `own`: files of the user's networks."""

    device: str
    store: Path
    log: Path
    own: tuple[str, ...] = ()


@dataclass(frozen=True)
class Job:
    """One network under one setting.

    `drift`: the current drift; for the reference network its first time in seconds, or 0.
    """

    network: str
    setting: Setting
    drift: float


def work(connection: Connection, grid: Grid, place: Place) -> None:
    """Does the jobs from the pipe until it closes; each record is stored before the answer.

    Sends ("ready", the device's name, the thread count), then for each job ("done", the record) or
    ("failed", the reason in one line, whether the device still works).
    """
    _own_process(connection, place.log)
    for text in place.own:
        register_arch(read_arch(text))
    device = usable_device(place.device)
    if device == "cpu":  # memory that libraries take at first use is not the network's
        TrainingStep(arch_named("regnety-tiny"), load_recipe("quick"), 1, 10, "cpu").round(2)
    else:
        torch.zeros(1, device=device)
    name = cpu_name() if device == "cpu" else torch.cuda.get_device_name(device)
    connection.send(("ready", name, torch.get_num_threads()))
    clean()
    gc.freeze()  # skip these permanent objects in the collections after each network
    while True:
        try:
            job = connection.recv()
        except EOFError:
            return
        connection.send(_done(job, grid, place, device))
        clean()


def _done(job: Job, grid: Grid, place: Place, device: str) -> tuple:
    """The answer to a job."""
    try:
        record = measure(grid, job, device)
    except Exception as error:  # a failure must not stop the other networks
        print(f"{job.network}: {job.setting}", file=sys.stderr)
        traceback.print_exc()
        why = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        return "failed", why, _works(device)
    RecordStore(place.store).append(record)
    return "done", record.to_json()


def _works(device: str) -> bool:
    """Whether the device still works: after some errors, a process can no longer use its GPU."""
    if device == "cpu":
        return True
    try:
        clean()
        torch.ones(1, device=device).sum().item()
    except Exception:
        return False
    return True


def measure(grid: Grid, job: Job, device: str) -> Record:
    """The record of one network under one setting."""
    setting, drift = job.setting, job.drift
    recipe = replace(
        load_recipe(grid.recipe),
        precision=setting.precision,
        layout=setting.layout,
        compile=setting.compile,
        batch_size=setting.batch,
    )
    (record,) = time_epochs(
        [arch_named(job.network)],
        recipe,
        data=grid.data,
        images=grid.images,
        num_classes=grid.classes,
        device=device,
        rounds=grid.rounds,
        round_s=grid.round_s,
        cudnn=grid.cudnn,
        what="train" if setting.what == REFERENCE else setting.what,
    )
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
    """Makes the process die with the sweep, and sends its output to the log."""
    leave_signals_to_parent()
    threading.Thread(target=_die_with_reader, args=(connection.fileno(),), daemon=True).start()
    log.parent.mkdir(parents=True, exist_ok=True)
    descriptor = open_to_append(log)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    os.close(descriptor)


def _die_with_reader(descriptor: int) -> None:
    """Kills this process when the pipe's other end closes, since the sweep is then dead.

    The worker's parent is the fork server, which a live worker keeps alive: watching it is no use.
    """
    watch = select.poll()
    watch.register(descriptor, 0)
    watch.poll()
    os.kill(os.getpid(), signal.SIGKILL)
