"""Cases: training checkpoints and `.safetensors` files with changed content."""

import collections
import copy
import functools
import io
import json
import pickle
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.devils.rule import NEVER, Case, command


def checkpoint(place: Any, change: Callable[[dict], Any]) -> Any:
    """Load a run's checkpoint with changed content and without its digest file."""
    import torch

    import fastscale as fs

    content = copy.deepcopy(saved(place.made.run / "last.ckpt"))
    content = change(content) or content
    path = place.folder / "run" / "last.ckpt"
    path.parent.mkdir()
    torch.save(content, path)
    return fs.load(path)


@functools.cache
def saved(path: Path) -> Any:
    """The content of a checkpoint; copy it before changing it."""
    import torch

    return torch.load(path, weights_only=True)


def set_at(*keys: Any, value: Any = None) -> Callable[[dict], None]:
    def change(content: dict) -> None:
        for key in keys[:-1]:
            content = content[key]
        content[keys[-1]] = value

    return change


def drop(*keys: str) -> Callable[[dict], None]:
    def change(content: dict) -> None:
        for key in keys[:-1]:
            content = content[key]
        del content[keys[-1]]

    return change


def weight(value: float, part: str) -> Callable[[dict], None]:
    """Set one number of every tensor whose name contains `part`."""

    def change(content: dict) -> None:
        for name, tensor in content["state_dict"].items():
            if part in name and tensor.is_floating_point():
                tensor[(0,) * tensor.ndim] = value

    return change


def checkpoint_cases() -> Iterator[Case]:
    nan, settings = float("nan"), "hyper_parameters"
    wrong: dict[str, Callable[[dict], Any]] = {
        "list": lambda c: [1],
        "empty": lambda c: {"a": 1},
        "text": lambda c: "x",
        **{f"without-{k}": drop(k) for k in ("state_dict", settings)},
        **{
            f"without-{k}": drop(settings, k)
            for k in ("arch", "recipe", "num_classes", "seed", "mean", "std")
        },
        **{
            f"{k}-{i}": set_at(settings, k, value=v)
            for k, values in {
                "arch": (
                    "regnety-4gf.dWr-x1000000",
                    "nothing",
                    5,
                    "regnety-tiny.d-x900000",
                    "\x1b[31m",
                    "",
                ),
                "num_classes": (0, -1, 10**30, 1e308, True, "3", nan, None),
                "seed": ("x", 1.5, None),
                "mean": ([nan] * 3, [1, 2], "abc", [1e308] * 3, None),
                "std": ([0, 0, 0], [-1.0] * 3, [nan] * 3, []),
                "recipe": ([], "x", {"lr": nan}, {}),
            }.items()
            for i, v in enumerate(values)
        },
        **{
            f"epoch-{i}": set_at("epoch", value=v)
            for i, v in enumerate(("x", 1.5, nan, -5, 10**30, None))
        },
        **{
            f"step-{i}": set_at("global_step", value=v)
            for i, v in enumerate(("x", 1.5, nan, -5, 10**30, None))
        },
        "weight-text": lambda c: set_at("state_dict", next(iter(c["state_dict"])), value="x")(c),
        "weight-missing": lambda c: drop("state_dict", next(iter(c["state_dict"])))(c),
        "weight-nan": weight(nan, "weight"),
        "weight-inf": weight(float("inf"), "weight"),
        "statistics-nan": weight(nan, "running_mean"),
        "statistics-inf": weight(float("inf"), "running_var"),
        "bias-nan": weight(nan, "bias"),
        "state-list": set_at("state_dict", value=[]),
        "trained-with": set_at("trained_with", value={"classes": 5}),
        "classes": set_at("trained_with", "classes", value=[1, 2, 3]),
        "errors-text": set_at("errors", value="x"),
        "errors-nan": set_at("errors", value={"top1_error": nan}),
        "errors-large": set_at("errors", value={"top1_error": 1e9}),
    }
    for name, change in wrong.items():
        yield Case(f"checkpoint-{name}", lambda place, c=change: checkpoint(place, c))
    yield Case("checkpoint-right", lambda place: checkpoint(place, lambda c: None), NEVER)
    yield Case("checkpoint-run", evaluated, NEVER)
    resumed: dict[str, Callable[[dict], Any]] = {
        **{f"without-{k}": drop(k) for k in ("optimizer_states", "lr_schedulers", "loops")},
        **{
            f"{k}-{i}": set_at(k, value=v)
            for k in ("optimizer_states", "lr_schedulers", "loops")
            for i, v in enumerate(([], {}, "x", None, [{}]))
        },
        "step-huge": set_at("global_step", value=10**12),
        "seed": set_at(settings, "seed", value=1),
        "nan": weight(nan, "weight"),
        "statistics": weight(nan, "running_var"),
    }
    for name, change in resumed.items():
        again = name.endswith(("-1", "-2", "-3", "-4"))  # the first of each kind is a fast test
        yield Case(f"resume-{name}", lambda place, c=change: resume(place, c), slow=again)
    for kind, cut in {"half": 0.5, "start": 0.01, "end": 0.999}.items():
        yield Case(f"resume-cut-{kind}", lambda place, s=cut: resume(place, None, s))


def evaluated(place: Any) -> Any:
    """Evaluate an unchanged run."""
    own = ("--data", place.made.source, "--data.data_dir", place.made.home / "data")
    return command("evaluate", place.made.run, *own)


def resume(place: Any, change: Callable[[dict], Any] | None, cut: float = 1.0) -> Any:
    """`fit` on an unfinished run whose checkpoint was changed."""
    import torch

    from tests.devils.commands import RUN, SHORT

    folder = place.folder / "runs" / RUN
    folder.mkdir(parents=True)
    place.copy("run").rename(folder / "seed0")
    path = folder / "seed0" / "last.ckpt"
    (folder / "seed0" / "record.json").unlink()
    for digest in folder.glob("seed0/last.ckpt.*"):
        digest.unlink()
    if change is not None:
        content = copy.deepcopy(saved(place.made.run / "last.ckpt"))
        torch.save(change(content) or content, path)
    path.write_bytes(path.read_bytes()[: int(cut * path.stat().st_size)])
    words = ["fit", "--run", RUN, "--runs_dir", "runs", "--data.source", place.made.source]
    return command(*words, "--data.data_dir", place.made.home / "data", *SHORT)


def weights(place: Any, change: Callable[[dict, bytes], tuple[Any, bytes]]) -> Any:
    """Load a release with a changed header or body."""
    import fastscale as fs

    data = place.made.release.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header, body = change(json.loads(data[8 : 8 + length]), data[8 + length :])
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return fs.load(place.file("x.safetensors", len(text).to_bytes(8, "little") + text + body))


def first(header: dict, key: str, value: Any) -> dict:
    name = next(k for k in header if k != "__metadata__")
    return {**header, name: {**header[name], key: value}}


def about(header: dict, key: str, value: Any) -> dict:
    """The header in the layout of the first releases: a metadata key for every field."""
    from fastscale.release.description import TEXTS

    values = json.loads(header["__metadata__"]["fastscale"])
    told = {k: v if k in TEXTS else json.dumps(v) for k, v in values.items()}
    return {**header, "__metadata__": {**told, key: value}}


SHAPES = ([-1], [1 << 62, 8], ["x"], [True], [[]], None, [0.5], [0] * 99)
OFFSETS = ([0], [8, 0], [-8, 0], [0, 1 << 63], "x", [None, 1])
ARCHS = ("regnety-4gf", "regnety-4gf.dWr-x1000000", "", "\x1b[31m", "../x")
TEXTS = ("NaN", "-1", "[1e308]", "{}", "[" * 50_000, "1" * 5000, "x")


def weights_cases() -> Iterator[Case]:
    nan = np.float32("nan").tobytes()
    wrong: dict[str, Callable[[dict, bytes], tuple[Any, bytes]]] = {
        "cut": lambda h, b: (h, b[:-1]),
        "grown": lambda h, b: (h, b + b"\0"),
        "no-body": lambda h, b: (h, b""),
        "nan": lambda h, b: (h, b[:400] + nan + b[404:]),
        "all-nan": lambda h, b: (h, nan * (len(b) // 4)),
        "inf": lambda h, b: (h, b[:4000] + np.float32("inf").tobytes() + b[4004:]),
        **{f"shape-{i}": lambda h, b, v=v: (first(h, "shape", v), b) for i, v in enumerate(SHAPES)},
        **{
            f"offsets-{i}": lambda h, b, v=v: (first(h, "data_offsets", v), b)
            for i, v in enumerate(OFFSETS)
        },
        **{
            f"dtype-{i}": lambda h, b, v=v: (first(h, "dtype", v), b)
            for i, v in enumerate(("F64", "BOOL", "f32", 5, [], ""))
        },
        **{f"arch-{i}": lambda h, b, v=v: (about(h, "arch", v), b) for i, v in enumerate(ARCHS)},
        **{
            f"{k}-{i}": lambda h, b, k=k, v=v: (about(h, k, v), b)
            for k in ("mean", "num_classes", "classes")
            for i, v in enumerate(TEXTS)
        },
        "metadata-list": lambda h, b: ({**h, "__metadata__": []}, b),
        "metadata-number": lambda h, b: (about(h, "arch", 5), b),
        "no-metadata": lambda h, b: ({k: v for k, v in h.items() if k != "__metadata__"}, b),
        "extra": lambda h, b: (
            {**h, "extra": {"dtype": "F32", "shape": [1], "data_offsets": [len(b), len(b) + 4]}},
            b + b"\0\0\0\0",
        ),
    }
    for name, change in wrong.items():
        yield Case(f"weights-{name}", lambda place, c=change: weights(place, c))
    for name, length in {"header-huge": 1 << 62, "header-0": 0, "header-all": 100}.items():
        yield Case(
            f"weights-{name}",
            lambda place, n=length: load_file(place, n.to_bytes(8, "little") + b"{" * 100),
        )
    yield Case("weights-right", lambda place: weights(place, lambda h, b: (h, b)), NEVER)


def load_file(place: Any, data: bytes) -> Any:
    import fastscale as fs

    return fs.load(place.file("x.safetensors", data))


MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001  # of torch files from before they were zips


def legacy(numbers: int, written: int | None = None, storages: int = 1) -> bytes:
    """Such a file with `storages` tensors of four numbers.

    `numbers`: the count that each storage claims. `written`: another count before its data.
    """
    import torch

    class Storage:
        def __init__(self, name: str):
            self.name = name

    class Pickler(pickle.Pickler):
        def persistent_id(self, value: Any) -> Any:
            if isinstance(value, Storage):
                return ("storage", torch.FloatStorage, value.name, "cpu", numbers, None)
            return None

    class Rebuilt:
        def __init__(self, name: str):
            self.storage = Storage(name)

        def __reduce__(self) -> Any:
            rebuild = torch._utils._rebuild_tensor_v2
            return rebuild, (self.storage, 0, (4,), (1,), False, collections.OrderedDict())

    out = io.BytesIO()
    sizes = {"short": 2, "int": 4, "long": 4}
    about = {"protocol_version": PROTOCOL, "little_endian": True, "type_sizes": sizes}
    for value in (MAGIC, PROTOCOL, about):
        pickle.dump(value, out, 2)
    names = [f"storage {i}" for i in range(storages)]
    Pickler(out, 2).dump({f"w{i}": Rebuilt(name) for i, name in enumerate(names)})
    pickle.dump(names, out, 2)
    for _ in names:
        out.write(struct.pack("<q", numbers if written is None else written))
        out.write(np.arange(4, dtype="<f4").tobytes())
    return out.getvalue()


def streamed(code: bytes) -> bytes:
    """Such a file with this pickle program as content."""
    out = io.BytesIO()
    for value in (MAGIC, PROTOCOL, {"protocol_version": PROTOCOL, "little_endian": True}):
        pickle.dump(value, out, 2)
    return out.getvalue() + code + pickle.dumps([], 2)


def another_projects(place: Any, data: bytes) -> Any:
    """The tensors of an imported file, as lists."""
    from fastscale.release.importing.reading import read_weights

    found = read_weights(place.file("x.pth", data), "auto", lambda line: None)
    return {name: value.tolist() for name, value in found.tensors.items()}


def legacy_cases() -> Iterator[Case]:
    large = {"gigabytes": 10**9, "terabytes": 10**12, "more-than-there-is": 2**62, "minus": -1}
    wrong = {
        **{f"claims-{kind}": legacy(n) for kind, n in large.items()},
        "says-less": legacy(10**8, 4),
        "says-more": legacy(4, 10**8),
        "hundreds": legacy(10**8, storages=300),
        "bytearray": streamed(b"\x80\x02c__builtin__\nbytearray\n\x8a\5\0\0\0\0\x7f\x85R."),
        "deep": streamed(b"\x80\x02" + b")" + b"\x85" * 50_000 + b"."),
        "lists": streamed(b"\x80\x02" + b"]" * 20_000 + b"a" * 19_999 + b"."),
        "code": streamed(b"\x80\x02cos\nsystem\nX\4\0\0\0true\x85R."),
        "cut": legacy(4)[:-5],
        "nothing": b"",
    }
    for kind, data in wrong.items():
        yield Case(f"legacy-{kind}", lambda place, d=data: another_projects(place, d))
    right = {"w0": [0.0, 1.0, 2.0, 3.0]}
    yield Case(
        "legacy-right", lambda place: another_projects(place, legacy(4)), NEVER, right.__eq__
    )


def cases() -> Iterator[Case]:
    yield from checkpoint_cases()
    yield from weights_cases()
    yield from legacy_cases()
