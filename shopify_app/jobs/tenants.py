"""Jobs on a store as a whole: a working token for it, and, after an install, its webhooks and its history."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from shopify_app import backfill, claims, subscriptions, tenants
from shopify_app.claims import LeaseLost
from shopify_app.database import directory, operations, tenant_work
from shopify_app.jobs import queues
from shopify_app.jobs.subscriptions import reconcile
from shopify_app.models import Tenant
from shopify_app.runtime import current
from shopify_app.shopify import scopes
from shopify_app.shopify.client import AdminClient
from shopify_app.shopify.errors import (
    RefreshRefused,
    ShopifyError,
    Unauthorized,
    Unavailable,
)

if TYPE_CHECKING:
    from shopify_app.claims import Taken
    from shopify_app.subscriptions import Wanted
    from shopify_app.tenants import HeldToken

REFRESH_LEASE = timedelta(seconds=60)  # longer than the slowest answer of Shopify's that the client waits for
LONGEST_WAIT = 20.0  # seconds to wait for another process's refresh
POLL_EVERY = 0.1
SETTLE_LEASE = timedelta(seconds=30)  # two that overlap do no harm; one that died should not be waited for
FIRST_BACKOFF = timedelta(seconds=5)
LONGEST_BACKOFF = timedelta(hours=1)
RENEW_BEFORE = timedelta(days=30)  # of a refresh token's 90 days
SCOPE_OF_HISTORY = {
    "customers": "read_customers",
    "products": "read_products",
    "orders": "read_orders",
    "checkouts": "read_orders",
}

log = structlog.get_logger(__name__)


# ── a working token ─────────────────────────────────────────────────────────────────────────────────────────────────


def client_for(tenant_id: int) -> AdminClient:
    """Return a client with a token that is good for five minutes at least; refreshed first when it is not.

    Processes that ask at the same time refresh once: one holds the lease, the others wait for its new pair. No
    transaction is open meanwhile.

    Raises:
        Unauthorized: the store has uninstalled the app, or gave a token that expired and cannot be renewed.
        RefreshRefused: the token is dead until the merchant opens the app again.
        ShopifyError: the token could not be renewed now; see ``retryable``.
    """
    token = _fresh_token(tenant_id)
    config = current().config
    origin = config.shop_origin(token.store_url)
    return AdminClient(origin, config.shopify_api_version, token.access_token, current().http)


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


def renew(*, tenant_id: int) -> None:
    """Refresh one store's pair whatever its age, so that a store where nothing happens stays connected."""
    token = _live_token(tenant_id)
    if lease := _lease(tenant_id, even_if_fresh=True):
        _refresh(token, lease)


def renew_expiring() -> None:
    """Queue :func:`renew` for every store whose refresh token dies within ``RENEW_BEFORE``. Run once a day."""
    with operations() as session:
        found = tenants.expiring(session, before=_now() + RENEW_BEFORE)
    for tenant_id in found:
        current().queues.enqueue(renew, tenant_id=tenant_id)


def _fresh_token(tenant_id: int) -> HeldToken:
    give_up_at = time.monotonic() + LONGEST_WAIT
    while True:
        token = _live_token(tenant_id)
        if token.is_fresh(_now()):
            return token
        if token.refresh_token is None or time.monotonic() >= give_up_at:
            return _as_it_is(token)
        if lease := _lease(tenant_id):
            return _refresh(token, lease)
        time.sleep(POLL_EVERY)


def _live_token(tenant_id: int) -> HeldToken:
    with directory() as session:
        token = tenants.token(session, tenant_id, current().vault)
    if token is None:
        raise Unauthorized("The store has uninstalled the app, or never gave it a token.")
    if token.failure is not None:
        raise RefreshRefused(token.failure)
    return token


def _as_it_is(token: HeldToken) -> HeldToken:
    """Return a token that could not be renewed, for as long as it lives."""
    if token.is_usable(_now()):
        return token
    if token.refresh_token is None:
        raise Unauthorized("The store's token has expired, and Shopify gave none to renew it with.")
    raise Unavailable("The store's token has expired, and another process has not renewed it yet.")


def _lease(tenant_id: int, *, even_if_fresh: bool = False) -> datetime | None:
    now = _now()
    until = now + REFRESH_LEASE
    with directory() as session:
        leased = tenants.lease_refresh(session, tenant_id, now=now, until=until, even_if_fresh=even_if_fresh)
    return until if leased else None


def _refresh(token: HeldToken, lease: datetime) -> HeldToken:
    """Renew the pair under the lease, and return the token that is held then."""
    runtime = current()
    try:
        grant = runtime.oauth.refresh(token.store_url, token.refresh_token or "")
    except RefreshRefused as error:
        _refused(token.tenant_id, lease, str(error))
        return _live_token(token.tenant_id)
    except ShopifyError as error:
        with directory() as session:
            tenants.release_refresh(session, token.tenant_id, lease=lease)
        log.warning("tenants.not_renewed", tenant_id=token.tenant_id, reason=str(error))
        if token.is_usable(_now()):
            return token
        raise
    with directory() as session:
        tenants.store_grant(session, token.tenant_id, grant=grant, lease=lease, vault=runtime.vault, now=_now())
    return _live_token(token.tenant_id)


def _refused(tenant_id: int, lease: datetime, reason: str) -> None:
    with directory() as session:
        noted = tenants.refuse_refresh(session, tenant_id, reason=reason, lease=lease, now=_now())
    log.warning("tenants.token_refused", tenant_id=tenant_id, reason=reason, superseded=not noted)


# ── after an install ────────────────────────────────────────────────────────────────────────────────────────────────


def settle(*, tenant_id: int) -> None:
    """Bring a store's webhook subscriptions to what they should be, and start reading its history.

    Does nothing unless the store's claim is due, so it may be queued any number of times; run again, it changes only
    what differs.
    """
    taken = _take(tenant_id)
    if taken is None:
        return
    try:
        _settle(taken)
    except LeaseLost:
        log.warning("tenants.settled_elsewhere", tenant_id=tenant_id)


def _settle(taken: Taken) -> None:
    try:
        _register(taken.tenant_id)
    except (RefreshRefused, Unauthorized) as error:
        # Another install will bring another token, and claim this work again.
        log.warning("tenants.not_settled", tenant_id=taken.tenant_id, reason=str(error))
        _end(taken)
    except ShopifyError as error:
        _put_off(taken, error)
    else:
        _read_history(taken.tenant_id)
        _end(taken)
        # The history's claims are found now rather than at the clock's next tick.
        current().queues.nudge(queues.TICK)


def _register(tenant_id: int) -> None:
    client = client_for(tenant_id)
    try:
        registrations = reconcile(client, _wanted(tenant_id), current().config.app_url)
    except Unauthorized as error:
        disown_token(tenant_id, client, error)
        raise
    with tenant_work(tenant_id) as session:
        subscriptions.record(session, tenant_id, registrations, _now())


def _wanted(tenant_id: int) -> list[Wanted]:
    return subscriptions.wanted(_live_token(tenant_id).scopes, current().config.app_url)


def _read_history(tenant_id: int) -> None:
    granted = _live_token(tenant_id).scopes
    resources = [name for name, scope in SCOPE_OF_HISTORY.items() if not scopes.missing(granted, [scope])]
    with tenant_work(tenant_id) as session:
        backfill.start(session, session.get_one(Tenant, tenant_id), resources, _now())


def _take(tenant_id: int) -> Taken | None:
    with operations() as session:
        taken = claims.take(session, [claims.SETTLE], 1, _now(), SETTLE_LEASE, tenant_id=tenant_id)
    return taken[0] if taken else None


def _end(taken: Taken) -> None:
    with operations() as session:
        claims.done(session, taken)


def _put_off(taken: Taken, error: ShopifyError) -> None:
    wait = min(FIRST_BACKOFF * 2 ** min(taken.attempts - 1, 12), LONGEST_BACKOFF)
    if error.retry_after is not None:
        wait = max(wait, timedelta(seconds=min(error.retry_after, LONGEST_BACKOFF.total_seconds())))
    log.warning("tenants.settling_put_off", tenant_id=taken.tenant_id, wait=wait.total_seconds(), reason=str(error))
    with operations() as session:
        claims.postpone(session, taken, due_at=_now() + wait, error=str(error))


def _now() -> datetime:
    return datetime.now(UTC)
