"""A server on 127.0.0.1 for as long as a test needs it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


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
