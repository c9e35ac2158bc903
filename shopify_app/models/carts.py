"""Tenant: carts and checkouts, on their way to an order or not."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ARRAY, DateTime, Index, Integer, Numeric, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shopify_app.database import Model
from shopify_app.models.base import TENANT, Instant, OwnerKey, ShopifyId, Versioned, own_id


class Fated:
    """What is known of a basket's moments, and what follows from them (see ``ingest.abandonment``).

    ``seen_at`` holds the moments at which something was at stake, ``seen_bare_at`` the others; ``ordered_at`` is the
    time of the first order that carries its token. ``idle_since`` is set while it waits to be abandoned, ``judged_by``
    is the cut-off in minutes by which it was judged last; 0: never.
    """

    seen_at: Mapped[list[datetime]] = mapped_column(ARRAY(DateTime(timezone=True)), server_default="{}")
    seen_bare_at: Mapped[list[datetime]] = mapped_column(ARRAY(DateTime(timezone=True)), server_default="{}")
    ordered_at: Mapped[Instant | None]
    idle_since: Mapped[Instant | None]
    abandoned_at: Mapped[Instant | None]
    recovered_at: Mapped[Instant | None]
    judged_by: Mapped[int] = mapped_column(Integer, server_default="0")


class Cart(Fated, Versioned, Model):
    """An online-store cart. Shopify's id of a cart is its token.

    ``status`` is active, abandoned, checked_out (a checkout was begun from it) or completed (ordered).
    """

    __tablename__ = "carts"
    __table_args__ = (
        Index("uq_carts_tenant_id_id", "tenant_id", "id", unique=True),
        Index("ix_carts_idle", "tenant_id", "idle_since", postgresql_where=text("idle_since IS NOT NULL")),
        Index("ix_carts_judged", "tenant_id", "judged_by"),
        {"info": TENANT},
    )

    tenant_id: Mapped[OwnerKey]
    shopify_id: Mapped[str] = mapped_column(Text, primary_key=True)
    id: Mapped[int] = own_id("carts")
    status: Mapped[str] = mapped_column(Text, server_default="active")
    currency: Mapped[str | None] = mapped_column(Text)
    units: Mapped[int | None] = mapped_column(Integer)
    total_price: Mapped[Decimal | None] = mapped_column(Numeric(22, 4))
    line_items: Mapped[list[dict[str, Any]] | None] = mapped_column(JSONB)


class Checkout(Fated, Versioned, Model):
    """A checkout. Its token is its key: since 2026-04 webhooks carry no number.

    ``status`` is open, abandoned or completed; ``completed_at`` is Shopify's word for it.
    """

    __tablename__ = "checkouts"
    __table_args__ = (
        Index("uq_checkouts_tenant_id_id", "tenant_id", "id", unique=True),
        Index("ix_checkouts_shopify_id", "tenant_id", "shopify_id"),
        Index("ix_checkouts_cart", "tenant_id", "cart_token", postgresql_where=text("cart_token IS NOT NULL")),
        Index("ix_checkouts_idle", "tenant_id", "idle_since", postgresql_where=text("idle_since IS NOT NULL")),
        Index("ix_checkouts_judged", "tenant_id", "judged_by"),
        {"info": TENANT},
    )

    tenant_id: Mapped[OwnerKey]
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
