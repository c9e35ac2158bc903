"""Whether a store's data still arrives: what the inbox holds of it. Read-only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from shopify_app.models import Delivery
from shopify_app.models.inbox import DEAD, WAITING

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, TextClause
    from sqlalchemy.orm import Session


MOST = 10_000  # deliveries counted, so that a page costs the same however many wait


@dataclass(frozen=True, kw_only=True)
class Deliveries:
    """A store's webhooks: the last one, how many wait to be applied, and how many could not be; up to ten thousand."""

    last_at: datetime | None
    last_topic: str | None
    waiting: int
    dead: int


def deliveries(session: Session, tenant_id: int) -> Deliveries:
    """Return how a store's webhooks are doing."""
    mine = Delivery.tenant_id == tenant_id
    latest = select(Delivery.received_at, Delivery.topic).where(mine).order_by(Delivery.id.desc()).limit(1)
    last = session.execute(latest).one_or_none()
    return Deliveries(
        last_at=last.received_at if last else None,
        last_topic=last.topic if last else None,
        waiting=_count(session, mine, WAITING),
        dead=_count(session, mine, DEAD),
    )


def _count(session: Session, mine: ColumnElement[bool], state: TextClause) -> int:
    """Return how many there are, in the words of a partial index, which is all that is read."""
    found = select(Delivery.id).where(mine, state).limit(MOST).subquery()
    return session.scalar(select(func.count()).select_from(found)) or 0
