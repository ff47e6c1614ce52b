"""Cases: wrong texts in place of JSON and YAML files from people, other programs and servers."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from tests.devils.rule import MAY, MUST, Case, command

DEEP = 50_000
BROKEN_JSON: dict[str, bytes] = {
    "empty": b"",
    "nul": b"\0" * 100,
    "latin": b'{"a": "\xe9"}',
    "utf16": '{"a": 1}'.encode("utf-16"),
    "list": b"[1]",
    "null": b"null",
    "number": b"1",
    "text": b'"x"',
    "open": b'{"a": ',
    "deep-list": b"[" * DEEP,
    "deep-object": b'{"a":' * DEEP,
    "deep-closed": b"[" * DEEP + b"]" * DEEP,
    "deep-60": b'{"a":' * 60 + b"1" + b"}" * 60,
    "nan": b'{"a": NaN}',
    "infinity": b'{"a": -Infinity}',
    "1e999": b'{"a": 1e999}',
    "10^400": b'{"a": 1' + b"0" * 400 + b"}",
    "10^5000": b'{"a": 1' + b"0" * 5000 + b"}",
    "twice": b'{"a": 1, "a": 2}',
    "surrogate": b'{"a": "\\ud800"}',
    "escape": b'{"\\u001b[31m": 1}',
    "html": b"<!DOCTYPE html><html></html>",
    "huge": b'{"a": "' + b"x" * (17 << 20) + b'"}',
}
BROKEN_YAML: dict[str, bytes] = {
    "empty": b"",
    "nul": b"a: \0",
    "latin": b"a: \xe9",
    "list": b"- 1",
    "number": b"1",
    "open": b"{a: [",
    "tab": b"a:\n\t- b",
    "deep": b"[" * DEEP,
    "deep-closed": b"[" * DEEP + b"]" * DEEP,
    "code": b"!!python/object/apply:os.system [exit 3]",
    "bomb": b"a: &a [x,x,x,x,x,x,x,x,x]\n"
    + b"".join(
        b"%c: &%c [%s]\n" % (c + 1, c + 1, b",".join([b"*%c" % c] * 9)) for c in range(97, 106)
    ),
    "loop": b"&a [*a]",
    "merge": b"a: &a {<<: *a}",
    "date": b"2020-01-01",
    "nan": b"recipe: {lr: .nan}",
    "inf": b"recipe: {lr: .inf}",
    "10^5000": b"recipe: {epochs: 1" + b"0" * 5000 + b"}",
    "sexagesimal": b"recipe: {epochs: 1:2:3:4:5:6:7:8:9:9:9:9:9:9}",
    "escape": b'"\\e[31m": 1',
    "set": b"!!set {a, b}",
    "binary": b"recipe: !!binary aGVsbG8=",
    "huge": b"a: " + b"x" * (5 << 20),
    "number-keys": b"recipe: {1: 2}",
    "null-recipe": b"recipe:",
    "documents": b"a: 1\n---\nb: 2\n",
}


def run_folder(place: Any, name: str, content: bytes) -> Any:
    from fastscale.training.runs import RunFolder

    place.file(f"runs/regnety-tiny.quick/seed0/{name}", content)
    return RunFolder(place.folder / "runs", "regnety-tiny.quick", 0)


def settings(place: Any, content: bytes) -> Any:
    return run_folder(place, "settings.json", content).claim({"recipe": {"lr": 1.0}})


def record(place: Any, content: bytes) -> Any:
    return run_folder(place, "record.json", content).record


def progress(place: Any, content: bytes) -> Any:
    from fastscale.training import runs

    return runs.progress(run_folder(place, "progress.json", content).path)


def store(place: Any, content: bytes) -> Any:
    from fastscale.records import RecordStore

    return RecordStore(place.file("records.jsonl", content + b"\n")).read()


def manifest(place: Any, content: bytes) -> Any:
    from fastscale.release.manifest import read_manifest

    return read_manifest(place.file("checkpoints/manifest.json", content))


def info(place: Any, content: bytes, split: str = "train") -> Any:
    from fastscale.data import read_info

    folder = place.copy("store")
    (folder / f"{split}.json").write_bytes(content)
    return read_info(folder / f"{split}.beton")


def val_info(place: Any, content: bytes) -> Any:
    return info(place, content, "val")


def header(place: Any, content: bytes) -> Any:
    from fastscale.release import safefile

    body = len(content).to_bytes(8, "little") + content
    return safefile.read(place.file("x.safetensors", body))


def metadata(place: Any, content: bytes) -> Any:
    """A field of a release's header."""
    from fastscale.release.description import KEY, Description

    values = {k: v for k, v in a_description(place).items() if k != "recipe"}
    text = content.decode("utf-8", "surrogateescape")
    return Description.from_metadata({KEY: f'{json.dumps(values)[:-1]}, "recipe": {text}}}'}, "x")


def first_metadata(place: Any, content: bytes) -> Any:
    """The same field in the layout of the first releases."""
    from fastscale.release.description import TEXTS, Description

    values = {k: v for k, v in a_description(place).items() if v is not None}
    told = {k: v if k in TEXTS else json.dumps(v) for k, v in values.items()}
    text = content.decode("utf-8", "surrogateescape")
    return Description.from_metadata({**told, "recipe": text}, "x")


def foreign_config(place: Any, content: bytes) -> Any:
    place.file("config.json", content)
    place.copy("release")
    return command("checkpoint", "import", "release.safetensors", "--from", "timm")


def hub_index(place: Any, content: bytes) -> Any:
    """records.jsonl beside a manifest, which cards and verification read."""
    from fastscale.records import read_records

    return read_records(place.file("records.jsonl", content + b"\n"))


def device(place: Any, content: bytes) -> Any:
    from fastscale.planning.devices import device_named

    return device_named(str(place.file("mine.jsonl", content + b"\n")))


def recipe(place: Any, content: bytes) -> Any:
    from fastscale.training.recipe import load_recipe

    return load_recipe(str(place.file("mine.yaml", content)))


def grid(place: Any, content: bytes) -> Any:
    from fastscale.timing.grid import load_grid

    return load_grid(str(place.file("mine.yaml", content)))


def artifact(place: Any, content: bytes) -> Any:
    from fastscale.home import using_home
    from fastscale.paper import load_artifact

    place.file("configs/artifacts/mine.yaml", content)
    with using_home(place.folder):
        return load_artifact("mine")


def config(place: Any, content: bytes) -> Any:
    return command("fit", "--config", place.file("mine.yaml", content), "--runs_dir", "runs")


def reference(place: Any, content: bytes) -> Any:
    from fastscale.home import using_home
    from fastscale.references import reference as read

    (place.folder / "configs" / "artifacts").mkdir(parents=True)
    place.file("paper_figures/reference/tables.csv", content)
    with using_home(place.folder):
        return read("tables")


def a_description(place: Any) -> dict:
    from fastscale.release import safefile
    from fastscale.release.description import Description

    found = safefile.read(place.made.release)
    return json.loads(json.dumps(asdict(Description.from_metadata(found.metadata, "x"))))


def cases() -> Iterator[Case]:
    """Broken texts for each reader."""
    in_json = (
        settings,
        record,
        progress,
        store,
        manifest,
        info,
        val_info,
        header,
        metadata,
        first_metadata,
        foreign_config,
        hub_index,
        device,
    )
    for read in in_json:
        for kind, content in BROKEN_JSON.items():
            in_header = read in (metadata, first_metadata)
            lenient = read in (progress,) or (in_header and kind in ("empty",))
            lenient |= read is settings and kind in ("surrogate", "escape")
            lenient |= in_header and kind in ("latin", "null", "surrogate", "escape", "huge")
            yield Case(
                f"json-{read.__name__}-{kind}",
                lambda place, r=read, c=content: r(place, c),
                MAY if lenient else MUST,
                lambda value: not isinstance(value, float) or 0 <= value <= 1,
            )
    for read in (recipe, grid, artifact, config, reference):
        for kind, content in BROKEN_YAML.items():
            yield Case(f"yaml-{read.__name__}-{kind}", lambda place, r=read, c=content: r(place, c))
