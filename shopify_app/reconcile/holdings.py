"""What we hold, as a check asks for it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from types import MappingProxyType
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session, aliased

from shopify_app.models import Backfill, Checkout, Customer, Order, Product
from shopify_app.reconcile.decisions import Held, Key, Standing
from shopify_app.shopify.differences import Window

_TABLES: MappingProxyType[str, Any] = MappingProxyType(
    {"customers": Customer, "products": Product, "orders": Order, "checkouts": Checkout}
)


def held(session: Session, tenant_id: int, resource: str, keys: Sequence[Key]) -> dict[Key, Held]:
    """Return what we hold under these keys. A backfill's rows were read after the backfill was planned."""
    table, key = _TABLES[resource], _key_column(resource)
    loaded = aliased(Backfill)
    rows = session.execute(
        select(key, table.updated_at, table.deleted_at, func.coalesce(table.triggered_at, loaded.created_at))
        .outerjoin(loaded, (loaded.tenant_id == tenant_id) & (loaded.id == table.backfill_id))
        .where(table.tenant_id == tenant_id, key.in_(keys))
    )
    return {key: Held(*values) for key, *values in rows}


def held_numbers(session: Session, standing: Standing, window: Window, *, upto: int | None, limit: int) -> list[int]:
    """Return the numbers of the next objects we hold in a window, up to one number (None: all).

    Placeholders are among them where the window has no floor: what was told of something whose creation was lost, and
    which may be gone since. Whether it is, is asked before anything is deleted.
    """
    key, table = _key_column(standing.resource), _TABLES[standing.resource]
    known = and_(*_in_window(standing.tenant_id, standing.resource, window))
    if window.floor is None:
        alive = and_(table.tenant_id == standing.tenant_id, table.deleted_at.is_(None))
        known = or_(known, and_(alive, table.updated_at.is_(None)))
    query = select(key).where(known, key > standing.after).order_by(key).limit(limit)
    return list(session.scalars(query if upto is None else query.where(key <= upto)))


def count(session: Session, tenant_id: int, resource: str, window: Window) -> int:
    """Return how many objects we hold in a window."""
    return (
        session.scalar(select(func.count(_key_column(resource))).where(*_in_window(tenant_id, resource, window))) or 0
    )


def orders_of(session: Session, tenant_id: int, customers: Collection[int]) -> list[int]:
    """Return the numbers of the orders we hold of these customers."""
    mine = (Order.tenant_id == tenant_id, Order.customer_shopify_id.in_(customers), Order.deleted_at.is_(None))
    return list(session.scalars(select(Order.shopify_id).where(*mine).order_by(Order.shopify_id)))


def _key_column(resource: str) -> Any:  # noqa: ANN401 - a column of numbers, or of tokens
    return Checkout.token if resource == "checkouts" else _TABLES[resource].shopify_id


def _in_window(tenant_id: int, resource: str, window: Window) -> list[ColumnElement[bool]]:
    """Return what tells rows that Shopify would list; a placeholder, which has no version, is none of them."""
    table = _TABLES[resource]
    bounds = [table.tenant_id == tenant_id, table.deleted_at.is_(None), table.updated_at <= window.ceiling]
    if window.since is not None:
        bounds.append(table.updated_at >= window.since)
    return bounds if window.floor is None else [*bounds, table.created_at >= window.floor]
