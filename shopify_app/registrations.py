"""Claims: tenants somebody registered without installing the app. A claim proves nothing about owning the store.

So it has a tenant id and a webhook secret of its own, any number of people may claim the same store, and what is
sent to a claim never meets what the real store sends (docs/decisions/0007-claims-prove-nothing.md).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert

from shopify_app.models import Account, Claim, Delivery, Tenant

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

    from shopify_app.crypto import Vault

MOST_COMPARED = 10
SUPERSEDED = "the store itself installed the app, which ended this registration"


@dataclass(frozen=True, kw_only=True)
class Application:
    """What somebody says of themselves and a store, checked for its form only."""

    store_url: str
    name: str
    email: str
    password_hash: str = field(repr=False)
    currency: str
    time_zone: str


@dataclass(frozen=True, kw_only=True)
class Registered:
    """A claim that has just been made. The secret can be read this once."""

    tenant_id: int
    webhook_secret: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Claimed:
    """A claim as a delivery finds it; ``webhook_secret`` is None once the real store has installed the app."""

    store_url: str
    webhook_secret: str | None = field(repr=False)


def register(session: Session, application: Application, vault: Vault) -> Registered:
    """Make a claim, and an unproven account where the address has none.

    Nothing that is held of the store or of the address is looked at, changed or told.
    """
    secret = secrets.token_urlsafe(32)
    claim = insert(Tenant).values(
        store_url=application.store_url,
        name=application.name,
        email=application.email,
        currency=application.currency,
        time_zone=application.time_zone,
        webhook_secret=vault.encrypt(secret),
    )
    tenant_id = session.scalars(claim.returning(Tenant.id)).one()
    account = insert(Account).values(email=application.email, password_hash=application.password_hash)
    session.execute(account.on_conflict_do_nothing())
    return Registered(tenant_id=tenant_id, webhook_secret=secret)


def secrets_of(session: Session, store_url: str, vault: Vault) -> dict[int, str]:
    """Return the secrets of the store's live claims by tenant id: the oldest ten, each of which costs a comparison."""
    rows = session.execute(
        select(Tenant.id, Tenant.webhook_secret)
        .where(Tenant.store_url == store_url, Tenant.installed_at.is_(None), Tenant.superseded_at.is_(None))
        .where(Tenant.webhook_secret.is_not(None))
        .order_by(Tenant.id)
        .limit(MOST_COMPARED)
    )
    return {tenant_id: vault.decrypt(sealed) for tenant_id, sealed in rows if sealed is not None}


def find(session: Session, tenant_id: int, vault: Vault) -> Claimed | None:
    """Return the claim with that tenant id, or None; never a store that installed the app."""
    query = select(Tenant.store_url, Tenant.webhook_secret, Tenant.superseded_at).where(
        Tenant.id == tenant_id, Tenant.installed_at.is_(None)
    )
    row = session.execute(query).one_or_none()
    if row is None:
        return None
    live = row.webhook_secret is not None and row.superseded_at is None
    return Claimed(store_url=row.store_url, webhook_secret=vault.decrypt(row.webhook_secret) if live else None)


def supersede(session: Session, store_url: str, now: datetime) -> int:
    """End every claim of the store, which has just installed the app itself; return how many there were.

    Their secrets, queued deliveries and queued work go; call it in the transaction that installs the store.
    """
    ended = session.scalars(
        update(Tenant)
        .where(Tenant.store_url == store_url, Tenant.installed_at.is_(None), Tenant.superseded_at.is_(None))
        .values(superseded_at=now, webhook_secret=None)
        .returning(Tenant.id)
        .execution_options(synchronize_session=False)
    ).all()
    if ended:
        session.execute(
            update(Delivery)
            .where(Delivery.tenant_id.in_(ended), Delivery.processed_at.is_(None))
            .values(processed_at=now, outcome="superseded", error=SUPERSEDED),
            execution_options={"synchronize_session": False},
        )
        session.execute(
            delete(Claim).where(Claim.tenant_id.in_(ended)), execution_options={"synchronize_session": False}
        )
    return len(ended)
