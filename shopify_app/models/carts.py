"""Tenant: carts and checkouts, on their way to an order or not."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlalchemy import Index, Integer, Numeric, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shopify_app.database import Model
from shopify_app.models.base import TENANT, Instant, ShopifyId, TenantKey, Versioned, own_id


class Cart(Versioned, Model):
    """An online-store cart. Shopify's id of a cart is its token; ``status`` is active, abandoned or completed."""

    __tablename__ = "carts"
    __table_args__ = (Index("uq_carts_tenant_id_id", "tenant_id", "id", unique=True), {"info": TENANT})

    tenant_id: Mapped[TenantKey]
    shopify_id: Mapped[str] = mapped_column(Text, primary_key=True)
    id: Mapped[int] = own_id("carts")
    status: Mapped[str] = mapped_column(Text, server_default="active")
    currency: Mapped[str | None] = mapped_column(Text)
    units: Mapped[int | None] = mapped_column(Integer)
    total_price: Mapped[Decimal | None] = mapped_column(Numeric(22, 4))
    line_items: Mapped[list[dict[str, Any]] | None] = mapped_column(JSONB)
    completed_at: Mapped[Instant | None]


class Checkout(Versioned, Model):
    """A checkout. Its token is its key: since 2026-04 webhooks carry no number. ``status`` is open or completed."""

    __tablename__ = "checkouts"
    __table_args__ = (
        Index("uq_checkouts_tenant_id_id", "tenant_id", "id", unique=True),
        Index("ix_checkouts_shopify_id", "tenant_id", "shopify_id"),
        {"info": TENANT},
    )

    tenant_id: Mapped[TenantKey]
    token: Mapped[str] = mapped_column(Text, primary_key=True)
    id: Mapped[int] = own_id("checkouts")
    shopify_id: Mapped[ShopifyId | None]
    status: Mapped[str] = mapped_column(Text, server_default="open")
    cart_token: Mapped[str | None] = mapped_column(Text)
    customer_shopify_id: Mapped[ShopifyId | None]
    email: Mapped[str | None] = mapped_column(Text)
    phone: Mapped[str | None] = mapped_column(Text)
    currency: Mapped[str | None] = mapped_column(Text)
    total_price: Mapped[Decimal | None] = mapped_column(Numeric(22, 4))
    subtotal_price: Mapped[Decimal | None] = mapped_column(Numeric(22, 4))
    abandoned_checkout_url: Mapped[str | None] = mapped_column(Text)
    line_items: Mapped[list[dict[str, Any]] | None] = mapped_column(JSONB)
    completed_at: Mapped[Instant | None]
    closed_at: Mapped[Instant | None]
