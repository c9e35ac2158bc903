"""Jobs on webhook subscriptions: compare what a store has with what it should have, and change what differs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog

from shopify_app import subscriptions, tenants
from shopify_app.database import operations, tenant_work
from shopify_app.jobs.queues import RECONCILE
from shopify_app.jobs.tokens import client_for, live_token
from shopify_app.runtime import current
from shopify_app.shopify import subscriptions as wire
from shopify_app.shopify.errors import AccessDenied, QueryFailed, ShopifyError
from shopify_app.shopify.subscriptions import Changed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shopify_app.shopify.client import AdminClient
    from shopify_app.subscriptions import Registration, Wanted

log = structlog.get_logger(__name__)


def register(tenant_id: int) -> list[Registration]:
    """Bring one store's subscriptions to what they should be, and return and record what came of each topic.

    Heals what Shopify removed after too many failed deliveries. Run again, it changes only what differs.

    Raises:
        Unauthorized: the store has uninstalled the app, or its token is no longer taken.
        ShopifyError: Shopify could not be asked; run again, it goes on from what is there.
    """
    registrations = _converge(client_for(tenant_id), _wanted(tenant_id), current().config.app_url)
    with tenant_work(tenant_id) as session:
        subscriptions.record(session, tenant_id, registrations, datetime.now(UTC))
    return registrations


def reconcile(*, tenant_id: int) -> None:
    """Do :func:`register` for one store; what fails today is tried again tomorrow, or when the merchant returns."""
    try:
        register(tenant_id)
    except ShopifyError as error:
        log.warning("subscriptions.not_reconciled", tenant_id=tenant_id, reason=str(error))


def reconcile_all() -> None:
    """Queue :func:`reconcile` for every store with a token. Run once a day."""
    with operations() as session:
        found = tenants.connected(session)
    for tenant_id in found:
        current().queues.enqueue(RECONCILE, tenant_id=tenant_id)


def _wanted(tenant_id: int) -> list[Wanted]:
    """Return what should be registered for this store alone: nothing where Shopify has it from the app's own file."""
    config = current().config
    if config.webhook_subscriptions == "app":
        return []
    return subscriptions.wanted(live_token(tenant_id).scopes, config.app_url)


def _converge(client: AdminClient, wanted: Sequence[Wanted], app_url: str) -> list[Registration]:
    """Change what Shopify holds until it is what is wanted at ``app_url``; return what came of each topic.

    A topic that Shopify refuses is returned with the reason, and keeps no other from being registered.
    """
    plan = subscriptions.plan(wanted, wire.held(client), app_url)
    for subscription_id in plan.delete:
        # Before anything is made: Shopify refuses a second subscription of one topic to one address.
        wire.delete(client, subscription_id)
    moved = [_move(client, want, subscription_id) for want, subscription_id in plan.move]
    made = [_make(client, want) for want in plan.create]
    if any(registration.error for registration in made):
        return _adopted(client, wanted, [*moved, *made], app_url)
    kept = [_registration(want, Changed(subscription_id)) for want, subscription_id in plan.keep]
    return [*subscriptions.skipped(wanted), *kept, *moved, *made]


def _adopted(
    client: AdminClient, wanted: Sequence[Wanted], tried: Sequence[Registration], app_url: str
) -> list[Registration]:
    """Look again: what Shopify would not make may be there already, made by another process a moment ago."""
    plan = subscriptions.plan(wanted, wire.held(client), app_url)
    kept = [_registration(want, Changed(subscription_id)) for want, subscription_id in plan.keep]
    known = {registration.topic for registration in kept}
    refused = [registration for registration in tried if registration.topic not in known]
    return [*subscriptions.skipped(wanted), *kept, *refused]


def _move(client: AdminClient, want: Wanted, subscription_id: str) -> Registration:
    return _registration(want, _attempt(lambda: wire.update(client, subscription_id, want.uri)))


def _make(client: AdminClient, want: Wanted) -> Registration:
    return _registration(want, _attempt(lambda: wire.create(client, want.enum, want.uri)))


def _attempt(change: Callable[[], Changed]) -> Changed:
    """Make one change; a refusal that concerns this topic alone must not keep the others from being made."""
    try:
        return change()
    except (AccessDenied, QueryFailed) as error:
        return Changed(None, str(error))


def _registration(want: Wanted, changed: Changed) -> Registration:
    shopify_id = None if changed.refusal else changed.id
    return subscriptions.Registration(topic=want.topic, uri=want.uri, shopify_id=shopify_id, error=changed.refusal)
