"""The installation of the app in a store and what follows from it."""

import pytest

from devstore import installs


@pytest.fixture(autouse=True)
def _context(app):
    with app.app_context():
        yield


def subscription(store, topic, **changes):
    now = store.now()
    values = {"id": store.next_id(), "topic": topic, "uri": "http://app/webhooks", "api_version": "2026-10"}
    made = installs.Subscription(**{**values, "created_at": now, "updated_at": now, **changes})
    installs.save_subscription(store, made)
    return made


def test_write_scopes_imply_read_scopes():
    assert installs.expand(["write_orders", " read_products ", ""]) == {"write_orders", "read_orders", "read_products"}


def test_a_store_without_the_app_has_no_installation(store):
    assert installs.installation(store) is None
    assert not installs.was_installed(store)
    assert not installs.has_granted(store, ["read_orders"])


def test_granting_installs_and_is_remembered(store, recorder):
    made = installs.grant(store, ["write_orders"])

    assert installs.installation(store) == made
    assert installs.has_granted(store, ["read_orders"])
    assert recorder.topics == []


def test_a_change_of_scopes_keeps_the_installation_and_is_announced(store, recorder):
    before = installs.grant(store, ["read_orders"])

    after = installs.grant(store, ["read_orders", "read_products"])

    assert after.id == before.id
    assert recorder.body("app/scopes_update")["current"] == ["read_orders", "read_products"]


def test_the_same_scopes_again_announce_nothing(store, recorder):
    installs.grant(store, ["read_orders"])
    installs.grant(store, ["read_orders"])

    assert recorder.topics == []


def test_uninstalling_drops_subscriptions_and_is_announced_before(store, recorder, monkeypatch):
    installs.grant(store, ["read_orders"])
    subscription(store, "app/uninstalled")
    seen = []
    monkeypatch.setattr(recorder, "emit", lambda store, topic, _: seen.append(installs.subscriptions_for(store, topic)))

    removed = installs.uninstall(store)

    assert removed
    assert len(seen[0]) == 1
    assert installs.subscriptions(store) == []
    assert installs.installation(store) is None
    assert installs.was_installed(store)


def test_a_configured_subscription_waits_for_the_next_installation(store):
    installs.grant(store, ["read_orders"])
    installs.subscribe(store, topic="orders/create", uri="http://app", api_version="2026-10", configured=True)

    installs.uninstall(store)
    while_gone = installs.subscriptions_for(store, "orders/create")
    installs.grant(store, ["read_orders"])

    assert while_gone == []
    assert len(installs.subscriptions_for(store, "orders/create")) == 1


def test_uninstalling_sends_the_shop(store, recorder):
    installs.grant(store, ["read_orders"])

    installs.uninstall(store)

    assert recorder.body("app/uninstalled")["myshopify_domain"] == store.domain


def test_uninstalling_what_is_not_installed_does_nothing(store, recorder):
    assert not installs.uninstall(store)
    assert recorder.topics == []


def test_reinstalling_makes_another_installation(store):
    first = installs.grant(store, ["read_orders"])
    installs.uninstall(store)

    assert installs.grant(store, ["read_orders"]).id != first.id


def test_the_owner_is_the_same_at_every_call(store):
    assert installs.staff(store) == installs.staff(store)
    assert installs.staff(store).account_owner


def test_subscriptions_are_found_by_topic(store):
    wanted = subscription(store, "orders/create")
    subscription(store, "orders/updated")

    assert installs.subscriptions_for(store, "orders/create") == [wanted]


def test_a_dropped_subscription_is_gone_and_dropping_it_again_is_no_error(store):
    made = subscription(store, "orders/create")

    installs.drop_subscription(store, made.id)
    installs.drop_subscription(store, made.id)

    assert installs.subscription(store, made.id) is None
