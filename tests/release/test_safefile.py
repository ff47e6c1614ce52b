"""The file: the same bytes every time, readable by other tools, refused in one line if damaged."""

import hashlib
import json
import os
import random
from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch
import torch

import fastscale as fs
from fastscale.errors import InputError
from fastscale.release import safefile
from fastscale.release.checkpoint import read_file, to_bytes
from fastscale.release.description import TEXTS
from fastscale.release.safefile import pack


def header_of(data):
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def first_layout(header):
    """The header in the layout of the oldest files: one metadata key for every field."""
    values = json.loads(header["__metadata__"]["fastscale"])
    told = {k: v if k in TEXTS else json.dumps(v) for k, v in values.items()}
    return {**header, "__metadata__": {"format": "pt", **told}}


def with_header(header, body, length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + body


def test_equal_networks_are_equal_bytes_and_other_tools_read_them(tiny):
    about, weights = tiny
    shuffled = list(weights.items())
    random.Random(0).shuffle(shuffled)
    data = to_bytes(about, weights)
    assert to_bytes(about, dict(shuffled)) == data
    assert (
        to_bytes(
            about,
            {
                k: v.contiguous(memory_format=torch.channels_last) if v.dim() == 4 else v
                for k, v in shuffled
            },
        )
        == data
    )
    read = safetensors.torch.load(data)
    assert read.keys() == weights.keys() and all(torch.equal(read[k], weights[k]) for k in weights)


def test_the_header_describes_the_network(tiny, tmp_path):
    path = tmp_path / "net.safetensors"
    path.write_bytes(to_bytes(*tiny))
    with safetensors.safe_open(path, "pt") as file:
        told = json.loads(file.metadata()["fastscale"])
    assert (told["arch"], told["channel_order"]) == ("regnety-tiny", "RGB")
    assert (told["format_version"], told["seed"], told["run"]) == (1, 0, "regnety-tiny.quick")
    assert told["classes"] == ["blue", "green", "red"] and told["mean"] == [120.0, 110.0, 100.0]
    assert (told["resolution"], told["test_resolution"]) == (32, 32)
    found = read_file(path)
    assert found.about == tiny[0]
    assert all(torch.equal(v, tiny[1][k]) for k, v in found.network().state_dict().items())


def test_the_layout_of_the_first_releases_is_still_read(tiny, tmp_path):
    header, body = header_of(to_bytes(*tiny))
    (tmp_path / "old.safetensors").write_bytes(with_header(first_layout(header), body))
    found = read_file(tmp_path / "old.safetensors")
    assert found.about == tiny[0]
    assert all(torch.equal(v, found.weights[k]) for k, v in tiny[1].items())


def test_float16_halves_the_convs_and_keeps_the_norms(tiny, tmp_path):
    about, weights = replace(tiny[0], dtype="float16"), tiny[1]
    data = to_bytes(about, weights)
    (tmp_path / "half.safetensors").write_bytes(data)
    found = read_file(tmp_path / "half.safetensors")
    for name, tensor in found.weights.items():
        assert tensor.dtype == weights[name].dtype
        assert torch.equal(
            tensor, weights[name].half().float() if tensor.dim() > 1 else weights[name]
        )
    assert len(data) < 0.75 * len(to_bytes(*tiny))
    with pytest.raises(InputError, match="head.fc.weight is not finite in float16"):
        to_bytes(about, {**weights, "head.fc.weight": weights["head.fc.weight"] + 1e6})


def bad_files(data):
    header, body = header_of(data)
    header, new = first_layout(header), header
    some = "stages.0.0.conv1.weight"

    def change(name=some, **entry):
        return with_header({**header, name: {**header[name], **entry}}, body)

    def metadata(**told):
        return with_header({**header, "__metadata__": {**header["__metadata__"], **told}}, body)

    yield "empty", b"", "safetensors: empty; fetch or write it again"
    yield "another kind", b"<html>no such page</html>", "not a file of weights; fetch"
    yield (
        "length of the header",
        with_header(header, body, length=2**62),
        "not a file of weights",
    )
    yield (
        "huge header",
        (1 << 25).to_bytes(8, "little") + b"[" * (1 << 25),
        "not a file of weights",
    )
    yield "nested header", with_header(b"[" * 200_000, body), "not a file of weights"
    yield "no JSON", with_header(b"{'a': 1}", body), "invalid JSON in header"
    yield "cut", data[:-100], "cut short"
    yield "appended", data + b"\0", "file not fully covered"
    trillion = {"shape": [1_000_000, 1_000_000]}
    yield (
        "1e12 elements",
        change(**trillion),
        "invalid shape, data type, or offset",
    )
    yield (
        "1e12 elements, offsets too",
        change(**trillion, data_offsets=[0, 4 * 10**12]),
        "cut short",
    )
    yield "overflow", change(shape=[2**40, 2**40]), "overflow computing buffer size"
    yield "negative", change(shape=[-1, 4]), "invalid value: integer `-1`"
    yield (
        "overlap",
        change(data_offsets=header["head.fc.weight"]["data_offsets"]),
        "invalid .*offset",
    )
    yield "type", change(dtype="F64"), "invalid shape, data type, or offset"
    other = change(dtype="I32")
    yield "another type of that size", other, "is I32, wanted F32"
    yield (
        "integer weights",
        change(dtype="I64", shape=[header[some]["shape"][0] // 2, *header[some]["shape"][1:]]),
        "parameters",
    )
    twice = (
        json.dumps(header)[:-1].encode() + b',"head.fc.bias":' + json.dumps(header[some]).encode()
    )
    yield "duplicate", with_header(twice + b"}", body), "invalid offset for tensor"
    values = new["__metadata__"]["fastscale"]
    for what, text, message in (
        ("no object", "[1]", "names no arch"),
        ("no JSON inside", values[:-1], "its header: not JSON"),
        ("twice inside", values[:-1] + ', "arch": "x"}', "'arch' occurs twice"),
        ("a wrong field inside", values.replace('"RGB"', '"BGR"'), "channel_order must be RGB"),
    ):
        yield what, with_header({**new, "__metadata__": {"fastscale": text}}, body), message
    lacking = {k: v for k, v in header.items() if k != "stem.norm.running_mean"}
    lacking["stem.other.running_mean"] = header["stem.norm.running_mean"]
    yield (
        "missing",
        with_header(lacking, body),
        "lacks tensor 'stem.norm.running_mean' for regnety-tiny",
    )
    extra = {
        **header,
        "more": {"dtype": "F32", "shape": [0], "data_offsets": [len(body), len(body)]},
    }
    yield "unknown", with_header(extra, body), "has an unknown tensor 'more'"
    shape = header[some]["shape"]
    yield (
        "shape",
        change(
            shape=[shape[1], shape[0], *shape[2:]]
            if shape[0] != shape[1]
            else [shape[0] * shape[1], 1, 1, 1]
        ),
        "has shape",
    )
    yield "other arch", metadata(arch="regnety-4gf"), "resolution 32 is not that of regnety-4gf"
    yield (
        "huge arch",
        metadata(arch="regnety-tiny.d-x900"),
        "parameters, regnety-tiny.d-x900 with 3 classes has",
    )
    yield "no such arch", metadata(arch="../../etc/passwd"), "no network is named"
    yield "classes", metadata(classes='["a"]'), "classes must be 3 names"
    yield (
        "huge classes",
        metadata(num_classes="10000000000000"),
        "num_classes must be less than or equal to 1000000",
    )
    yield "normalisation", metadata(std="[0, 1, 1]"), "std must be three numbers"
    yield "not a number", metadata(mean="[NaN, 1, 1]"), "mean.0 must be a finite number"
    yield "BGR", metadata(channel_order="BGR"), "channel_order must be RGB"
    yield "version", metadata(format_version="2"), "format version 2, this fastscale reads 1"
    yield (
        "true as version",
        metadata(format_version="true"),
        "format version True, this fastscale reads 1",
    )
    yield (
        "1.0 as version",
        metadata(format_version="1.0"),
        "format version 1.0, this fastscale reads 1",
    )
    yield "huge mean", metadata(mean=f"[{10**400}, 1, 1]"), "mean in its header is not JSON"
    yield (
        "huge setting",
        metadata(recipe=f'{{"lr": {10**400}}}'),
        "recipe in its header is not JSON",
    )
    yield "NaN weights", data[:-4] + b"\xff" * 4, "holds NaN or infinity"
    yield (
        "foreign",
        with_header({k: v for k, v in header.items() if k != "__metadata__"}, body),
        "not a checkpoint of fastscale",
    )
    yield "half told as whole", metadata(dtype="float16"), "is F32, wanted F16"


def test_every_bad_file_is_refused_in_one_line(tiny, tmp_path):
    data, seen = to_bytes(*tiny), 0
    for what, bad, message in bad_files(data):
        path = tmp_path / "bad.safetensors"
        path.write_bytes(bad)
        with pytest.raises(InputError, match=message) as error:
            fs.load(path)
        assert "\n" not in str(error.value), what
        seen += 1
    assert seen > 25


def test_a_huge_file_is_refused_before_it_is_read(tiny, tmp_path, monkeypatch):
    """A header of 40 GB that fits the file's length but no network."""
    header, _ = header_of(to_bytes(*tiny))
    huge = {"dtype": "F32", "shape": [100_000, 100_000], "data_offsets": [0, 4 * 10**10]}
    path = tmp_path / "huge.safetensors"
    path.write_bytes(
        with_header({"__metadata__": header["__metadata__"], "head.fc.weight": huge}, b"")
    )
    os.truncate(path, path.stat().st_size + 4 * 10**10)
    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail("it was read"))
    with pytest.raises(
        InputError, match="holds 10,000,000,000 parameters, regnety-tiny with 3 classes has 26,083"
    ):
        fs.load(path)


def test_a_file_that_changes_while_it_is_read_is_refused(tiny, tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(to_bytes(*tiny))

    def expect(*_):
        os.utime(path, (1, 1))

    with pytest.raises(InputError, match="changed while it was read"):
        safefile.read(path, expect=expect)


def test_any_changed_byte_is_found_by_the_hash(tiny, tmp_path):
    data = bytearray(to_bytes(*tiny))
    sha256 = hashlib.sha256(data).hexdigest()
    data[-5] ^= 1
    (tmp_path / "a.safetensors").write_bytes(data)
    with pytest.raises(InputError, match="not the released file"):
        read_file(tmp_path / "a.safetensors", sha256)
    assert read_file(tmp_path / "a.safetensors").about.arch == "regnety-tiny"


def test_packing_takes_scalars_and_strides_and_gives_the_same_bytes_each_time():
    tensors = {"a": torch.tensor(3), "b": torch.ones(3).half(), "c": torch.arange(6.0).view(2, 3).T}
    data = pack(tensors, "key", "text")
    assert {pack(tensors, "key", "text") for _ in range(20)} == {data}
    read = safetensors.torch.load(data)
    assert read["a"] == 3 and read["a"].shape == () and torch.equal(read["b"], torch.ones(3).half())
    assert torch.equal(read["c"], tensors["c"])
