"""Servers that are busy, slow, wrong or hostile, and no server with FASTSCALE_OFFLINE set."""

import hashlib
import time
from http.server import BaseHTTPRequestHandler

import numpy as np
import pytest

from fastscale.data import download as module
from fastscale.data import source
from fastscale.data.download import download
from fastscale.errors import InputError
from tests.serving import serving

BODY = np.random.default_rng(0).bytes(300_000)
SHA256 = hashlib.sha256(BODY).hexdigest()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        own = self.server
        own.asked.append((self.path, self.headers.get("Range"), self.headers.get("Authorization")))
        own.does(self)

    def send(self, body, length, code=200):
        self.send_response(code)
        self.send_header("Content-Length", length)
        self.end_headers()
        self.wfile.write(body)

    def rest(self):
        wanted = self.headers.get("Range")
        start = int(wanted.split("=")[1].rstrip("-")) if wanted else 0
        self.send(BODY[start:], str(len(BODY) - start), 206 if wanted else 200)


@pytest.fixture
def server(monkeypatch):
    for name, value in (("TIMEOUT", 0.4), ("BACK_OFF", (0.05, 0.05)), ("FLOOR_TIME", 0.5)):
        monkeypatch.setattr(module, name, value)
    with serving(Handler, asked=[], does=Handler.rest) as own:
        yield own


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
def test_a_busy_server_is_tried_again(server, tmp_path, lines, code):
    def busy(h):
        h.send_error(code) if len(h.server.asked) < 3 else h.rest()

    server.does = busy
    got = download([f"{server.url}/a"], tmp_path / "a", sha256=SHA256, say=lines)
    assert got.read_bytes() == BODY and len(server.asked) == 3


@pytest.mark.parametrize("code, tries", [(503, 3), (404, 1), (403, 1)])
def test_a_server_that_stays_busy_is_given_up(server, tmp_path, lines, code, tries):
    server.does = lambda h: h.send_error(code, "a\x1b[31mb")
    with pytest.raises(InputError, match=f"{code}") as e:
        download([f"{server.url}/a"], tmp_path / "a", sha256=SHA256, say=lines)
    assert len(server.asked) == tries and "\x1b" not in str(e.value) and "\n" not in str(e.value)


def test_bytes_before_a_timeout_are_kept(server, tmp_path, lines):
    def stalls(h):
        if len(h.server.asked) > 1:
            return h.rest()
        h.send(BODY[:1234], str(len(BODY)))
        h.wfile.flush()
        time.sleep(0.8)

    server.does = stalls
    download([f"{server.url}/a"], tmp_path / "a", sha256=SHA256, say=lines)
    assert [r for _, r, _ in server.asked] == [None, "bytes=1234-"]
    assert (tmp_path / "a").read_bytes() == BODY


@pytest.mark.parametrize("part", ["body", "headers"])
def test_a_server_of_two_bytes_a_second_ends_in_one_line(server, tmp_path, lines, part):
    def drips(h):
        if part == "body":
            h.send(b"", str(len(BODY)))
        for _ in range(40):
            try:
                h.wfile.write(b"H")
                h.wfile.flush()
            except OSError:
                return
            time.sleep(0.1)

    server.does = drips
    start = time.monotonic()
    with pytest.raises(InputError, match=r"fewer than 65,536 bytes|no answer in time") as e:
        download([f"{server.url}/a"], tmp_path / "a", sha256=SHA256, say=lines)
    assert time.monotonic() - start < 8 and "\n" not in str(e.value)


@pytest.mark.parametrize("length", ["abc", "-5", "1e9", "9" * 40, ""])
def test_an_invalid_content_length_is_ignored(server, tmp_path, lines, length):
    server.does = lambda h: h.send(BODY, length)
    got = download([f"{server.url}/a"], tmp_path / "a", sha256=SHA256, say=lines)
    assert got.read_bytes() == BODY


def test_passwords_are_used_and_never_shown(server, tmp_path, lines):
    server.does = lambda h: h.send_error(401)
    url = server.url.replace("//", "//me:se%40cret@")
    with pytest.raises(InputError) as e:
        download(
            [f"{url}/a", f"{url.replace('http', 'nope')}/a"],
            tmp_path / "a",
            sha256=SHA256,
            say=lines,
        )
    assert server.asked[0][2] == "Basic bWU6c2VAY3JldA=="
    assert not any("cret" in text or "me:" in text for text in (str(e.value), *lines))


@pytest.mark.parametrize("elsewhere", [True, False])
def test_a_password_does_not_follow_to_another_host(server, tmp_path, lines, elsewhere):
    with serving(Handler, asked=[], does=Handler.rest) as other:

        def sent_on(h):
            if h.path == "/b":
                return h.rest()
            h.send_response(302)
            h.send_header("Location", f"{other.url if elsewhere else server.url}/b")
            h.end_headers()

        server.does = sent_on
        url = server.url.replace("//", "//me:secret@")
        got = download([f"{url}/a"], tmp_path / "a", sha256=SHA256, say=lines)
        assert got.read_bytes() == BODY
        (_, _, told), *more = server.asked + other.asked
        assert told == "Basic bWU6c2VjcmV0"
        assert [(path, login) for path, _, login in more] == [("/b", None if elsewhere else told)]


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:port/a", "http:///a", "nonsense", "http://[/a", "http://me:secret@[/a"],
)
def test_an_invalid_url_is_one_line(tmp_path, lines, server, url):
    with pytest.raises(InputError, match="could not fetch a") as e:
        download([url], tmp_path / "a", sha256=SHA256, say=lines)
    assert "\n" not in str(e.value) and "secret" not in str(e.value)


def test_a_link_in_place_of_the_part_is_not_followed(server, tmp_path, lines):
    (tmp_path / "victim").write_text("mine")
    (tmp_path / "a.part").symlink_to(tmp_path / "victim")
    download([f"{server.url}/a"], tmp_path / "a", sha256=SHA256, say=lines)
    assert (tmp_path / "victim").read_text() == "mine"
    assert not (tmp_path / "a").is_symlink() and (tmp_path / "a").read_bytes() == BODY


@pytest.mark.parametrize("spec", ["fashion-mnist", "cifar10", "imagenette"])
def test_offline_means_no_connection(spec, lines, monkeypatch, tmp_path):
    from fastscale.data import fashion_mnist

    monkeypatch.setenv("FASTSCALE_OFFLINE", "1")
    monkeypatch.setattr(fashion_mnist, "INSTALLED", tmp_path / "none")
    monkeypatch.setattr(
        fashion_mnist.subprocess, "run", lambda *a, **k: pytest.fail("apt was asked")
    )
    monkeypatch.setattr(module, "_answer", lambda *a, **k: pytest.fail("asked"))
    with pytest.raises(InputError, match="FASTSCALE_OFFLINE is set"):
        source(spec).fetch(lines)
