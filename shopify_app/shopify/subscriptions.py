"""Webhook subscriptions on the wire: what Shopify holds for the store, and how to change it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shopify_app.shopify.client import AdminClient

LIST = """
query WebhookSubscriptions($after: String) {
  webhookSubscriptions(first: 100, after: $after) {
    nodes { id topic uri format filter includeFields }
    pageInfo { hasNextPage endCursor }
  }
}
"""
CREATE = """
mutation CreateWebhookSubscription($topic: WebhookSubscriptionTopic!, $subscription: WebhookSubscriptionInput!) {
  webhookSubscriptionCreate(topic: $topic, webhookSubscription: $subscription) {
    webhookSubscription { id }
    userErrors { field message }
  }
}
"""
UPDATE = """
mutation UpdateWebhookSubscription($id: ID!, $subscription: WebhookSubscriptionInput!) {
  webhookSubscriptionUpdate(id: $id, webhookSubscription: $subscription) {
    webhookSubscription { id }
    userErrors { field message }
  }
}
"""
DELETE = """
mutation DeleteWebhookSubscription($id: ID!) {
  webhookSubscriptionDelete(id: $id) {
    deletedWebhookSubscriptionId
    userErrors { field message }
  }
}
"""


@dataclass(frozen=True, kw_only=True)
class Held:
    """A subscription Shopify holds. ``topic`` is the enum's name; ``whole``: JSON, every field, every event."""

    id: str
    topic: str
    uri: str
    whole: bool = True


@dataclass(frozen=True)
class Changed:
    """The outcome of a change: the subscription's id, or why Shopify refused."""

    id: str | None
    refusal: str | None = None


def held(client: AdminClient) -> list[Held]:
    """Return every subscription the app made in this store through the API, from all pages."""
    found: list[Held] = []
    after: str | None = None
    while True:
        page = client.execute(LIST, {"after": after})["webhookSubscriptions"]
        found += [_held(node) for node in page["nodes"]]
        if not page["pageInfo"]["hasNextPage"]:
            return found
        after = page["pageInfo"]["endCursor"]


def create(client: AdminClient, topic: str, uri: str) -> Changed:
    """Subscribe ``uri`` to ``topic`` (the enum's name)."""
    data = client.execute(CREATE, {"topic": topic, "subscription": {"uri": uri, "format": "JSON"}})
    return _changed(data["webhookSubscriptionCreate"], "webhookSubscription")


def update(client: AdminClient, subscription_id: str, uri: str) -> Changed:
    """Point a subscription to ``uri``."""
    data = client.execute(UPDATE, {"id": subscription_id, "subscription": {"uri": uri}})
    return _changed(data["webhookSubscriptionUpdate"], "webhookSubscription")


def delete(client: AdminClient, subscription_id: str) -> Changed:
    """Remove a subscription; one that is gone already is refused, which changes nothing."""
    payload = client.execute(DELETE, {"id": subscription_id})["webhookSubscriptionDelete"]
    return Changed(payload["deletedWebhookSubscriptionId"], _refusal(payload["userErrors"]))


def _held(node: dict[str, Any]) -> Held:
    whole = node["format"] == "JSON" and not node["filter"] and not node["includeFields"]
    return Held(id=node["id"], topic=node["topic"], uri=node["uri"], whole=whole)


def _changed(payload: dict[str, Any], name: str) -> Changed:
    node = payload[name]
    return Changed(node["id"] if node else None, _refusal(payload["userErrors"]))


def _refusal(errors: Sequence[dict[str, Any]]) -> str | None:
    return "; ".join(error["message"] for error in errors) or None
