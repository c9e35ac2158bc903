"""Job: do what a compliance request asks for, under its claim's lease; it is tried until it is done."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import structlog
from sqlalchemy.exc import DBAPIError

from shopify_app import claims, ingest, privacy, rollups
from shopify_app.claims import LeaseLost
from shopify_app.database import operations, tenant_work
from shopify_app.jobs.faults import describe
from shopify_app.models import Tenant
from shopify_app.privacy import Verdict
from shopify_app.runtime import current
from shopify_app.shopify import compliance
from shopify_app.shopify.compliance import CustomerRedact, DataRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

    from shopify_app.claims import Taken
    from shopify_app.privacy import Open

LEASE = timedelta(seconds=180)  # as long as a job may run
WHILE_DELIVERIES_WAIT = timedelta(seconds=30)
WHILE_INSTALLED = timedelta(hours=1)  # an uninstall makes the request due at once
FIRST_BACKOFF, LONGEST_BACKOFF = timedelta(seconds=10), timedelta(hours=1)

log = structlog.get_logger(__name__)


def fulfil(*, tenant_id: int, request_id: int) -> None:
    """Do one request; does nothing unless its claim is due, so it may be queued any number of times."""
    with operations() as session:
        kinds, now = (claims.PRIVACY,), datetime.now(UTC)
        taken = claims.take(session, kinds, 1, now, LEASE, tenant_id=tenant_id, subject=request_id)
    for claim in taken:
        _attempt(claim)


def _attempt(taken: Taken) -> None:
    try:
        _fulfil(taken, datetime.now(UTC))
    except LeaseLost:
        log.warning("a privacy request was done elsewhere", request_id=taken.subject)
    except Exception as error:  # noqa: BLE001 - whatever it is, the law's deadline stays, so it is tried again
        _put_off(taken, error)


def _fulfil(taken: Taken, now: datetime) -> None:
    with tenant_work(taken.tenant_id) as session:
        claims.write_alone(session, taken.tenant_id)
        claims.hold(session, taken, now=now, lease_for=LEASE)
        request = privacy.open_request(session, taken.tenant_id, taken.subject)
        wait = None if request is None else DEEDS[request.topic](session, request, now)
        if wait is None:
            claims.withdraw(session, taken.kind, taken.tenant_id, taken.subject)
        else:
            claims.postpone(session, taken, due_at=now + wait)
    log.info("a privacy request was looked after", request_id=taken.subject, done=wait is None)


def _export(session: Session, request: Open, now: datetime) -> timedelta | None:
    body = compliance.decode(request.topic, request.payload, request.shop_domain)
    if not isinstance(body, DataRequest):
        raise TypeError(type(body))
    held = privacy.find(session, request.tenant_id, body.customer, body.orders)
    count = privacy.export(session, request, held, customer=body.customer.id, now=now)
    privacy.complete(session, request, rows=count, outcome="An export waits for the merchant.", now=now)
    return None


def _erase(session: Session, request: Open, now: datetime) -> timedelta | None:
    body = compliance.decode(request.topic, request.payload, request.shop_domain)
    if not isinstance(body, CustomerRedact):
        raise TypeError(type(body))
    held = privacy.find(session, request.tenant_id, body.customer, body.orders)
    key = ingest.tombstone_key(current().config.secret_key)
    erasure = privacy.erase(session, request, held, key=key, now=now)
    if erasure.days:
        rollups.mark(session, request.tenant_id, erasure.days)
        claims.put(session, claims.ROLLUPS, request.tenant_id, due_at=now)
    if erasure.waiting:
        privacy.note(session, request, "Erased; deliveries about the customer are still being worked off.")
        return WHILE_DELIVERIES_WAIT
    privacy.complete(session, request, rows=erasure.rows, outcome="The customer was erased.", now=now)
    return None


def _erase_store(session: Session, request: Open, now: datetime) -> timedelta | None:
    compliance.decode(request.topic, request.payload, request.shop_domain)
    tenant = session.get_one(Tenant, request.tenant_id, with_for_update=True)
    verdict = privacy.verdict(
        installed_at=tenant.installed_at, uninstalled_at=tenant.uninstalled_at, happened_at=request.happened_at
    )
    if verdict is Verdict.INSTALLED:
        privacy.note(session, request, verdict.value)
        return WHILE_INSTALLED
    rows = privacy.erase_store(session, tenant) if verdict is Verdict.ERASE else 0
    privacy.complete(session, request, rows=rows, outcome=verdict.value, now=now)
    return None


def _put_off(taken: Taken, error: Exception) -> None:
    wait = min(FIRST_BACKOFF * 2 ** min(taken.attempts - 1, 12), LONGEST_BACKOFF)
    reason = describe(error)
    trace = None if isinstance(error, DBAPIError) else error
    log.error("a privacy request was not done", request_id=taken.subject, reason=reason, exc_info=trace)
    with operations() as session:
        claims.postpone(session, taken, due_at=datetime.now(UTC) + wait, error=reason)


# Topic → what is done; it returns how long to wait before looking again, or None when it is done.
DEEDS: dict[str, Callable[[Session, Open, datetime], timedelta | None]] = {
    compliance.DATA_REQUEST: _export,
    compliance.CUSTOMER_REDACT: _erase,
    compliance.SHOP_REDACT: _erase_store,
}
