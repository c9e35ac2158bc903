"""Webhook subscriptions: what a store should have, the least that has to change, and the record of what came of it."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shopify_app import subscriptions
from shopify_app.database import directory, tenant_work
from shopify_app.models import Tenant, WebhookSubscription
from shopify_app.shopify.subscriptions import Held
from shopify_app.shopify.topics import TOPICS
from shopify_app.subscriptions import Registration

APP = "https://app.example.com"
EVERYTHING = {"read_orders", "read_customers", "read_products", "read_customer_merge"}
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def wanted(*names):
    return [want for want in subscriptions.wanted(EVERYTHING, APP) if not names or want.topic in names]


def held(number, topic="ORDERS_CREATE", uri=f"{APP}/webhooks/orders", **changes):
    return Held(id=f"gid://shopify/WebhookSubscription/{number}", topic=topic, uri=uri, **changes)


def numbers(ids):
    return [int(shopify_id.rpartition("/")[2]) for shopify_id in ids]


def make_tenant(store):
    with directory() as session:
        tenant = Tenant(store_url=store, name=store)
        session.add(tenant)
        session.flush()
        return tenant.id


def test_every_subscribable_topic_is_wanted_at_its_resources_address():
    found = {want.topic: want.uri for want in wanted()}

    assert found.keys() == {topic.name for topic in TOPICS.values() if topic.subscribable}
    assert found["orders/create"] == f"{APP}/webhooks/orders"
    assert found["customer.tags_added"] == f"{APP}/webhooks/customers"
    assert found["shop/update"] == f"{APP}/webhooks/app"
    assert found["bulk_operations/finish"] == f"{APP}/webhooks/bulk"


def test_an_older_subscription_to_the_end_of_bulk_operations_is_moved_to_its_own_address():
    wants = [want for want in wanted() if want.topic == "bulk_operations/finish"]

    plan = subscriptions.plan(wants, [held(1, topic="BULK_OPERATIONS_FINISH", uri=f"{APP}/webhooks/app")], APP)

    assert [(want.uri, shopify_id[-1]) for want, shopify_id in plan.move] == [(f"{APP}/webhooks/bulk", "1")]
    assert (plan.create, plan.delete, plan.keep) == ((), (), ())


def test_topics_whose_scope_is_missing_are_skipped_with_the_reason():
    wants = subscriptions.wanted({"write_orders"}, APP)

    skipped = {one.topic: one.error for one in subscriptions.skipped(wants)}

    assert "read_products" in skipped["products/create"]
    assert "read_customer_merge" in skipped["customers/merge"]
    assert not skipped.keys() & {"orders/create", "carts/update", "app/uninstalled"}
    assert not {"PRODUCTS_CREATE"} & {want.enum for want in subscriptions.plan(wants, [], APP).create}


def test_missing_subscriptions_are_made():
    plan = subscriptions.plan(wanted("orders/create", "refunds/create"), [held(1)], APP)

    assert [want.topic for want in plan.create] == ["refunds/create"]
    assert numbers(shopify_id for _want, shopify_id in plan.keep) == [1]
    assert (plan.move, plan.delete) == ((), ())


def test_subscription_at_another_address_is_moved():
    plan = subscriptions.plan(wanted("orders/create"), [held(1, uri="https://old.example.com/webhooks/orders")], APP)

    assert [(want.uri, shopify_id[-1]) for want, shopify_id in plan.move] == [(f"{APP}/webhooks/orders", "1")]
    assert (plan.keep, plan.create, plan.delete) == ((), (), ())


def test_message_queue_of_somebody_else_is_left_alone():
    plan = subscriptions.plan(wanted("orders/create"), [held(1, uri="pubsub://project:topic")], APP)

    assert [want.topic for want in plan.create] == ["orders/create"]
    assert (plan.move, plan.delete) == ((), ())


def test_what_we_do_not_want_at_our_address_is_removed():
    have = [
        held(1),
        held(2),
        held(3, topic="THEMES_UPDATE", uri=f"{APP}/webhooks/themes"),
        held(4, topic="THEMES_UPDATE", uri="https://other.example.com/webhooks/themes"),
        held(5, topic="THEMES_UPDATE", uri=f"{APP}.evil.example/webhooks/themes"),
    ]

    plan = subscriptions.plan(wanted("orders/create"), have, APP)

    assert numbers(plan.delete) == [2, 3]


def test_subscription_that_filters_is_replaced():
    plan = subscriptions.plan(wanted("orders/create"), [held(1, whole=False)], APP)

    assert numbers(plan.delete) == [1]
    assert [want.topic for want in plan.create] == ["orders/create"]


def test_subscription_for_a_topic_whose_scope_was_taken_away_is_removed():
    plan = subscriptions.plan(subscriptions.wanted(set(), APP), [held(1)], APP)

    assert numbers(plan.delete) == [1]


topics = st.sampled_from(["ORDERS_CREATE", "REFUNDS_CREATE", "PRODUCTS_UPDATE", "THEMES_UPDATE"])
uris = st.sampled_from(
    [f"{APP}/webhooks/{word}" for word in ("orders", "refunds", "products")]
    + ["https://old.example.com/webhooks/orders", "pubsub://project:topic"]
)


@settings(max_examples=200, deadline=None)
@given(pairs=st.lists(st.tuples(topics, uris, st.booleans()), max_size=10))
def test_carrying_out_a_plan_leaves_nothing_to_do(pairs):
    wants = wanted("orders/create", "refunds/create", "products/update")
    have = [held(number, topic, uri, whole=whole) for number, (topic, uri, whole) in enumerate(pairs)]
    plan = subscriptions.plan(wants, have, APP)

    moved = {shopify_id: want.uri for want, shopify_id in plan.move}
    after = [
        Held(id=one.id, topic=one.topic, uri=moved.get(one.id, one.uri), whole=one.whole)
        for one in have
        if one.id not in plan.delete
    ] + [held(100 + number, want.enum, want.uri) for number, want in enumerate(plan.create)]
    again = subscriptions.plan(wants, after, APP)

    assert (again.move, again.create, again.delete) == ((), (), ())
    assert len(again.keep) == len(wants)


@pytest.mark.usefixtures("app_context")
def test_record_holds_what_came_of_each_topic():
    tenant_id = make_tenant("some-shop.myshopify.com")
    registered = Registration(topic="orders/create", uri=f"{APP}/webhooks/orders", shopify_id="gid://1")
    refused = Registration(topic="carts/create", uri=f"{APP}/webhooks/carts", error="Address is invalid")

    with tenant_work(tenant_id) as session:
        subscriptions.record(session, tenant_id, [registered, refused], NOW)

    with tenant_work(tenant_id) as session:
        assert subscriptions.registrations(session) == [refused, registered]
        assert session.get_one(WebhookSubscription, (tenant_id, "orders/create")).registered_at == NOW
        assert session.get_one(WebhookSubscription, (tenant_id, "carts/create")).registered_at is None


@pytest.mark.usefixtures("app_context")
def test_record_replaces_the_one_before_and_keeps_since_when():
    tenant_id = make_tenant("some-shop.myshopify.com")
    kept = Registration(topic="orders/create", uri=f"{APP}/webhooks/orders", shopify_id="gid://1")
    gone = Registration(topic="themes/update", uri=f"{APP}/webhooks/themes", shopify_id="gid://2")
    remade = Registration(topic="carts/create", uri=f"{APP}/webhooks/carts", shopify_id="gid://3")
    again = Registration(topic="carts/create", uri=f"{APP}/webhooks/carts", shopify_id="gid://4")
    with tenant_work(tenant_id) as session:
        subscriptions.record(session, tenant_id, [kept, gone, remade], NOW)

    with tenant_work(tenant_id) as session:
        subscriptions.record(session, tenant_id, [kept, again], NOW + HOUR)

    with tenant_work(tenant_id) as session:
        assert subscriptions.registrations(session) == [again, kept]
        assert session.get_one(WebhookSubscription, (tenant_id, "orders/create")).registered_at == NOW
        assert session.get_one(WebhookSubscription, (tenant_id, "carts/create")).registered_at == NOW + HOUR


@pytest.mark.usefixtures("app_context")
def test_record_of_one_store_is_not_seen_by_another():
    one, other = make_tenant("one.myshopify.com"), make_tenant("other.myshopify.com")
    registered = Registration(topic="orders/create", uri=f"{APP}/webhooks/orders", shopify_id="gid://1")
    with tenant_work(one) as session:
        subscriptions.record(session, one, [registered], NOW)

    with tenant_work(other) as session:
        subscriptions.record(session, other, [], NOW)
        assert subscriptions.registrations(session) == []
    with tenant_work(one) as session:
        assert subscriptions.registrations(session) == [registered]
