"""Job: let go of deliveries, and of the events they stood for, when their time is over."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import structlog

from shopify_app import inbox
from shopify_app.database import operations
from shopify_app.jobs.queues import EXPIRE
from shopify_app.runtime import current

log = structlog.get_logger(__name__)

AT_ONCE = 2_000
SLICE = 20.0  # seconds, after which other work gets its turn
# Shopify tries for four hours to deliver, and says that a day's delay is possible.
EVENTS_KEPT = timedelta(days=7)


def expire() -> None:
    """Delete what is older than the setting says, in small transactions from the oldest on; the rest comes after."""
    now = datetime.now(UTC)
    if _expire_deliveries(now - timedelta(days=current().config.inbox_retention_days)):
        current().queues.nudge(EXPIRE)
    with operations() as session:
        known = inbox.every_tenant(session)
    for tenant_id in known:
        with operations() as session:
            inbox.forget_events(session, tenant_id, (now - EVENTS_KEPT).date())


def _expire_deliveries(before: datetime) -> bool:
    """Return whether there is more to delete than there was time for."""
    ends_at, after, deleted, more = time.monotonic() + SLICE, 0, 0, True
    while more and time.monotonic() < ends_at:
        with operations() as session:
            expired = inbox.expire(session, before=before, after=after, limit=AT_ONCE)
        after, more, deleted = expired.last_id, expired.more, deleted + expired.deleted
    if deleted:
        log.info("deliveries were let go", deleted=deleted, before=before.isoformat())
    return more
