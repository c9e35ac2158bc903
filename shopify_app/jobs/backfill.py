"""Job: bring a backfill forward, a slice of a few seconds at a time, under its claim's lease.

Every step calls Shopify first and then commits what it learnt together with the lease. A worker that is killed
leaves nothing half done: when its lease has run out, another goes on from the byte the last batch ended at.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from shopify_app import backfill, claims, ingest, tenants
from shopify_app.backfill import Standing
from shopify_app.claims import LeaseLost, Taken
from shopify_app.database import tenant_work
from shopify_app.jobs import loading, proof, refunds, slices
from shopify_app.jobs.queues import ADVANCE, REFRESH, TICK
from shopify_app.jobs.slices import Work
from shopify_app.jobs.tokens import client_for
from shopify_app.models import Tenant
from shopify_app.runtime import current
from shopify_app.shopify import approval, bulk, exports, scopes
from shopify_app.shopify.errors import BulkFileExpired, BulkRefused, NotApproved, ShopifyError

if TYPE_CHECKING:
    from shopify_app.shopify.client import AdminClient

log = structlog.get_logger(__name__)

SLICE = 2.0  # seconds; a webhook that comes meanwhile waits no longer than this, nor another store's history
SHORTEST_POLL, LONGEST_POLL = timedelta(seconds=2), timedelta(seconds=60)
SHORTEST_WAIT, LONGEST_WAIT = timedelta(seconds=10), timedelta(minutes=10)  # for what may pass
SKEW = timedelta(minutes=1)  # between Shopify's clock and ours
MOST_ATTEMPTS = 8  # steps in a row that ended in a crash or an error of our own

NOW = timedelta()


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
    taken = slices.take(claims.BACKFILL, tenant_id, backfill_id)
    if taken is None:
        return False
    try:
        with slices.kept(taken):
            return _step_safely(Work(taken, ends_at))
    except LeaseLost:
        log.warning("a backfill went on elsewhere", tenant_id=tenant_id, backfill_id=backfill_id)
    except Exception as error:  # noqa: BLE001 - whatever it is, the merchant has to be told in the end
        slices.put_off(taken, error)
    return False


def _step_safely(work: Work) -> bool:
    """Take one step, or draw the consequence of what Shopify answered instead."""
    try:
        return _move(work)
    except ShopifyError as error:
        return _save(work.taken, *_after_refusal(_reread(work.taken), error))
    except ingest.PayloadRejected as error:
        sentence = f"A line of Shopify's export could not be read: {error}."
        return _save(work.taken, backfill.again(_reread(work.taken), sentence), NOW)


def _move(work: Work) -> bool:
    taken = work.taken
    with tenant_work(taken.tenant_id) as session:
        standing = backfill.read(session, taken.tenant_id, taken.subject)
        uninstalled = session.get_one(Tenant, taken.tenant_id).uninstalled_at is not None
        if standing is None or standing.finished:
            claims.withdraw(session, taken.kind, taken.tenant_id, taken.subject)
            return False
    if uninstalled:
        return _save(taken, backfill.cancelled(standing, "The store has uninstalled the app."), NOW)
    if standing.cancel_asked_at is not None:
        return _save(taken, _cancel(standing), NOW)
    if taken.attempts > MOST_ATTEMPTS:
        return _save(taken, backfill.failed(standing, _stopped(taken)), NOW)
    steps = REFUND_STEPS if standing.resource == "refunds" else STEPS
    after, due_in = steps[standing.state](work, standing)
    if after.rows_written > standing.rows_written:
        current().queues.nudge(REFRESH, tenant_id=taken.tenant_id)
    return _save(taken, after, due_in)


def _stopped(taken: Taken) -> str:
    cause = taken.error or "the worker process died"
    return f"It stopped {MOST_ATTEMPTS} times at the same place: {cause}. Tell whoever runs Storelens, and sync again."


# ── the steps of a bulk export ──────────────────────────────────────────────────────────────────────────────────────


def _request(work: Work, standing: Standing) -> tuple[Standing, timedelta]:
    """Ask for the window's export. One that was asked for when a worker died may have begun: it is looked for first."""
    client, now = client_for(standing.tenant_id), datetime.now(UTC)
    document = exports.document(standing.resource, standing.window.since, standing.window.until)
    operation_id = bulk.started(client, document, standing.asked_at - SKEW) if standing.asked_at else None
    if operation_id is None:
        if standing.window.splits == 0:
            standing = replace(standing, note=_note(client, standing))
        standing = replace(standing, asked_at=now)
        _note_asking(work, standing, now)
        operation_id = bulk.run(client, document)
    return backfill.requested(standing, operation_id, now), NOW


def _note(client: AdminClient, standing: Standing) -> str | None:
    """Return what Shopify will leave out of the export without a word, or None."""
    with tenant_work(standing.tenant_id) as session:
        granted = tenants.granted_scopes(session, standing.tenant_id)
    sixty = standing.resource == "orders" and scopes.missing(granted, ["read_all_orders"])
    fields = approval.unapproved(client, standing.resource)
    notes = [*([backfill.SIXTY_DAYS] if sixty else []), *([str(NotApproved(fields))] if fields else [])]
    return " ".join(notes) or None


def _note_asking(work: Work, standing: Standing, now: datetime) -> None:
    with tenant_work(standing.tenant_id) as session:
        slices.enter(session, work.taken, now)
        backfill.write(session, standing, now)


def _poll(_work: Work, standing: Standing) -> tuple[Standing, timedelta]:
    client, now = client_for(standing.tenant_id), datetime.now(UTC)
    standing = backfill.polled(standing, bulk.status(client, str(standing.operation_id)), now)
    if standing.state != "running":
        return standing, NOW
    if standing.ended_as is None:
        return standing, _until_poll(standing, now)
    _call_off(client, str(standing.operation_id))
    return backfill.ended(standing, _first(client, standing, now), now), NOW


def _until_poll(standing: Standing, now: datetime) -> timedelta:
    """Return when to look again: soon after the start, and seldom at an export that runs for hours."""
    age = now - standing.asked_at if standing.asked_at else NOW
    return min(max(age / 10, SHORTEST_POLL), LONGEST_POLL)


def _load(work: Work, standing: Standing) -> tuple[Standing, timedelta]:
    """Read on in the file; at the end of a part of one, the rest is asked for."""
    client, now = client_for(standing.tenant_id), datetime.now(UTC)
    operation = bulk.status(client, str(standing.operation_id))
    standing = backfill.polled(standing, operation, now)
    if standing.state != "loading":
        return standing, NOW
    if url := operation.url or operation.partial_url:
        standing, over = loading.load(work, standing, url)
        if not over:
            return standing, NOW
    if standing.ended_as is None:
        return replace(standing, state="verifying"), NOW
    return backfill.ended(standing, _first(client, standing, now), now), NOW


def _first(client: AdminClient, standing: Standing, now: datetime) -> datetime:
    """Return a moment before which nothing in the window was changed."""
    return standing.window.since or bulk.oldest(client, standing.resource) or now


def _cancel(standing: Standing) -> Standing:
    """End what Shopify still does for it, if that can be had, and say how far it came."""
    if standing.state in {"requested", "running"}:
        try:
            _call_off(client_for(standing.tenant_id), str(standing.operation_id))
        except ShopifyError as error:
            log.warning("an export goes on unwanted", operation=standing.operation_id, reason=str(error))
    return backfill.stopped(standing)


def _call_off(client: AdminClient, operation_id: str) -> None:
    try:
        bulk.cancel(client, operation_id)
    except BulkRefused as error:
        log.info("an export had ended before it was cancelled", operation=operation_id, reason=str(error))


# ── what steps share ────────────────────────────────────────────────────────────────────────────────────────────────


def _save(taken: Taken, standing: Standing, due_in: timedelta) -> bool:
    """Record a step and give the claim back, or remove it at the end; return whether the next step is due now."""
    now = datetime.now(UTC)
    with tenant_work(taken.tenant_id) as session:
        claims.write_alone(session, taken.tenant_id)
        claims.postpone(session, taken, due_at=now + due_in)
        if standing.finished:
            claims.withdraw(session, taken.kind, taken.tenant_id, taken.subject)
        backfill.write(session, standing, now)
    if standing.finished:
        log.info("a backfill ended", backfill=standing.resource, state=standing.state, error=standing.error)
        current().queues.nudge(TICK)  # refunds may have waited for this
    return not (standing.finished or due_in)


def _after_refusal(standing: Standing, error: ShopifyError) -> tuple[Standing, timedelta]:
    """Wait where that may help, ask for the export anew where its file is gone, and give up otherwise."""
    if isinstance(error, BulkFileExpired):
        return backfill.again(standing, str(error)), NOW
    if isinstance(error, BulkRefused):
        standing = replace(standing, asked_at=None)  # nothing has begun that one would have to look for
    said = backfill.NO_PLACE if isinstance(error, BulkRefused) and error.retryable else str(error)
    if not error.retryable:
        return backfill.refused(standing, str(error), error.advice), NOW
    now = datetime.now(UTC)
    hindered = backfill.hindered(standing, said, now)
    waited = now - hindered.troubled_at if hindered.troubled_at else NOW
    wait = min(max(waited / 2, SHORTEST_WAIT), LONGEST_WAIT)
    return hindered, max(wait, timedelta(seconds=error.retry_after or 0))


def _reread(taken: Taken) -> Standing:
    with tenant_work(taken.tenant_id) as session:
        standing = backfill.read(session, taken.tenant_id, taken.subject)
    if standing is None:
        raise LeaseLost
    return standing


Step = Callable[[Work, Standing], tuple[Standing, timedelta]]
STEPS: dict[str, Step] = {
    "planned": _request,
    "requested": _poll,
    "running": _poll,
    "loading": _load,
    "verifying": proof.verify,
}
REFUND_STEPS: dict[str, Step] = {"planned": refunds.await_orders, "loading": refunds.read_details}
