"""Job on a store as a whole: after an install, or when other scopes are granted, its webhooks and its history."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from shopify_app import backfill, claims
from shopify_app.claims import LeaseLost
from shopify_app.database import operations, tenant_work
from shopify_app.jobs import queues
from shopify_app.jobs.subscriptions import register
from shopify_app.jobs.tokens import live_token
from shopify_app.models import Tenant
from shopify_app.runtime import current
from shopify_app.shopify import scopes
from shopify_app.shopify.errors import RefreshRefused, ShopifyError, Unauthorized

if TYPE_CHECKING:
    from shopify_app.claims import Taken

SETTLE_LEASE = timedelta(seconds=30)  # two that overlap do no harm; one that died should not be waited for
FIRST_BACKOFF = timedelta(seconds=5)
LONGEST_BACKOFF = timedelta(hours=1)
SCOPE_OF_HISTORY = {
    "customers": "read_customers",
    "products": "read_products",
    "orders": "read_orders",
    "checkouts": "read_orders",
}

log = structlog.get_logger(__name__)


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
        register(taken.tenant_id)
    except (RefreshRefused, Unauthorized) as error:
        # Another install will bring another token, and claim this work again.
        log.warning("tenants.not_settled", tenant_id=taken.tenant_id, reason=str(error))
        _end(taken)
    except ShopifyError as error:
        _put_off(taken, error)
    else:
        planned = _read_history(taken.tenant_id)
        _end(taken)
        # Their claims are found now rather than at the clock's next tick.
        for backfill_id in planned:
            current().queues.nudge(queues.ADVANCE, tenant_id=taken.tenant_id, backfill_id=backfill_id)


def _read_history(tenant_id: int) -> list[int]:
    """Plan the history's backfills, and return their ids."""
    granted = live_token(tenant_id).scopes
    resources = [name for name, scope in SCOPE_OF_HISTORY.items() if not scopes.missing(granted, [scope])]
    with tenant_work(tenant_id) as session:
        run = backfill.start(session, session.get_one(Tenant, tenant_id), resources, _now(), by="install")
        return [planned.id for planned in backfill.of_run(session, run, _now())]


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
