"""Fixtures: a one-node SLURM from Debian's slurm-wlm, and images with runs that take seconds."""

import os
import secrets
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass

import pytest

from fastscale.archs.names import NetworkName, RunName
from fastscale.paper.artifacts import Artifact, RunSpec
from fastscale.records import RecordStore

DAEMONS = ("munged", "slurmctld", "slurmd")
CONF = """
ClusterName=fastscale-test
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=1,sched_interval=2
ReturnToService=2
KillWait=5
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=test Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def free_ports(count):
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


@pytest.fixture(scope="session")
def slurm_conf(tmp_path_factory):
    """The path of a running SLURM's slurm.conf."""
    missing = [
        name
        for name in (*DAEMONS, "srun", "sbatch")
        if shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") is None
    ]
    if missing:
        pytest.skip(
            f"SLURM is not installed ({', '.join(missing)}): apt-get install slurm-wlm munge"
        )
    if os.getuid() != 0 or (os.cpu_count() or 1) < 2:
        pytest.skip("a SLURM for tests is started as root, on two cores")
    folder = tmp_path_factory.mktemp("slurm")
    for part in (folder, *folder.parents[:2]):
        part.chmod(0o755)  # munged requires it
    (folder / "state").mkdir()
    (folder / "spool").mkdir()
    (folder / "munge.key").write_bytes(secrets.token_bytes(64))
    (folder / "munge.key").chmod(0o600)
    conf = folder / "slurm.conf"
    conf.write_text(
        CONF.format(
            host=socket.gethostname().split(".")[0], user="root", ports=free_ports(2), folder=folder
        )
    )
    environment = {**os.environ, "SLURM_CONF": str(conf), "PATH": f"{os.environ['PATH']}:/usr/sbin"}
    files = [f"--{name}-file={folder}/munge.{name}" for name in ("key", "pid", "log", "seed")]
    commands = [
        ["munged", "--foreground", f"--socket={folder}/munge.socket", *files],
        ["slurmctld", "-D"],
        ["slurmd", "-D"],
    ]
    started = []
    try:
        for command in commands:
            with open(folder / f"{command[0]}.log", "w") as log:
                started.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
            time.sleep(0.5)
        deadline = time.monotonic() + 30
        while (
            "idle"
            not in subprocess.run(
                ["sinfo", "-h", "-o", "%T"], env=environment, capture_output=True, text=True
            ).stdout
        ):
            if time.monotonic() > deadline:
                said = " | ".join((folder / f"{name}.log").read_text()[-300:] for name in DAEMONS)
                pytest.skip(f"SLURM does not start in this container: {' '.join(said.split())}")
            time.sleep(0.3)
        yield conf
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait(10)


@pytest.fixture
def slurm(slurm_conf, monkeypatch):
    """Makes SLURM's commands work in a test, with one thread for each job."""
    monkeypatch.setenv("SLURM_CONF", str(slurm_conf))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return slurm_conf


@dataclass(frozen=True)
class SmallPlan:
    """The part of a tier's plan that `reproduce` uses."""

    strategies: tuple
    recipe: str = "quick"
    data: str = "imagenet"
    seeds: tuple = (0,)
    timings: bool = False

    def names(self):
        return [
            NetworkName("regnety-tiny", strategy, 2.0 if strategy else 1.0)
            for strategy in self.strategies
        ]

    def runs(self):
        return [
            RunSpec(RunName(name, self.recipe), self.data, seed)
            for seed in self.seeds
            for name in self.names()
        ]


@pytest.fixture
def small_artifact(monkeypatch, tmp_path):
    """small_artifact(name, strategies, **plan): registers an artifact for `reproduce`.

    Its `drawn` lists what it draws.
    """
    from fastscale.reproduce import drawing, making, plan, timings

    known, drawn = {}, []
    monkeypatch.setattr(making, "load_artifact", known.__getitem__)
    for module in (plan, timings, drawing):
        monkeypatch.setattr(
            module, "committed", lambda name: RecordStore(tmp_path / f"{name}.jsonl").read()
        )
    monkeypatch.setattr(
        drawing,
        "draw",
        lambda artifact, tier, records: drawn.append((artifact.name, {r.arch for r in records})),
    )

    def make(name, strategies, tier="quick", **options):
        tiers = {tier: SmallPlan(tuple(strategies), **options)}
        known[name] = Artifact.model_construct(
            name=name,
            title=f"made-up {name}",
            kind="comparison",
            shows="nothing",
            outputs=(f"{name}/comparison",),
            tiers=tiers,
        )
        return known[name]

    make.drawn = drawn
    return make


@pytest.fixture
def imagenet(image_folder, data_home):
    """The small images in place of ImageNet, written for FFCV."""
    from fastscale.data.write import write

    shutil.copytree(image_folder, data_home / "imagenet")
    write("imagenet", progress=lambda line: None)
    return data_home
