"""Webhook subscriptions over time: what Shopify dropped is made again, and what is not wanted any more goes."""

import pytest

from shopify_app import tenants
from shopify_app.database import directory, operations
from shopify_app.jobs import queues
from shopify_app.jobs import subscriptions as jobs
from shopify_app.runtime import current
from tests.jobs.test_tenants import APP, STORE, SUBSCRIBABLE, Store, install, queued, registrations
from tests.shopify.scripted import Reply, scripted_server

pytestmark = pytest.mark.usefixtures("app_context")


@pytest.fixture
def store():
    with scripted_server() as script:
        yield Store(script)


@pytest.fixture
def environ(environ, store):
    return {**environ, "SHOPIFY_SHOP_ORIGIN": store.script.url + "/{shop}"}


@pytest.fixture
def of_the_app(environ):
    """The settings under which Shopify has the subscriptions from the app's own file."""
    environ["WEBHOOK_SUBSCRIPTIONS"] = "app"


def test_subscription_that_shopify_removed_is_made_again(store):
    tenant_id = install()
    jobs.reconcile(tenant_id=tenant_id)
    lost = registrations(tenant_id)["orders/updated"].shopify_id
    del store.subscriptions[lost]

    jobs.reconcile(tenant_id=tenant_id)

    healed = registrations(tenant_id)["orders/updated"]
    assert healed.shopify_id in store.subscriptions
    assert healed.shopify_id != lost
    assert len(store.subscriptions) == len(SUBSCRIBABLE)


def test_subscription_that_differs_is_changed_and_one_not_wanted_goes(store):
    tenant_id = install()
    moved = store.hold("ORDERS_CREATE", "https://old.example.com/webhooks/orders")["id"]
    strange = store.hold("THEMES_UPDATE", f"{APP}/webhooks/themes")["id"]

    jobs.reconcile(tenant_id=tenant_id)

    assert store.subscriptions[moved]["uri"] == f"{APP}/webhooks/orders"
    assert strange not in store.subscriptions


def test_comparing_what_is_as_it_should_be_changes_nothing(store):
    tenant_id = install()
    jobs.reconcile(tenant_id=tenant_id)
    before = store.mutations()

    jobs.reconcile(tenant_id=tenant_id)

    assert store.mutations() == before


def test_shopify_that_does_not_answer_leaves_the_record_for_tomorrow(store):
    tenant_id = install()
    jobs.reconcile(tenant_id=tenant_id)
    before = registrations(tenant_id)
    store.script.replies = [Reply(status=423)]

    jobs.reconcile(tenant_id=tenant_id)

    assert registrations(tenant_id) == before


def test_token_refused_while_comparing_is_disowned(store):
    tenant_id = install()
    refused = Reply({"errors": "[API] Invalid API key or access token"}, 401)
    store.script.replies = [refused, Reply(store.pair()), refused]

    jobs.reconcile(tenant_id=tenant_id)

    with operations() as session:
        assert tenants.connected(session) == []


def test_every_connected_store_is_queued_once_a_day(store):
    tenant_id = install()

    jobs.reconcile_all()

    assert queued() == []
    with current().queues.worker_redis() as connection:
        waiting = queues.Queue(queues.BACKFILL, connection=connection, serializer=queues.JSONSerializer).jobs
    assert [(job.func_name, job.kwargs) for job in waiting] == [(queues.RECONCILE, {"tenant_id": tenant_id})]


def test_store_that_left_is_not_queued(store):
    tenant_id = install()
    with directory() as session:
        tenants.uninstall(session, tenant_id, tenants.find(session, STORE).installed_at)

    jobs.reconcile_all()

    with current().queues.worker_redis() as connection:
        assert not queues.Queue(queues.BACKFILL, connection=connection, serializer=queues.JSONSerializer).jobs


@pytest.mark.usefixtures("of_the_app")
def test_subscriptions_of_the_app_leave_none_of_the_shops_own(store):
    tenant_id = install()
    ours = store.hold("ORDERS_CREATE", f"{APP}/webhooks/orders")["id"]
    theirs = store.hold("ORDERS_CREATE", "pubsub://project:topic")["id"]

    jobs.reconcile(tenant_id=tenant_id)

    assert ours not in store.subscriptions
    assert theirs in store.subscriptions
    assert registrations(tenant_id) == {}
