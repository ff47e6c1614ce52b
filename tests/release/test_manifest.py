"""The manifest: reproducible text, every field checked, and no name leads out of its folder."""

import json

import pytest

import fastscale as fs
from fastscale.errors import InputError
from fastscale.release.description import KEY, Description, describe
from fastscale.release.manifest import find, is_name, manifest_text, read_manifest

ERROR = {"value": 1, "n": 1, "mean": 1, "std": None, "seeds": [0]}


def test_round_trip(release, tmp_path):
    entry, _ = release(urls=("https://example.org/a.safetensors",))
    path = tmp_path / "checkpoints" / "manifest.json"
    assert read_manifest(path) == [entry] and manifest_text(read_manifest(path)) == path.read_text()
    assert read_manifest(tmp_path / "none.json") == []


def test_an_old_spelling_of_a_network_is_read_as_its_name(release, tmp_path):
    grown = fs.arch("regnety-tiny.alpha=2/3-x2")
    counts = vars(fs.complexity(grown, num_classes=3))
    release(arch="regnety-tiny", run="regnety-tiny.quick", resolution=grown.resolution, **counts)
    path = tmp_path / "checkpoints" / "manifest.json"
    text = path.read_text()
    for key in ("arch", "run"):
        text = text.replace(f'"{key}": "regnety-tiny', f'"{key}": "regnety-tiny.alpha=2/3-x2')
    path.write_text(text)
    (entry,) = read_manifest(path)
    assert entry.arch == "regnety-tiny.d1_w4_g4_r1-x2" and entry.run == f"{entry.arch}.quick"
    assert "alpha" not in manifest_text([entry])


def test_an_old_spelling_in_the_header_of_a_file_is_read_as_its_name(tiny):
    arch = fs.arch("regnety-tiny.alpha=2/3-x2")
    about = describe(arch, num_classes=3, mean=tiny[0].mean, std=tiny[0].std, weights="raw")
    old = about.to_json().replace("d1_w4_g4_r1", "alpha=2/3")
    assert Description.from_metadata({KEY: old}, "here").arch == arch.name


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"name": "../../../etc/passwd-12345678"},
            "checkpoint 1 \\('../../../etc/passwd-12345678'\\): name must be",
        ),
        ({"name": "/etc/passwd-12345678"}, "never a path"),
        ({"name": "a..b-12345678"}, "never a path"),
        (
            {"name": "regnety-tiny_colours-00000000"},
            "must end with the first 8 digits of its sha256",
        ),
        ({"sha256": "abc"}, "sha256 must be 64 hex digits, not 'abc'"),
        ({"bytes": -1}, "bytes must be greater than 0, not '-1'"),
        ({"bytes": True}, "bytes must be"),
        ({"urls": ["file:///etc/passwd"]}, "urls must be a list of http"),
        ({"urls": "https://example.org/a"}, "urls must be a valid list"),
        ({"errors": {"top1_error": {"value": 1}}}, "missing field 'errors.top1_error.n'"),
        (
            {
                "errors": {
                    "top1_error": {
                        "value": float("nan"),
                        "n": 1,
                        "mean": 1,
                        "std": None,
                        "seeds": [0],
                    }
                }
            },
            "errors.top1_error.value must be a finite number",
        ),
        ({"errors": {}}, "missing field 'errors.top1_error'"),
        ({"errors": {"top5_error": ERROR}}, "missing field 'errors.top1_error'"),
        ({"errors": {"top1_error": ERROR, "other": ERROR}}, "unknown field 'errors.other'"),
        (
            {"errors": {"top1_error": {**ERROR, "n": 3, "seeds": [0, 1, 2]}}},
            "errors.top1_error must have .* a std unless n is 1",
        ),
        ({"errors": {"top1_error": {**ERROR, "n": True}}}, "errors.top1_error.n must be"),
        ({"errors": {"top1_error": {**ERROR, "value": 10**400}}}, "is too large a number"),
        ({"record_ids": []}, "record_ids must be as many as the runs of its top1_error, 1, not 0"),
        (
            {"record_ids": ["0", "1"]},
            "record_ids must be as many as the runs of its top1_error, 1, not 2",
        ),
        ({"tolerance": 10**400}, "is too large a number"),
        ({"licence": "MIT\x1b[31m"}, "licence must be a text"),
        ({"tolerance": 100}, "tolerance must be"),
        ({"dtype": "float8"}, "dtype must be 'float32' or 'float16', not 'float8'"),
        ({"tolerance": -1}, "tolerance must be"),
        ({"licence": ""}, "licence must be a text"),
        ({"more": 1}, "unknown field 'more'"),
        ({"flops": 7}, "flops must be [0-9,]+, as regnety-tiny has at 32 px with 3 classes, not 7"),
        ({"params": 1 << 40}, "params must be"),
        ({"resolution": 64}, "flops must be"),
        ({"arch": "regnety-tiny.dWr-x4"}, "flops must be"),
        ({"seed": None}, "seed must be a valid integer"),
    ],
)
def test_bad_fields_are_named(release, tmp_path, change, message):
    release()
    path = tmp_path / "checkpoints" / "manifest.json"
    content = json.loads(path.read_text())
    content["checkpoints"][0].update(change)
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=message) as error:
        read_manifest(path)
    assert "\n" not in str(error.value) and str(path) in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"schema": 1,\n "checkpoints": [}', "not JSON .*line 2"),
        ("[]", "an object of 'schema' and 'checkpoints'"),
        ('{"schema": 2, "checkpoints": []}', "manifest schema 2, this fastscale reads 1"),
        ('{"schema": true, "checkpoints": []}', "manifest schema True, this fastscale reads 1"),
        ('{"schema": 1, "schema": 1, "checkpoints": []}', "'schema' occurs twice"),
        ('{"schema": 1, "checkpoints": [3]}', "checkpoint 1: an entry is an object"),
        ('{"schema": 1, "checkpoints": [{"name": "a_b-00000000"}]}', "00'.: missing field"),
        ("[" * 100_000, "manifest.json"),
        (b"\xff\xfe", "not UTF-8 text"),
    ],
)
def test_bad_files_are_named(tmp_path, text, message):
    path = tmp_path / "manifest.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=message) as error:
        read_manifest(path)
    assert "\n" not in str(error.value)


def test_a_name_twice_is_refused(release, tmp_path):
    release()
    path = tmp_path / "checkpoints" / "manifest.json"
    content = json.loads(path.read_text())
    content["checkpoints"] *= 2
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match="checkpoint 2 .*: listed twice"):
        read_manifest(path)


def test_a_short_name_is_the_newest_and_a_full_one_that_file(release, tiny):
    old, _ = release()
    new, _ = release(dtype="float16", date="2026-02-01T00:00:00Z")
    entries = [new, old]
    assert old.short == new.short == "regnety-tiny_colours"
    assert (
        find("regnety-tiny_colours", entries) == new
        and find(old.name, entries) == old
        and find(old.file, entries) == old
    )
    assert find("regnety-tiny", entries) is None


def test_names():
    assert is_name("regnety-tiny.alpha=2-over-3-x4_imagenet-1k-0123abcd")
    assert not any(
        map(
            is_name,
            (
                "a-0123abcd/",
                "a\\b-0123abcd",
                "-0123abcd",
                ".a-0123abcd",
                "a-0123ABCD",
                "a\n-0123abcd",
                None,
                "a-0123abcd\n",
            ),
        )
    )
