"""Job: bring a backfill forward, a slice of a few seconds at a time, under its claim's lease.

Every step calls Shopify first and then commits what it learnt together with the lease. A worker that is killed
leaves nothing half done: when its lease has run out, another goes on from the byte the last batch ended at.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import structlog
from sqlalchemy.exc import DBAPIError

from shopify_app import backfill, claims, ingest
from shopify_app.backfill import Standing
from shopify_app.claims import LeaseLost, Taken
from shopify_app.database import operations, tenant_work
from shopify_app.jobs import details
from shopify_app.jobs.faults import describe
from shopify_app.jobs.queues import ADVANCE, REFRESH, TICK
from shopify_app.jobs.tokens import client_for
from shopify_app.models import Tenant
from shopify_app.runtime import current
from shopify_app.shopify import bulk, exports
from shopify_app.shopify.details import order_details
from shopify_app.shopify.errors import BulkFileExpired, ShopifyError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

    from shopify_app.ingest import Outcome

log = structlog.get_logger(__name__)

LEASE = timedelta(seconds=15)  # how long a killed worker keeps others away
ASKING_LEASE = timedelta(seconds=60)  # starting an export may wait for the rate limit, and must not happen twice
SLICE = 2.0  # seconds; a webhook that comes meanwhile waits no longer than this
BATCH = 2500  # lines a transaction
GATHERING = 5.0  # seconds; a slow download must not outlast the lease
SHORTEST_POLL, LONGEST_POLL = timedelta(seconds=2), timedelta(seconds=60)
WAIT = timedelta(seconds=20)  # after a failure that may pass
ORDERS_POLL = timedelta(seconds=30)  # refunds are woken when the orders are done; this is for when that is lost
MOST_ATTEMPTS = 8  # steps in a row that ended in a crash or an error of our own

NOW = timedelta()


@dataclass(frozen=True)
class Work:
    """A backfill that is ours for now; ``ends_at`` is the end of the slice on the monotonic clock."""

    taken: Taken
    standing: Standing
    ends_at: float


def advance(*, tenant_id: int, backfill_id: int) -> None:
    """Take the backfill's next steps; a backfill that somebody else is at, or that is not due, is left alone."""
    ends_at = time.monotonic() + SLICE
    moving = True
    while moving and time.monotonic() < ends_at:
        moving = _step(tenant_id, backfill_id, ends_at)
    if moving:
        current().queues.nudge(ADVANCE, tenant_id=tenant_id, backfill_id=backfill_id)


def _step(tenant_id: int, backfill_id: int, ends_at: float) -> bool:
    """Take one step; return whether the next one can follow at once."""
    taken = _take(tenant_id, backfill_id)
    if taken is None:
        return False
    try:
        return _move(taken, ends_at)
    except LeaseLost:
        log.warning("a backfill went on elsewhere", tenant_id=tenant_id, backfill_id=backfill_id)
        return False
    except ShopifyError as error:
        return _after_refusal(taken, error)
    except ingest.PayloadRejected as error:
        sentence = f"A line of Shopify's export could not be read: {error}"
        return _save(taken, backfill.failed(_reread(taken), sentence))
    except Exception as error:  # noqa: BLE001 - whatever it is, the merchant has to be told in the end
        return _after_crash(taken, error)


def _take(tenant_id: int, backfill_id: int) -> Taken | None:
    with operations() as session:
        kinds, now = (claims.BACKFILL,), datetime.now(UTC)
        taken = claims.take(session, kinds, 1, now, LEASE, tenant_id=tenant_id, subject=backfill_id)
    return taken[0] if taken else None


def _move(taken: Taken, ends_at: float) -> bool:
    with tenant_work(taken.tenant_id) as session:
        standing = backfill.read(session, taken.tenant_id, taken.subject)
        uninstalled = session.get_one(Tenant, taken.tenant_id).uninstalled_at is not None
        if standing is None or standing.finished:
            claims.withdraw(session, taken.kind, taken.tenant_id, taken.subject)
            return False
    if uninstalled:
        return _save(taken, backfill.cancelled(standing, "The store has uninstalled the app."))
    if taken.attempts > MOST_ATTEMPTS:
        return _save(taken, backfill.failed(standing, _stopped(taken)))
    steps = REFUND_STEPS if standing.resource == "refunds" else STEPS
    return steps[standing.state](Work(taken, standing, ends_at))


def _stopped(taken: Taken) -> str:
    cause = taken.error or "the worker process died"
    return f"It stopped {MOST_ATTEMPTS} times at the same place: {cause}."


# ── the steps of a bulk export ──────────────────────────────────────────────────────────────────────────────────────


def _request(work: Work) -> bool:
    client = client_for(work.taken.tenant_id)
    with tenant_work(work.taken.tenant_id) as session:
        claims.hold(session, work.taken, now=datetime.now(UTC), lease_for=ASKING_LEASE)
    operation_id = bulk.run(client, exports.EXPORTS[work.standing.resource])
    return _save(work.taken, backfill.requested(work.standing, operation_id))


def _poll(work: Work) -> bool:
    standing = backfill.polled(work.standing, _operation(work))
    return _save(work.taken, standing, due_in=_until_poll(standing) if standing.state == "running" else NOW)


def _until_poll(standing: Standing) -> timedelta:
    """Return when to look again: soon after the start, and seldom at an export that runs for hours."""
    age = datetime.now(UTC) - standing.started_at if standing.started_at else NOW
    return min(max(age / 10, SHORTEST_POLL), LONGEST_POLL)


def _load(work: Work) -> bool:
    """Read on in the file, batch after batch, until it ends or the slice does."""
    operation = _operation(work)
    standing = backfill.polled(work.standing, operation)
    if standing.state != "loading" or operation.url is None:
        return _save(work.taken, standing)
    lines = bulk.lines(current().http, operation.url, standing.byte_offset)
    while batch := _gather(lines):
        standing = _write_lines(work.taken, standing, batch)
        if time.monotonic() >= work.ends_at:
            return _pause(work.taken, standing)
    _pause(work.taken, replace(standing, state="verifying"))
    return True


def _verify(work: Work) -> bool:
    return _save(work.taken, backfill.verified(work.standing))


def _operation(work: Work) -> bulk.Operation:
    return bulk.status(client_for(work.taken.tenant_id), str(work.standing.operation_id))


def _gather(lines: Iterator[tuple[bytes, int]]) -> list[tuple[bytes, int]]:
    ends_at = time.monotonic() + GATHERING
    batch: list[tuple[bytes, int]] = []
    for line in lines:
        batch.append(line)
        if len(batch) >= BATCH or time.monotonic() >= ends_at:
            break
    return batch


def _write_lines(taken: Taken, standing: Standing, batch: list[tuple[bytes, int]]) -> Standing:
    now = datetime.now(UTC)
    with tenant_work(taken.tenant_id) as session:
        tenant = _enter(session, taken, now)
        lines = [line for line, _ in batch]
        key = ingest.tombstone_key(current().config.secret_key)
        outcome = ingest.apply_bulk_lines(session, tenant, standing.resource, lines, standing.id, now, key)
        after = backfill.loaded(standing, lines=len(batch), rows=outcome.rows_written, byte_offset=batch[-1][1])
        _record(session, after, outcome, now)
    return after


# ── the steps of refunds, which no export holds ─────────────────────────────────────────────────────────────────────


def _await_orders(work: Work) -> bool:
    standing = work.standing
    with tenant_work(standing.tenant_id) as session:
        orders = backfill.sibling(session, standing, "orders")
        total = backfill.count_orders_to_detail(session, standing.tenant_id)
    if orders is None or orders.state == "done":
        return _save(work.taken, replace(standing, state="loading", objects_total=total))
    if orders.finished:
        return _save(work.taken, backfill.failed(standing, f"The orders could not be read first: {orders.error}"))
    return _save(work.taken, standing, due_in=ORDERS_POLL)


def _read_details(work: Work) -> bool:
    standing = work.standing
    client = client_for(standing.tenant_id)
    while ids := _ids_after(standing):
        standing = _write_details(work.taken, standing, ids, order_details(client, ids))
        if time.monotonic() >= work.ends_at:
            return _pause(work.taken, standing)
    _pause(work.taken, replace(standing, state="done", objects_total=standing.objects_read))
    return False


def _ids_after(standing: Standing) -> list[int]:
    with tenant_work(standing.tenant_id) as session:
        after = int(standing.cursor or 0)
        return backfill.orders_to_detail(session, standing.tenant_id, after=after, limit=details.AT_ONCE)


def _write_details(taken: Taken, standing: Standing, ids: list[int], nodes: list[dict[str, object]]) -> Standing:
    now = datetime.now(UTC)
    with tenant_work(taken.tenant_id) as session:
        outcome = ingest.apply_order_details(session, _enter(session, taken, now), nodes, now)
        after = backfill.detailed(standing, orders=ids, rows=outcome.rows_written)
        _record(session, after, outcome, now)
    return after


# ── what steps share ────────────────────────────────────────────────────────────────────────────────────────────────


def _enter(session: Session, taken: Taken, now: datetime) -> Tenant:
    """Begin a batch's transaction: take turns with other writers, and renew the lease or stop here."""
    claims.write_alone(session, taken.tenant_id)
    claims.hold(session, taken, now=now, lease_for=LEASE)
    return session.get_one(Tenant, taken.tenant_id)


def _record(session: Session, standing: Standing, outcome: Outcome, now: datetime) -> None:
    backfill.write(session, standing, now)
    if outcome.days:
        claims.put(session, claims.ROLLUPS, standing.tenant_id, due_at=now)


def _pause(taken: Taken, standing: Standing) -> bool:
    """End a slice of loading, and have the totals show what came."""
    going_on = _save(taken, standing)
    current().queues.nudge(REFRESH, tenant_id=taken.tenant_id)
    return going_on


def _save(taken: Taken, standing: Standing, *, due_in: timedelta = NOW) -> bool:
    """Record a step and give the claim back, or remove it at the end; return whether the next step is due now."""
    now = datetime.now(UTC)
    with tenant_work(taken.tenant_id) as session:
        claims.postpone(session, taken, due_at=now + due_in)
        if standing.finished:
            claims.withdraw(session, taken.kind, taken.tenant_id, taken.subject)
        backfill.write(session, standing, now)
    if standing.finished:
        log.info("a backfill ended", backfill=standing.resource, state=standing.state, error=standing.error)
        current().queues.nudge(TICK)  # refunds may have waited for this
    return not (standing.finished or due_in)


def _after_refusal(taken: Taken, error: ShopifyError) -> bool:
    """Wait where that may help, ask for the export anew where its file is gone, and give up otherwise."""
    standing = _reread(taken)
    if error.retryable:
        wait = max(WAIT, timedelta(seconds=error.retry_after or 0))
        return _save(taken, replace(standing, error=str(error)), due_in=wait)
    if isinstance(error, BulkFileExpired):
        return _save(taken, backfill.troubled(standing, str(error)))
    return _save(taken, backfill.failed(standing, str(error)))


def _after_crash(taken: Taken, error: Exception) -> bool:
    """Try again later; the claim counts how often, and :func:`_move` gives up."""
    reason = describe(error)
    trace = None if isinstance(error, DBAPIError) else error
    log.error("a backfill's step failed", backfill_id=taken.subject, reason=reason, exc_info=trace)
    with operations() as session:
        claims.postpone(session, taken, due_at=datetime.now(UTC) + WAIT, error=reason)
    return False


def _reread(taken: Taken) -> Standing:
    with tenant_work(taken.tenant_id) as session:
        standing = backfill.read(session, taken.tenant_id, taken.subject)
    if standing is None:
        raise LeaseLost
    return standing


Step = Callable[[Work], bool]
STEPS: dict[str, Step] = {
    "planned": _request,
    "requested": _poll,
    "running": _poll,
    "loading": _load,
    "verifying": _verify,
}
REFUND_STEPS: dict[str, Step] = {"planned": _await_orders, "loading": _read_details}
