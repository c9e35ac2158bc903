"""Shopify as far as loading a finished export needs it: the state of the operation, and its file over HTTP.

Run as a process of its own, so that what it takes is nobody's who is measured. An operation's id ends in the name of
its file.
"""

from __future__ import annotations

import argparse
import json
import re
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

LINES_AN_ORDER = 4
_RANGE = re.compile(r"bytes=(\d+)-")


class Storage(BaseHTTPRequestHandler):
    """Serves the files of a directory, named for the number of their lines, and tells of operations that wrote them."""

    protocol_version = "HTTP/1.1"

    def __init__(self, *arguments: object, directory: Path, **keywords: object) -> None:
        """Serve a request."""
        self.directory = directory
        super().__init__(*arguments, **keywords)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        """Send a file from the byte that is asked for."""
        path = self.directory / self.path.lstrip("/")
        size = path.stat().st_size
        asked = _RANGE.fullmatch(self.headers.get("Range", ""))
        first = int(asked[1]) if asked else 0
        if asked and first >= size:
            self._head(416, 0, {"Content-Range": f"bytes */{size}"})
            return
        span = {"Content-Range": f"bytes {first}-{size - 1}/{size}"}
        self._head(206 if asked else 200, size - first, span if asked else {})
        with path.open("rb") as file:
            self.connection.sendfile(file, first)

    def do_POST(self) -> None:
        """Answer a query for a bulk operation; of anything else nothing is known."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        known = "bulkOperation(" in body["query"]
        answer = {"data": {"bulkOperation": self._operation(body["variables"]["id"]) if known else None}}
        text = json.dumps(answer).encode()
        self._head(200, len(text), {"Content-Type": "application/json"})
        self.wfile.write(text)

    def log_message(self, *_message: object) -> None:
        """Keep quiet."""

    def _operation(self, number: str) -> dict[str, object]:
        name = number.rpartition("/")[2]
        return {
            "id": number,
            "status": "COMPLETED",
            "errorCode": None,
            "objectCount": name,
            "rootObjectCount": str(int(name) // LINES_AN_ORDER),
            "fileSize": str((self.directory / name).stat().st_size),
            "url": f"http://{self.headers['Host']}/{name}",
            "partialDataUrl": None,
        }

    def _head(self, status: int, length: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(length)}.items():
            self.send_header(name, value)
        self.end_headers()


def main() -> None:
    """Serve until killed; a reader that goes away in the middle is nothing to speak of."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("port", type=int)
    arguments = parser.parse_args()
    server = ThreadingHTTPServer(("127.0.0.1", arguments.port), partial(Storage, directory=arguments.directory))
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    server.serve_forever()


if __name__ == "__main__":
    main()
