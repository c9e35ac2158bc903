"""Bulk operations: a query run over the whole store in the background, its rows in a JSONL file behind a signed URL.

Up to five run at a time for a store. The file is ungrouped unless asked otherwise: a child comes after its parent,
other rows between them. Operations are kept with the store, so one that was running when the process ended is run
again at the next start.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from devstore import installs, payloads
from devstore.bulk_files import CANCELABLE, OPERATION, RUNNING, Operation, RefusedError, aged, path
from devstore.graphql import access, bulk_rules, walker
from devstore.graphql.context import Context
from devstore.graphql.schema import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import BinaryIO

    from devstore.graphql.walker import Row, Selection
    from devstore.state import Devstore, Store

MOST_RUNNING = 5
CHECKPOINTS = 10  # how often in a run its counts are published and a cancellation is noticed
APART = 3  # how many parents are written before the children of the first of them

log = structlog.get_logger()


class CanceledError(Exception):
    """The app cancelled the operation while it ran."""


class AccessDeniedError(Exception):
    """The app lacks a scope the query needs."""


class Runner:
    """The bulk operations of one devstore. Each runs in a thread of its own."""

    def __init__(self, devstore: Devstore) -> None:
        """Take up what was running when the last process ended."""
        self._devstore = devstore
        for store in devstore.stores:
            self._recover(store)

    def _recover(self, store: Store) -> None:
        for operation in store.all(OPERATION, Operation).values():
            if operation.status == "CANCELING":
                self._end(store, operation.id, status="CANCELED")
            elif operation.status in RUNNING:
                self._launch(store, operation)

    def start(self, store: Store, query: str, version: str, *, grouped: bool) -> Operation:
        """Start an operation; raises ``RefusedError`` for a query that cannot run in bulk or one too many."""
        try:
            bulk_rules.check(SCHEMA, query)
        except bulk_rules.InvalidQueryError as error:
            raise RefusedError(error.messages, "INVALID", ["query"]) from error
        with store.lock:
            running = [one for one in self.all(store) if one.status in RUNNING]
            if len(running) >= MOST_RUNNING:
                message = "Bulk operations limit reached. Please try again later."
                raise RefusedError((message,), "LIMIT_REACHED", None)
            operation = Operation(
                id=store.next_id(), query=query, version=version, grouped=grouped, created_at=store.now()
            )
            self._save(store, operation)
        self._launch(store, operation)
        return operation

    def cancel(self, store: Store, number: int) -> Operation | None:
        """Begin to cancel an operation; None when it is over or already being cancelled."""
        with store.lock:
            operation = self.find(store, number)
            if operation is None or operation.status not in CANCELABLE:
                return None
            return self._change(store, number, status="CANCELING")

    def find(self, store: Store, number: int) -> Operation | None:
        """Return an operation by number."""
        operation = store.load(OPERATION, str(number), Operation)
        return aged(operation, store.now()) if operation else None

    def all(self, store: Store) -> list[Operation]:
        """Return the operations of a store, oldest first."""
        return [aged(one, store.now()) for one in store.all(OPERATION, Operation).values()]

    def _save(self, store: Store, operation: Operation) -> None:
        store.save(OPERATION, str(operation.id), operation)

    def _change(self, store: Store, number: int, **values: Any) -> Operation:  # noqa: ANN401 (an operation's attributes)
        """Change some attributes of an operation, as it is now, in one step; raises KeyError when it is gone."""
        with store.lock:
            operation = store.load(OPERATION, str(number), Operation)
            if operation is None:
                raise KeyError(number)
            changed = msgspec.structs.replace(operation, **values)
            self._save(store, changed)
        return changed

    def _launch(self, store: Store, operation: Operation) -> None:
        name = f"bulk-{operation.id}"
        threading.Thread(target=self._run, args=(store, operation), name=name, daemon=True).start()

    def _run(self, store: Store, operation: Operation) -> None:
        """Run one operation to its end, whatever that is, and announce it."""
        try:
            values = self._export(store, operation)
        except CanceledError:
            values = {"status": "CANCELED"}
        except AccessDeniedError:
            values = {"status": "FAILED", "error_code": "ACCESS_DENIED"}
        except Exception:
            log.exception("bulk operation failed", operation=operation.id, shop=store.domain)
            values = {"status": "FAILED", "error_code": "INTERNAL_SERVER_ERROR"}
        self._end(store, operation.id, **values)

    def _end(self, store: Store, number: int, **values: Any) -> None:  # noqa: ANN401 (an operation's attributes)
        """Keep the end of an operation and send ``bulk_operations/finish``."""
        now = store.now()
        with store.lock:
            over = self._change(store, number, completed_at=now, **values)
            if over.status == "CANCELED":
                path(self._devstore, over).unlink(missing_ok=True)
        name = f"gid://shopify/BulkOperation/{number}"
        body = payloads.bulk_finish_body(store, name, over.created_at, now, error_code=over.error_code)
        body["status"] = over.status.lower()
        self._devstore.deliveries.emit(store, "bulk_operations/finish", body)

    def _export(self, store: Store, operation: Operation) -> dict[str, Any]:
        """Write the file of an operation and return how it ended."""
        self._begin(store, operation)
        context, selection = self._prepared(store, operation)
        target = path(self._devstore, operation)
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as file:
            counts = self._write(file, store, operation, _roots(selection, context))
        size = target.stat().st_size
        return {"status": "COMPLETED", "file_size": size, **counts}

    def _begin(self, store: Store, operation: Operation) -> None:
        """Move an operation to RUNNING, unless it was cancelled before it began."""
        with store.lock:
            held = self.find(store, operation.id)
            if held is None or held.status == "CANCELING":
                raise CanceledError
            self._change(store, operation.id, status="RUNNING", object_count=0, root_object_count=0)

    def _prepared(self, store: Store, operation: Operation) -> tuple[Context, Selection]:
        """Return what the rows are read with; raises ``AccessDeniedError`` where a scope is missing."""
        document, types = bulk_rules.check(SCHEMA, operation.query)
        installation = installs.installation(store)
        if installation is None:
            raise AccessDeniedError
        context = Context(self._devstore, store, installation, operation.version, self)
        if access.lacking(context, types):
            raise AccessDeniedError
        return context, walker.compile_query(SCHEMA, document)

    def _write(
        self, file: BinaryIO, store: Store, operation: Operation, roots: list[Callable[[], list[Row]]]
    ) -> dict[str, int]:
        """Write all rows; at every checkpoint publish the counts, pause, and stop if the operation was cancelled."""
        seconds = float(getattr(self._devstore.options, "bulk_seconds", 0.5))
        every = max(len(roots) // CHECKPOINTS, 1)
        counts = {"object_count": 0, "root_object_count": 0}
        encode = msgspec.json.Encoder().encode
        families = (read() for read in roots)
        for number, rows in enumerate(families if operation.grouped else _apart(families), start=1):
            file.writelines(encode(row) + b"\n" for row in rows)
            counts["object_count"] += len(rows)
            counts["root_object_count"] = min(number, len(roots))
            if number % every == 0:
                self._checkpoint(store, operation.id, counts)
                time.sleep(seconds / CHECKPOINTS)
        return counts

    def _checkpoint(self, store: Store, number: int, counts: dict[str, int]) -> None:
        with store.lock:
            if self._change(store, number, **counts).status == "CANCELING":
                raise CanceledError


def _roots(selection: Selection, context: Context) -> list[Callable[[], list[Row]]]:
    """Return a reader per root object: its row first, then those of everything below it."""
    readers: list[Callable[[], list[Row]]] = []
    for branch in selection.branches:
        readers += [_reader(branch.nodes, item, context) for item in branch.sources(None, context)]
    return readers


def _reader(nodes: Selection, item: object, context: Context) -> Callable[[], list[Row]]:
    def read() -> list[Row]:
        with context.store.lock:
            row = nodes.row(item, context)
            return [row, *(nodes.children(item, context, row["id"]) if nodes.branches else ())]

    return read


def _apart(families: Iterable[list[Row]]) -> Iterator[list[Row]]:
    """Yield the same rows ungrouped: children some parents after their own, mixed with the children of the next."""
    waiting: deque[list[Row]] = deque()
    for family in families:
        parent, *children = family
        waiting.append(children)
        yield [parent, *(_mixed(waiting.popleft(), waiting.popleft()) if len(waiting) > APART else ())]
    rest = list(waiting)
    yield [row for index in range(0, len(rest), 2) for row in _mixed(*rest[index : index + 2])]


def _mixed(left: list[Row], right: list[Row] | None = None) -> list[Row]:
    """Take rows from two lists in turn."""
    pairs = zip_longest(left, right or [])
    return [row for pair in pairs for row in pair if row is not None]
