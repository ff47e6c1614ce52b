"""From a name, a path or an address to the network: hashes, mirrors, resumed downloads, offline."""

import pickle
import threading

import pytest
import torch
from PIL import Image

import fastscale as fs
from fastscale.errors import InputError
from fastscale.release.checkpoint import to_bytes
from fastscale.release.places import cache


def same(net, weights):
    return all(torch.equal(v, weights[k]) for k, v in net.state_dict().items())


def test_a_name_a_full_name_and_a_path_are_the_network(release, tiny, tmp_path):
    entry, _ = release()
    for what in (
        entry.short,
        entry.name,
        entry.file,
        tmp_path / "checkpoints" / entry.file,
        str(tmp_path / "checkpoints" / entry.file),
    ):
        net = fs.load(what)
        assert not net.training and net.num_classes == 3 and same(net, tiny[1])
    state = torch.get_rng_state()
    fs.load(entry.name)
    assert torch.equal(torch.get_rng_state(), state)  # loading draws no random numbers


def test_another_number_of_classes_is_a_fresh_last_layer(release, tiny):
    entry, _ = release()
    torch.manual_seed(1)
    net = fs.load(entry.name, num_classes=7)
    assert (
        net(torch.zeros(2, 3, 32, 32)).shape == (2, 7) and net.num_classes == 7 and not net.training
    )
    assert 0.005 < net.head.fc.weight.std() < 0.015 and not net.head.fc.bias.any()
    body = {k: v for k, v in net.state_dict().items() if "head.fc" not in k}
    assert all(torch.equal(v, tiny[1][k]) for k, v in body.items())
    net.train()(torch.randn(2, 3, 32, 32)).sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    for wrong in (0, "3", True, 3.0, 10.0):
        with pytest.raises(InputError, match="num_classes must be"):
            fs.load(entry.name, num_classes=wrong)


def test_the_released_network_of_this_checkout_loads(monkeypatch):
    monkeypatch.delenv("FASTSCALE_CHECKPOINTS")
    monkeypatch.setenv("FASTSCALE_OFFLINE", "1")
    net = fs.load("regnety-tiny.dWr-x4_fashion-mnist")
    prepare = fs.transforms("regnety-tiny.dWr-x4_fashion-mnist")
    assert net(prepare(Image.new("L", (28, 28), 128)).unsqueeze(0)).shape == (1, 10)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (
            "regnety-tiny_colour",
            "no checkpoint is named 'regnety-tiny_colour' .*; did you mean 'regnety-tiny_colours-",
        ),
        ("../regnety-tiny_colours", "no such checkpoint"),
        ("/etc/passwd", "not a file of weights"),
        ("no/such/file.safetensors", "no such checkpoint"),
        ("", "no checkpoint is named ''"),
        (3, "expected a checkpoint's name or path, got 3"),
        ("ftp://example.org/a.safetensors", "no such checkpoint"),
    ],
)
def test_a_wrong_name_gets_a_suggestion(release, what, message):
    release()
    with pytest.raises(InputError, match=message) as error:
        fs.load(what)
    assert "\n" not in str(error.value)


def test_a_local_file_that_is_not_the_released_one_is_refused_and_kept(release, tmp_path):
    entry, data = release()
    path = tmp_path / "checkpoints" / entry.file
    for bad, message in (
        (data[:-1], "bytes, the manifest says"),
        (data[:-1] + b"!", "not the released file"),
    ):
        path.write_bytes(bad)
        with pytest.raises(InputError, match=message):
            fs.load(entry.name)
        assert path.read_bytes() == bad
    with pytest.raises(InputError, match="not the released file"):
        fs.load(path)
    (tmp_path / f"other-{'0' * 8}.safetensors").write_bytes(data)
    with pytest.raises(InputError, match="its name says 00000000"):
        fs.load(tmp_path / f"other-{'0' * 8}.safetensors")


def test_links_in_place_of_released_files_are_not_followed(release, tmp_path):
    entry, data = release(local=False, urls=("http://127.0.0.1:9/x.safetensors",))
    (tmp_path / "elsewhere").write_bytes(data)
    for place in (tmp_path / "checkpoints" / entry.file, cache() / entry.file):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(tmp_path / "elsewhere")
        with pytest.raises(InputError, match="link"):
            fs.load(entry.name)
        place.unlink()


def test_it_is_downloaded_once_from_the_first_mirror_that_has_it(
    release, server, tiny, monkeypatch, capsys
):
    urls = [f"{server.url}/{p}.safetensors" for p in ("missing", "wrong", "right", "never")]
    entry, data = release(local=False, urls=urls)
    server.files = {
        "/right.safetensors": data,
        "/wrong.safetensors": b"x" * len(data),
        "/never.safetensors": data,
    }
    assert same(fs.load(entry.name), tiny[1]) and same(fs.load(entry.name), tiny[1])
    assert [p for p, _ in server.asked] == [
        "/missing.safetensors",
        "/wrong.safetensors",
        "/right.safetensors",
    ]
    out, err = capsys.readouterr()
    assert not out and "fetching" in err
    monkeypatch.setenv("FASTSCALE_OFFLINE", "1")
    assert same(fs.load(entry.name), tiny[1])
    (cache() / entry.file).write_bytes(b"y" * len(data))
    with pytest.raises(InputError, match="not the released file; delete it"):
        fs.load(entry.name)
    monkeypatch.delenv("FASTSCALE_OFFLINE")
    assert same(fs.load(entry.name), tiny[1])  # a damaged copy in the cache is fetched again


def test_an_interrupted_download_resumes(release, server, tiny):
    entry, data = release(local=False, urls=[f"{server.url}/a.safetensors"])
    server.files["/a.safetensors"] = data
    cache().mkdir(parents=True)
    (cache() / f"{entry.file}.part").write_bytes(data[:1000])
    server.drop = 50_000
    assert same(fs.load(entry.name), tiny[1])
    assert [r for _, r in server.asked] == ["bytes=1000-", "bytes=51000-"]


def test_a_wrong_download_is_deleted_and_the_error_says_so(release, server):
    entry, data = release(local=False, urls=[f"{server.url}/a.safetensors"])
    server.files["/a.safetensors"] = data[:-1] + b"!"
    with pytest.raises(InputError, match="wrong file, deleted .sha256 is") as error:
        fs.load(entry.name)
    assert "\n" not in str(error.value) and not list(cache().glob("[!.]*"))
    server.files["/a.safetensors"] = data * 3
    with pytest.raises(InputError, match=f"deleted .more than {len(data)} bytes"):
        fs.load(entry.name)
    assert not list(cache().glob("[!.]*"))


def test_offline_sends_no_request(release, server, monkeypatch):
    entry, data = release(local=False, urls=[f"{server.url}/a.safetensors"])
    server.files["/a.safetensors"] = data
    monkeypatch.setenv("FASTSCALE_OFFLINE", "1")
    with pytest.raises(InputError, match="FASTSCALE_OFFLINE is set: fetch http.*elsewhere"):
        fs.load(entry.name)
    assert not server.asked


def test_a_file_without_address_says_where_it_would_go(release):
    entry, _ = release(local=False)
    with pytest.raises(InputError, match="has no address; copy it to"):
        fs.load(entry.name)


def test_an_address_needs_a_hash(release, server, tiny):
    entry, data = release(local=False)
    server.files = {f"/{entry.file}": data, "/model.safetensors": data}
    assert same(fs.load(f"{server.url}/{entry.file}"), tiny[1])  # the manifest knows it
    assert same(fs.load(f"{server.url}/model.safetensors#sha256={entry.sha256}"), tiny[1])
    assert (cache() / f"model-{entry.sha256[:8]}.safetensors").is_file()
    for address, message in (
        ("/model.safetensors", "nothing is downloaded without a known hash"),
        ("/model.safetensors#sha256=abc", "after # goes"),
        (f"/{entry.file}#sha256={'0' * 64}", "the manifest says"),
        ("/model.pth#sha256=" + "0" * 64, "names no .safetensors file"),
        ("/%2e%2e%2fx.safetensors#sha256=" + "0" * 64, "names no .safetensors file"),
        ("/..%2f..%2fx.safetensors#sha256=" + "0" * 64, "names no .safetensors file"),
    ):
        with pytest.raises(InputError, match=message):
            fs.load(server.url + address)
    with pytest.raises(InputError, match="deleted"):
        fs.load(f"{server.url}/model.safetensors#sha256={'1' * 64}")


def test_two_loads_at_once_download_once(release, server, tiny):
    entry, data = release(local=False, urls=[f"{server.url}/a.safetensors"])
    server.files["/a.safetensors"] = data
    found = []
    threads = [threading.Thread(target=lambda: found.append(fs.load(entry.name))) for _ in range(2)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(found) == 2 and all(same(net, tiny[1]) for net in found) and len(server.asked) == 1


class Harmless:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return exec, (f"open({str(self.path)!r}, 'w').close()",)


@pytest.mark.parametrize("name", ["a.ckpt", "plain.ckpt", "run/last.ckpt", "noname"])
def test_a_pickle_that_would_run_code_is_refused(tmp_path, name):
    path, witness = tmp_path / name, tmp_path / "ran"
    path.parent.mkdir(exist_ok=True)
    if name == "plain.ckpt":
        path.write_bytes(pickle.dumps(Harmless(witness), protocol=2))
    else:
        torch.save({"state_dict": {}, "hyper_parameters": Harmless(witness)}, path)
    with pytest.raises(InputError, match="refused: reading it would run code .*exec") as error:
        fs.load(path.parent if "/" in name else path)
    assert "\n" not in str(error.value) and not witness.exists()
    pickle.loads(pickle.dumps(Harmless(witness)))
    assert witness.exists()  # the pickle does have an effect


def test_another_projects_file_is_sent_to_import(tmp_path):
    torch.save({"conv1.weight": torch.zeros(1)}, tmp_path / "resnet50.pth")
    with pytest.raises(InputError, match="fastscale checkpoint import resnet50.pth --from"):
        fs.load(tmp_path / "resnet50.pth")


def test_a_file_without_its_manifest_loads_by_its_path(tiny, tmp_path):
    (tmp_path / "mine.safetensors").write_bytes(to_bytes(*tiny))
    assert same(fs.load(tmp_path / "mine.safetensors"), tiny[1])
