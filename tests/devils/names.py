"""Cases: texts that are no name of a network, strategy, run, recipe, grid or artifact."""

from collections.abc import Callable, Iterator
from typing import Any

from tests.devils.rule import MAY, NEVER, Case, command

BAD = {
    "empty": "",
    "blank": " ",
    "newline": "regnety-tiny\n",
    "nul": "regnety-tiny\0",
    "escape": "regnety-\x1b[31mtiny",
    "right-to-left": "\u202eregnety-tiny",
    "surrogate": "regnety-\udcfftiny",
    "long": "r" * 20_000,
    "dots": ".." * 3,
    "up": "../../etc/passwd",
    "absolute": "/etc/passwd",
    "upper": "REGNETY-TINY",
    "arabic-digits": "regnety-tiny.dWr-x\u0664",
    "factor-nan": "regnety-tiny.dWr-xnan",
    "factor-inf": "regnety-tiny.dWr-xinf",
    "factor-minus": "regnety-tiny.dWr-x-4",
    "factor-0": "regnety-tiny.dWr-x0",
    "factor-tiny": "regnety-tiny.dWr-x1e-300",
    "factor-1e308": "regnety-tiny.dWr-x" + "9" * 308,
    "factor-10^400": "regnety-tiny.dWr-x1" + "0" * 400,
    "factor-million": "regnety-4gf.dWr-x1000000",
    "depth-million": "regnety-tiny.d-x1000000",
    "resolution-million": "regnety-tiny.r-x1000000",
    "twice": "regnety-tiny.dWr-x2.dWr-x2",
    "no-strategy": "regnety-tiny.-x2",
    "no-factor": "regnety-tiny.dWr-x",
    "unknown-strategy": "regnety-tiny.q-x2",
    "alpha-2": "regnety-tiny.alpha=2-x2",
    "alpha-over-0": "regnety-tiny.alpha=1/0-x2",
    "alpha-nan": "regnety-tiny.alpha=nan-x2",
    "weights-0": "regnety-tiny.d0_w0_r0-x2",
    "weights-long": "regnety-tiny.d" + "9" * 5000 + "-x2",
    "number": 5,
    "none": None,
    "list": ["regnety-tiny"],
    "bytes": b"regnety-tiny",
    "nan": float("nan"),
}
STRATEGIES = {
    "empty": "",
    "dd": "dd",
    "upper": "DWR",
    "alpha": "alpha=",
    "alpha-inf": "alpha=inf",
    "alpha-exp": "alpha=1e-400000",
    "alpha-minus": "alpha=-0.1",
    "under": "_",
    "pair-twice": "d1_d2",
    "minus": "d-1",
    "nan": "dnan",
    "digits": "d" + "9" * 4400,
    "arabic": "d\u0661",
    "none": None,
    "number": 3,
    "zero": "d0_w0_g0_r0",
    "g-alone": "g",
    "escape": "d\x1b[2J",
}


def api() -> Any:
    import fastscale as fs

    return fs


def grown(name: str) -> Any:
    from fastscale.scaling import Strategy

    return Strategy.parse(STRATEGIES[name]).multipliers(2.0)


def readers() -> dict[str, Callable[[Any], Any]]:
    """Functions of a name, which must refuse unknown names."""
    from fastscale.archs.names import RunName
    from fastscale.paper import load_artifact
    from fastscale.planning.devices import device_named
    from fastscale.scaling import arch_named
    from fastscale.timing.grid import load_grid
    from fastscale.training.recipe import load_recipe

    return {
        "arch": api().arch,
        "complexity": api().complexity,
        "arch_named": arch_named,
        "run": lambda name: arch_named(RunName.parse(name).network),
        "recipe": load_recipe,
        "artifact": load_artifact,
        "grid": lambda name: load_grid(name),
        "device": device_named,
    }


def cases() -> Iterator[Case]:
    """Names in the API, in readers and on the command line."""
    for reader in ("arch", "complexity", "arch_named", "run"):
        for kind, name in BAD.items():
            yield Case(
                f"name-{reader}-{kind}",
                lambda place, r=reader, n=name: readers()[r](n),
                group=f"name-{reader}",
            )
    for reader in ("recipe", "artifact", "grid", "device"):
        for kind in (
            "empty",
            "nul",
            "escape",
            "surrogate",
            "long",
            "up",
            "absolute",
            "number",
            "none",
            "list",
        ):
            yield Case(
                f"name-{reader}-{kind}",
                lambda place, r=reader, k=kind: readers()[r](BAD[k]),
                group=f"name-{reader}",
            )
    for kind in STRATEGIES:
        yield Case(f"strategy-{kind}", lambda place, k=kind: grown(k), group="strategy")
    for kind, name in BAD.items():
        if isinstance(name, str):
            for verb in (("info",), ("fit", "--run"), ("time",), ("plan",), ("evaluate",)):
                yield Case(
                    f"name-{'-'.join(verb)}-{kind}",
                    lambda place, v=verb, n=name: command(*v, n),
                    group=f"name-{'-'.join(verb)}",
                )
    for kind in ("escape", "surrogate", "up", "long", "nul", "newline"):
        name = BAD[kind]
        yield Case(f"name-load-{kind}", lambda place, n=name: api().load(n))
        for verb in ("show", "verify", "load-test"):
            yield Case(
                f"name-checkpoint-{verb}-{kind}",
                lambda place, v=verb, n=name: command("checkpoint", v, n),
            )
        yield Case(
            f"name-checkpoint-list-{kind}",
            lambda place, n=name: command("checkpoint", "list", n),
            MAY,
        )
        yield Case(
            f"name-publish-{kind}", lambda place, n=name: command("checkpoint", "publish", n)
        )
        yield Case(f"name-reproduce-{kind}", lambda place, n=name: command("reproduce", n))
        yield Case(
            f"name-report-{kind}",
            lambda place, n=name: command("report", "--runs_dir", n, "--out", "r.html"),
            MAY,
        )
    yield Case(
        "name-right",
        lambda place: api().arch("regnety-4gf.dWr-x4").resolution,
        NEVER,
        lambda v: v == 256,
    )
    yield Case("name-info-right", lambda place: command("info", "regnety-tiny.dWr-x1.5"), NEVER)
