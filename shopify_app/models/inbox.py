"""Queue: every webhook delivery, kept before anything else happens to it, and the claims on other work."""

from __future__ import annotations

import uuid

from sqlalchemy import BigInteger, Identity, Index, Integer, Text, Uuid, text
from sqlalchemy.orm import Mapped, mapped_column

from shopify_app.database import Model
from shopify_app.models.base import QUEUE, CreatedNow, Instant

WAITING = text("processed_at IS NULL AND dead_at IS NULL AND tenant_id IS NOT NULL")


class Delivery(Model):
    """One webhook delivery. ``tenant_id`` is null for a valid delivery from a shop we do not know."""

    __tablename__ = "inbox"
    __table_args__ = (
        Index("uq_inbox_shop_domain_webhook_id", "shop_domain", "webhook_id", unique=True),
        Index("ix_inbox_waiting", "id", postgresql_where=WAITING),
        Index("ix_inbox_tenant_id", "tenant_id", "id"),
        {"info": QUEUE},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    received_at: Mapped[CreatedNow]
    tenant_id: Mapped[int | None] = mapped_column(BigInteger)
    shop_domain: Mapped[str] = mapped_column(Text)
    topic: Mapped[str] = mapped_column(Text)
    webhook_id: Mapped[str] = mapped_column(Text)
    event_id: Mapped[str | None] = mapped_column(Text)
    triggered_at: Mapped[Instant | None]
    api_version: Mapped[str | None] = mapped_column(Text)
    payload: Mapped[bytes]
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    leased_until: Mapped[Instant | None]
    lease: Mapped[uuid.UUID | None] = mapped_column(Uuid)
    processed_at: Mapped[Instant | None]
    dead_at: Mapped[Instant | None]
    error: Mapped[str | None] = mapped_column(Text)


class Claim(Model):
    """A piece of work that is due: who may do it is decided by a guarded update, and a lease that runs out.

    ``subject`` is the piece's own number inside its kind (a backfill's id, an order's Shopify id) or zero.
    """

    __tablename__ = "claims"
    __table_args__ = (Index("ix_claims_due_at", "due_at"), {"info": QUEUE})

    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    tenant_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    subject: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False, server_default="0")
    due_at: Mapped[CreatedNow]
    leased_until: Mapped[Instant | None]
    lease: Mapped[uuid.UUID | None] = mapped_column(Uuid)
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    error: Mapped[str | None] = mapped_column(Text)
