"""How each store stands with us, for those who run the app, and stopping one: nothing here reads a tenant's rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, case, func, or_, select, update

from shopify_app.models import Claim, OfflineToken, Tenant
from shopify_app.models.operators import AuditEntry

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.orm import Session


HINDRANCES = {
    "disabled": "is disabled, so that no job works for it: enable it first",
    "superseded": "is a claim that has ended",
    "claimed": "is a claim: the app was never installed there",
    "uninstalled": "has uninstalled the app",
}


class UnknownStore(Exception):
    """No store of that address has installed the app."""

    def __init__(self, store_url: str) -> None:
        super().__init__(f"No store {store_url} has installed the app.")


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A store that installed the app, or somebody's claim to one, which never did.

    ``token`` is ``live``, ``refused``, ``expired`` or ``none``.
    """

    id: int
    store_url: str
    name: str
    time_zone: str
    installed_at: datetime | None
    uninstalled_at: datetime | None
    disabled_at: datetime | None
    superseded_at: datetime | None
    token: str
    token_until: datetime | None

    @property
    def state(self) -> str:
        """One word: what an operator looks for first. Being stopped outlasts that the store goes and comes back."""
        states = (
            (self.disabled_at is not None, "disabled"),
            (self.superseded_at is not None, "superseded"),
            (self.installed_at is None, "claimed"),
            (self.uninstalled_at is not None, "uninstalled"),
        )
        return next((word for holds, word in states if holds), "installed")

    @property
    def hindrance(self) -> str | None:
        """Why nothing can be asked of Shopify for this store, as a sentence; None: it can."""
        if self.state in HINDRANCES:
            return f"{self.store_url} {HINDRANCES[self.state]}."
        if self.token != "live":  # noqa: S105 - a word of ours
            return f"Shopify no longer accepts the app's access to {self.store_url}: its merchant has to open the app."
        return None


@dataclass(frozen=True, kw_only=True)
class Work:
    """Claims of one kind: due and free to be taken, under somebody's lease, and put off.

    ``failing`` of them went wrong the last time; ``due_since`` is since when the longest due one waits.
    """

    kind: str
    due: int
    held: int
    later: int
    failing: int
    due_since: datetime | None


def every(session: Session, now: datetime) -> list[Standing]:
    """Return every store that installed the app, by address."""
    installed = _standings(now).where(Tenant.installed_at.is_not(None)).order_by(Tenant.store_url)
    return [Standing(**row) for row in session.execute(installed).mappings()]


def by_name(session: Session, now: datetime, *, limit: int) -> list[Standing]:
    """Return stores and claims by name, at most ``limit``."""
    query = _standings(now).order_by(func.lower(Tenant.name), Tenant.id).limit(limit)
    return [Standing(**row) for row in session.execute(query).mappings()]


def addresses(session: Session, tenant_ids: Collection[int]) -> dict[int, str]:
    """Return the addresses of stores and claims, by tenant."""
    query = select(Tenant.id, Tenant.store_url).where(Tenant.id.in_(tenant_ids))
    return {row.id: row.store_url for row in session.execute(query)}


def one(session: Session, store_url: str, now: datetime) -> Standing:
    """Return one store.

    Raises:
        UnknownStore: it never installed the app.
    """
    installed = _standings(now).where(Tenant.store_url == store_url, Tenant.installed_at.is_not(None))
    row = session.execute(installed).mappings().one_or_none()
    if row is None:
        raise UnknownStore(store_url)
    return Standing(**row)


def tenants_at(session: Session, store_url: str) -> tuple[int, ...]:
    """Return whoever is kept under a store's address: the store itself, or those who claim it.

    Raises:
        UnknownStore: nobody is.
    """
    query = select(Tenant.id).where(Tenant.store_url == store_url, Tenant.superseded_at.is_(None)).order_by(Tenant.id)
    found = tuple(session.scalars(query))
    if not found:
        raise UnknownStore(store_url)
    return found


def numbered(session: Session, tenant_id: int, now: datetime) -> Standing | None:
    """Return a store or a claim by its number, or None."""
    row = session.execute(_standings(now).where(Tenant.id == tenant_id)).mappings().one_or_none()
    return None if row is None else Standing(**row)


def work(session: Session, now: datetime) -> list[Work]:
    """Return what waits to be done, is being done and is put off, by kind of work."""
    held = Claim.leased_until > now
    free = or_(Claim.leased_until.is_(None), Claim.leased_until <= now)
    due = and_(free, Claim.due_at <= now)
    query = (
        select(
            Claim.kind,
            func.count().filter(due).label("due"),
            func.count().filter(held).label("held"),
            func.count().filter(free, Claim.due_at > now).label("later"),
            func.count().filter(Claim.error.is_not(None)).label("failing"),
            func.min(Claim.due_at).filter(due).label("due_since"),
        )
        .group_by(Claim.kind)
        .order_by(Claim.kind)
    )
    return [Work(**row) for row in session.execute(query).mappings()]


def disable(session: Session, store_url: str, *, operator: str, reason: str | None, now: datetime) -> bool:
    """Stop serving a store: nobody sees its pages and no job works for it, while its webhooks are kept.

    Returns whether it was served until now. The deed is audited with it.

    Raises:
        UnknownStore: it never installed the app.
    """
    tenant_id = one(session, store_url, now).id
    guard = (Tenant.id == tenant_id, Tenant.disabled_at.is_(None))
    changed = session.scalar(update(Tenant).where(*guard).values(disabled_at=now).returning(Tenant.id))
    if changed is not None:
        _audit(session, "store disabled", tenant_id, operator, reason)
    return changed is not None


def enable(session: Session, store_url: str, *, operator: str, reason: str | None, now: datetime) -> bool:
    """Serve a store again, and apply what was kept meanwhile. Returns whether it was stopped until now.

    Raises:
        UnknownStore: it never installed the app.
    """
    tenant_id = one(session, store_url, now).id
    guard = (Tenant.id == tenant_id, Tenant.disabled_at.is_not(None))
    changed = session.scalar(update(Tenant).where(*guard).values(disabled_at=None).returning(Tenant.id))
    if changed is not None:
        _audit(session, "store enabled", tenant_id, operator, reason)
    return changed is not None


def _standings(now: datetime) -> Select[*tuple[Any, ...]]:
    """Select the columns the operators' role may read, and none besides."""
    return select(
        Tenant.id,
        Tenant.store_url,
        Tenant.name,
        Tenant.time_zone,
        Tenant.installed_at,
        Tenant.uninstalled_at,
        Tenant.disabled_at,
        Tenant.superseded_at,
        _token(now).label("token"),
        func.coalesce(OfflineToken.refresh_expires_at, OfflineToken.access_expires_at).label("token_until"),
    ).outerjoin(OfflineToken, OfflineToken.tenant_id == Tenant.id)


def _token(now: datetime) -> ColumnElement[str]:
    until = func.coalesce(OfflineToken.refresh_expires_at, OfflineToken.access_expires_at)
    return case(
        (OfflineToken.tenant_id.is_(None), "none"),
        (OfflineToken.failed_at.is_not(None), "refused"),
        (until <= now, "expired"),
        else_="live",
    )


def _audit(session: Session, action: str, tenant_id: int, operator: str, reason: str | None) -> None:
    session.add(AuditEntry(operator=operator, action=action, tenant_id=tenant_id, reason=reason))
