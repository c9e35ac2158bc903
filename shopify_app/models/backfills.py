"""Tenant: backfills and the webhook subscriptions a store has registered."""

from __future__ import annotations

import uuid

from sqlalchemy import BigInteger, CheckConstraint, Index, Integer, Text, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from shopify_app.database import Model
from shopify_app.models.base import TENANT, CreatedNow, Instant, TenantKey, own_id

STATES = ("planned", "requested", "running", "loading", "verifying", "done", "failed", "cancelled")
UNFINISHED = ("planned", "requested", "running", "loading", "verifying")
RESOURCES = ("customers", "products", "orders", "refunds", "checkouts")


def _one_of(column: str, values: tuple[str, ...]) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({', '.join(repr(value) for value in values)})", name=column)


class Backfill(Model):
    """The history of one resource, on its way from Shopify.

    Bulk resources count JSONL lines (``objects_total`` is Shopify's ``objectCount``) and remember the byte where the
    next batch begins; ``refunds`` counts orders whose refund lines and edits were read, and remembers its cursor.
    """

    __tablename__ = "backfills"
    __table_args__ = (
        _one_of("state", STATES),
        _one_of("resource", RESOURCES),
        Index("ix_backfills_run", "tenant_id", "run_id"),
        {"info": TENANT},
    )

    tenant_id: Mapped[TenantKey]
    id: Mapped[int] = own_id("backfills", primary_key=True)
    run_id: Mapped[uuid.UUID] = mapped_column(Uuid)
    resource: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text, server_default="planned")
    operation_id: Mapped[str | None] = mapped_column(Text)  # gid://shopify/BulkOperation/…
    objects_total: Mapped[int | None] = mapped_column(BigInteger)
    objects_read: Mapped[int] = mapped_column(BigInteger, server_default="0")
    rows_written: Mapped[int] = mapped_column(BigInteger, server_default="0")
    byte_offset: Mapped[int] = mapped_column(BigInteger, server_default="0")
    cursor: Mapped[str | None] = mapped_column(Text)
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[CreatedNow]
    started_at: Mapped[Instant | None]
    finished_at: Mapped[Instant | None]


class WebhookSubscription(Model):
    """A webhook subscription Shopify holds for the store, or the reason it refused one."""

    __tablename__ = "webhook_subscriptions"
    __table_args__ = ({"info": TENANT},)

    tenant_id: Mapped[TenantKey]
    topic: Mapped[str] = mapped_column(Text, primary_key=True)
    shopify_id: Mapped[str | None] = mapped_column(Text)  # gid://shopify/WebhookSubscription/…
    uri: Mapped[str] = mapped_column(Text)
    registered_at: Mapped[Instant | None]
    error: Mapped[str | None] = mapped_column(Text)
