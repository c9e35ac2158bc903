"""``python -m devstore``: serve the stores until SIGTERM or SIGINT."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from typing import TYPE_CHECKING

from werkzeug.serving import WSGIRequestHandler, make_server

from devstore.app import close, create_app
from devstore.options import from_args

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

    from werkzeug.serving import BaseWSGIServer


class QuietHandler(WSGIRequestHandler):
    """Speaks HTTP/1.1, so that connections stay open, and keeps requests (and the tokens in them) out of the log."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or a body would wait for the headers before it to be acknowledged: 40 ms

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Write nothing about a request that was answered."""


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until a signal; return the process's exit status. A port in use ends the process with a sentence."""
    options = from_args(argv)
    try:
        listener = socket.create_server((options.host, options.port))
    except OSError as error:
        print(f"devstore cannot listen on {options.origin}: {os.strerror(error.errno or 0)}.", file=sys.stderr)
        return 1
    app = create_app(options)
    with listener:
        server = make_server(
            options.host, options.port, app, threaded=True, request_handler=QuietHandler, fd=listener.fileno()
        )
    _stop_on_signals(server)
    print(f"devstore is at {options.origin}", flush=True)
    try:
        server.serve_forever()
    finally:
        server.server_close()
        close(app)
    return 0


def _stop_on_signals(server: BaseWSGIServer) -> None:
    def stop(_number: int, _frame: FrameType | None) -> None:
        # shutdown() waits for the loop that this handler interrupts, so another thread has to ask.
        threading.Thread(target=server.shutdown, daemon=True).start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)


if __name__ == "__main__":
    sys.exit(main())
