"""The record of what operators did, as operators read it: newest first, of one person, one deed or one store."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from shopify_app.models import AuditEntry, Tenant

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One deed. ``store_url`` is None where it was about no store, or about one that has been erased since."""

    id: int
    at: datetime
    operator: str
    action: str
    tenant_id: int | None
    store_url: str | None
    reason: str | None
    details: dict[str, Any] | None


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which entries are meant; None: all. ``before`` is the id above which they were read already."""

    operator: str | None = None
    action: str | None = None
    store_url: str | None = None
    before: int | None = None


def entries(session: Session, wanted: Wanted, *, limit: int) -> list[Entry]:
    """Return what was done, newest first, at most ``limit``."""
    columns = ("id", "at", "operator", "action", "tenant_id", "reason", "details")
    query = (
        select(*(getattr(AuditEntry, name) for name in columns), Tenant.store_url)
        .outerjoin(Tenant, Tenant.id == AuditEntry.tenant_id)
        .order_by(AuditEntry.id.desc())
        .limit(limit)
    )
    if wanted.operator is not None:
        query = query.where(AuditEntry.operator == wanted.operator)
    if wanted.action is not None:
        query = query.where(AuditEntry.action == wanted.action)
    if wanted.store_url is not None:
        query = query.where(Tenant.store_url == wanted.store_url)
    if wanted.before is not None:
        query = query.where(AuditEntry.id < wanted.before)
    return [Entry(**row) for row in session.execute(query).mappings()]


def choices(session: Session) -> tuple[list[str], list[str]]:
    """Return who did anything, and what was done, each once and in order: what a list can be narrowed to."""
    people = session.scalars(select(AuditEntry.operator).distinct().order_by(AuditEntry.operator))
    deeds = session.scalars(select(AuditEntry.action).distinct().order_by(AuditEntry.action))
    return list(people), list(deeds)
