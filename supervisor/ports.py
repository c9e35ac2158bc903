"""TCP ports of the loopback interface."""

import socket

from supervisor.errors import CannotStart

LOOPBACK = "127.0.0.1"


def free_port() -> int:
    """Return a port of the loopback interface that nothing listens on at the moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def ensure_free(port: int, purpose: str) -> None:
    """Return when `port` can be listened on.

    Raises:
        CannotStart: another program listens there; the sentence names `purpose`.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port in TIME_WAIT is free for a server
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            message = (
                f"Port {port}, wanted for {purpose}, is in use by another program: stop it or choose another port."
            )
            raise CannotStart(message) from error
