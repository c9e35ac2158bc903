"""Bulk operations as they are kept with their store, and the signed addresses of their results."""

from __future__ import annotations

import hmac
import secrets
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import msgspec

from devstore.faults_bulk import NO_BULK_FAULTS, BulkFaults

if TYPE_CHECKING:
    from pathlib import Path

    from devstore.state import Devstore, Store

OPERATION = "bulk_operation"
FILE_KEY = "bulk_file_key"
RUNNING = frozenset({"CREATED", "RUNNING", "CANCELING"})
CANCELABLE = frozenset({"CREATED", "RUNNING"})
URL_LIFETIME = timedelta(days=7)


class RefusedError(Exception):
    """An operation that was not started: user errors with one ``code``, all on ``field``."""

    def __init__(self, messages: tuple[str, ...], code: str, field: list[str] | None) -> None:
        """Keep what the answer says."""
        super().__init__("; ".join(messages))
        self.messages = messages
        self.code = code
        self.field = field


class Operation(msgspec.Struct, kw_only=True):
    """A bulk query operation as it is kept with its store; ``file_size`` is in bytes, ``faults`` what befalls it."""

    id: int
    query: str
    version: str
    grouped: bool
    created_at: datetime
    status: str = "CREATED"
    error_code: str | None = None
    completed_at: datetime | None = None
    object_count: int = 0
    root_object_count: int = 0
    file_size: int | None = None
    faults: BulkFaults = NO_BULK_FAULTS


def aged(operation: Operation, now: datetime) -> Operation:
    """Show an operation whose files are no longer kept as expired."""
    seconds = operation.faults.expire_after
    lifetime = URL_LIFETIME if seconds is None else timedelta(seconds=seconds)
    if operation.status == "COMPLETED" and operation.completed_at and now >= operation.completed_at + lifetime:
        return msgspec.structs.replace(operation, status="EXPIRED")
    return operation


def path(devstore: Devstore, operation: Operation) -> Path:
    """Return where the rows of an operation are kept."""
    return devstore.options.data / "bulk" / f"{operation.id}.jsonl"


def formula_path(devstore: Devstore, operation: Operation) -> Path:
    """Return where the formula is kept by which the rows after those of :func:`path` are made."""
    return path(devstore, operation).with_suffix(".formula")


def url(devstore: Devstore, store: Store, operation: Operation) -> str | None:
    """Return the address of the result: None before the end, after a week, and for a result without rows."""
    if operation.status != "COMPLETED" or not operation.object_count:
        return None
    return _signed(devstore, store, operation)


def partial_url(devstore: Devstore, store: Store, operation: Operation) -> str | None:
    """Return the address of what a failed operation had written; None when there is nothing."""
    if operation.status != "FAILED" or not operation.object_count or operation.faults.partial == "none":
        return None
    return _signed(devstore, store, operation)


def _signed(devstore: Devstore, store: Store, operation: Operation) -> str | None:
    if operation.completed_at is None:
        return None
    expires = int((operation.completed_at + URL_LIFETIME).timestamp())
    seconds, faulty = operation.faults.url_seconds, operation.faults.downloads
    if seconds is not None and (faulty is None or devstore.troubles.downloads(operation.id) < faulty):
        # The clock shows whole seconds: one more, so that the address lasts at least as long as it was given.
        expires = int(store.now().timestamp()) + seconds + bool(seconds)
    query = urlencode({"expires": expires, "signature": _signature(store, operation.id, expires)})
    return f"{devstore.options.origin}/stores/{store.domain}/bulk/{operation.id}.jsonl?{query}"


def is_signed(store: Store, number: int, expires: str, signature: str) -> bool:
    """Tell whether an address was made by :func:`url` and has not run out."""
    if not expires.isdecimal() or int(expires) <= store.now().timestamp():
        return False
    return hmac.compare_digest(_signature(store, number, int(expires)).encode(), signature.encode())


def _signature(store: Store, number: int, expires: int) -> str:
    """Sign an address with a key the store keeps to itself."""
    with store.lock:
        key = store.load(FILE_KEY, "key", str) or secrets.token_hex(32)
        store.save(FILE_KEY, "key", key)
    return hmac.new(key.encode(), f"{store.domain}/{number}/{expires}".encode(), sha256).hexdigest()
