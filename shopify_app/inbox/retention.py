"""How long deliveries are kept once they are settled; what waits, and what could not be applied, is kept as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, select, text

from shopify_app.models import AppliedEvent, Tenant

if TYPE_CHECKING:
    from datetime import date, datetime

    from sqlalchemy.orm import Session


@dataclass(frozen=True, kw_only=True)
class Expired:
    """A slice of the inbox that was gone through: its last id, and whether later ones may be old enough too."""

    deleted: int
    last_id: int
    more: bool


def expire(session: Session, *, before: datetime, after: int, limit: int) -> Expired:
    """Delete what came before a moment, is settled or in quarantine, and is among the ``limit`` next ids ``after`` one.

    Ids grow with time, so the slices end where the young ones begin, however many those are.
    """
    row = session.execute(text(_EXPIRE), {"before": before, "after": after, "limit": limit}).one()
    return Expired(deleted=row.deleted, last_id=row.last_id, more=row.more)


def every_tenant(session: Session) -> list[int]:
    """Return every tenant, each of whom may have events to forget."""
    return list(session.scalars(select(Tenant.id).order_by(Tenant.id)))


def forget_events(session: Session, tenant_id: int, before: date) -> None:
    """Forget which of a tenant's events were applied before a day: Shopify sends none again after that long."""
    session.execute(
        delete(AppliedEvent).where(AppliedEvent.tenant_id == tenant_id, AppliedEvent.seen_on < before),
        execution_options={"synchronize_session": False},
    )


# The conditions are asked of the row as it is deleted: it may have been put back to be applied again meanwhile.
_EXPIRE = """
    WITH slice AS (SELECT id, received_at FROM inbox WHERE id > :after ORDER BY id LIMIT :limit),
    gone AS (
        DELETE FROM inbox USING slice
        WHERE inbox.id = slice.id AND inbox.received_at < :before
          AND (inbox.processed_at IS NOT NULL OR inbox.tenant_id IS NULL)
          AND NOT EXISTS (SELECT FROM privacy_requests open
                          WHERE open.shop_domain = inbox.shop_domain AND open.webhook_id = inbox.webhook_id
                            AND open.completed_at IS NULL)
        RETURNING inbox.id
    )
    SELECT (SELECT count(*) FROM gone) AS deleted,
           coalesce(max(id), :after) AS last_id,
           count(*) = :limit AND bool_and(received_at < :before) AS more
    FROM slice
"""
