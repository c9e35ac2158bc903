"""Room: webhook deliveries, kept as they came and worked off in the order they came. PostgreSQL is the queue."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, cast

from sqlalchemy import ColumnElement, and_, case, func, null, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from shopify_app.models import Delivery, Tenant

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy import Connection, CursorResult
    from sqlalchemy.orm import Session

# A delivery that fails alone is tried eight times over about an hour and a half, and then left for an operator.
MOST_ATTEMPTS = 8
FIRST_WAIT = timedelta(seconds=5)
WAITS_GROW = 3


@dataclass(frozen=True, kw_only=True)
class Incoming:
    """A delivery whose signature was good. ``shop_domain`` is the store's full host; ``payload`` the body's bytes."""

    shop_domain: str
    topic: str
    webhook_id: str
    event_id: str | None
    triggered_at: datetime | None
    api_version: str | None
    payload: bytes


@dataclass(frozen=True)
class Batch:
    """Deliveries that are ours until the lease runs out: their ids, by tenant, oldest first."""

    lease: uuid.UUID
    by_tenant: Mapping[int, tuple[int, ...]]

    def __bool__(self) -> bool:
        """Return whether there is anything in it."""
        return bool(self.by_tenant)


@dataclass(frozen=True)
class Kept:
    """A delivery as it was kept."""

    id: int
    topic: str
    payload: bytes
    triggered_at: datetime | None
    received_at: datetime


def receive(connection: Connection, incoming: Incoming) -> bool:
    """Keep a delivery, in one statement; return False when it was kept before (Shopify delivers at least once).

    A delivery from a shop we do not know is kept without a tenant. On an autocommit connection the row is durable
    when this returns.
    """
    tenant_id = (
        select(Tenant.id)
        .where(Tenant.store_url == incoming.shop_domain, Tenant.installed_at.is_not(None))
        .scalar_subquery()
    )
    row = {
        "tenant_id": tenant_id,
        "shop_domain": incoming.shop_domain,
        "topic": incoming.topic,
        "webhook_id": incoming.webhook_id,
        "event_id": incoming.event_id,
        "triggered_at": incoming.triggered_at,
        "api_version": incoming.api_version,
        "payload": incoming.payload,
    }
    statement = insert(Delivery).values(row).on_conflict_do_nothing(index_elements=["shop_domain", "webhook_id"])
    return connection.execute(statement.returning(Delivery.id)).first() is not None


def waiting(session: Session, now: datetime) -> bool:
    """Return whether any delivery could be claimed."""
    return session.scalar(select(select(Delivery.id).where(_free(now)).exists())) is True


def claim(session: Session, *, now: datetime, lease_for: timedelta, limit: int) -> Batch:
    """Claim the oldest waiting deliveries of all tenants; what others are claiming at this moment is passed over."""
    chosen = (
        select(Delivery.id)
        .where(_free(now))
        .order_by(Delivery.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("chosen")
    )
    lease = uuid.uuid4()
    claimed = session.execute(
        update(Delivery)
        .where(Delivery.id.in_(select(chosen.c.id)))
        .values(lease=lease, leased_until=now + lease_for, attempts=Delivery.attempts + 1)
        .returning(Delivery.tenant_id, Delivery.id),
        execution_options={"synchronize_session": False},
    )
    by_tenant: dict[int, list[int]] = {}
    # Only deliveries with a tenant are free to be claimed.
    for tenant_id, delivery_id in cast("CursorResult[int, int]", claimed):
        by_tenant.setdefault(tenant_id, []).append(delivery_id)
    return Batch(lease, {tenant_id: tuple(sorted(ids)) for tenant_id, ids in sorted(by_tenant.items())})


def read(session: Session, tenant_id: int, lease: uuid.UUID, ids: Collection[int]) -> list[Kept]:
    """Return those of the tenant's deliveries that are still ours, oldest first, locked until the transaction ends."""
    found = session.execute(
        select(Delivery.id, Delivery.topic, Delivery.payload, Delivery.triggered_at, Delivery.received_at)
        .where(
            Delivery.tenant_id == tenant_id,
            Delivery.id.in_(ids),
            Delivery.lease == lease,
            Delivery.processed_at.is_(None),
        )
        .order_by(Delivery.id)
        .with_for_update()
    )
    return [Kept(*row) for row in found]


def finish(session: Session, ids: Sequence[int], now: datetime) -> None:
    """Mark deliveries processed; call it in the transaction that read them and wrote what they said."""
    session.execute(
        update(Delivery)
        .where(Delivery.id.in_(ids))
        .values(processed_at=now, lease=None, leased_until=None, error=None),
        execution_options={"synchronize_session": False},
    )


def fail(session: Session, lease: uuid.UUID, delivery_id: int, *, error: str, now: datetime) -> None:
    """Note why a delivery could not be applied; it waits longer after each attempt, and is dead after the last."""
    wait = func.make_interval(
        0, 0, 0, 0, 0, 0, FIRST_WAIT.total_seconds() * func.power(WAITS_GROW, Delivery.attempts - 1)
    )
    dead = Delivery.attempts >= MOST_ATTEMPTS
    session.execute(
        update(Delivery)
        .where(Delivery.id == delivery_id, Delivery.lease == lease)
        .values(
            error=error,
            lease=None,
            leased_until=case((dead, null()), else_=now + wait),
            dead_at=case((dead, now), else_=null()),
        ),
        execution_options={"synchronize_session": False},
    )


def _free(now: datetime) -> ColumnElement[bool]:
    return and_(
        Delivery.processed_at.is_(None),
        Delivery.dead_at.is_(None),
        Delivery.tenant_id.is_not(None),
        or_(Delivery.leased_until.is_(None), Delivery.leased_until <= now),
    )
