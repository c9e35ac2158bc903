"""Queue: every webhook delivery, kept before anything else happens to it, and the claims on other work."""

from __future__ import annotations

import uuid
from datetime import date

from sqlalchemy import BigInteger, Date, Identity, Index, Integer, Text, Uuid, func, text
from sqlalchemy.orm import Mapped, mapped_column

from shopify_app.database import Model
from shopify_app.models.base import QUEUE, CreatedNow, Instant

WAITING = text("processed_at IS NULL AND dead_at IS NULL AND tenant_id IS NOT NULL")
DEAD = text("dead_at IS NOT NULL AND processed_at IS NULL")
STRAY = text("tenant_id IS NULL")


class Delivery(Model):
    """One webhook delivery. ``tenant_id`` is null for a valid delivery from a shop we do not know.

    It waits until ``processed_at`` or ``dead_at`` is set, not before ``retry_at`` where it failed; ``outcome`` says
    what became of it: applied, repeat (the same event came before), discarded or superseded.
    """

    __tablename__ = "inbox"
    __table_args__ = (
        Index("uq_inbox_shop_domain_webhook_id", "shop_domain", "webhook_id", unique=True),
        Index("ix_inbox_waiting", "tenant_id", "id", postgresql_where=WAITING),
        Index("ix_inbox_dead", "tenant_id", "id", postgresql_where=DEAD),
        Index("ix_inbox_strays", "shop_domain", "id", postgresql_where=STRAY),
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
    retry_at: Mapped[Instant | None]
    processed_at: Mapped[Instant | None]
    dead_at: Mapped[Instant | None]
    outcome: Mapped[str | None] = mapped_column(Text)
    error: Mapped[str | None] = mapped_column(Text)
    traceback: Mapped[str | None] = mapped_column(Text)


class AppliedEvent(Model):
    """An event that was applied to an entity, by the delivery ``inbox_id``; another delivery of it is a repeat.

    ``digest`` is that of Shopify's event id, the topic and the entity: one event causes deliveries of several topics
    and about several entities, and one of each through every subscription.
    """

    __tablename__ = "applied_events"
    __table_args__ = ({"info": QUEUE},)

    tenant_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    digest: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    inbox_id: Mapped[int] = mapped_column(BigInteger)
    seen_on: Mapped[date] = mapped_column(Date, server_default=func.current_date())


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
