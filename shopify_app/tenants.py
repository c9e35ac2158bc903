"""The stores that installed the app, and the token each gave it.

Tokens enter and leave sealed; a refresh is exclusive by a lease on the token's row, because the call to Shopify in
its middle is far too slow for an open transaction.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import available_timezones

from sqlalchemy import and_, delete, literal, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert

from shopify_app import claims
from shopify_app.models import OfflineToken, Tenant
from shopify_app.statements import run

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import ColumnElement, Select, Update
    from sqlalchemy.orm import InstrumentedAttribute, Session

    from shopify_app.crypto import Vault
    from shopify_app.shopify.notices import ShopNotice
    from shopify_app.shopify.oauth import TokenGrant
    from shopify_app.shopify.shop import ShopFacts

REFRESH_WITHIN = timedelta(minutes=5)  # what Shopify's own libraries leave a token before they renew it
INSTALLED = text("installed_at IS NOT NULL")


class UnknownTenant(Exception):
    """There is no tenant of this number, or no longer: it was erased."""


@dataclass(frozen=True, kw_only=True)
class HeldToken:
    """A store's token as held. ``failure`` says why Shopify refused it for good; None: it is alive."""

    tenant_id: int
    store_url: str
    access_token: str = field(repr=False)
    expires_at: datetime | None
    refresh_token: str | None = field(repr=False)
    scopes: frozenset[str]
    failure: str | None

    @property
    def is_permanent(self) -> bool:
        """Whether it never expires, as tokens were before 2026; Shopify exchanges it for a pair, once."""
        return self.expires_at is None and self.refresh_token is None

    @property
    def is_renewable(self) -> bool:
        """Whether Shopify gives another one for it, without the merchant."""
        return self.is_permanent or self.refresh_token is not None

    def is_usable(self, now: datetime) -> bool:
        """Whether Shopify still takes the access token."""
        return self.expires_at is None or self.expires_at > now

    def is_fresh(self, now: datetime) -> bool:
        """Whether the access token will last through a piece of work, so that nothing needs to be renewed."""
        return self.is_usable(now + REFRESH_WITHIN)


def find(session: Session, store_url: str) -> Tenant | None:
    """Return the tenant of a store that installed the app, also when it has uninstalled it since."""
    return session.scalar(select(Tenant).where(Tenant.store_url == store_url, Tenant.installed_at.is_not(None)))


def books(session: Session, tenant_id: int) -> Tenant:
    """Return what it takes to keep a tenant's books, its time zone and currency, in a copy that is not the session's.

    Raises:
        UnknownTenant: there is none of this number, or no longer.
    """
    rows = run(session, "SELECT time_zone, currency FROM tenants WHERE id = :tenant", {"tenant": tenant_id})
    if not rows:
        raise UnknownTenant(tenant_id)
    ((time_zone, currency),) = rows
    return Tenant(id=tenant_id, time_zone=time_zone, currency=currency)


def install(session: Session, *, facts: ShopFacts, grant: TokenGrant, vault: Vault, now: datetime) -> Tenant:
    """Make or revive the store's tenant and keep its new token; a store has one tenant, however often it installs.

    Claims the work that follows, registering webhooks and reading the history, so that it cannot be forgotten.
    """
    values = {
        "name": facts.name,
        "email": facts.email,
        "shopify_id": facts.shopify_id,
        "currency": facts.currency,
        "time_zone": facts.time_zone,
        "plan": facts.plan,
        "installed_at": now,
        "uninstalled_at": None,
    }
    upsert = insert(Tenant).values(store_url=facts.store_url, **values)
    upsert = upsert.on_conflict_do_update(index_elements=["store_url"], index_where=INSTALLED, set_=values)
    statement = upsert.returning(Tenant).execution_options(populate_existing=True)
    tenant = session.scalars(statement).one()
    _keep_grant(session, tenant.id, _sealed(grant, vault, now) | _granted(grant.scopes or facts.scopes, now))
    claims.put(session, claims.SETTLE, tenant.id, due_at=now)
    return tenant


def uninstall(session: Session, tenant_id: int, now: datetime, *, triggered_at: datetime | None = None) -> bool:
    """Note that the store removed the app, and forget its token, which died with that.

    ``triggered_at`` is when it happened. The message may be a day late: one from before the store's latest install
    changes nothing. Returns whether the tenant was installed until now.
    """
    happened_at = triggered_at or now
    statement = (
        update(Tenant)
        .where(Tenant.id == tenant_id, Tenant.uninstalled_at.is_(None), Tenant.installed_at <= happened_at)
        .values(uninstalled_at=happened_at)
    )
    if not _changed(session, statement):
        return False
    session.execute(delete(OfflineToken).where(OfflineToken.tenant_id == tenant_id))
    return True


def token(session: Session, tenant_id: int, vault: Vault) -> HeldToken | None:
    """Return the store's token, unsealed; None when it gave none or has uninstalled the app."""
    statement = (
        select(OfflineToken, Tenant.store_url)
        .join(Tenant, Tenant.id == OfflineToken.tenant_id)
        .where(OfflineToken.tenant_id == tenant_id, Tenant.uninstalled_at.is_(None))
        .execution_options(populate_existing=True)
    )
    found = session.execute(statement).one_or_none()
    return None if found is None else _held(found[0], found[1], vault)


def has_live_token(session: Session, tenant_id: int, now: datetime) -> bool:
    """Return whether the store's token works or can be renewed; if not, the app needs a new exchange."""
    statement = select(OfflineToken.tenant_id).where(
        OfflineToken.tenant_id == tenant_id,
        OfflineToken.failed_at.is_(None),
        or_(
            OfflineToken.access_expires_at.is_(None),
            OfflineToken.access_expires_at > now,
            and_(OfflineToken.refresh_token.is_not(None), _later(OfflineToken.refresh_expires_at, now)),
        ),
    )
    return session.scalar(statement) is not None


def lease_refresh(
    session: Session, tenant_id: int, *, now: datetime, until: datetime, even_if_fresh: bool = False
) -> bool:
    """Take the exclusive right to refresh the store's token until ``until``; False: another process has it.

    A token that Shopify has refused for good is not leased, nor, unless asked for, one that is fresh. One that
    never expires is always due.
    """
    permanent = and_(OfflineToken.refresh_token.is_(None), OfflineToken.access_expires_at.is_(None))
    statement = update(OfflineToken).where(
        OfflineToken.tenant_id == tenant_id,
        OfflineToken.failed_at.is_(None),
        or_(OfflineToken.refresh_token.is_not(None), permanent),
        or_(OfflineToken.leased_until.is_(None), OfflineToken.leased_until <= now),
    )
    if not even_if_fresh:
        statement = statement.where(or_(permanent, OfflineToken.access_expires_at <= now + REFRESH_WITHIN))
    return _changed(session, statement.values(leased_until=until))


def store_grant(
    session: Session, tenant_id: int, *, grant: TokenGrant, lease: datetime, vault: Vault, now: datetime
) -> bool:
    """Store the refreshed pair at once and end the lease, known by its expiry.

    Returns False and stores nothing when the lease is no longer ours: the merchant has brought a newer token.
    """
    values = _sealed(grant, vault, now)
    if grant.scopes:
        values |= _granted(grant.scopes, now)
    return _changed(session, _leased(tenant_id, lease).values(**values))


def release_refresh(session: Session, tenant_id: int, *, lease: datetime) -> bool:
    """End the lease without a new pair; the next process may try with the same refresh token."""
    return _changed(session, _leased(tenant_id, lease).values(leased_until=None))


def refuse_refresh(session: Session, tenant_id: int, *, reason: str, lease: datetime, now: datetime) -> bool:
    """Note that Shopify refused the refresh token for good; nothing is tried again until a new exchange."""
    return _changed(session, _leased(tenant_id, lease).values(leased_until=None, failed_at=now, failure=reason))


def refuse_token(
    session: Session, tenant_id: int, *, reason: str, access_token: str, vault: Vault, now: datetime
) -> bool:
    """Note that Shopify refused the access token although it had not expired, unless a newer one is held by now."""
    held = session.get(OfflineToken, tenant_id, with_for_update=True, populate_existing=True)
    if held is None or held.failed_at is not None or vault.decrypt(held.access_token) != access_token:
        return False
    if held.access_expires_at is not None and held.access_expires_at <= now:
        return False
    held.failed_at, held.failure = now, reason
    return True


def expiring(session: Session, *, before: datetime) -> list[int]:
    """Return the connected stores whose refresh token dies before ``before``, or whose token never expires."""
    permanent = and_(OfflineToken.refresh_expires_at.is_(None), OfflineToken.access_expires_at.is_(None))
    due = or_(OfflineToken.refresh_expires_at < before, permanent)
    return list(session.scalars(_connected().where(due)))


def connected(session: Session) -> list[int]:
    """Return the stores that may be asked: installed, not disabled, with a token that Shopify has not refused."""
    return list(session.scalars(_connected()))


def granted_scopes(session: Session, tenant_id: int) -> frozenset[str]:
    """Return the access scopes that came with the store's token; none without one."""
    return frozenset(session.scalar(select(OfflineToken.scopes).where(OfflineToken.tenant_id == tenant_id)) or ())


def _connected() -> Select[int]:
    """Select the connected stores; needs no tenant, reads no token."""
    return (
        select(OfflineToken.tenant_id)
        .join(Tenant, Tenant.id == OfflineToken.tenant_id)
        .where(Tenant.uninstalled_at.is_(None), Tenant.disabled_at.is_(None), OfflineToken.failed_at.is_(None))
        .order_by(OfflineToken.tenant_id)
    )


def _held(row: OfflineToken, store_url: str, vault: Vault) -> HeldToken:
    return HeldToken(
        tenant_id=row.tenant_id,
        store_url=store_url,
        access_token=vault.decrypt(row.access_token),
        expires_at=row.access_expires_at,
        refresh_token=None if row.refresh_token is None else vault.decrypt(row.refresh_token),
        scopes=frozenset(row.scopes),
        failure=None if row.failed_at is None else row.failure or "Shopify refused the token.",
    )


def _sealed(grant: TokenGrant, vault: Vault, now: datetime) -> dict[str, Any]:
    """Return the columns of a new pair, free of any lease or failure of the one before."""
    return {
        "access_token": vault.encrypt(grant.access_token),
        "access_expires_at": _after(now, grant.expires_in),
        "refresh_token": None if grant.refresh_token is None else vault.encrypt(grant.refresh_token),
        "refresh_expires_at": _after(now, grant.refresh_expires_in),
        "obtained_at": now,
        "leased_until": None,
        "failed_at": None,
        "failure": None,
    }


def _granted(scopes: Iterable[str], now: datetime) -> dict[str, Any]:
    return {"scopes": sorted(scopes), "scopes_at": now}


def _later(column: InstrumentedAttribute[datetime | None], now: datetime) -> ColumnElement[bool]:
    return or_(column.is_(None), column > now)


def _after(now: datetime, seconds: int | None) -> datetime | None:
    return None if seconds is None else now + timedelta(seconds=seconds)


def _keep_grant(session: Session, tenant_id: int, values: dict[str, Any]) -> None:
    upsert = insert(OfflineToken).values(tenant_id=tenant_id, **values)
    session.execute(upsert.on_conflict_do_update(index_elements=["tenant_id"], set_=values))


def _leased(tenant_id: int, lease: datetime) -> Update:
    return update(OfflineToken).where(OfflineToken.tenant_id == tenant_id, OfflineToken.leased_until == lease)


def _changed(session: Session, statement: Update) -> bool:
    """Run a guarded update of one tenant's row, and return whether the guard let it through."""
    changed = session.scalar(statement.returning(literal(1)).execution_options(synchronize_session=False))
    return changed is not None


def update_shop(tenant: Tenant, shop: ShopNotice, told_at: datetime) -> bool:
    """Take down what a shop says of itself; what it leaves out stays. Returns whether its time zone is another.

    Messages come in any order: one that is older than what is held changes nothing.
    """
    if tenant.described_at is not None and told_at < tenant.described_at:
        return False
    tenant.described_at = told_at
    tenant.name = shop.name or tenant.name
    tenant.email = shop.email or tenant.email
    tenant.currency = shop.currency or tenant.currency
    tenant.locale = shop.primary_locale or tenant.locale
    tenant.plan = shop.plan_display_name or tenant.plan
    zone = shop.iana_timezone
    if not zone or zone == tenant.time_zone or zone not in available_timezones():
        return False
    tenant.time_zone = zone
    return True


def update_scopes(session: Session, tenant_id: int, granted: Iterable[str], told_at: datetime) -> bool:
    """Take down which access scopes the store grants; returns whether they are others than before.

    Messages come in any order: one that is older than what is held changes nothing.
    """
    token = session.get(OfflineToken, tenant_id)
    if token is None or (token.scopes_at is not None and told_at < token.scopes_at):
        return False
    before, token.scopes, token.scopes_at = sorted(token.scopes), sorted(granted), told_at
    return before != token.scopes
