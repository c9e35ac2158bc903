"""Jobs on tokens: a working one whenever it is asked for, however many processes ask, and none left to die unused."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

import structlog

from shopify_app import tenants
from shopify_app.database import directory, operations
from shopify_app.runtime import current
from shopify_app.shopify.client import AdminClient
from shopify_app.shopify.errors import RefreshRefused, ShopifyError, Unauthorized, Unavailable

if TYPE_CHECKING:
    from shopify_app.shopify.oauth import TokenGrant
    from shopify_app.tenants import HeldToken

REFRESH_LEASE = timedelta(seconds=60)  # longer than the slowest answer of Shopify's that the client waits for
LONGEST_WAIT = 20.0  # seconds to wait for another process's refresh
POLL_EVERY = 0.1
RENEW_BEFORE = timedelta(days=30)  # of a refresh token's 90 days

log = structlog.get_logger(__name__)


class Access(Protocol):
    """What a call to a store's Admin API needs."""

    @property
    def store_url(self) -> str:
        """The store's host."""

    @property
    def access_token(self) -> str:
        """A token that is good for five minutes at least."""


class TokenSource(Protocol):
    """Where access tokens come from: merchants' grants today, the app's own key pair once Shopify has it for all."""

    def access(self, tenant_id: int, *, instead_of: str | None = None) -> Access:
        """Return access to the store; with a token ``instead_of`` which Shopify has just refused, another one.

        Raises:
            ShopifyError: there is none; see ``retryable``.
        """


class GrantedTokens:
    """The source that every installed store has: the offline token its merchant granted, renewed when it is due.

    Processes that ask at the same time refresh once: one holds the lease, the others wait for its new pair. No
    transaction is open meanwhile.
    """

    def access(self, tenant_id: int, *, instead_of: str | None = None) -> HeldToken:
        """Return a token that is good for five minutes at least; renewed first when it is not.

        One ``instead_of`` which Shopify has refused before its time is renewed too, unless another process did.

        Raises:
            Unauthorized: the store has uninstalled the app, or gave a token that is dead and cannot be renewed.
            RefreshRefused: the token is dead until the merchant opens the app again.
            ShopifyError: the token could not be renewed now; see ``retryable``.
        """
        give_up_at = time.monotonic() + LONGEST_WAIT
        while True:
            token = live_token(tenant_id)
            if _serves(token, instead_of):
                return token
            if not token.is_renewable or time.monotonic() >= give_up_at:
                return _as_it_is(token, instead_of)
            if lease := _lease(tenant_id, even_if_fresh=instead_of is not None):
                return _renewed(token, lease) if instead_of is None else _replaced(tenant_id, instead_of, lease)
            time.sleep(POLL_EVERY)


SOURCE: TokenSource = GrantedTokens()


@dataclass(frozen=True)
class Renewal:
    """What a client does about a token that Shopify refuses: it has another one brought, once, and disowns that."""

    tenant_id: int

    def instead_of(self, refused: str) -> str:
        """Return a token other than the refused one. Raises what :meth:`TokenSource.access` raises."""
        try:
            return SOURCE.access(self.tenant_id, instead_of=refused).access_token
        except Unauthorized as error:
            self.disown(refused, error)
            raise

    def disown(self, refused: str, error: Unauthorized) -> None:
        """Note that Shopify refuses the token, so that the merchant's next visit brings a new one."""
        with directory() as session:
            vault, reason = current().vault, str(error)
            tenants.refuse_token(session, self.tenant_id, reason=reason, access_token=refused, vault=vault, now=_now())


def client_for(tenant_id: int) -> AdminClient:
    """Return a client of the store's Admin API whose token is good for five minutes at least.

    Shopify may refuse it all the same: the client then has it renewed and repeats its call. Refused again, the token
    is disowned, so that the merchant's next visit brings a new one.

    Raises:
        Unauthorized: the store has uninstalled the app, or gave a token that expired and cannot be renewed.
        RefreshRefused: the token is dead until the merchant opens the app again.
        ShopifyError: the token could not be renewed now; see ``retryable``.
    """
    access = SOURCE.access(tenant_id)
    runtime = current()
    return AdminClient(
        runtime.config.shop_origin(access.store_url),
        runtime.config.shopify_api_version,
        access.access_token,
        runtime.http,
        traffic=runtime.traffic,
        tokens=Renewal(tenant_id),
    )


def live_token(tenant_id: int) -> HeldToken:
    """Return the token that is held, whatever its age.

    Raises:
        Unauthorized: the store has uninstalled the app, or never gave it a token.
        RefreshRefused: Shopify has refused the token for good.
    """
    with directory() as session:
        token = tenants.token(session, tenant_id, current().vault)
    if token is None:
        raise Unauthorized("The store has uninstalled the app, or never gave it a token.")
    if token.failure is not None:
        raise RefreshRefused(token.failure)
    return token


def renew(*, tenant_id: int) -> None:
    """Refresh one store's pair whatever its age, so that a store where nothing happens stays connected.

    A token that never expires becomes one that does, which is the only kind Shopify takes from 2027 on.
    """
    token = live_token(tenant_id)
    if lease := _lease(tenant_id, even_if_fresh=True):
        _renewed(token, lease)


def renew_expiring() -> None:
    """Queue :func:`renew` for every store whose pair dies within ``RENEW_BEFORE`` or never does. Run once a day."""
    with operations() as session:
        found = tenants.expiring(session, before=_now() + RENEW_BEFORE)
    for tenant_id in found:
        current().queues.enqueue(renew, tenant_id=tenant_id)


def _serves(token: HeldToken, refused: str | None) -> bool:
    if refused is not None:
        return token.access_token != refused and token.is_usable(_now())
    return token.is_fresh(_now()) and not token.is_permanent


def _as_it_is(token: HeldToken, refused: str | None) -> HeldToken:
    """Return a token that could not be renewed, for as long as it lives and Shopify takes it."""
    if token.is_usable(_now()) and token.access_token != refused:
        return token
    if not token.is_renewable:
        raise Unauthorized("The store's token has expired or is refused, and Shopify gave none to renew it with.")
    raise Unavailable("The store's token is no longer good, and another process has not renewed it yet.")


def _replaced(tenant_id: int, refused: str, lease: datetime) -> HeldToken:
    """Renew a refused token under the lease, unless another process did between our look and our lease."""
    token = live_token(tenant_id)
    if token.access_token != refused:
        _release(tenant_id, lease)
        return token
    renewed = _renewed(token, lease)
    if renewed.access_token == refused:
        raise Unavailable("Shopify refuses the store's token, and did not renew it now.")
    return renewed


def _lease(tenant_id: int, *, even_if_fresh: bool = False) -> datetime | None:
    now = _now()
    until = now + REFRESH_LEASE
    with directory() as session:
        leased = tenants.lease_refresh(session, tenant_id, now=now, until=until, even_if_fresh=even_if_fresh)
    return until if leased else None


def _renewed(token: HeldToken, lease: datetime) -> HeldToken:
    """Renew the pair under the lease, and return the token that is held then.

    A process that dies between Shopify's answer and the commit leaves the old refresh token, which Shopify takes
    once more until its successor is used: the next process asks with it again.
    """
    try:
        grant = _asked(token)
    except RefreshRefused as error:
        _refused(token.tenant_id, lease, str(error))
        return live_token(token.tenant_id)
    except ShopifyError as error:
        _release(token.tenant_id, lease)
        log.warning("tokens.not_renewed", tenant_id=token.tenant_id, reason=str(error))
        if token.is_usable(_now()):
            return token
        raise
    with directory() as session:
        tenants.store_grant(session, token.tenant_id, grant=grant, lease=lease, vault=current().vault, now=_now())
    return live_token(token.tenant_id)


def _release(tenant_id: int, lease: datetime) -> None:
    with directory() as session:
        tenants.release_refresh(session, tenant_id, lease=lease)


def _asked(token: HeldToken) -> TokenGrant:
    oauth = current().oauth
    if token.is_permanent:
        return oauth.migrate(token.store_url, token.access_token)
    return oauth.refresh(token.store_url, token.refresh_token or "")


def _refused(tenant_id: int, lease: datetime, reason: str) -> None:
    with directory() as session:
        noted = tenants.refuse_refresh(session, tenant_id, reason=reason, lease=lease, now=_now())
    log.warning("tokens.refused", tenant_id=tenant_id, reason=reason, superseded=not noted)


def _now() -> datetime:
    return datetime.now(UTC)
