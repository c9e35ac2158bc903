"""The list of requests: what came, when it has to be done, and what became of it. It holds no personal data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from shopify_app import claims
from shopify_app.models import Delivery, PrivacyRequest, Tenant
from shopify_app.shopify.compliance import SHOP_REDACT

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

ALLOWED = timedelta(days=30)  # what Shopify and the law leave an app
NOTHING_HELD = "Nothing of this shop is held."


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """A request whose signed body names the shop. ``subject`` is Shopify's number of a data request."""

    shop_domain: str
    topic: str
    webhook_id: str
    triggered_at: datetime | None
    api_version: str | None
    payload: bytes
    subject: int | None = None


@dataclass(frozen=True, kw_only=True)
class Open:
    """A request that has not been done. ``happened_at`` is when Shopify sent it."""

    id: int
    tenant_id: int
    shop_domain: str
    topic: str
    webhook_id: str
    payload: bytes
    happened_at: datetime


@dataclass(frozen=True, kw_only=True)
class Pending:
    """A request as operators see it."""

    id: int
    shop_domain: str
    topic: str
    received_at: datetime
    due_at: datetime
    outcome: str | None


def receive(session: Session, arrival: Arrival, now: datetime) -> bool:
    """Take down a request, and claim the work it means; return False when it was taken down before.

    The body stays in the inbox until the work is done. Of a shop that is not known it is not kept at all: there is
    nothing to do, and it is about a person.
    """
    tenant_id = session.scalar(
        select(Tenant.id).where(Tenant.store_url == arrival.shop_domain, Tenant.installed_at.is_not(None))
    )
    known = tenant_id is not None
    row = {
        "tenant_id": tenant_id,
        "shop_domain": arrival.shop_domain,
        "webhook_id": arrival.webhook_id,
        "topic": arrival.topic,
        "subject": arrival.subject,
        "received_at": now,
        "due_at": now + ALLOWED,
        "completed_at": None if known else now,
        "outcome": None if known else NOTHING_HELD,
    }
    statement = insert(PrivacyRequest).values(row).on_conflict_do_nothing(index_elements=["shop_domain", "webhook_id"])
    request_id = session.scalar(statement.returning(PrivacyRequest.id))
    if request_id is None:
        return False
    if tenant_id is not None:
        _keep_body(session, tenant_id, arrival, now)
        claims.put(session, claims.PRIVACY, tenant_id, request_id, due_at=now)
    return True


def open_request(session: Session, tenant_id: int, request_id: int) -> Open | None:
    """Return a request with its body, locked until the transaction ends; None when it has been done."""
    row = session.execute(
        select(PrivacyRequest, Delivery.payload, Delivery.triggered_at)
        .join(
            Delivery,
            (Delivery.shop_domain == PrivacyRequest.shop_domain) & (Delivery.webhook_id == PrivacyRequest.webhook_id),
        )
        .where(
            PrivacyRequest.id == request_id,
            PrivacyRequest.tenant_id == tenant_id,
            PrivacyRequest.completed_at.is_(None),
        )
        .with_for_update(of=PrivacyRequest)
    ).one_or_none()
    if row is None:
        return None
    request, payload, triggered_at = row
    return Open(
        id=request.id,
        tenant_id=tenant_id,
        shop_domain=request.shop_domain,
        topic=request.topic,
        webhook_id=request.webhook_id,
        payload=payload,
        happened_at=triggered_at or request.received_at,
    )


def complete(session: Session, request: Open, *, rows: int, outcome: str, now: datetime) -> None:
    """Write down what became of a request, and drop its body."""
    session.execute(
        update(PrivacyRequest)
        .where(PrivacyRequest.id == request.id)
        .values(completed_at=now, rows_affected=rows, outcome=outcome),
        execution_options={"synchronize_session": False},
    )
    session.execute(
        update(Delivery)
        .where(Delivery.shop_domain == request.shop_domain, Delivery.webhook_id == request.webhook_id)
        .values(payload=b""),
        execution_options={"synchronize_session": False},
    )


def note(session: Session, request: Open, outcome: str) -> None:
    """Write down why a request still waits."""
    session.execute(
        update(PrivacyRequest).where(PrivacyRequest.id == request.id).values(outcome=outcome),
        execution_options={"synchronize_session": False},
    )


def awaiting_uninstall(session: Session, tenant_id: int) -> list[int]:
    """Return the requests to erase the store that came before the word that it has left."""
    return list(
        session.scalars(
            select(PrivacyRequest.id).where(
                PrivacyRequest.tenant_id == tenant_id,
                PrivacyRequest.topic == SHOP_REDACT,
                PrivacyRequest.completed_at.is_(None),
            )
        )
    )


def due(session: Session) -> list[Pending]:
    """Return every store's requests that have not been done, the most pressing first."""
    statement = (
        select(PrivacyRequest)
        .where(PrivacyRequest.completed_at.is_(None))
        .order_by(PrivacyRequest.due_at, PrivacyRequest.id)
    )
    return [
        Pending(
            id=row.id,
            shop_domain=row.shop_domain,
            topic=row.topic,
            received_at=row.received_at,
            due_at=row.due_at,
            outcome=row.outcome,
        )
        for row in session.scalars(statement)
    ]


def _keep_body(session: Session, tenant_id: int, arrival: Arrival, now: datetime) -> None:
    """Keep the body where drains pass it over: the claim is what brings a worker to it."""
    row = {
        "tenant_id": tenant_id,
        "shop_domain": arrival.shop_domain,
        "topic": arrival.topic,
        "webhook_id": arrival.webhook_id,
        "triggered_at": arrival.triggered_at,
        "api_version": arrival.api_version,
        "payload": arrival.payload,
        "processed_at": now,
    }
    session.execute(insert(Delivery).values(row))
