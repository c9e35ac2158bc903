"""Webhook subscriptions made through the API: the topics, the mutations with their refusals, the type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from devstore import installs
from devstore.graphql.context import Context, Fields, Listing, Webhook
from devstore.graphql.scalars import gid, parse_gid
from devstore.graphql.versions import SUPPORTED, title

if TYPE_CHECKING:
    from collections.abc import Iterable

# Wire form and the scope it needs (None: any app may subscribe). The GraphQL enum is the same in capitals.
TOPICS: dict[str, str | None] = {
    "app/scopes_update": None,
    "app/uninstalled": None,
    "bulk_operations/finish": None,
    "shop/update": None,
    **dict.fromkeys(("carts/create", "carts/update"), "read_orders"),
    **dict.fromkeys(("checkouts/create", "checkouts/update", "checkouts/delete"), "read_orders"),
    **{
        f"orders/{event}": "read_orders"
        for event in (
            "cancelled",
            "create",
            "delete",
            "edited",
            "fulfilled",
            "paid",
            "partially_fulfilled",
            "updated",
        )
    },
    **dict.fromkeys(("refunds/create", "order_transactions/create"), "read_orders"),
    **{f"customers/{event}": "read_customers" for event in ("create", "delete", "disable", "enable", "update")},
    "customers/merge": "read_customer_merge",
    "customers/purchasing_summary": "read_customers",
    "customers_email_marketing_consent/update": "read_customers",
    "customers_marketing_consent/update": "read_customers",
    "customer.tags_added": "read_customers",
    "customer.tags_removed": "read_customers",
    **{f"products/{event}": "read_products" for event in ("create", "delete", "update")},
    "variants/in_stock": "read_products",
    "variants/out_of_stock": "read_products",
    "inventory_levels/update": "read_inventory",
}
WIRE = {topic.upper().replace("/", "_").replace(".", "_"): topic for topic in TOPICS}
LONGEST_NAME = 50
Errors = list[dict[str, Any]]


def _error(message: str, *field: str) -> Errors:
    return [{"field": list(field), "message": message}]


def _input_errors(context: Context, topic: str, given: dict[str, Any], own: int | None) -> Errors:
    """Return what is wrong with a subscription to ``topic``; ``own`` is the one being changed."""
    uri = given.get("uri") or ""
    parts = urlsplit(uri)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        return _error("Address is invalid", "webhookSubscription", "uri")
    if len(given.get("name") or "") > LONGEST_NAME:
        return _error(f"Name is too long (maximum is {LONGEST_NAME} characters)", "webhookSubscription", "name")
    held = installs.subscriptions_for(context.store, topic)
    others = (one for one in held if one.id != own and not one.configured)
    if any((one.uri, one.filter or "") == (uri, given.get("filter") or "") for one in others):
        return _error("Address for this topic has already been taken", "webhookSubscription", "uri")
    return []


def _topic_errors(context: Context, topic: str) -> Errors:
    """Return the refusal of a topic the app's scopes do not cover."""
    scope = TOPICS[topic]
    if scope is None or scope in installs.expand(context.installation.scopes):
        return []
    message = (
        f"You do not have permission to create or update webhooks with {topic} topic. "
        "This topic might require merchants to grant access scopes first."
    )
    return _error(message, "topic")


def _changed(given: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes an input sets."""
    names = {"uri": "uri", "filter": "filter", "format": "format", "name": "name", "includeFields": "include_fields"}
    changed = {attribute: given[name] for name, attribute in names.items() if name in given}
    if changed.get("include_fields", ()) is None:
        changed["include_fields"] = []
    return changed


def create(
    _root: object,
    context: Context,
    topic: str,
    webhookSubscription: dict[str, Any],  # noqa: N803 (GraphQL's name)
) -> dict[str, Any]:
    """``webhookSubscriptionCreate``."""
    wire = WIRE[topic]
    store = context.store
    with store.lock:
        errors = _topic_errors(context, wire) or _input_errors(context, wire, webhookSubscription, None)
        if errors:
            return {"webhookSubscription": None, "userErrors": errors}
        made = installs.subscribe(store, topic=wire, api_version=context.version, **_changed(webhookSubscription))
    return {"webhookSubscription": Webhook(made), "userErrors": []}


def update(
    _root: object,
    context: Context,
    id: str,  # noqa: A002 (GraphQL's name)
    webhookSubscription: dict[str, Any],  # noqa: N803 (GraphQL's name)
) -> dict[str, Any]:
    """``webhookSubscriptionUpdate``."""
    store = context.store
    with store.lock:
        held = _held(context, id)
        if held is None:
            return {"webhookSubscription": None, "userErrors": _error("Webhook subscription does not exist", "id")}
        given = {"uri": held.uri, "filter": held.filter, **webhookSubscription}
        errors = _topic_errors(context, held.topic) or _input_errors(context, held.topic, given, held.id)
        if errors:
            return {"webhookSubscription": None, "userErrors": errors}
        for name, value in _changed(webhookSubscription).items():
            setattr(held, name, value)
        held.updated_at = store.now()
        held.api_version = context.version
        installs.save_subscription(store, held)
    return {"webhookSubscription": Webhook(held), "userErrors": []}


def delete(_root: object, context: Context, id: str) -> dict[str, Any]:  # noqa: A002 (GraphQL's name)
    """``webhookSubscriptionDelete``."""
    with context.store.lock:
        held = _held(context, id)
        if held is None:
            errors = _error("Webhook subscription does not exist", "id")
            return {"deletedWebhookSubscriptionId": None, "userErrors": errors}
        installs.drop_subscription(context.store, held.id)
    return {"deletedWebhookSubscriptionId": id, "userErrors": []}


def _held(context: Context, id_: str) -> installs.Subscription | None:
    """Return the subscription of a global id."""
    parsed = parse_gid(id_)
    if parsed is None or parsed[0] != "WebhookSubscription":
        return None
    held = installs.subscription(context.store, parsed[1])
    return None if held is None or held.configured else held


def find(_root: object, context: Context, id: str) -> Webhook | None:  # noqa: A002 (GraphQL's name)
    """``webhookSubscription(id:)``."""
    held = _held(context, id)
    return Webhook(held) if held else None


def listing(
    _root: object,
    context: Context,
    topics: Iterable[str] | None = None,
    uri: str | None = None,
    format: str | None = None,  # noqa: A002 (GraphQL's name)
    **_page: object,
) -> Listing:
    """``webhookSubscriptions``: the shop-specific ones, filtered by topic, address and format."""
    wanted = {WIRE[topic] for topic in topics} if topics else None
    held = [
        Webhook(one)
        for one in installs.subscriptions(context.store)
        if not one.configured
        and (wanted is None or one.topic in wanted)
        and (uri is None or one.uri == uri)
        and (format is None or one.format == format)
    ]
    return Listing(held, lambda webhook: (webhook.subscription.id, webhook.subscription.id))


SUBSCRIPTION: Fields = {
    "apiVersion": lambda webhook, _context: webhook.subscription.api_version,
    "createdAt": lambda webhook, _context: webhook.subscription.created_at,
    "filter": lambda webhook, _context: webhook.subscription.filter,
    "format": lambda webhook, _context: webhook.subscription.format,
    "id": lambda webhook, _context: gid("WebhookSubscription", webhook.subscription.id),
    "includeFields": lambda webhook, _context: webhook.subscription.include_fields,
    "legacyResourceId": lambda webhook, _context: webhook.subscription.id,
    "metafieldNamespaces": lambda _webhook, _context: [],
    "name": lambda webhook, _context: webhook.subscription.name,
    "topic": lambda webhook, _context: webhook.subscription.topic.upper().replace("/", "_").replace(".", "_"),
    "updatedAt": lambda webhook, _context: webhook.subscription.updated_at,
    "uri": lambda webhook, _context: webhook.subscription.uri,
}
API_VERSION: Fields = {
    "displayName": lambda version, _context: title(version),
    "handle": lambda version, _context: version,
    "supported": lambda version, _context: version in SUPPORTED,
}
