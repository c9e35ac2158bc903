"""Comparisons of what we hold with what Shopify holds: a tenant's own, and a summary for the clock and operators."""

from __future__ import annotations

from typing import Annotated

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from shopify_app.database import Model
from shopify_app.models.base import DIRECTORY, TENANT, CreatedNow, Instant, TenantKey, own_id

STATES = ("changes", "counting", "ids", "done", "failed", "cancelled")
UNFINISHED = ("changes", "counting", "ids")
RESOURCES = ("customers", "products", "orders", "checkouts")
# recent: what changed of late. daily: that, and every id where the counts differ. asked: that, and every id.
MODES = ("recent", "daily", "asked")

Rows = Annotated[int, mapped_column(BigInteger, server_default="0")]


def _one_of(column: str, values: tuple[str, ...]) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({', '.join(repr(value) for value in values)})", name=column)


class Reconciliation(Model):
    """Tenant: one check of one resource, on its way through what Shopify lists.

    Looked at is what changed from ``since`` (null: ever) to ``ceiling``; ``after`` is Shopify's number of the last
    object that is dealt with. ``missing``, ``stale`` and ``deleted`` count what was wrong and is repaired;
    ``corrected`` what bore Shopify's own time and still differed, as what webhooks leave out does.
    """

    __tablename__ = "reconciliations"
    __table_args__ = (
        _one_of("resource", RESOURCES),
        _one_of("mode", MODES),
        _one_of("state", STATES),
        Index("ix_reconciliations_resource", "tenant_id", "resource", "id"),
        {"info": TENANT},
    )

    tenant_id: Mapped[TenantKey]
    id: Mapped[int] = own_id("reconciliations", primary_key=True)
    resource: Mapped[str] = mapped_column(Text)
    mode: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text, server_default="changes")
    since: Mapped[Instant | None]
    ceiling: Mapped[Instant]
    after: Mapped[Rows]
    checked: Mapped[Rows]
    missing: Mapped[Rows]
    stale: Mapped[Rows]
    corrected: Mapped[Rows]
    deleted: Mapped[Rows]
    count_shopify: Mapped[int | None] = mapped_column(BigInteger)
    count_held: Mapped[int | None] = mapped_column(BigInteger)
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[CreatedNow]
    finished_at: Mapped[Instant | None]


class DriftSummary(Model):
    """Directory: how the last check of a tenant's resource ended. Figures only, nothing of what is in the rows."""

    __tablename__ = "drift_summaries"
    __table_args__ = ({"info": DIRECTORY},)

    tenant_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("tenants.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    resource: Mapped[str] = mapped_column(Text, primary_key=True)
    planned_at: Mapped[Instant]
    full_planned_at: Mapped[Instant | None]  # daily or asked
    finished_at: Mapped[Instant | None]
    state: Mapped[str] = mapped_column(Text)
    checked: Mapped[Rows]
    missing: Mapped[Rows]
    stale: Mapped[Rows]
    corrected: Mapped[Rows]
    deleted: Mapped[Rows]
    count_shopify: Mapped[int | None] = mapped_column(BigInteger)
    count_held: Mapped[int | None] = mapped_column(BigInteger)
    error: Mapped[str | None] = mapped_column(Text)
