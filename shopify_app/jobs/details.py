"""Job: read from Shopify what webhooks and exports leave out of an order: refund lines, and the amounts of edits."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import structlog

from shopify_app import claims, ingest
from shopify_app.claims import LeaseLost, Taken
from shopify_app.database import operations, tenant_work
from shopify_app.jobs.queues import READ_DETAILS, REFRESH
from shopify_app.jobs.tokens import client_for
from shopify_app.models import Tenant
from shopify_app.runtime import current
from shopify_app.shopify.details import order_details
from shopify_app.shopify.errors import ShopifyError

if TYPE_CHECKING:
    from collections.abc import Sequence

log = structlog.get_logger(__name__)

AT_ONCE = 2  # orders a transaction; each is a query of its own, which may have to wait for the rate limit
LEASE = timedelta(seconds=60)
SLICE = 5.0  # seconds
FIRST_WAIT = timedelta(seconds=10)
MOST_ATTEMPTS = 10


def read(*, tenant_id: int) -> None:
    """Read the details of the tenant's orders that ask for them, until none does or the slice is over."""
    ends_at = time.monotonic() + SLICE
    wrote = False
    while taken := _take(tenant_id):
        if not _read(tenant_id, taken):
            break
        wrote = True
        if time.monotonic() >= ends_at:
            current().queues.nudge(READ_DETAILS, tenant_id=tenant_id)
            break
    if wrote:
        current().queues.nudge(REFRESH, tenant_id=tenant_id)


def _take(tenant_id: int) -> list[Taken]:
    with operations() as session:
        return claims.take(session, (claims.ORDER_DETAILS,), AT_ONCE, datetime.now(UTC), LEASE, tenant_id=tenant_id)


def _read(tenant_id: int, taken: Sequence[Taken]) -> bool:
    """Read and write one batch; return whether it is written."""
    try:
        nodes = order_details(client_for(tenant_id), [claim.subject for claim in taken])
        _write(tenant_id, taken, nodes)
    except LeaseLost:
        log.warning("order details were read by somebody else meanwhile", tenant_id=tenant_id)
    except ShopifyError as error:
        _try_later(taken, error)
    else:
        return True
    return False


def _write(tenant_id: int, taken: Sequence[Taken], nodes: Sequence[dict[str, Any]]) -> None:
    now = datetime.now(UTC)
    with tenant_work(tenant_id) as session:
        claims.write_alone(session, tenant_id)
        for claim in taken:
            claims.done(session, claim)
        outcome = ingest.apply_order_details(session, session.get_one(Tenant, tenant_id), nodes, now)
        if outcome.days:
            claims.put(session, claims.ROLLUPS, tenant_id, due_at=now)


def _try_later(taken: Sequence[Taken], error: ShopifyError) -> None:
    """Give the orders back for later. What Shopify refuses again and again is left to the next backfill."""
    now = datetime.now(UTC)
    log.warning("order details could not be read", error=str(error), retryable=error.retryable, orders=len(taken))
    with operations() as session:
        for claim in taken:
            if claim.attempts >= MOST_ATTEMPTS:
                log.error(
                    "order details were given up", tenant_id=claim.tenant_id, order_id=claim.subject, error=str(error)
                )
                claims.withdraw(session, claim.kind, claim.tenant_id, claim.subject)
                continue
            wait = max(FIRST_WAIT * 2 ** (claim.attempts - 1), timedelta(seconds=error.retry_after or 0))
            claims.postpone(session, claim, due_at=now + wait, error=str(error))
