"""Webhook subscriptions on the wire."""

import graphql
import pytest

from shopify_app.shopify import subscriptions
from tests.shopify.scripted import Reply

ID = "gid://shopify/WebhookSubscription/1"


def node(number, **changes):
    plain = {
        "id": f"gid://shopify/WebhookSubscription/{number}",
        "topic": "ORDERS_CREATE",
        "uri": "https://app.example.com/webhooks/orders",
        "format": "JSON",
        "filter": None,
        "includeFields": [],
    }
    return plain | changes


def page(nodes, *, cursor=None):
    info = {"hasNextPage": cursor is not None, "endCursor": cursor}
    return Reply({"data": {"webhookSubscriptions": {"nodes": nodes, "pageInfo": info}}})


def test_all_pages_are_read(server, admin):
    server.replies = [page([node(1), node(2)], cursor="two"), page([node(3)])]

    held = subscriptions.held(admin)

    assert [one.id[-1] for one in held] == ["1", "2", "3"]
    assert [asked.json["variables"] for asked in server.asked] == [{"after": None}, {"after": "two"}]


@pytest.mark.parametrize("change", [{"format": "XML"}, {"filter": "total_price:>100"}, {"includeFields": ["id"]}])
def test_subscription_that_leaves_something_out_is_not_whole(server, admin, change):
    server.replies = [page([node(1), node(2, **change)])]

    assert [one.whole for one in subscriptions.held(admin)] == [True, False]


def test_made_subscription_has_an_id(server, admin):
    payload = {"webhookSubscription": {"id": ID}, "userErrors": []}
    server.replies = [Reply({"data": {"webhookSubscriptionCreate": payload}})]

    changed = subscriptions.create(admin, "ORDERS_CREATE", "https://app.example.com/webhooks/orders")

    assert changed == subscriptions.Changed(ID)
    assert server.asked[0].json["variables"] == {
        "topic": "ORDERS_CREATE",
        "subscription": {"uri": "https://app.example.com/webhooks/orders", "format": "JSON"},
    }


@pytest.mark.parametrize(
    ("mutation", "name", "call"),
    [
        ("Create", "webhookSubscription", lambda client: subscriptions.create(client, "ORDERS_CREATE", "https://x")),
        ("Update", "webhookSubscription", lambda client: subscriptions.update(client, ID, "https://x")),
        ("Delete", "deletedWebhookSubscriptionId", lambda client: subscriptions.delete(client, ID)),
    ],
)
def test_refused_change_returns_the_reasons(server, admin, mutation, name, call):
    refusals = [{"field": None, "message": message} for message in ("Address is invalid", "Topic is taken")]
    server.replies = [Reply({"data": {f"webhookSubscription{mutation}": {name: None, "userErrors": refusals}}})]

    assert call(admin) == subscriptions.Changed(None, "Address is invalid; Topic is taken")


@pytest.mark.parametrize(
    "document", [subscriptions.LIST, subscriptions.CREATE, subscriptions.UPDATE, subscriptions.DELETE]
)
def test_documents_are_valid_against_shopifys_schema(schema, document):
    assert graphql.validate(schema, graphql.parse(document)) == []
