"""Bulk operations: a query run over the whole store in the background, its rows in a JSONL file behind a signed URL.

Up to five run at a time for a store. The file is ungrouped unless asked otherwise: a child comes after its parent,
other rows between them. Operations are kept with the store, so one that was running when the process ended is run
again at the next start. What goes wrong with them on purpose is ``devstore.faults_bulk``'s.
"""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from devstore import bulk_rows, installs, multitude_file, payloads
from devstore.bulk_files import CANCELABLE, OPERATION, RUNNING, Operation, RefusedError, aged, formula_path, path
from devstore.bulk_writer import EndedError, StalledError, Writer
from devstore.faults_bulk import ROOTS
from devstore.graphql import access, bulk_rules, walker
from devstore.graphql.context import Context
from devstore.graphql.resources import ORDERS
from devstore.graphql.schema import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Callable

    from devstore.graphql.walker import Selection
    from devstore.multitude_file import Formula
    from devstore.state import Devstore, Store

MOST_RUNNING = 5
CHECKPOINTS = 10  # how often in a run its counts are published
NAP = 0.2  # seconds between two looks whether a waiting operation was cancelled
REFUSALS = {
    "OPERATION_IN_PROGRESS": "A bulk query operation for this app and shop is already in progress.",
    "LIMIT_REACHED": "Bulk operations limit reached. Please try again later.",
    "INVALID": "Invalid bulk query: the query could not be processed.",
}

log = structlog.get_logger()


class CanceledError(Exception):
    """The app cancelled the operation while it ran."""


class AccessDeniedError(Exception):
    """The app lacks a scope the query needs."""


class Pace:
    """Lets a run over so many root objects take its time, and tells of its progress."""

    def __init__(self, roots: int, seconds: float, checkpoint: Callable[[float], None]) -> None:
        """Call ``checkpoint`` with seconds to wait, again and again."""
        self._roots, self._done, self._passed = max(roots, 1), 0, 0
        self._points = max(CHECKPOINTS, math.ceil(seconds))
        self._seconds = seconds / self._points
        self._checkpoint = checkpoint

    def advance(self, roots: int) -> None:
        """Take note that so many more root objects are written."""
        self._done += roots
        due = min(self._done * self._points // self._roots, self._points)
        if due > self._passed:
            self._checkpoint((due - self._passed) * self._seconds)
            self._passed = due

    def finish(self) -> None:
        """Let what is left of the time pass."""
        if self._passed < self._points:
            self.advance(self._roots - self._done)


class Runner:
    """The bulk operations of one devstore. Each runs in a thread of its own."""

    def __init__(self, devstore: Devstore) -> None:
        """Take up what was running when the last process ended."""
        self._devstore = devstore
        self._stalled: set[int] = set()
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
            document, _ = bulk_rules.check(SCHEMA, query)
        except bulk_rules.InvalidQueryError as error:
            raise RefusedError(error.messages, "INVALID", ["query"]) from error
        faults = self._devstore.troubles.for_operation(store, ROOTS.get(bulk_rules.first_root(document)))
        if faults.refuse:
            field = ["query"] if faults.refuse == "INVALID" else None
            raise RefusedError((REFUSALS[faults.refuse],), faults.refuse, field)
        with store.lock:
            running = [one for one in self.all(store) if one.status in RUNNING]
            if len(running) >= MOST_RUNNING:
                raise RefusedError((REFUSALS["LIMIT_REACHED"],), "LIMIT_REACHED", None)
            operation = Operation(
                id=store.next_id(),
                query=query,
                version=version,
                grouped=grouped,
                created_at=store.now(),
                faults=faults,
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
            canceling = self._change(store, number, status="CANCELING")
            if number in self._stalled:
                self._stalled.remove(number)
                threading.Thread(target=self._end, args=(store, number), kwargs={"status": "CANCELED"}).start()
            return canceling

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
        except StalledError:
            return
        except CanceledError:
            values = {"status": "CANCELED"}
        except EndedError as ended:
            values = ended.values
        except AccessDeniedError:
            values = {"status": "FAILED", "error_code": "ACCESS_DENIED"}
        except multitude_file.NoRangeError:
            log.warning("generated orders are exported by times, ids and what their patterns share")
            values = {"status": "FAILED", "error_code": "INTERNAL_SERVER_ERROR"}
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
                formula_path(self._devstore, over).unlink(missing_ok=True)
        if over.faults.no_finish:
            return
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
            writer = Writer(file, operation.faults)
            generated = self._write(writer, operation, selection, context)
        size = target.stat().st_size + generated
        return {"status": "COMPLETED", "file_size": size, **writer.counts}

    def _begin(self, store: Store, operation: Operation) -> None:
        """Move an operation to RUNNING, unless it was cancelled before it began."""
        with store.lock:
            held = self.find(store, operation.id)
            if held is None or held.status == "CANCELING":
                raise CanceledError
            self._change(store, operation.id, status="RUNNING", object_count=0, root_object_count=0)

    def _prepared(self, store: Store, operation: Operation) -> tuple[Context, Selection]:
        """Return what the rows are read with; raises ``AccessDeniedError`` where a scope or an approval is missing."""
        document, types = bulk_rules.check(SCHEMA, operation.query)
        installation = installs.installation(store)
        if installation is None:
            raise AccessDeniedError
        unapproved = frozenset(self._devstore.troubles.api(store)[0].unapproved)
        context = Context(self._devstore, store, installation, operation.version, self, unapproved=unapproved)
        if access.lacking(context, types):
            raise AccessDeniedError
        try:
            return context, walker.compile_query(SCHEMA, document, unapproved)
        except walker.UnapprovedError as error:
            raise AccessDeniedError from error

    def _write(self, writer: Writer, operation: Operation, selection: Selection, context: Context) -> int:
        """Write all rows in the operation's time; return the bytes that are not written but made by formulas."""
        readers = bulk_rows.roots(selection, context)
        formula = self._formula(operation, selection, context)
        faults, store = operation.faults, context.store
        seconds = getattr(self._devstore.options, "bulk_seconds", 0.5) if faults.seconds is None else faults.seconds

        def checkpoint(wait: float) -> None:
            self._checkpoint(store, operation.id, writer.counts)
            self._wait(store, operation.id, wait)

        pace = Pace(len(readers) + (formula.orders if formula else 0), float(seconds), checkpoint)
        try:
            families = (read() for read in readers)
            writer.write(bulk_rows.ordered(families, faults, grouped=operation.grouped), pace.advance)
            if formula:
                writer.multiply(formula, lambda kept: self._keep(operation, kept), pace.advance)
        except EndedError as ended:
            raise EndedError(**ended.values, **writer.counts) from ended
        except StalledError:
            self._stall(store, operation.id, writer.counts)
            raise
        pace.finish()
        return formula.size if formula else 0

    def _formula(self, operation: Operation, selection: Selection, context: Context) -> Formula | None:
        """Return the formula of the generated orders that a query finds, None where there are none of either."""
        for branch in selection.branches:
            if branch.name == "orders":
                with context.store.lock:
                    chosen = ORDERS.generated(context, branch.query)
                    made = chosen and multitude_file.formula(
                        chosen, branch.nodes, context, operation.faults, grouped=operation.grouped
                    )
                return made if made and made.orders else None
        return None

    def _keep(self, operation: Operation, formula: Formula) -> None:
        formula_path(self._devstore, operation).write_bytes(msgspec.msgpack.encode(formula))

    def _checkpoint(self, store: Store, number: int, counts: dict[str, int]) -> None:
        with store.lock:
            if self._change(store, number, **counts).status == "CANCELING":
                raise CanceledError

    def _wait(self, store: Store, number: int, seconds: float) -> None:
        """Let time pass, in naps between which a cancellation is noticed."""
        naps = max(math.ceil(seconds / NAP), 1)
        for _ in range(naps):
            time.sleep(seconds / naps)
            self._checkpoint(store, number, {})

    def _stall(self, store: Store, number: int, counts: dict[str, int]) -> None:
        """Leave an operation running for good; cancelling it ends it."""
        with store.lock:
            self._checkpoint(store, number, counts)
            self._stalled.add(number)
