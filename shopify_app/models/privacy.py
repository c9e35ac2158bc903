"""What Shopify asks apps to do with people's data: the requests, the exports made, and whom not to take back.

https://shopify.dev/docs/apps/build/compliance/privacy-law-compliance
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, Integer, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from shopify_app.database import Model
from shopify_app.models.base import DIRECTORY, TENANT, CreatedNow, Id, Instant, TenantKey, own_id


class PrivacyRequest(Model):
    """Directory: one compliance request, due thirty days after it came. Holds no personal data, and outlives the store.

    ``tenant_id`` is null for a shop that is not known; ``subject`` is Shopify's number of a data request.
    """

    __tablename__ = "privacy_requests"
    __table_args__ = (
        Index("uq_privacy_requests_shop_domain_webhook_id", "shop_domain", "webhook_id", unique=True),
        Index("ix_privacy_requests_tenant_id", "tenant_id"),
        {"info": DIRECTORY},
    )

    id: Mapped[Id]
    tenant_id: Mapped[int | None] = mapped_column(BigInteger)
    shop_domain: Mapped[str] = mapped_column(Text)
    webhook_id: Mapped[str] = mapped_column(Text)
    topic: Mapped[str] = mapped_column(Text)
    subject: Mapped[int | None] = mapped_column(BigInteger)
    received_at: Mapped[Instant]
    due_at: Mapped[Instant]
    completed_at: Mapped[Instant | None]
    rows_affected: Mapped[int | None] = mapped_column(Integer)
    outcome: Mapped[str | None] = mapped_column(Text)


class DataExport(Model):
    """Tenant: what is held of one customer, for the merchant to download and hand over."""

    __tablename__ = "data_exports"
    __table_args__ = ({"info": TENANT},)

    tenant_id: Mapped[TenantKey]
    id: Mapped[int] = own_id("data_exports", primary_key=True)
    request_id: Mapped[int] = mapped_column(BigInteger)
    customer_shopify_id: Mapped[int | None] = mapped_column(BigInteger)
    content: Mapped[bytes] = mapped_column(LargeBinary)  # JSON
    created_at: Mapped[CreatedNow]
    downloaded_at: Mapped[Instant | None]


class Tombstone(Model):
    """Tenant: a customer who was erased, as a keyed hash: enough to know them again, not to say who they were."""

    __tablename__ = "tombstones"
    __table_args__ = ({"info": TENANT},)

    tenant_id: Mapped[TenantKey]
    digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    created_at: Mapped[CreatedNow]
