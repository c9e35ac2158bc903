"""Everything held of one customer, as a file for the merchant to hand over."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Text, cast, func, literal_column, select, update

from shopify_app.ingest.tombstones import pattern
from shopify_app.models import (
    Cart,
    Checkout,
    Customer,
    DataExport,
    Delivery,
    Order,
    OrderEdit,
    OrderLine,
    OrderShippingLine,
    PrivacyRequest,
    Refund,
)

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

    from shopify_app.privacy.people import Held
    from shopify_app.privacy.requests import Open

OUR_OWN = ("tenant_id", "backfill_id", "ingested_at")  # columns that say nothing of the person


@dataclass(frozen=True, kw_only=True)
class Export:
    """A file that waits for the merchant, or was fetched. ``subject`` is Shopify's number of the request."""

    id: int
    subject: int | None
    customer_shopify_id: int | None
    received_at: datetime
    due_at: datetime
    downloaded_at: datetime | None


def export(session: Session, request: Open, held: Held, *, customer: int | None, now: datetime) -> int:
    """Make the file of a request; returns the number of records in it."""
    content: dict[str, list[Any]] = {
        name: [row for (row,) in session.execute(select(_plain(table)).where(table.tenant_id == held.tenant_id, whose))]
        for name, (table, whose) in _theirs(held).items()
    }
    content["webhooks"] = _bodies(session, request, held)
    made = {"shop": request.shop_domain, "customer_id": customer, "made_at": now.isoformat(), **content}
    row = DataExport(
        tenant_id=held.tenant_id,
        request_id=request.id,
        customer_shopify_id=customer,
        content=json.dumps(made, ensure_ascii=False, indent=2).encode(),
        created_at=now,
    )
    session.add(row)
    session.flush()
    return sum(map(len, content.values()))


def exports(session: Session, tenant_id: int) -> list[Export]:
    """Return the store's files, the latest first."""
    statement = (
        select(DataExport, PrivacyRequest)
        .join(PrivacyRequest, PrivacyRequest.id == DataExport.request_id)
        .where(DataExport.tenant_id == tenant_id)
        .order_by(DataExport.id.desc())
    )
    return [
        Export(
            id=made.id,
            subject=request.subject,
            customer_shopify_id=made.customer_shopify_id,
            received_at=request.received_at,
            due_at=request.due_at,
            downloaded_at=made.downloaded_at,
        )
        for made, request in session.execute(statement)
    ]


def hand_over(session: Session, tenant_id: int, export_id: int, now: datetime) -> bytes | None:
    """Return a file's bytes and note that the merchant has fetched it; None when there is no such file."""
    statement = (
        update(DataExport)
        .where(DataExport.tenant_id == tenant_id, DataExport.id == export_id)
        .values(downloaded_at=func.coalesce(DataExport.downloaded_at, now))
    )
    return session.scalar(statement.returning(DataExport.content).execution_options(synchronize_session=False))


def _theirs(held: Held) -> dict[str, tuple[Any, ColumnElement[bool]]]:
    """Return the tables that say something of a person, each with what picks their rows."""
    return {
        "customers": (Customer, Customer.shopify_id.in_(held.customers)),
        "orders": (Order, Order.shopify_id.in_(held.orders)),
        "order_lines": (OrderLine, OrderLine.order_shopify_id.in_(held.orders)),
        "order_shipping_lines": (OrderShippingLine, OrderShippingLine.order_shopify_id.in_(held.orders)),
        "order_edits": (OrderEdit, OrderEdit.order_shopify_id.in_(held.orders)),
        "refunds": (Refund, Refund.order_shopify_id.in_(held.orders)),
        "checkouts": (Checkout, Checkout.token.in_(held.checkouts)),
        "carts": (Cart, Cart.shopify_id.in_(held.carts)),
    }


def _plain(table: Any) -> ColumnElement[Any]:  # noqa: ANN401 - any of the tables above
    """Return a row as JSON, without what is only ours."""
    row: ColumnElement[Any] = func.to_jsonb(literal_column(table.__tablename__))
    for column in OUR_OWN:
        row = row.op("-")(cast(column, Text))
    return row


def _bodies(session: Session, request: Open, held: Held) -> list[dict[str, Any]]:
    """Return the deliveries about a person whose bodies are still kept; only bodies that can be read are."""
    if not held.words():
        return []
    statement = (
        select(Delivery.topic, Delivery.received_at, Delivery.payload)
        .where(
            Delivery.tenant_id == held.tenant_id,
            Delivery.webhook_id != request.webhook_id,
            func.encode(Delivery.payload, "escape").op("~*")(pattern(held.words())),
        )
        .order_by(Delivery.id)
    )
    return [
        {"topic": topic, "received_at": at.isoformat(), "body": json.loads(payload)}
        for topic, at, payload in session.execute(statement)
    ]
