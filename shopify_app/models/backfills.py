"""Backfills, with a summary for operators, and the webhook subscriptions a store has registered."""

from __future__ import annotations

import uuid

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shopify_app.database import Model
from shopify_app.models.base import DIRECTORY, TENANT, CreatedNow, Instant, TenantKey, own_id

STATES = ("planned", "requested", "running", "loading", "verifying", "done", "failed", "cancelled")
UNFINISHED = ("planned", "requested", "running", "loading", "verifying")
RESOURCES = ("customers", "products", "orders", "refunds", "checkouts")


def _one_of(column: str, values: tuple[str, ...]) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({', '.join(repr(value) for value in values)})", name=column)


class Backfill(Model):
    """Tenant: the history of one resource, on its way from Shopify, window of time after window of time.

    Bulk resources count JSONL lines and remember the byte where the next batch begins; of the window under way
    ``objects_total`` is what Shopify has written so far, final once it is loaded, ``objects_read`` what was read of it
    and ``lines_staged`` what of that went into a table or was newer there. ``objects_before`` counts the lines of the
    windows before, ``rows_written`` those of all. ``windows_left`` lists [since, until, splits] of those to come.
    ``refunds`` counts orders whose refund lines and edits were read, and remembers its cursor.
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
    asked_by: Mapped[str] = mapped_column(Text, server_default="")
    since: Mapped[Instant | None]  # what was changed earlier was not asked for
    window_since: Mapped[Instant | None]
    window_until: Mapped[Instant | None]
    window_splits: Mapped[int] = mapped_column(Integer, server_default="0")
    windows_left: Mapped[list[list[str | int | None]]] = mapped_column(JSONB, server_default="[]")
    objects_before: Mapped[int] = mapped_column(BigInteger, server_default="0")
    lines_staged: Mapped[int] = mapped_column(BigInteger, server_default="0")
    asked_at: Mapped[Instant | None]  # an export is being asked for; whoever comes later looks whether it has begun
    moved_at: Mapped[Instant | None]  # when Shopify had last written more of its export
    troubled_at: Mapped[Instant | None]  # since when nothing but what may pass came in between
    cancel_asked_at: Mapped[Instant | None]
    ended_as: Mapped[str | None] = mapped_column(Text)  # how an export ended of which a part is being loaded
    note: Mapped[str | None] = mapped_column(Text)  # what people should know of it, however it ends
    count_shopify: Mapped[int | None] = mapped_column(BigInteger)
    count_held: Mapped[int | None] = mapped_column(BigInteger)
    reconciliation_id: Mapped[int | None] = mapped_column(BigInteger)  # the check that mends what the counts showed


class BackfillSummary(Model):
    """Directory: how far a backfill has come, for operators. Numbers and sentences, nothing of what is in the rows.

    ``objects_read`` and ``objects_total`` are those of the whole backfill, the latter null until it is known;
    ``prepared`` is what Shopify has written so far. ``moved`` counts what the rate is about at ``noted_at``;
    ``anchor_*`` is the point from which the rate is measured, and ``next_*`` the one that will follow it.
    """

    __tablename__ = "backfill_summaries"
    __table_args__ = (Index("ix_backfill_summaries_backfill_id", "backfill_id"), {"info": DIRECTORY})

    tenant_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("tenants.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    backfill_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    run_id: Mapped[uuid.UUID] = mapped_column(Uuid)
    resource: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    asked_by: Mapped[str] = mapped_column(Text)
    since: Mapped[Instant | None]
    objects_read: Mapped[int] = mapped_column(BigInteger)
    objects_total: Mapped[int | None] = mapped_column(BigInteger)
    prepared: Mapped[int | None] = mapped_column(BigInteger)
    error: Mapped[str | None] = mapped_column(Text)
    note: Mapped[str | None] = mapped_column(Text)
    cancel_asked_at: Mapped[Instant | None]
    created_at: Mapped[Instant]
    started_at: Mapped[Instant | None]
    finished_at: Mapped[Instant | None]
    noted_at: Mapped[Instant]
    moved: Mapped[int] = mapped_column(BigInteger)
    next_at: Mapped[Instant]
    next_moved: Mapped[int] = mapped_column(BigInteger)
    anchor_at: Mapped[Instant]
    anchor_moved: Mapped[int] = mapped_column(BigInteger)


class WebhookSubscription(Model):
    """Tenant: a webhook subscription Shopify holds for the store, or the reason it refused one."""

    __tablename__ = "webhook_subscriptions"
    __table_args__ = ({"info": TENANT},)

    tenant_id: Mapped[TenantKey]
    topic: Mapped[str] = mapped_column(Text, primary_key=True)
    shopify_id: Mapped[str | None] = mapped_column(Text)  # gid://shopify/WebhookSubscription/…
    uri: Mapped[str] = mapped_column(Text)
    registered_at: Mapped[Instant | None]
    error: Mapped[str | None] = mapped_column(Text)
