"""Webhook subscriptions through the API, with every refusal."""

import pytest

from devstore import installs

CREATE = (
    "mutation W($topic: WebhookSubscriptionTopic!, $sub: WebhookSubscriptionInput!) { webhookSubscriptionCreate("
    "topic: $topic, webhookSubscription: $sub) { webhookSubscription { id legacyResourceId topic uri format filter "
    "includeFields name apiVersion { handle displayName supported } } userErrors { field message } } }"
)
UPDATE = (
    "mutation W($id: ID!, $sub: WebhookSubscriptionInput!) { webhookSubscriptionUpdate(id: $id, "
    "webhookSubscription: $sub) { webhookSubscription { id uri includeFields } userErrors { field message } } }"
)
DELETE = """mutation D($id: ID!) { webhookSubscriptionDelete(id: $id) {
    deletedWebhookSubscriptionId userErrors { message } } }"""
URI = "http://127.0.0.1:8000/webhooks/orders"


def create(shopify, topic="ORDERS_CREATE", **sub):
    return shopify.ask(CREATE, topic=topic, sub={"uri": URI, **sub})["webhookSubscriptionCreate"]


def test_a_subscription_is_created_and_kept_in_wire_form(installed):
    answer = create(installed, name="orders", includeFields=["id", "updated_at"], filter="id:>0")

    made = answer["webhookSubscription"]
    (kept,) = installs.subscriptions_for(installed.store, "orders/create")
    assert answer["userErrors"] == []
    assert (made["topic"], made["uri"], made["format"], made["name"]) == ("ORDERS_CREATE", URI, "JSON", "orders")
    assert made["apiVersion"] == {"handle": "2026-10", "displayName": "2026-10 (Latest)", "supported": True}
    assert (kept.include_fields, kept.filter, kept.api_version) == (["id", "updated_at"], "id:>0", "2026-10")


@pytest.mark.parametrize(
    ("topic", "wire"),
    [
        ("CUSTOMERS_EMAIL_MARKETING_CONSENT_UPDATE", "customers_email_marketing_consent/update"),
        ("CUSTOMER_TAGS_ADDED", "customer.tags_added"),
        ("APP_UNINSTALLED", "app/uninstalled"),
    ],
)
def test_topics_keep_their_irregular_wire_forms(installed, topic, wire):
    answer = create(installed, topic)

    assert answer["webhookSubscription"]["topic"] == topic
    assert len(installs.subscriptions_for(installed.store, wire)) == 1


def test_the_same_address_twice_for_a_topic_is_refused(installed):
    create(installed)

    again = create(installed)

    assert again["webhookSubscription"] is None
    assert again["userErrors"] == [
        {"field": ["webhookSubscription", "uri"], "message": "Address for this topic has already been taken"}
    ]


def test_the_same_address_for_another_topic_is_accepted(installed):
    create(installed)

    assert create(installed, "ORDERS_UPDATED")["userErrors"] == []


def test_a_topic_beyond_the_scopes_is_refused(shopify):
    answer = create(shopify.install("read_products"))

    assert answer["userErrors"][0]["field"] == ["topic"]
    assert "permission to create or update webhooks with orders/create" in answer["userErrors"][0]["message"]


def test_an_unknown_topic_is_an_error_of_the_query(installed):
    answer = installed.post(CREATE, {"topic": "COLOURS_CREATE", "sub": {"uri": URI}})

    assert "COLOURS_CREATE" in answer.json["errors"][0]["message"]


@pytest.mark.parametrize("uri", ["", "/webhooks", "ftp://example.com", "https://"])
def test_an_address_that_is_none_is_refused(installed, uri):
    assert create(installed, uri=uri)["userErrors"][0]["message"] == "Address is invalid"


def test_a_name_of_more_than_50_characters_is_refused(installed):
    assert create(installed, name="x" * 51)["userErrors"][0]["field"] == ["webhookSubscription", "name"]


def test_a_subscription_is_changed_in_what_is_given(installed):
    made = create(installed, includeFields=["id"])["webhookSubscription"]

    answer = installed.ask(UPDATE, id=made["id"], sub={"uri": f"{URI}/2"})["webhookSubscriptionUpdate"]

    assert answer["webhookSubscription"] == {"id": made["id"], "uri": f"{URI}/2", "includeFields": ["id"]}


def test_included_fields_can_be_taken_back(installed):
    made = create(installed, includeFields=["id"])["webhookSubscription"]

    answer = installed.ask(UPDATE, id=made["id"], sub={"includeFields": None})["webhookSubscriptionUpdate"]

    assert answer["webhookSubscription"]["includeFields"] == []


def test_a_change_to_an_address_that_is_taken_is_refused(installed):
    create(installed)
    other = create(installed, uri=f"{URI}/2")["webhookSubscription"]

    answer = installed.ask(UPDATE, id=other["id"], sub={"uri": URI})["webhookSubscriptionUpdate"]

    assert "already been taken" in answer["userErrors"][0]["message"]


@pytest.mark.parametrize("id_", ["gid://shopify/WebhookSubscription/1", "gid://shopify/Order/1"])
def test_changing_what_does_not_exist_is_refused(installed, id_):
    answer = installed.ask(UPDATE, id=id_, sub={"uri": URI})["webhookSubscriptionUpdate"]

    assert answer["userErrors"] == [{"field": ["id"], "message": "Webhook subscription does not exist"}]


def test_a_subscription_is_deleted_once(installed):
    made = create(installed)["webhookSubscription"]

    first = installed.ask(DELETE, id=made["id"])["webhookSubscriptionDelete"]
    second = installed.ask(DELETE, id=made["id"])["webhookSubscriptionDelete"]

    assert first == {"deletedWebhookSubscriptionId": made["id"], "userErrors": []}
    assert second["userErrors"] == [{"message": "Webhook subscription does not exist"}]


def test_subscriptions_are_listed_by_topic_and_address(installed):
    create(installed)
    create(installed, "PRODUCTS_UPDATE")
    create(installed, "PRODUCTS_UPDATE", uri=f"{URI}/2")

    answer = installed.ask(
        """query L($topics: [WebhookSubscriptionTopic!], $uri: String) {
        all: webhookSubscriptions(first: 9) { nodes { topic } }
        some: webhookSubscriptions(first: 9, topics: $topics, uri: $uri, format: JSON) { nodes { topic uri } }
        webhookSubscriptionsCount { count } }""",
        topics=["PRODUCTS_UPDATE"],
        uri=URI,
    )

    assert [node["topic"] for node in answer["all"]["nodes"]] == ["ORDERS_CREATE", "PRODUCTS_UPDATE", "PRODUCTS_UPDATE"]
    assert answer["some"]["nodes"] == [{"topic": "PRODUCTS_UPDATE", "uri": URI}]
    assert answer["webhookSubscriptionsCount"]["count"] == 3


def test_one_subscription_is_found_by_id(installed):
    made = create(installed)["webhookSubscription"]

    answer = installed.ask(
        "query F($id: ID!) { webhookSubscription(id: $id) { uri } node(id: $id) { id } }", id=made["id"]
    )

    assert answer == {"webhookSubscription": {"uri": URI}, "node": {"id": made["id"]}}


def test_an_app_removes_itself(installed, recorder):
    create(installed)

    answer = installed.ask("mutation { appUninstall { app { apiKey } userErrors { message } } }")

    assert answer["appUninstall"] == {"app": {"apiKey": "client-id"}, "userErrors": []}
    assert "app/uninstalled" in recorder.topics
    assert installed.post("{ shop { name } }").status_code == 401


def test_a_configured_subscription_is_neither_shown_nor_in_the_way(installed):
    store = installed.store
    hidden = installs.subscribe(store, topic="orders/create", uri=URI, api_version="2026-10", configured=True)
    gid = f"gid://shopify/WebhookSubscription/{hidden.id}"

    shown = installed.ask("{ webhookSubscriptions(first: 5) { nodes { id } } webhookSubscriptionsCount { count } }")
    deleted = installed.ask(DELETE, id=gid)["webhookSubscriptionDelete"]

    assert shown == {"webhookSubscriptions": {"nodes": []}, "webhookSubscriptionsCount": {"count": 0}}
    assert deleted["userErrors"] == [{"message": "Webhook subscription does not exist"}]
    assert create(installed)["userErrors"] == []
    assert len(installs.subscriptions_for(store, "orders/create")) == 2
