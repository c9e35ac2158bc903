"""Orders of which an export leaves something out: the lines of their refunds, and the amounts of their edits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select, union

from shopify_app.models import Order, Refund

if TYPE_CHECKING:
    from sqlalchemy import Select
    from sqlalchemy.orm import Session


def orders_to_detail(session: Session, tenant_id: int, *, after: int, limit: int) -> list[int]:
    """Return Shopify's ids of orders whose refund lines or edits are not known yet, in ascending order."""
    wanted = _orders_to_detail(tenant_id).subquery()
    column = wanted.c[0]
    return list(session.scalars(select(column).where(column > after).order_by(column).limit(limit)))


def count_orders_to_detail(session: Session, tenant_id: int) -> int:
    """Return how many orders' refund lines or edits are not known yet."""
    return session.scalar(select(func.count()).select_from(_orders_to_detail(tenant_id).subquery())) or 0


def count_bare_refunds(session: Session, tenant_id: int) -> int:
    """Return how many refunds are known by their amount only."""
    bare = (Refund.tenant_id == tenant_id, Refund.lines_read_at.is_(None))
    return session.scalar(select(func.count()).select_from(Refund).where(*bare)) or 0


def _orders_to_detail(tenant_id: int) -> Select[int]:
    edited = select(Order.shopify_id).where(Order.tenant_id == tenant_id, Order.edited, Order.deleted_at.is_(None))
    refunded = select(Refund.order_shopify_id).where(Refund.tenant_id == tenant_id, Refund.lines_read_at.is_(None))
    both = union(edited, refunded).subquery()
    return select(both.c[0])
