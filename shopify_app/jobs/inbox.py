"""Job: drain the inbox. A turn is a batch of one tenant's deliveries, applied in one transaction."""

from __future__ import annotations

import time
import traceback
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog
from rq.timeouts import JobTimeoutException
from sqlalchemy.exc import DBAPIError, OperationalError

from shopify_app import claims, inbox, ingest, rollups, tenants
from shopify_app.database import connected, operations, tenant_work
from shopify_app.jobs.faults import describe
from shopify_app.jobs.notices import APP_TOPICS, Consequences
from shopify_app.jobs.queues import ADVANCE, DRAIN, READ_DETAILS, SETTLE
from shopify_app.jobs.rollups import Totals
from shopify_app.jobs.turns import Turn, Turns, bodies
from shopify_app.models import Tenant
from shopify_app.runtime import current
from shopify_app.shopify.notices import NoticeRejected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection
    from sqlalchemy.orm import Session

    from shopify_app.inbox import Kept

log = structlog.get_logger(__name__)

SLICE = 5.0  # seconds after which other queues get their turn
ROW_TOO_BIG = "54"


def drain() -> None:
    """Apply what waits in the inbox, until nothing does or other work has waited long enough."""
    ends_at = time.monotonic() + SLICE
    totals = Totals()
    with connected() as connection, Turns(ends_at) as turns:
        for turn in turns.ahead():
            at_once = totals.due(turn.tenant_id)
            consequences = _apply(replace(turn, refresh=at_once), connection)
            totals.note(turn.tenant_id, refreshed=at_once, stale=consequences.rollups)
            _start(turn.tenant_id, consequences)
    totals.settle()
    if turns.cut_short:
        current().queues.nudge(DRAIN)


def _apply(turn: Turn, connection: Connection) -> Consequences:
    """Apply deliveries together; where that fails, halve them until the one at fault stands alone.

    Raises:
        OperationalError: the database is in trouble, which is no delivery's fault.
    """
    try:
        return _apply_together(turn, connection)
    except JobTimeoutException:
        raise
    except Exception as error:
        if _in_trouble(error):
            raise
        if len(turn.deliveries) == 1:
            _set_aside(turn.deliveries[0].id, error)
            return Consequences()
    middle = len(turn.deliveries) // 2
    first = _apply(replace(turn, deliveries=turn.deliveries[:middle], batch=None), connection)
    return first + _apply(replace(turn, deliveries=turn.deliveries[middle:], batch=None), connection)


def _in_trouble(error: Exception) -> bool:
    """Whether it is the database that is in trouble, and not a row that is too much for it (SQLSTATE class 54)."""
    state = getattr(getattr(error, "orig", None), "sqlstate", None) or ""
    return isinstance(error, OperationalError) and not state.startswith(ROW_TOO_BIG)


def _apply_together(turn: Turn, connection: Connection) -> Consequences:
    now, batch = datetime.now(UTC), turn.batch
    with tenant_work(turn.tenant_id, connection, soon=True) as session:
        claims.write_alone(session, turn.tenant_id)
        still = inbox.finish(session, turn.tenant_id, [delivery.id for delivery in turn.deliveries], now)
        if not still:
            return Consequences()
        deliveries = [delivery for delivery in turn.deliveries if delivery.id in still]
        if batch is None or len(deliveries) < len(turn.deliveries):
            batch = ingest.read(bodies(deliveries))
        consequences = _apply_notices(session, turn.tenant_id, deliveries, now)
        _ingest(session, replace(turn, batch=batch), now, consequences)
    return consequences


def _apply_notices(session: Session, tenant_id: int, deliveries: Sequence[Kept], now: datetime) -> Consequences:
    consequences = Consequences()
    for delivery in deliveries:
        if apply := APP_TOPICS.get(delivery.topic):
            apply(session, session.get_one(Tenant, tenant_id), delivery, now, consequences)
    session.flush()
    return consequences


def _ingest(session: Session, turn: Turn, now: datetime, consequences: Consequences) -> None:
    """Apply what deliveries say, and bring the totals up to date or ask for it."""
    tenant, outcome = tenants.books(session, turn.tenant_id), ingest.Outcome()
    if turn.batch and turn.batch.deliveries:
        key = ingest.tombstone_key(current().config.secret_key)
        outcome = ingest.apply_batch(session, tenant, turn.batch, now, key, mark=not turn.refresh)
        inbox.mark_repeats(session, tenant.id, outcome.repeats)
        inbox.forget(session, tenant.id, outcome.told_of_erased)
        claims.put_all(session, claims.ORDER_DETAILS, tenant.id, outcome.details_wanted, due_at=now)
    consequences.order_details |= bool(outcome.details_wanted)
    if turn.refresh:
        rollups.refresh(session, tenant, now, outcome.days)
    elif outcome.days:
        consequences.rollups = True
        claims.put(session, claims.ROLLUPS, tenant.id, due_at=now)


def _set_aside(delivery_id: int, error: Exception) -> None:
    reason = describe(error)
    told = isinstance(error, (DBAPIError, ingest.PayloadRejected, NoticeRejected))
    log.error(
        "a delivery could not be applied", delivery_id=delivery_id, reason=reason, exc_info=None if told else error
    )
    # Frames without the error itself, whose text may quote a customer's data.
    frames = "".join(traceback.format_list(traceback.extract_tb(error.__traceback__)))
    with operations() as session:
        inbox.fail(session, delivery_id, error=reason, traceback=frames, now=datetime.now(UTC))


def _start(tenant_id: int, consequences: Consequences) -> None:
    queues = current().queues
    if consequences.order_details:
        queues.nudge(READ_DETAILS, tenant_id=tenant_id)
    if consequences.settle:
        queues.nudge(SETTLE, tenant_id=tenant_id)
    for backfill_id in sorted(consequences.backfills):
        queues.nudge(ADVANCE, tenant_id=tenant_id, backfill_id=backfill_id)
