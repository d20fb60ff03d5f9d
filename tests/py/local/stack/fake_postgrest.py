"""Stands where a PostgREST would: serves HTTP as its environment says, and tells what it was given.

Real PostgREST is a program of the outside world that these tests cannot fetch; this one answers
every request with what came in and with the variables it was started with.
"""

from __future__ import annotations

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    """Answers every method alike."""

    def _tell(self) -> None:
        length = int(self.headers.get("content-length", 0))
        told = {
            "method": self.command,
            "path": self.path,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "body": self.rfile.read(length).decode(),
            "environment": {k: v for k, v in os.environ.items() if k.startswith("PG")},
        }
        body = json.dumps(told).encode()
        self.send_response(206, "Partial Content")
        self.send_header("Content-Range", "0-0/2")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PATCH = do_PUT = do_DELETE = _tell  # noqa: N815 - http.server's


ThreadingHTTPServer(
    (os.environ["PGRST_SERVER_HOST"], int(os.environ["PGRST_SERVER_PORT"])), Handler
).serve_forever()
