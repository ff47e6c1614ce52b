"""A temporary server on 127.0.0.1."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Files(BaseHTTPRequestHandler):
    """Serves files as its server's attributes say.

    `files`: bytes by path, others are 404; `asked`: the (path, Range) of each request; `ranges`:
    whether it can resume; `drop`: bytes after which the next answer breaks off.
    """

    def do_GET(self) -> None:
        """Sends the file, or the requested rest of it."""
        server: Any = self.server
        span = self.headers.get("Range")
        server.asked.append((self.path, span))
        body = server.files.get(self.path)
        if body is None:
            return self.send_error(404)
        start = int(span.split("=")[1].rstrip("-")) if span and server.ranges else 0
        if start and start >= len(body):
            return self.send_error(416)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        stop, server.drop = start + (server.drop or len(body)), 0
        self.wfile.write(body[start:stop])


@contextmanager
def serving_files() -> Iterator[Any]:
    """A server of `Files`."""
    with serving(Files, files={}, asked=[], drop=0, ranges=True) as server:
        yield server


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler], **state: Any) -> Iterator[Any]:
    """A silent server with `.url` and the attributes that the handler uses as `self.server`."""
    quiet = type("Quiet", (handler,), {"log_message": lambda self, *args: None})
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), quiet)
    for name, value in {"url": f"http://127.0.0.1:{server.server_port}", **state}.items():
        setattr(server, name, value)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
