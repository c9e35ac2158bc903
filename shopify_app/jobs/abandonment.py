"""Job: find the carts and checkouts whose time to count as abandoned has come."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from shopify_app import abandonment, claims
from shopify_app.database import tenant_work
from shopify_app.jobs.queues import ABANDON
from shopify_app.runtime import current

AT_ONCE = 1_000  # carts, and as many checkouts, a transaction
SLICE = 2.0  # seconds, after which the tenant's webhooks get their turn


def sweep(*, tenant_id: int) -> None:
    """Judge what is due until nothing is or the slice is over. The claim moves to the next moment with each batch."""
    ends_at = time.monotonic() + SLICE
    while _sweep(tenant_id):
        if time.monotonic() >= ends_at:
            current().queues.nudge(ABANDON, tenant_id=tenant_id)
            return


def _sweep(tenant_id: int) -> bool:
    """Judge one batch; return whether more is due. The claim goes first: what arrives from here on brings its own."""
    now = datetime.now(UTC)
    with tenant_work(tenant_id) as session:
        claims.write_alone(session, tenant_id)
        claims.withdraw(session, claims.ABANDONMENT, tenant_id)
        swept = abandonment.sweep(session, tenant_id, now, AT_ONCE)
        if swept.due_at is not None:
            claims.put(session, claims.ABANDONMENT, tenant_id, due_at=swept.due_at)
    return swept.due_at is not None and swept.due_at <= now
