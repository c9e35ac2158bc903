"""Tenant: the sales ledger, and the totals kept per day of the shop's calendar."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import BigInteger, Date, Index, Integer, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from shopify_app.database import Model
from shopify_app.models.base import TENANT, CreatedNow, Instant, Money, OwnerKey, ShopifyId, TenantKey, own_id


class Sale(Model):
    """One entry of the ledger: what an order, an edit, a refund or a cancellation added to a day.

    ``kind`` is order, edit, refund or cancellation; ``line_type`` product or shipping. ``gross``, ``discounts`` and
    ``returns`` are positive magnitudes; ``shipping`` and ``taxes`` are signed: a refund's are negative.
    """

    __tablename__ = "sales"
    __table_args__ = (
        Index("ix_sales_order", "tenant_id", "order_shopify_id"),
        {"info": TENANT},
    )

    tenant_id: Mapped[OwnerKey]
    day_on: Mapped[dt.date] = mapped_column(Date, primary_key=True)
    id: Mapped[int] = own_id("sales", primary_key=True)
    order_shopify_id: Mapped[ShopifyId]
    kind: Mapped[str] = mapped_column(Text)
    line_type: Mapped[str] = mapped_column(Text)
    happened_at: Mapped[Instant]
    customer_shopify_id: Mapped[ShopifyId | None]
    order_line_shopify_id: Mapped[ShopifyId | None]
    product_shopify_id: Mapped[ShopifyId | None]
    variant_shopify_id: Mapped[ShopifyId | None]
    quantity: Mapped[int] = mapped_column(Integer)
    gross: Mapped[Money]
    discounts: Mapped[Money]
    returns: Mapped[Money]
    shipping: Mapped[Money]
    taxes: Mapped[Money]


class DirtyDay(Model):
    """A day whose totals no longer follow from the ledger, marked by the transaction that made it so."""

    __tablename__ = "dirty_days"
    __table_args__ = ({"info": TENANT},)

    tenant_id: Mapped[OwnerKey]
    day_on: Mapped[dt.date] = mapped_column(Date, primary_key=True)
    marked_at: Mapped[CreatedNow]


class DayTotal(Model):
    """The totals of one day. ``ordered_*`` leave out what happened after an order was placed (Shopify's AOV)."""

    __tablename__ = "day_totals"
    __table_args__ = ({"info": TENANT},)

    tenant_id: Mapped[OwnerKey]
    day_on: Mapped[dt.date] = mapped_column(Date, primary_key=True)
    orders: Mapped[int] = mapped_column(Integer)
    units: Mapped[int] = mapped_column(Integer)
    gross: Mapped[Money]
    discounts: Mapped[Money]
    returns: Mapped[Money]
    shipping: Mapped[Money]
    taxes: Mapped[Money]
    ordered_gross: Mapped[Money]
    ordered_discounts: Mapped[Money]


class RollupState(Model):
    """How fresh a tenant's totals are: ``version`` rises with every refresh."""

    __tablename__ = "rollup_states"
    __table_args__ = ({"info": TENANT},)

    tenant_id: Mapped[TenantKey]
    version: Mapped[int] = mapped_column(BigInteger, server_default="0")
    refreshed_at: Mapped[Instant] = mapped_column(server_default=func.now())
