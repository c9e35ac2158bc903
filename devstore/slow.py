"""A webhook over a slow network: silence after connecting, and a body that trickles in."""

from __future__ import annotations

import time
from http.client import HTTPConnection, HTTPSConnection
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

    from devstore.parcels import Parcel

PIECES = 20


def post(parcel: Parcel, connect_seconds: float, deadline: float, pause: Callable[[float], object]) -> int:
    """POST a parcel as slowly as its flaws say and return the status.

    ``deadline`` is one of ``time.monotonic()``; ``pause`` sleeps. Raises OSError (TimeoutError past the deadline) and
    ``http.client.HTTPException``.
    """
    uri = urlsplit(parcel.delivery.uri)
    kind = HTTPSConnection if uri.scheme == "https" else HTTPConnection
    connection = kind(uri.hostname or "", uri.port, timeout=connect_seconds)
    try:
        connection.connect()
        pause(parcel.delivery.flaws.silence)
        _send(connection, parcel, pause)
        connection.sock.settimeout(max(deadline - time.monotonic(), 0.001))
        with connection.getresponse() as response:
            response.read()
            return response.status
    finally:
        connection.close()


def _send(connection: HTTPConnection, parcel: Parcel, pause: Callable[[float], object]) -> None:
    connection.putrequest("POST", parcel.path, skip_accept_encoding=True)
    for name, value in {**parcel.headers, "Content-Length": str(len(parcel.body))}.items():
        connection.putheader(name, value)
    connection.endheaders()
    step = -(-len(parcel.body) // PIECES) or 1
    for start in range(0, len(parcel.body), step):
        pause(parcel.delivery.flaws.dribble / PIECES)
        connection.send(parcel.body[start : start + step])
