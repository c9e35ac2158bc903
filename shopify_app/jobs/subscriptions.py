"""Registering webhooks: the calls between what a store's subscriptions are and what they should be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shopify_app import subscriptions
from shopify_app.shopify import subscriptions as wire
from shopify_app.shopify.errors import AccessDenied, QueryFailed
from shopify_app.shopify.subscriptions import Changed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shopify_app.shopify.client import AdminClient
    from shopify_app.subscriptions import Registration, Wanted


def reconcile(client: AdminClient, wanted: Sequence[Wanted], app_url: str) -> list[Registration]:
    """Change what Shopify holds until it is what is wanted at ``app_url``; return what came of each topic.

    A topic that Shopify refuses is returned with the reason, and keeps no other from being registered.

    Raises:
        ShopifyError: Shopify could not be asked; run again, it goes on from what is there.
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
