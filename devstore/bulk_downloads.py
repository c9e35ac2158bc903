"""The storage behind the signed addresses of bulk operations: ranges, and the ways in which a download goes wrong.

A file is what was written of it and, after that, the lines of generated orders, which are made as they are sent.
"""

from __future__ import annotations

import socket
import time
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
from flask import Response, request

from devstore.bulk_files import formula_path, path
from devstore.faults_bulk import NO_BULK_FAULTS
from devstore.multitude_file import Formula

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from devstore.bulk_files import Operation
    from devstore.faults_bulk import BulkFaults
    from devstore.state import Devstore

PIECE = 1 << 18
GZIP = 16 + zlib.MAX_WBITS
PARTIAL_CONTENT, NOT_SATISFIABLE = 206, 416


@dataclass(frozen=True)
class Source:
    """The bytes of an operation's file."""

    written: Path
    formula: Formula | None

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return self.written.stat().st_size + (self.formula.size if self.formula else 0)

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the bytes from ``start`` to before ``stop``."""
        held = self.written.stat().st_size
        with self.written.open("rb") as file:
            file.seek(start)
            while start < min(stop, held):
                piece = file.read(min(PIECE, stop - start))
                start += len(piece)
                yield piece
        if self.formula and start < stop:
            yield from self.formula.read(start - held, stop - held)


def answer(devstore: Devstore, operation: Operation) -> Response:
    """Answer the current request for an operation's file, as its faults will have it."""
    earlier = devstore.troubles.count_download(operation.id)
    faulty = operation.faults.downloads is None or earlier < operation.faults.downloads
    faults = operation.faults if faulty else NO_BULK_FAULTS
    if faults.download_status:
        return Response("The storage is not in the mood.", faults.download_status, mimetype="text/plain")
    source = _source(devstore, operation)
    return _zipped(source, faults) if faults.gzip else _ranged(source, faults)


def hang_up(connection: socket.socket | None) -> None:
    """Close the connection of a request under it."""
    if connection is not None:
        connection.shutdown(socket.SHUT_RDWR)


def _source(devstore: Devstore, operation: Operation) -> Source:
    kept = formula_path(devstore, operation)
    formula = msgspec.msgpack.decode(kept.read_bytes(), type=Formula) if kept.exists() else None
    return Source(path(devstore, operation).resolve(), formula)


def _ranged(source: Source, faults: BulkFaults) -> Response:
    """Answer with the range that was asked for, or with all."""
    size = source.size
    wanted = None if faults.ignore_range else request.range
    start, stop = 0, size
    if wanted is not None:
        found = wanted.range_for_length(size)
        if found is None:
            headers = {"Content-Range": f"bytes */{size}"}
            return Response(status=NOT_SATISFIABLE, headers=headers)
        start, stop = found
    response = Response(_troubled(source.read(start, stop), faults), mimetype="application/jsonl")
    response.headers["Accept-Ranges"] = "bytes"
    response.headers["Content-Length"] = str(stop - start)
    if wanted is not None:
        response.status_code = PARTIAL_CONTENT
        response.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    return response


def _zipped(source: Source, faults: BulkFaults) -> Response:
    """Answer with all of it, compressed."""
    zipped = _compressed(source.read(0, source.size))
    return Response(_troubled(zipped, faults), mimetype="application/jsonl", headers={"Content-Encoding": "gzip"})


def _compressed(pieces: Iterable[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(wbits=GZIP)
    for piece in pieces:
        yield packer.compress(piece)
    yield packer.flush()


def _troubled(pieces: Iterable[bytes], faults: BulkFaults) -> Iterator[bytes]:
    """Return what comes through before the connection closes or falls silent."""
    return _cut_off(pieces, faults, request.environ.get("werkzeug.socket"))


def _cut_off(pieces: Iterable[bytes], faults: BulkFaults, connection: socket.socket | None) -> Iterator[bytes]:
    ends = [at for at in (faults.break_after, faults.freeze_after) if at is not None]
    if not ends:
        yield from pieces
        return
    left = min(ends)
    for piece in pieces:
        yield piece[:left]
        left -= len(piece)
        if left <= 0:
            break
    if left > 0:
        return
    if faults.break_after is None or min(ends) < faults.break_after:
        time.sleep(faults.freeze_seconds)
    hang_up(connection)
    raise ConnectionAbortedError("the download was to break off")
