"""Tenant: a store's customers."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import ARRAY, BigInteger, Index, Integer, Numeric, Text
from sqlalchemy.orm import Mapped, mapped_column

from shopify_app.database import Model
from shopify_app.models.base import TENANT, Instant, OwnerKey, ShopifyKey, Versioned, own_id


class Customer(Versioned, Model):
    """A customer. ``orders_count`` and ``amount_spent`` are Shopify's own figures, null until it has told them.

    Tags, consents and purchases come in messages of their own; each group's ``*_at`` is the time it was true at.
    """

    __tablename__ = "customers"
    __table_args__ = (Index("uq_customers_tenant_id_id", "tenant_id", "id", unique=True), {"info": TENANT})

    tenant_id: Mapped[OwnerKey]
    shopify_id: Mapped[ShopifyKey]
    id: Mapped[int] = own_id("customers")
    name: Mapped[str | None] = mapped_column(Text)
    first_name: Mapped[str | None] = mapped_column(Text)
    last_name: Mapped[str | None] = mapped_column(Text)
    email: Mapped[str | None] = mapped_column(Text)
    phone: Mapped[str | None] = mapped_column(Text)
    state: Mapped[str | None] = mapped_column(Text)
    locale: Mapped[str | None] = mapped_column(Text)
    country_code: Mapped[str | None] = mapped_column(Text)
    province_code: Mapped[str | None] = mapped_column(Text)
    city: Mapped[str | None] = mapped_column(Text)
    tags: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    tags_at: Mapped[Instant | None]
    email_consent: Mapped[str | None] = mapped_column(Text)
    email_consent_at: Mapped[Instant | None]
    sms_consent: Mapped[str | None] = mapped_column(Text)
    sms_consent_at: Mapped[Instant | None]
    purchases_at: Mapped[Instant | None]
    orders_count: Mapped[int | None] = mapped_column(Integer)
    amount_spent: Mapped[Decimal | None] = mapped_column(Numeric(22, 4))
    merged_into: Mapped[int | None] = mapped_column(BigInteger)
