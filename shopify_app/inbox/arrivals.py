"""Room: webhook deliveries, kept as they came and worked off in the order they came. PostgreSQL is the queue."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from typing import cast as of_type

import structlog
from sqlalchemy import ColumnElement, and_, case, cast, exists, func, not_, null, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from shopify_app.models import Delivery, PrivacyRequest, Tenant
from shopify_app.shopify import notices
from shopify_app.shopify.compliance import SHOP_REDACT

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy import Connection, CursorResult, Label, ScalarSelect
    from sqlalchemy.orm import Session

# A delivery that fails alone is tried eight times over about an hour and a half, and then left for an operator.
MOST_ATTEMPTS = 8
FIRST_WAIT = timedelta(seconds=5)
WAITS_GROW = 3
# That a store has left, and what is owed to its customers, is applied also while an operator has disabled the store.
EVEN_IF_DISABLED = ("app/uninstalled", "customers/data_request", "customers/redact", "shop/redact")
# What is kept of deliveries that belong to no tenant: enough to find out why they came.
MOST_OF_SHOP = 1_000
MOST_IN_ALL = 10_000

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Incoming:
    """A delivery whose signature was good. ``shop_domain`` is the store's full host; ``payload`` the body's bytes.

    ``claim_id`` is the claim whose own secret signed it; None: Shopify did.
    """

    shop_domain: str
    topic: str
    webhook_id: str
    event_id: str | None
    triggered_at: datetime | None
    api_version: str | None
    payload: bytes
    claim_id: int | None = None


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

    A delivery from a shop we do not know, and one whose body is not a JSON object, go into quarantine. On an
    autocommit connection the row is durable when this returns.
    """
    if incoming.claim_id is not None:
        return notices.is_object(incoming.payload) and _keep_for_claim(connection, incoming, incoming.claim_id)
    if not notices.is_object(incoming.payload):
        return quarantine(connection, incoming)
    tenant_id = select(Tenant.id).where(Tenant.store_url == incoming.shop_domain, Tenant.installed_at.is_not(None))
    if _keep(connection, incoming, tenant_id.scalar_subquery()):
        return True
    return connection.scalar(tenant_id) is None and quarantine(connection, incoming)


def quarantine(connection: Connection, incoming: Incoming) -> bool:
    """Keep a delivery that proves nothing about any tenant, without one; return whether it was kept.

    Of a shop that has been erased nothing is kept, and of others a bounded number: whoever sees an ID token can sign
    it as often as they like.
    """
    row = connection.execute(select(_erased(incoming.shop_domain), *_quarantined(incoming.shop_domain))).one()
    if row.erased or row.of_shop >= MOST_OF_SHOP or row.in_all >= MOST_IN_ALL:
        log.warning("a delivery was not kept", topic=incoming.topic, erased=row.erased, quarantined=row.in_all)
        return False
    return _keep(connection, incoming, None)


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
    for tenant_id, delivery_id in of_type("CursorResult[int, int]", claimed):
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


def forget(session: Session, tenant_id: int, ids: Collection[int]) -> None:
    """Drop the bodies of deliveries, which tell of somebody who was erased; that they came stays known."""
    if ids:
        session.execute(
            update(Delivery).where(Delivery.tenant_id == tenant_id, Delivery.id.in_(ids)).values(payload=b""),
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
        or_(Delivery.topic.in_(EVEN_IF_DISABLED), not_(_stopped())),
        or_(Delivery.leased_until.is_(None), Delivery.leased_until <= now),
    )


def _keep_for_claim(connection: Connection, incoming: Incoming, claim_id: int) -> bool:
    """Keep a delivery for a claim that is still alive, and for no other tenant.

    The lock makes a claim that ends at this moment take the delivery along. Its webhook id is set apart, so that
    nothing a claim sends can pass for a repeat of what Shopify sends.
    """
    alive = (
        select(Tenant.id)
        .where(Tenant.id == claim_id, Tenant.installed_at.is_(None), Tenant.superseded_at.is_(None))
        .with_for_update(read=True)
    )
    apart = replace(incoming, webhook_id=f"claim {claim_id}: {incoming.webhook_id}")
    return _keep(connection, apart, alive.scalar_subquery())


def _keep(connection: Connection, incoming: Incoming, tenant_id: ScalarSelect[int] | None) -> bool:
    values = {
        "tenant_id": null() if tenant_id is None else tenant_id,
        "shop_domain": incoming.shop_domain,
        "topic": incoming.topic,
        "webhook_id": incoming.webhook_id,
        "event_id": incoming.event_id,
        "triggered_at": incoming.triggered_at,
        "api_version": incoming.api_version,
        "payload": incoming.payload,
    }
    typed = [_typed(name, value) for name, value in values.items()]
    row = select(*typed) if tenant_id is None else select(*typed).where(tenant_id.is_not(None))
    statement = insert(Delivery).from_select(list(values), row)
    statement = statement.on_conflict_do_nothing(index_elements=["shop_domain", "webhook_id"])
    return connection.execute(statement.returning(Delivery.id)).first() is not None


def _typed(name: str, value: object) -> ColumnElement[Any]:
    return cast(value, Delivery.__table__.c[name].type).label(name)


def _erased(shop_domain: str) -> ColumnElement[bool]:
    erasures = select(PrivacyRequest.id).where(
        PrivacyRequest.shop_domain == shop_domain,
        PrivacyRequest.topic == SHOP_REDACT,
        PrivacyRequest.rows_affected > 0,
    )
    return erasures.exists().label("erased")


def _quarantined(shop_domain: str) -> list[Label[int]]:
    """Return two counts, each of which looks no further than its quota."""
    strays = select(Delivery.id).where(Delivery.tenant_id.is_(None))
    of_shop = strays.where(Delivery.shop_domain == shop_domain).limit(MOST_OF_SHOP).subquery()
    in_all = strays.limit(MOST_IN_ALL).subquery()
    return [
        select(func.count()).select_from(of_shop).scalar_subquery().label("of_shop"),
        select(func.count()).select_from(in_all).scalar_subquery().label("in_all"),
    ]


def _stopped() -> ColumnElement[bool]:
    """Whether an operator has disabled the store: its deliveries are kept, and wait."""
    return exists(Tenant.id).where(Tenant.id == Delivery.tenant_id, Tenant.disabled_at.is_not(None))
