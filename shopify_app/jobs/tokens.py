"""Jobs on tokens: a working one whenever it is asked for, however many processes ask, and none left to die unused."""

from __future__ import annotations

import time
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

    def access(self, tenant_id: int) -> Access:
        """Return access to the store.

        Raises:
            ShopifyError: there is none; see ``retryable``.
        """


class GrantedTokens:
    """The source that every installed store has: the offline token its merchant granted, renewed when it is due.

    Processes that ask at the same time refresh once: one holds the lease, the others wait for its new pair. No
    transaction is open meanwhile.
    """

    def access(self, tenant_id: int) -> HeldToken:
        """Return a token that is good for five minutes at least; renewed first when it is not.

        Raises:
            Unauthorized: the store has uninstalled the app, or gave a token that expired and cannot be renewed.
            RefreshRefused: the token is dead until the merchant opens the app again.
            ShopifyError: the token could not be renewed now; see ``retryable``.
        """
        give_up_at = time.monotonic() + LONGEST_WAIT
        while True:
            token = live_token(tenant_id)
            if token.is_fresh(_now()) and not token.is_permanent:
                return token
            if not token.is_renewable or time.monotonic() >= give_up_at:
                return _as_it_is(token)
            if lease := _lease(tenant_id):
                return _renewed(token, lease)
            time.sleep(POLL_EVERY)


SOURCE: TokenSource = GrantedTokens()


def client_for(tenant_id: int) -> AdminClient:
    """Return a client of the store's Admin API whose token is good for five minutes at least.

    Raises:
        Unauthorized: the store has uninstalled the app, or gave a token that expired and cannot be renewed.
        RefreshRefused: the token is dead until the merchant opens the app again.
        ShopifyError: the token could not be renewed now; see ``retryable``.
    """
    access = SOURCE.access(tenant_id)
    config = current().config
    origin = config.shop_origin(access.store_url)
    return AdminClient(origin, config.shopify_api_version, access.access_token, current().http)


def disown_token(tenant_id: int, client: AdminClient, error: Unauthorized) -> None:
    """Note that Shopify refused the client's token, so that the merchant's next visit brings a new one."""
    with directory() as session:
        tenants.refuse_token(
            session,
            tenant_id,
            reason=str(error),
            access_token=client.access_token,
            vault=current().vault,
            now=_now(),
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


def _as_it_is(token: HeldToken) -> HeldToken:
    """Return a token that could not be renewed, for as long as it lives."""
    if token.is_usable(_now()):
        return token
    if not token.is_renewable:
        raise Unauthorized("The store's token has expired, and Shopify gave none to renew it with.")
    raise Unavailable("The store's token has expired, and another process has not renewed it yet.")


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
        with directory() as session:
            tenants.release_refresh(session, token.tenant_id, lease=lease)
        log.warning("tokens.not_renewed", tenant_id=token.tenant_id, reason=str(error))
        if token.is_usable(_now()):
            return token
        raise
    with directory() as session:
        tenants.store_grant(session, token.tenant_id, grant=grant, lease=lease, vault=current().vault, now=_now())
    return live_token(token.tenant_id)


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
