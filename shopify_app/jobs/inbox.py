"""Job: drain the inbox. Deliveries are applied in batches, a tenant a transaction; one that fails, fails alone."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import structlog
from rq.timeouts import JobTimeoutException
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from shopify_app import claims, inbox, ingest
from shopify_app.database import operations, tenant_work
from shopify_app.jobs import rollups
from shopify_app.jobs.faults import describe
from shopify_app.jobs.notices import APP_TOPICS, Consequences
from shopify_app.jobs.queues import ADVANCE, DRAIN, READ_DETAILS, SETTLE
from shopify_app.models import Tenant
from shopify_app.runtime import current
from shopify_app.shopify.notices import NoticeRejected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from shopify_app.inbox import Kept

log = structlog.get_logger(__name__)

BATCH = 500
LEASE = timedelta(seconds=60)
SLICE = 30.0  # seconds after which other queues get their turn


def drain() -> None:
    """Apply what waits in the inbox, until nothing does or other work has waited long enough."""
    ends_at = time.monotonic() + SLICE
    while batch := _claim():
        for tenant_id, ids in batch.by_tenant.items():
            _follow_up(tenant_id, _apply(tenant_id, batch.lease, ids))
        if time.monotonic() >= ends_at:
            current().queues.nudge(DRAIN)
            return


def _claim() -> inbox.Batch:
    with operations() as session:
        return inbox.claim(session, now=datetime.now(UTC), lease_for=LEASE, limit=BATCH)


def _apply(tenant_id: int, lease: uuid.UUID, ids: Sequence[int]) -> Consequences:
    """Apply deliveries together; where that fails, halve them until the one at fault stands alone.

    Raises:
        OperationalError: the database is in trouble, which is no delivery's fault.
    """
    try:
        return _apply_together(tenant_id, lease, ids)
    except (OperationalError, JobTimeoutException):
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it must not keep the other deliveries from being applied
        if len(ids) == 1:
            _set_aside(lease, ids[0], error)
            return Consequences()
    middle = len(ids) // 2
    first, second = _apply(tenant_id, lease, ids[:middle]), _apply(tenant_id, lease, ids[middle:])
    return Consequences(
        rollups=first.rollups or second.rollups,
        order_details=first.order_details or second.order_details,
        settle=first.settle or second.settle,
        backfills=first.backfills | second.backfills,
    )


def _apply_together(tenant_id: int, lease: uuid.UUID, ids: Sequence[int]) -> Consequences:
    now = datetime.now(UTC)
    with tenant_work(tenant_id) as session:
        claims.write_alone(session, tenant_id)
        deliveries = inbox.read(session, tenant_id, lease, ids)
        tenant = session.get_one(Tenant, tenant_id)
        consequences = _apply_notices(session, tenant, deliveries, now)
        _ingest(session, tenant, deliveries, now, consequences)
        inbox.finish(session, [delivery.id for delivery in deliveries], now)
    return consequences


def _apply_notices(session: Session, tenant: Tenant, deliveries: Sequence[Kept], now: datetime) -> Consequences:
    consequences = Consequences()
    for delivery in deliveries:
        if apply := APP_TOPICS.get(delivery.topic):
            apply(session, tenant, delivery, now, consequences)
    return consequences


def _ingest(
    session: Session, tenant: Tenant, deliveries: Sequence[Kept], now: datetime, consequences: Consequences
) -> None:
    bodies = [
        ingest.WebhookBody(
            id=delivery.id,
            topic=delivery.topic,
            payload=delivery.payload,
            triggered_at=delivery.triggered_at,
            received_at=delivery.received_at,
        )
        for delivery in deliveries
        if delivery.topic not in APP_TOPICS
    ]
    if not bodies:
        return
    key = ingest.tombstone_key(current().config.secret_key)
    outcome = ingest.apply_webhooks(session, tenant, bodies, now, key)
    inbox.forget(session, tenant.id, outcome.told_of_erased)
    claims.put_all(session, claims.ORDER_DETAILS, tenant.id, outcome.details_wanted, due_at=now)
    consequences.order_details |= bool(outcome.details_wanted)
    if outcome.days:
        claims.put(session, claims.ROLLUPS, tenant.id, due_at=now)
        consequences.rollups = True


def _set_aside(lease: uuid.UUID, delivery_id: int, error: Exception) -> None:
    reason = describe(error)
    trace = None if isinstance(error, (DBAPIError, ingest.PayloadRejected, NoticeRejected)) else error
    log.error("a delivery could not be applied", delivery_id=delivery_id, reason=reason, exc_info=trace)
    with operations() as session:
        inbox.fail(session, lease, delivery_id, error=reason, now=datetime.now(UTC))


def _follow_up(tenant_id: int, consequences: Consequences) -> None:
    queues = current().queues
    if consequences.rollups:
        _refresh_rollups(tenant_id)
    if consequences.order_details:
        queues.nudge(READ_DETAILS, tenant_id=tenant_id)
    if consequences.settle:
        queues.nudge(SETTLE, tenant_id=tenant_id)
    for backfill_id in sorted(consequences.backfills):
        queues.nudge(ADVANCE, tenant_id=tenant_id, backfill_id=backfill_id)


def _refresh_rollups(tenant_id: int) -> None:
    """Refresh at once, so that a merchant sees the order within a second; the claim stays if that fails."""
    try:
        rollups.refresh(tenant_id=tenant_id)
    except SQLAlchemyError as error:
        log.error("the totals will be refreshed later", tenant_id=tenant_id, reason=describe(error))  # noqa: TRY400 - a traceback would quote rows
