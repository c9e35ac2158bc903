"""Erasing somebody: rows of theirs go, orders stay as nobody's, and a tombstone keeps them from coming back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import and_, delete, exists, func, or_, select, update

from shopify_app.ingest import tombstones
from shopify_app.models import Checkout, Customer, DataExport, Delivery, Order, PrivacyRequest, Sale

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, CursorResult
    from sqlalchemy.orm import Session

    from shopify_app.privacy.people import Held
    from shopify_app.privacy.requests import Open

NOBODY: dict[str, Any] = {"customer_shopify_id": None, "email": None, "phone": None}


@dataclass(frozen=True)
class Erasure:
    """What was done: the rows changed or removed, and deliveries about the person that still wait to be applied.

    ``days`` are those the person bought on: what is shown of them names the person until it is made anew.
    """

    rows: int
    waiting: int
    days: frozenset[date]


def erase(session: Session, request: Open, held: Held, *, key: bytes, now: datetime) -> Erasure:
    """Erase a person. Deliveries that wait lose their bodies as they are applied, because the tombstones are set first.

    An order keeps its amounts, days, goods and country, and becomes one without a customer, in the ledger too.
    """
    tombstones.put(session, held.tenant_id, key, held.marks(), now)
    tenant = held.tenant_id
    days = frozenset(session.scalars(select(Sale.day_on).where(Sale.tenant_id == tenant, _sold_to(held)).distinct()))
    statements = (
        update(Order).where(Order.tenant_id == tenant, Order.shopify_id.in_(held.orders)).values(**NOBODY),
        update(Sale).where(Sale.tenant_id == tenant, _sold_to(held)).values(customer_shopify_id=None),
        update(Checkout)
        .where(Checkout.tenant_id == tenant, Checkout.token.in_(held.checkouts))
        .values(**NOBODY, abandoned_checkout_url=None),
        delete(Customer).where(Customer.tenant_id == tenant, Customer.shopify_id.in_(held.customers)),
        delete(DataExport).where(DataExport.tenant_id == tenant, DataExport.customer_shopify_id.in_(held.customers)),
    )
    rows = sum(_rows(session, statement) for statement in statements)
    forgotten, waiting = _forget_bodies(session, request, held, now)
    return Erasure(rows + forgotten, waiting, days)


def _sold_to(held: Held) -> ColumnElement[bool]:
    return or_(Sale.order_shopify_id.in_(held.orders), Sale.customer_shopify_id.in_(held.customers))


def _forget_bodies(session: Session, request: Open, held: Held, now: datetime) -> tuple[int, int]:
    """Drop the bodies that tell of the person; returns how many, and how many are still to be applied.

    One that has failed before is given up with its body: it would otherwise be kept for hours.
    """
    about = _about(request, held)
    settled = or_(Delivery.processed_at.is_not(None), Delivery.tenant_id.is_(None), Delivery.error.is_not(None))
    gone_over = or_(settled, Delivery.dead_at.is_not(None))
    dropped = _rows(
        session,
        update(Delivery)
        .where(about, gone_over)
        .values(payload=b"", error=None, processed_at=func.coalesce(Delivery.processed_at, now)),
    )
    return dropped, session.scalar(select(func.count()).select_from(Delivery).where(about)) or 0


def _about(request: Open, held: Held) -> ColumnElement[bool]:
    """Return what finds bodies about the person, in quarantine too, except those of requests that are still open."""
    still_open = exists().where(
        PrivacyRequest.shop_domain == Delivery.shop_domain,
        PrivacyRequest.webhook_id == Delivery.webhook_id,
        PrivacyRequest.completed_at.is_(None),
    )
    of_store = or_(
        Delivery.tenant_id == held.tenant_id,
        and_(Delivery.tenant_id.is_(None), Delivery.shop_domain == request.shop_domain),
    )
    told = func.encode(Delivery.payload, "escape").op("~*")(tombstones.pattern(held.words()))
    return and_(of_store, Delivery.payload != b"", ~still_open, told)


def _rows(session: Session, statement: Any) -> int:  # noqa: ANN401 - an update or a delete, which share no public type
    result = session.execute(statement, execution_options={"synchronize_session": False})
    return cast("CursorResult[Any]", result).rowcount
