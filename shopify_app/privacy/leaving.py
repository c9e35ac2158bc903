"""Erasing a store that has left: whether a request is about this installation, and the removal, which is counted."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, or_, select

from shopify_app.models import AppliedEvent, Claim, Delivery, Tenant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Select, Table
    from sqlalchemy.orm import Session

# The audit: these say that something was done, and hold nothing of the store but its address and our number of it.
KEPT = frozenset({"privacy_requests", "audit_entries"})


class RowsLeft(Exception):
    """A table still holds rows of a store that was erased; nothing has been committed."""


class Verdict(enum.Enum):
    """What a request to erase a store means for the installation that is held."""

    ERASE = "Everything of this installation was erased."
    STALE = "Not applied: the request is about an earlier installation."
    INSTALLED = "Not applied so far: the store has the app installed. It is applied when the app is uninstalled."


def verdict(*, installed_at: datetime | None, uninstalled_at: datetime | None, happened_at: datetime) -> Verdict:
    """Decide from when the request was sent. Messages come in any order, so an uninstall may be yet to arrive.

    Shopify sends a request two days after an uninstall, and none to a store that has installed again by then.
    """
    if installed_at is not None and installed_at > happened_at:
        return Verdict.STALE
    if uninstalled_at is None:
        return Verdict.INSTALLED
    return Verdict.STALE if uninstalled_at > happened_at else Verdict.ERASE


def erase_store(session: Session, tenant: Tenant) -> int:
    """Remove everything of an installation; returns the number of rows, counted before and again after.

    Raises:
        RowsLeft: something would have stayed.
    """
    tenant_id, store_url = tenant.id, tenant.store_url
    before = sum(_counts(session, tenant_id, store_url).values())
    session.execute(delete(Delivery).where(or_(Delivery.tenant_id == tenant_id, Delivery.shop_domain == store_url)))
    session.execute(delete(Claim).where(Claim.tenant_id == tenant_id))
    session.execute(delete(AppliedEvent).where(AppliedEvent.tenant_id == tenant_id))
    for table in _of_stores():
        session.execute(delete(table).where(table.c.tenant_id == tenant_id))
    # What is left of others' rows, of members and tokens, follows the tenant's (ON DELETE CASCADE).
    session.execute(delete(Tenant).where(Tenant.id == tenant_id), execution_options={"synchronize_session": False})
    session.expunge(tenant)
    left = {name: count for name, count in _counts(session, tenant_id, store_url).items() if count}
    if left:
        raise RowsLeft(f"rows are left in {', '.join(sorted(left))}")
    return before


def _of_stores() -> Iterator[Table]:
    """Yield the tables of the class tenant, children first."""
    yield from (table for table in reversed(Tenant.metadata.sorted_tables) if table.info["table_class"] == "tenant")


def _counts(session: Session, tenant_id: int, store_url: str) -> dict[str, int]:
    tables = [table for table in Tenant.metadata.sorted_tables if table.name not in KEPT]
    counts = {table.name: _of_tenant(table, tenant_id) for table in tables if "tenant_id" in table.c}
    counts["tenants"] = select(func.count()).select_from(Tenant).where(Tenant.id == tenant_id)
    counts["inbox"] = (
        select(func.count())
        .select_from(Delivery)
        .where(or_(Delivery.tenant_id == tenant_id, Delivery.shop_domain == store_url))
    )
    return {name: session.scalar(count) or 0 for name, count in counts.items()}


def _of_tenant(table: Table, tenant_id: int) -> Select[int]:
    return select(func.count()).select_from(table).where(table.c.tenant_id == tenant_id)
