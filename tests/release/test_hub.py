"""Publishing to and loading from a model hub: huggingface_hub against a local server."""

import base64
import hashlib
import json
from http.server import BaseHTTPRequestHandler

import pytest
import torch

import fastscale as fs
from fastscale.cli import main
from fastscale.errors import InputError
from fastscale.release import places
from fastscale.release.hub import front_matter, repository
from fastscale.release.manifest import manifest_text
from tests.serving import serving

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(BaseHTTPRequestHandler):
    """A hub's API for create_repo, create_commit and hf_hub_download, with LFS for large files."""

    def reply(self, content, code=200, headers=()):
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(code)
        for name, value in {"Content-Length": str(len(body)), **dict(headers)}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def do_POST(self):
        own, sent = self.server, self.body()
        own.asked.append(self.path)
        if self.path == "/api/repos/create":
            asked = json.loads(sent)
            name = f"{asked['organization']}/{asked['name']}"
            own.private[name] = asked.get("visibility")
            own.repos.setdefault(name, {})
            return self.reply({"url": f"{own.url}/{name}"})
        if self.path == "/api/validate-yaml":
            own.validated = json.loads(sent)["content"]
            return self.reply({"errors": [], "warnings": []})
        if "/preupload/" in self.path:
            modes = [
                {
                    "path": f["path"],
                    "uploadMode": "lfs" if f["path"].endswith("safetensors") else "regular",
                    "shouldIgnore": False,
                }
                for f in json.loads(sent)["files"]
            ]
            return self.reply({"files": modes})
        if self.path.endswith("/info/lfs/objects/batch"):
            objects = [
                {**o, "actions": {"upload": {"href": f"{own.url}/lfs/{o['oid']}"}}}
                for o in json.loads(sent)["objects"]
            ]
            return self.reply({"transfer": "basic", "objects": objects})
        if "/commit/" in self.path:
            files = own.repos[self.path.removeprefix("/api/models/").split("/commit/")[0]]
            for line in map(json.loads, sent.splitlines()):
                if line["key"] == "file":
                    files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
                elif line["key"] == "lfsFile":
                    files[line["value"]["path"]] = own.lfs[line["value"]["oid"]]
            return self.reply(
                {"commitUrl": f"{own.url}/org/net/commit/{COMMIT}", "commitOid": COMMIT}
            )
        return self.reply({"error": "not here"}, 404)

    def do_PUT(self):
        data = self.body()
        assert hashlib.sha256(data).hexdigest() == self.path.rsplit("/", 1)[-1]
        self.server.lfs[self.path.rsplit("/", 1)[-1]] = data
        self.reply(b"")

    def do_GET(self):
        own = self.server
        own.asked.append(self.path)
        repo, _, rest = self.path.lstrip("/").partition("/resolve/")
        data = own.repos.get(repo, {}).get(rest.partition("/")[2].partition("?")[0])
        if data is None:
            missing = "EntryNotFound" if repo in own.repos else "RepoNotFound"
            return self.reply(
                {"error": missing}, 404, {"X-Error-Code": missing, "X-Repo-Commit": COMMIT}
            )
        self.reply(
            data, headers={"ETag": f'"{hashlib.sha256(data).hexdigest()}"', "X-Repo-Commit": COMMIT}
        )

    do_HEAD = do_GET


@pytest.fixture
def hub(monkeypatch, tmp_path):
    with serving(Hub, repos={}, lfs={}, private={}, asked=[], validated="") as own:
        monkeypatch.setenv("HF_ENDPOINT", own.url)
        monkeypatch.setenv("HF_TOKEN", "hf_test")
        # LFS instead of Xet, because a test can serve it
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
        yield own


def test_published_to_a_hub_and_loaded_from_there(
    hub, runs, data_of_runs, tmp_path, monkeypatch, capsys
):
    assert (
        main(
            [
                "checkpoint",
                "publish",
                "regnety-tiny.quick",
                "--runs_dir",
                str(runs[0]),
                "--hub",
                "org/net",
                "--private",
            ]
        )
        == 0
    )
    assert f"published: {hub.url}/org/net/commit/" in capsys.readouterr().out
    (entry,) = places.released()
    files = hub.repos["org/net"]
    assert (
        set(files) == {"README.md", "manifest.json", "records.jsonl", entry.file}
        and hub.private["org/net"] == "private"
    )
    home = tmp_path / "checkpoints"
    assert (
        files[entry.file] == (home / entry.file).read_bytes()
        and files["manifest.json"] == (home / "manifest.json").read_bytes()
    )
    page = files["README.md"].decode()  # the card beside the file, its commands by the hub's name
    assert page.startswith(front_matter(entry)) and 'name = "hf:org/net"' in page
    assert "`fastscale evaluate hf:org/net --data folder:PATH`" in page
    beside = (home / f"{entry.name}.md").read_text()
    assert page.count("\n") == (front_matter(entry) + beside).count("\n")
    assert (
        "license: mit\n" in hub.validated and "pipeline_tag: image-classification" in hub.validated
    )

    # another machine: no manifest, an empty cache
    monkeypatch.setenv("FASTSCALE_CHECKPOINTS", str(tmp_path / "another"))
    monkeypatch.setenv("FASTSCALE_DATA", str(tmp_path / "another-cache"))
    net, own = fs.load("hf:org/net"), fs.load(home / entry.file)
    assert all(torch.equal(v, own.state_dict()[k]) for k, v in net.state_dict().items())
    assert fs.load(f"hf:org/net@main:{entry.short}").arch == net.arch
    monkeypatch.setenv("FASTSCALE_OFFLINE", "1")
    asked = len(hub.asked)
    assert fs.load("hf:org/net").arch == net.arch and len(hub.asked) == asked


def test_wrong_content_of_a_hub_is_refused(hub, release, monkeypatch, tmp_path):
    entry, data = release()
    files = hub.repos["org/net"] = {
        "manifest.json": manifest_text([entry]).encode(),
        entry.file: data[:-4] + b"1234",
    }
    monkeypatch.setenv("FASTSCALE_CHECKPOINTS", str(tmp_path / "none"))

    def refused(what, message):
        with pytest.raises(InputError, match=message) as error:
            fs.load(what)
        assert "\n" not in str(error.value)

    refused("hf:org/net", "not the released file")
    refused("hf:org/none", "hf:org/none: cannot get manifest.json")
    refused("hf:org/net:other", "no checkpoint is named 'other'")
    refused("hf:../../etc", "is not a hub repository")
    refused("hf:org", "is not a hub repository")
    hub.repos["org/empty"] = {"manifest.json": manifest_text([]).encode()}
    refused("hf:org/empty", "holds no checkpoint")
    content = json.loads(files["manifest.json"])
    content["checkpoints"][0]["name"] = "../../../x-" + entry.sha256[:8]
    hub.repos["org/evil"] = {"manifest.json": json.dumps(content).encode()}
    refused("hf:org/evil", "never a path")
    monkeypatch.setenv("FASTSCALE_OFFLINE", "1")
    refused("hf:org/unseen", "and FASTSCALE_OFFLINE is set")


def test_too_large_a_file_is_not_downloaded(hub, release, monkeypatch, tmp_path):
    """Neither a manifest of gigabytes nor a file larger than its manifest says."""
    entry, data = release()
    files = hub.repos["org/net"] = {
        "manifest.json": manifest_text([entry]).encode(),
        entry.file: data + bytes(1),
    }
    monkeypatch.setenv("FASTSCALE_CHECKPOINTS", str(tmp_path / "none"))
    import huggingface_hub

    real, begun = huggingface_hub.hf_hub_download, []

    def download(repo, file, **more):
        begun.append(file)
        return real(repo, file, **more)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    wanted = f"is {len(data) + 1:,} bytes, wanted at most {len(data):,}"
    with pytest.raises(InputError, match=f"hf:org/net: {entry.file} {wanted}"):
        fs.load("hf:org/net")
    assert begun == ["manifest.json"]
    files["manifest.json"] += b" " * (16 << 20)
    with pytest.raises(InputError, match=r"manifest.json is 16,7.* bytes, wanted at most 16,777"):
        fs.load("hf:org/net")
    assert begun == ["manifest.json"]


def test_a_file_shorter_than_its_manifest_says_is_refused(hub, release, monkeypatch, tmp_path):
    entry, data = release()
    hub.repos["org/net"] = {
        "manifest.json": manifest_text([entry]).encode(),
        entry.file: data[:-8],
    }
    monkeypatch.setenv("FASTSCALE_CHECKPOINTS", str(tmp_path / "none"))
    with pytest.raises(
        InputError, match=f"is {len(data) - 8} bytes, its manifest says {len(data)}"
    ):
        fs.load("hf:org/net")


def test_offline_nothing_is_published_or_requested(
    hub, runs, data_of_runs, monkeypatch, tmp_path, capsys
):
    monkeypatch.setenv("FASTSCALE_OFFLINE", "1")
    own = ["regnety-tiny.quick", "--runs_dir", str(runs[0]), "--hub", "org/net"]
    assert main(["checkpoint", "publish", *own]) == 2
    err = capsys.readouterr().err
    assert err.splitlines() == ["error: hf:org/net: not published: FASTSCALE_OFFLINE is set"]
    assert not hub.asked and not hub.repos
    assert not list(tmp_path.glob("checkpoints/*"))  # refused before anything is written
    monkeypatch.delenv("FASTSCALE_OFFLINE")
    assert main(["checkpoint", "publish", *own]) == 0
    assert set(hub.repos) == {"org/net"}


def test_names_of_repositories():
    assert repository("org/net@v1.0") == ("org/net", "v1.0") and repository("org/net") == (
        "org/net",
        None,
    )
    for wrong in ("net", "a/b/c", "a/..", "a/b@", "a b/c"):
        with pytest.raises(InputError):
            repository(wrong)


def test_without_the_package_it_says_what_to_install(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(InputError, match=r"pip install -e '\.\[hub\]'"):
        fs.load("hf:org/net")
