"""Jobs: compare what we hold with what Shopify holds and repair it, a slice of two seconds at a time, under a claim.

Every step asks Shopify first and then commits what it repaired together with how far it has come and with the lease.
A worker that is killed leaves nothing half done: when its lease has run out, another goes on after the last object.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from shopify_app import claims, reconcile, tenants
from shopify_app.claims import LeaseLost, Taken
from shopify_app.database import operations, tenant_work
from shopify_app.ingest import PayloadRejected
from shopify_app.jobs import slices
from shopify_app.jobs.queues import CHECK, PLAN_CHECK, READ_DETAILS, REFRESH
from shopify_app.jobs.repairs import Work, compare_page, count
from shopify_app.jobs.tokens import client_for
from shopify_app.models import Tenant
from shopify_app.reconcile import RESOURCES, Standing
from shopify_app.runtime import current
from shopify_app.shopify.errors import ShopifyError, Throttled

if TYPE_CHECKING:
    from collections.abc import Collection

log = structlog.get_logger(__name__)

SLICE = 2.0  # seconds; a webhook that comes meanwhile waits little longer than this
LONGEST_PAUSE = 2.0  # seconds slept for the rate limit; for more the check goes back to the queue
WAIT = timedelta(seconds=20)  # after a failure that may pass
MOST_ATTEMPTS = 8  # slices in a row that ended in a crash or an error of our own
MOST_STORES = 1000


def check_all() -> None:
    """Queue :func:`plan` for every store whose last check is long enough ago. Run every few minutes."""
    with operations() as session:
        found = reconcile.due(session, datetime.now(UTC), MOST_STORES)
    for tenant_id, mode in found:
        current().queues.nudge(PLAN_CHECK, tenant_id=tenant_id, mode=mode)


def plan(*, tenant_id: int, mode: str = "daily") -> None:
    """Plan a check of all of one store's resources. Lost, it is queued again: the store stays due."""
    begin(tenant_id, mode=mode)


def begin(
    tenant_id: int, *, mode: str, resources: Collection[str] = RESOURCES, since: datetime | None = None
) -> dict[str, int]:
    """Plan a check of one store's resources (see :func:`shopify_app.reconcile.start`), and return their ids."""
    with tenant_work(tenant_id) as session:
        granted = tenants.granted_scopes(session, tenant_id)
        now = datetime.now(UTC)
        return reconcile.start(session, tenant_id, granted, now, mode=mode, resources=resources, since=since)


def check(*, tenant_id: int, reconciliation_id: int) -> None:
    """Take a check's next steps; one that somebody else is at, or that is not due, is left alone."""
    taken = slices.take(claims.RECONCILE, tenant_id, reconciliation_id)
    if taken is None:
        return
    try:
        with slices.kept(taken):
            going_on = _advance(taken)
    except LeaseLost:
        log.warning("a check went on elsewhere", tenant_id=tenant_id, reconciliation_id=reconciliation_id)
    except ShopifyError as error:
        _after_refusal(taken, error)
    except PayloadRejected as error:
        _save(taken, reconcile.failed(_reread(taken), f"What Shopify answered could not be read: {error}"))
    except Exception as error:  # noqa: BLE001 - whatever it is, the merchant has to be told in the end
        slices.put_off(taken, error)
    else:
        if going_on:
            current().queues.nudge(CHECK, tenant_id=tenant_id, reconciliation_id=reconciliation_id)


def _advance(taken: Taken) -> bool:
    """Take steps until the check or the slice is over; return whether the next one is due now."""
    ends_at = time.monotonic() + SLICE
    with tenant_work(taken.tenant_id) as session:
        standing = reconcile.read(session, taken.tenant_id, taken.subject)
        granted = tenants.granted_scopes(session, taken.tenant_id)
        uninstalled = session.get_one(Tenant, taken.tenant_id).uninstalled_at is not None
        if standing is None or standing.finished:
            claims.withdraw(session, taken.kind, taken.tenant_id, taken.subject)
            return False
    if uninstalled:
        return _save(taken, reconcile.cancelled(standing, "The store has uninstalled the app."))
    if taken.attempts > MOST_ATTEMPTS:
        return _save(taken, reconcile.failed(standing, _stopped(taken)))
    return _work_on(taken, standing, granted, ends_at)


def _work_on(taken: Taken, standing: Standing, granted: frozenset[str], ends_at: float) -> bool:
    client = replace(client_for(taken.tenant_id), pause=_give_way)
    work = Work(taken, ends_at, client, granted)
    try:
        while not (standing.finished or work.over):
            standing = STEPS[standing.state](work, standing)
        return _save(taken, standing)
    finally:
        _follow_up(work)


def _give_way(seconds: float) -> None:
    """Sleep for a moment; what takes longer is left for later, so that nobody waits for this worker."""
    if seconds > LONGEST_PAUSE:
        raise Throttled("Shopify asks to wait.", retry_after=seconds)
    time.sleep(seconds)


def _follow_up(work: Work) -> None:
    """Begin at once what follows from repairs. Each is a claim, too."""
    if work.totals:
        current().queues.nudge(REFRESH, tenant_id=work.taken.tenant_id)
    if work.details:
        current().queues.nudge(READ_DETAILS, tenant_id=work.taken.tenant_id)


def _stopped(taken: Taken) -> str:
    cause = taken.error or "the worker process died"
    return f"It stopped {MOST_ATTEMPTS} times at the same place: {cause}."


def _save(taken: Taken, standing: Standing, *, due_in: timedelta = timedelta()) -> bool:
    """Record a slice and give the claim back, or remove it at the end; return whether the next one is due now."""
    now = datetime.now(UTC)
    with tenant_work(taken.tenant_id) as session:
        claims.postpone(session, taken, due_at=now + due_in)
        if standing.finished:
            claims.withdraw(session, taken.kind, taken.tenant_id, taken.subject)
        reconcile.write(session, standing, now)
    if standing.finished:
        log.info(
            "a check ended",
            resource=standing.resource,
            state=standing.state,
            checked=standing.compared,
            missing=standing.missing,
            stale=standing.stale,
            deleted=standing.deleted,
            error=standing.error,
        )
    return not (standing.finished or due_in)


def _after_refusal(taken: Taken, error: ShopifyError) -> None:
    """Wait where that may help, and give up otherwise: the clock plans another check."""
    standing = _reread(taken)
    if isinstance(error, Throttled):
        _save(taken, standing, due_in=timedelta(seconds=error.retry_after or WAIT.total_seconds()))
    elif error.retryable:
        wait = max(WAIT, timedelta(seconds=error.retry_after or 0))
        _save(taken, replace(standing, error=str(error)), due_in=wait)
    else:
        _save(taken, reconcile.failed(standing, str(error)))


def _reread(taken: Taken) -> Standing:
    with tenant_work(taken.tenant_id) as session:
        standing = reconcile.read(session, taken.tenant_id, taken.subject)
    if standing is None:
        raise LeaseLost
    return standing


STEPS: dict[str, Callable[[Work, Standing], Standing]] = {
    "changes": compare_page,
    "counting": count,
    "ids": compare_page,
}
