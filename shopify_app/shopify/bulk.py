"""Bulk operations: start a query over a store's whole history, watch it, and read its file as a stream of lines.

https://shopify.dev/docs/api/usage/bulk-operations/queries
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import httpx
import msgspec
import structlog

from shopify_app.shopify import exports, wire
from shopify_app.shopify.errors import BulkFileExpired, BulkRefused, ShopifyError, Unavailable
from shopify_app.shopify.scalars import instant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from shopify_app.shopify.client import AdminClient

Status = Literal["CREATED", "RUNNING", "COMPLETED", "FAILED", "CANCELING", "CANCELED", "EXPIRED"]

RUN = """
mutation RunBulkOperation($query: String!) {
  bulkOperationRunQuery(query: $query, groupObjects: false) {
    bulkOperation { id status }
    userErrors { field message code }
  }
}
"""
STATUS = """
query BulkOperation($id: ID!) {
  bulkOperation(id: $id) { id status errorCode objectCount rootObjectCount fileSize url partialDataUrl }
}
"""
CANCEL = """
mutation CancelBulkOperation($id: ID!) {
  bulkOperationCancel(id: $id) {
    bulkOperation { id status }
    userErrors { field message }
  }
}
"""

STARTED = """
query BulkOperationsOf($query: String!) {
  bulkOperations(first: 20, query: $query) { nodes { id status query } }
}
"""

FRUITLESS_ATTEMPTS = 3  # connections in a row that brought no further line
# A download that has stopped holds a worker for so many seconds, that many times.
DOWNLOAD_TIMEOUT = httpx.Timeout(10.0, connect=5.0)
LONGEST_LINE = 10 * 2**20  # bytes, far more than any object has; without an end a file would fill the memory
OK, PARTIAL, NOT_SATISFIABLE = 200, 206, 416
GONE = frozenset({400, 403, 404, 410})  # how a storage host refuses an address whose signature has expired

log = structlog.get_logger(__name__)


class LineTooLong(ShopifyError):
    """A result file has a line longer than ``LONGEST_LINE``."""

    advice = "No object of Shopify's is that large: tell whoever runs Storelens."

    def __init__(self, offset: int) -> None:
        super().__init__(f"The line at byte {offset} of Shopify's export is longer than {LONGEST_LINE // 2**20} MB.")


@dataclass(frozen=True, kw_only=True)
class Operation:
    """A bulk operation. ``file_size`` in bytes; ``url`` is None while it runs and when there are no rows.

    ``partial_url`` holds what a failed operation had written. Both addresses are good for seven days.
    """

    id: str
    status: Status
    error_code: str | None
    object_count: int
    root_object_count: int
    file_size: int | None
    url: str | None
    partial_url: str | None


def run(client: AdminClient, document: str) -> str:
    """Start ``document`` as a bulk query and return the operation's id (``gid://shopify/BulkOperation/…``).

    Raises:
        BulkRefused: Shopify did not start it; retryable while the store runs as many as it may.
        ShopifyError: any other failure; an :class:`AnswerLost` operation may be running all the same.
    """
    payload = client.execute(RUN, {"query": document})["bulkOperationRunQuery"]
    _raise_user_errors(payload)
    return str(payload["bulkOperation"]["id"])


def started(client: AdminClient, document: str, since: datetime) -> str | None:
    """Return the id of an operation of ``document`` that was started since then and is under way, or None.

    A mutation whose answer was lost may have started one.
    """
    nodes = client.execute(STARTED, {"query": f"created_at:>='{instant(since)}'"})["bulkOperations"]["nodes"]
    mine = (node for node in nodes if node["query"] == document and node["status"] in {"CREATED", "RUNNING"})
    return next((str(node["id"]) for node in mine), None)


def oldest(client: AdminClient, resource: str) -> datetime | None:
    """Return when the first of a resource's objects was last changed, or, of checkouts, made; None without any."""
    nodes = client.execute(exports.oldest(resource))["oldest"]["nodes"]
    return msgspec.convert(nodes[0]["at"], datetime) if nodes else None


def status(client: AdminClient, operation_id: str) -> Operation:
    """Return where the operation stands.

    Raises:
        BulkRefused: Shopify knows no such operation.
    """
    node = client.execute(STATUS, {"id": operation_id})["bulkOperation"]
    if node is None:
        raise BulkRefused(f"Shopify knows no bulk operation {operation_id}.")
    return Operation(
        id=node["id"],
        status=node["status"],
        error_code=node["errorCode"],
        object_count=int(node["objectCount"]),
        root_object_count=int(node["rootObjectCount"]),
        file_size=None if node["fileSize"] is None else int(node["fileSize"]),
        url=node["url"],
        partial_url=node["partialDataUrl"],
    )


def cancel(client: AdminClient, operation_id: str) -> None:
    """Ask Shopify to stop the operation; it passes through CANCELING.

    Raises:
        BulkRefused: it is unknown or has ended already.
    """
    _raise_user_errors(client.execute(CANCEL, {"id": operation_id})["bulkOperationCancel"])


def lines(
    http: wire.Http, url: str, offset: int = 0, *, pause: Callable[[float], None] = time.sleep
) -> Iterator[tuple[bytes, int]]:
    """Yield each line of a result file from byte ``offset`` on, without its newline, and the byte after it.

    ``offset`` is 0 or such a byte. A broken download goes on where the last whole line ended.

    Raises:
        BulkFileExpired: the address is no longer good.
        LineTooLong: the file has a line that would not be held.
        Unavailable: the download broke several times in a row without progress.
    """
    fruitless = 0
    while True:
        try:
            for line, end in _download(http, url, offset):
                offset, fruitless = end, 0
                if line:
                    yield line, end
        except Unavailable as error:
            fruitless += 1
            if fruitless >= FRUITLESS_ATTEMPTS:
                raise
            log.info("shopify.bulk_resumed", offset=offset, reason=str(error))
        else:
            return
        pause(min(2.0**fruitless, 10.0) / 4)


def _download(http: wire.Http, url: str, offset: int) -> Iterator[tuple[bytes, int]]:
    """Yield lines of one connection. Without compression, so that the file's bytes are the bytes counted."""
    headers = {"Accept-Encoding": "identity", "Range": f"bytes={offset}-"}
    with wire.translated(), http.stream("GET", url, headers=headers, timeout=DOWNLOAD_TIMEOUT) as response:
        if response.status_code == NOT_SATISFIABLE:
            return  # nothing lies behind the offset: all of the file has been read
        surplus = _bytes_before(response, offset)
        yield from _split(response.iter_raw(), offset, surplus)


def _bytes_before(response: httpx.Response, offset: int) -> int:
    """Return how many bytes the response sends before the one asked for: all of them when it ignored the range.

    Raises:
        BulkFileExpired: the address is no longer good.
        Unavailable: the response is not the file's bytes from that offset.
    """
    if response.status_code in GONE:
        raise BulkFileExpired(f"The result file is gone (Shopify's storage answered {response.status_code}).")
    if response.status_code not in {OK, PARTIAL}:
        response.read()
        raise wire.refusal(response)
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise Unavailable("The result file came compressed although it was asked for as it is.")
    if response.status_code == OK:
        return offset
    if not response.headers.get("Content-Range", "").startswith(f"bytes {offset}-"):
        raise Unavailable("The result file came from another byte than was asked for.")
    return 0


def _split(chunks: Iterator[bytes], offset: int, surplus: int) -> Iterator[tuple[bytes, int]]:
    begun: list[bytes] = []  # a line whose end has not come yet, put together once it has
    held = 0
    for chunk in chunks:
        wanted, surplus = chunk[surplus:], max(0, surplus - len(chunk))
        first, *others = wanted.split(b"\n")
        begun.append(first)
        held += len(first)
        if held > LONGEST_LINE:
            raise LineTooLong(offset)
        if others:
            *whole, rest = [b"".join(begun), *others]
            begun, held = [rest], len(rest)
            for line in whole:
                offset += len(line) + 1
                yield line, offset
    if held:
        yield b"".join(begun), offset + held


def _raise_user_errors(payload: dict[str, Any]) -> None:
    errors: Sequence[dict[str, Any]] = payload["userErrors"]
    if errors:
        codes = [error["code"] for error in errors if error.get("code")]
        raise BulkRefused("; ".join(error["message"] for error in errors), codes)
