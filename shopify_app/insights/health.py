"""Whether a store's data still arrives: what the inbox holds of it. Read-only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import func, select, true

from shopify_app.models import Delivery

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


LATEST = 1000  # deliveries looked at, so that a page costs the same however long a store has been with us


@dataclass(frozen=True, kw_only=True)
class Deliveries:
    """A store's latest thousand webhooks: the last one, how many wait to be applied, and how many could not be."""

    last_at: datetime | None
    last_topic: str | None
    waiting: int
    dead: int


def deliveries(session: Session, tenant_id: int) -> Deliveries:
    """Return how a store's webhooks are doing."""
    columns = (Delivery.id, Delivery.received_at, Delivery.topic, Delivery.processed_at, Delivery.dead_at)
    query = select(*columns).where(Delivery.tenant_id == tenant_id).order_by(Delivery.id.desc()).limit(LATEST)
    latest = query.cte("latest")
    last = select(latest.c.received_at, latest.c.topic).order_by(latest.c.id.desc()).limit(1).subquery()
    counts = select(
        func.count().filter(latest.c.processed_at.is_(None), latest.c.dead_at.is_(None)).label("waiting"),
        func.count().filter(latest.c.dead_at.is_not(None)).label("dead"),
    ).subquery()
    row = session.execute(select(counts, last).select_from(counts.outerjoin(last, true()))).one()
    return Deliveries(last_at=row.received_at, last_topic=row.topic, waiting=row.waiting, dead=row.dead)
