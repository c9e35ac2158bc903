"""Tenant: a store's orders, with what was sold, shipped, edited and refunded.

Amounts are in the shop's currency (Shopify's ``shop_money``) unless their name says presentment. No foreign key
joins these tables to one another: Shopify delivers in any order, and a refund may arrive before its order.
"""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import ARRAY, Boolean, Index, Integer, Numeric, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from shopify_app.database import Model
from shopify_app.models.base import TENANT, Instant, Money, OwnerKey, ShopifyId, ShopifyKey, Versioned, own_id


class Order(Versioned, Model):
    """An order. ``status`` is open, closed or cancelled; ``edited`` once its lines were changed after placing it."""

    __tablename__ = "orders"
    __table_args__ = (
        Index("uq_orders_tenant_id_id", "tenant_id", "id", unique=True),
        Index("ix_orders_customer", "tenant_id", "customer_shopify_id"),
        Index("ix_orders_processed_at", "tenant_id", "processed_at"),
        Index("ix_orders_cart", "tenant_id", "cart_token", postgresql_where=text("cart_token IS NOT NULL")),
        Index("ix_orders_checkout", "tenant_id", "checkout_token", postgresql_where=text("checkout_token IS NOT NULL")),
        {"info": TENANT},
    )

    tenant_id: Mapped[OwnerKey]
    shopify_id: Mapped[ShopifyKey]
    id: Mapped[int] = own_id("orders")
    name: Mapped[str | None] = mapped_column(Text)
    status: Mapped[str | None] = mapped_column(Text)
    financial_status: Mapped[str | None] = mapped_column(Text)
    fulfillment_status: Mapped[str | None] = mapped_column(Text)
    customer_shopify_id: Mapped[ShopifyId | None]
    email: Mapped[str | None] = mapped_column(Text)
    phone: Mapped[str | None] = mapped_column(Text)
    country_code: Mapped[str | None] = mapped_column(Text)
    source_name: Mapped[str | None] = mapped_column(Text)
    tags: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    discount_codes: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    currency: Mapped[str | None] = mapped_column(Text)
    total_price: Mapped[Decimal | None] = mapped_column(Numeric(22, 4))
    subtotal_price: Mapped[Decimal | None] = mapped_column(Numeric(22, 4))
    total_discounts: Mapped[Decimal | None] = mapped_column(Numeric(22, 4))
    total_tax: Mapped[Decimal | None] = mapped_column(Numeric(22, 4))
    total_shipping: Mapped[Decimal | None] = mapped_column(Numeric(22, 4))
    current_total_price: Mapped[Decimal | None] = mapped_column(Numeric(22, 4))
    presentment_currency: Mapped[str | None] = mapped_column(Text)
    presentment_total_price: Mapped[Decimal | None] = mapped_column(Numeric(22, 4))
    taxes_included: Mapped[bool | None]
    test: Mapped[bool] = mapped_column(Boolean, server_default="false")
    edited: Mapped[bool] = mapped_column(Boolean, server_default="false")
    cart_token: Mapped[str | None] = mapped_column(Text)
    checkout_token: Mapped[str | None] = mapped_column(Text)
    cancel_reason: Mapped[str | None] = mapped_column(Text)
    processed_at: Mapped[Instant | None]
    cancelled_at: Mapped[Instant | None]
    closed_at: Mapped[Instant | None]


class OrderLine(Model):
    """A line of an order. ``discount`` and ``tax`` are for the whole ``quantity``, order-level shares included."""

    __tablename__ = "order_lines"
    __table_args__ = ({"info": TENANT},)

    tenant_id: Mapped[OwnerKey]
    order_shopify_id: Mapped[ShopifyKey]
    shopify_id: Mapped[ShopifyKey]
    product_shopify_id: Mapped[ShopifyId | None]
    variant_shopify_id: Mapped[ShopifyId | None]
    title: Mapped[str | None] = mapped_column(Text)
    variant_title: Mapped[str | None] = mapped_column(Text)
    sku: Mapped[str | None] = mapped_column(Text)
    vendor: Mapped[str | None] = mapped_column(Text)
    quantity: Mapped[int] = mapped_column(Integer)
    current_quantity: Mapped[int | None] = mapped_column(Integer)
    price: Mapped[Money]
    discount: Mapped[Money]
    tax: Mapped[Money]
    gift_card: Mapped[bool] = mapped_column(Boolean, server_default="false")


class OrderShippingLine(Model):
    """A shipping charge: ``price`` before and ``discount`` off it, and its tax."""

    __tablename__ = "order_shipping_lines"
    __table_args__ = ({"info": TENANT},)

    tenant_id: Mapped[OwnerKey]
    order_shopify_id: Mapped[ShopifyKey]
    shopify_id: Mapped[ShopifyKey]
    title: Mapped[str | None] = mapped_column(Text)
    price: Mapped[Money]
    discount: Mapped[Money]
    tax: Mapped[Money]


class OrderEdit(Model):
    """An edit committed after the order was placed."""

    __tablename__ = "order_edits"
    __table_args__ = (Index("ix_order_edits_order", "tenant_id", "order_shopify_id"), {"info": TENANT})

    tenant_id: Mapped[OwnerKey]
    shopify_id: Mapped[ShopifyKey]
    order_shopify_id: Mapped[ShopifyId]
    happened_at: Mapped[Instant]


class OrderEditLine(Model):
    """What one edit did to one line: ``delta`` units, with the amounts of those units where Shopify told them."""

    __tablename__ = "order_edit_lines"
    __table_args__ = ({"info": TENANT},)

    tenant_id: Mapped[OwnerKey]
    edit_shopify_id: Mapped[ShopifyKey]
    order_line_shopify_id: Mapped[ShopifyKey]
    delta: Mapped[int] = mapped_column(Integer)
    gross: Mapped[Decimal | None] = mapped_column(Numeric(22, 4))
    discount: Mapped[Decimal | None] = mapped_column(Numeric(22, 4))
    tax: Mapped[Decimal | None] = mapped_column(Numeric(22, 4))


class Refund(Model):
    """Money or goods given back. ``lines_read_at`` is null while only the header is known (see backfills)."""

    __tablename__ = "refunds"
    __table_args__ = (
        Index("uq_refunds_tenant_id_id", "tenant_id", "id", unique=True),
        Index("ix_refunds_order", "tenant_id", "order_shopify_id"),
        {"info": TENANT},
    )

    tenant_id: Mapped[OwnerKey]
    shopify_id: Mapped[ShopifyKey]
    id: Mapped[int] = own_id("refunds")
    order_shopify_id: Mapped[ShopifyId]
    created_at: Mapped[Instant | None]
    processed_at: Mapped[Instant | None]
    amount: Mapped[Decimal | None] = mapped_column(Numeric(22, 4))
    shipping: Mapped[Decimal | None] = mapped_column(Numeric(22, 4))
    shipping_tax: Mapped[Decimal | None] = mapped_column(Numeric(22, 4))
    lines_read_at: Mapped[Instant | None]


class RefundLine(Model):
    """Units returned of one order line. ``position`` is the key: Shopify's own id may be null in GraphQL."""

    __tablename__ = "refund_lines"
    __table_args__ = ({"info": TENANT},)

    tenant_id: Mapped[OwnerKey]
    refund_shopify_id: Mapped[ShopifyKey]
    position: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    shopify_id: Mapped[ShopifyId | None]
    order_line_shopify_id: Mapped[ShopifyId | None]
    quantity: Mapped[int] = mapped_column(Integer)
    restock_type: Mapped[str | None] = mapped_column(Text)
    subtotal: Mapped[Money]
    tax: Mapped[Money]
