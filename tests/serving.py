"""A server on 127.0.0.1 for as long as a test needs it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Files(BaseHTTPRequestHandler):
    """`files`: bytes by path, others are 404; `asked`: (path, Range) seen; `ranges`: whether it can
    resume; `drop`: bytes after which the next answer breaks off."""

    def do_GET(self) -> None:
        """The file, or the rest of it that is asked for."""
        own: Any = self.server
        wanted = self.headers.get("Range")
        own.asked.append((self.path, wanted))
        body = own.files.get(self.path)
        if body is None:
            return self.send_error(404)
        start = int(wanted.split("=")[1].rstrip("-")) if wanted and own.ranges else 0
        if start and start >= len(body):
            return self.send_error(416)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        stop, own.drop = start + (own.drop or len(body)), 0
        self.wfile.write(body[start:stop])


@contextmanager
def serving_files() -> Iterator[Any]:
    """A server of `Files`."""
    with serving(Files, files={}, asked=[], drop=0, ranges=True) as own:
        yield own


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler], **state: Any) -> Iterator[Any]:
    """The server, with `.url` and what else the handler reads from and writes to `self.server`; it says nothing."""
    quiet = type("Quiet", (handler,), {"log_message": lambda self, *args: None})
    own: Any = ThreadingHTTPServer(("127.0.0.1", 0), quiet)
    for name, value in {"url": f"http://127.0.0.1:{own.server_port}", **state}.items():
        setattr(own, name, value)
    thread = threading.Thread(target=own.serve_forever)
    thread.start()
    try:
        yield own
    finally:
        own.shutdown()
        own.server_close()
        thread.join()
