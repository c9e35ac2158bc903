"""A Shopify that says what a test tells it to, over real sockets, and remembers what it was asked."""

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Asked:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Reply:
    """What to answer.

    ``cut_after`` closes the connection after so many bytes of the body; ``delay`` is in seconds, ``trickle`` in
    seconds between two bytes.
    """

    body: bytes | str | dict[str, Any] = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    cut_after: int | None = None
    trickle: float = 0.0

    @property
    def content(self) -> bytes:
        if isinstance(self.body, dict):
            return json.dumps(self.body).encode()
        return self.body.encode() if isinstance(self.body, str) else self.body


@dataclass
class Scripted:
    """Answers with `replies` in their order, then with `otherwise`."""

    replies: list[Reply] = field(default_factory=list)
    otherwise: Callable[[Asked], Reply] = lambda _asked: Reply(status=599, body="nothing left to say")
    asked: list[Asked] = field(default_factory=list)
    url: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, asked: Asked) -> Reply:
        with self.lock:
            self.asked.append(asked)
            if self.replies:
                return self.replies.pop(0)
        return self.otherwise(asked)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that hang up, as those under test do; show anything else."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def scripted_server() -> Iterator[Scripted]:
    script = Scripted()
    server = _Server(("127.0.0.1", 0), _handler(script))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    script.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield script
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _pieces(content: bytes, size: int) -> Iterator[bytes]:
    return (content[at : at + size] for at in range(0, len(content), size or 1))


def _handler(script: Scripted) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # a body does not wait for its headers to be acknowledged

        def do_POST(self) -> None:
            self._respond()

        def do_GET(self) -> None:
            self._respond()

        def _respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            reply = script.answer(Asked(self.command, self.path, dict(self.headers.items()), body))
            time.sleep(reply.delay)
            try:
                self._send(reply)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        def _send(self, reply: Reply) -> None:
            content = reply.content
            self.send_response(reply.status)
            for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            content = content if reply.cut_after is None else content[: reply.cut_after]
            for piece in _pieces(content, 1 if reply.trickle else len(content)):
                self.wfile.write(piece)
                time.sleep(reply.trickle)
            if reply.cut_after is not None:
                self.close_connection = True

        def log_message(self, *_arguments: object) -> None:
            """Say nothing: pytest shows what failed."""

    return Handler
