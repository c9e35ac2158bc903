"""Tenant: a store's products and their variants."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import ARRAY, BigInteger, Index, Integer, Numeric, Text
from sqlalchemy.orm import Mapped, mapped_column

from shopify_app.database import Model
from shopify_app.models.base import TENANT, Instant, OwnerKey, ShopifyId, ShopifyKey, Versioned, own_id


class Product(Versioned, Model):
    """A product; ``price`` is that of its cheapest variant, in the shop's currency."""

    __tablename__ = "products"
    __table_args__ = (Index("uq_products_tenant_id_id", "tenant_id", "id", unique=True), {"info": TENANT})

    tenant_id: Mapped[OwnerKey]
    shopify_id: Mapped[ShopifyKey]
    id: Mapped[int] = own_id("products")
    title: Mapped[str | None] = mapped_column(Text)
    handle: Mapped[str | None] = mapped_column(Text)
    vendor: Mapped[str | None] = mapped_column(Text)
    product_type: Mapped[str | None] = mapped_column(Text)
    status: Mapped[str | None] = mapped_column(Text)
    tags: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    price: Mapped[Decimal | None] = mapped_column(Numeric(22, 4))
    published_at: Mapped[Instant | None]


class ProductVariant(Model):
    """A variant of a product."""

    __tablename__ = "product_variants"
    __table_args__ = (Index("ix_product_variants_product", "tenant_id", "product_shopify_id"), {"info": TENANT})

    tenant_id: Mapped[OwnerKey]
    shopify_id: Mapped[ShopifyKey]
    product_shopify_id: Mapped[ShopifyId]
    title: Mapped[str | None] = mapped_column(Text)
    sku: Mapped[str | None] = mapped_column(Text)
    barcode: Mapped[str | None] = mapped_column(Text)
    price: Mapped[Decimal | None] = mapped_column(Numeric(22, 4))
    compare_at_price: Mapped[Decimal | None] = mapped_column(Numeric(22, 4))
    position: Mapped[int | None] = mapped_column(Integer)
    inventory_quantity: Mapped[int | None] = mapped_column(BigInteger)
    updated_at: Mapped[Instant | None]
