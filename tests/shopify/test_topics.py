"""Topics: every one is Shopify's, with Shopify's name and the scope Shopify asks for it."""

import json

from config import DEFAULT_SCOPES
from shopify_app.shopify import scopes
from shopify_app.shopify.topics import BY_ENUM, RESOURCES, TOPICS


def test_every_subscribable_topic_is_in_shopifys_schema(schema):
    known = schema.type_map["WebhookSubscriptionTopic"].values

    assert {topic.enum for topic in TOPICS.values() if topic.subscribable} <= known.keys()


def test_every_scope_is_the_one_shopify_asks_for(reference):
    documented = json.loads((reference / "payloads" / "topic_metadata_2026-04.json").read_text())

    for topic in TOPICS.values():
        if topic.name in documented:
            nouns = documented[topic.name]["access_scopes"]
            assert topic.scope == (f"read_{nouns[0]}" if nouns else None), topic.name


def test_every_documented_topic_of_the_resources_is_taken(reference):
    documented = json.loads((reference / "payloads" / "topic_metadata_2026-04.json").read_text())
    prefixes = ("customers", "customer.tags_", "products/", "orders/", "carts/", "checkouts/", "refunds/", "app/")

    missing = {name for name in documented if name.startswith(prefixes)} - TOPICS.keys()

    assert missing == set()


def test_compliance_topics_are_set_in_the_apps_configuration_and_never_subscribed():
    compliance = {topic.name for topic in TOPICS.values() if not topic.subscribable}

    assert compliance == {"customers/data_request", "customers/redact", "shop/redact"}
    assert {topic.name for topic in BY_ENUM.values()} == TOPICS.keys() - compliance


def test_configured_scopes_cover_every_topic():
    wanted = {topic.scope for topic in TOPICS.values() if topic.scope}

    assert scopes.missing(scopes.parse(DEFAULT_SCOPES), wanted) == frozenset()


def test_resources_are_the_words_of_the_webhook_addresses():
    words = {"customers", "products", "orders", "carts", "checkouts", "refunds", "app", "bulk", "compliance"}
    assert words == RESOURCES


def test_a_topic_is_taken_at_its_own_address_and_where_it_was_sent_before():
    finish, created = TOPICS["bulk_operations/finish"], TOPICS["orders/create"]

    assert [word for word in sorted(RESOURCES) if finish.is_taken_at(word)] == ["app", "bulk"]
    assert [word for word in sorted(RESOURCES) if created.is_taken_at(word)] == ["orders"]


def test_names_become_shopifys_enum_names():
    assert TOPICS["customer.tags_added"].enum == "CUSTOMER_TAGS_ADDED"
    assert TOPICS["orders/partially_fulfilled"].enum == "ORDERS_PARTIALLY_FULFILLED"
