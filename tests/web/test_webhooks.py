"""The webhook door: what is kept, what is refused, and what happens while the database or Redis is away."""

import base64
import contextlib
import dataclasses
import hashlib
import hmac
import time
from datetime import UTC, datetime

import psycopg
import pytest
import redis
from sqlalchemy import select

from config import Config
from shopify_app.app import create_app
from shopify_app.database import db, directory
from shopify_app.models import Delivery, Tenant
from shopify_app.runtime import current
from shopify_app.shopify.topics import TOPICS
from supervisor.ports import free_port
from supervisor.postgres import embedded_postgres
from tests.conftest import LOGIN, OWNER, SETTINGS, release

SHOP = "aurora.myshopify.com"
SECRET = "client-secret-of-the-tests"
BODY = b'{"id": 1, "note": "caf\xc3\xa9"}'
KEPT_AT_LEAST = "2026-11-22T12:00:00.123456789Z"


def signed(body, secret=SECRET):
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def headers(body=BODY, *, topic="orders/create", prefix="X-Shopify-", **changes):
    given = {
        "Topic": topic,
        "Shop-Domain": SHOP,
        "Webhook-Id": "w-1",
        "Event-Id": "e-1",
        "Triggered-At": KEPT_AT_LEAST,
        "API-Version": "2026-10",
        "Hmac-Sha256": signed(body),
    } | {name.replace("_", "-"): value for name, value in changes.items()}
    return {prefix + name: value for name, value in given.items() if value is not None}


@pytest.fixture
def tenant_id(app):
    with app.app_context(), directory() as session:
        tenant = Tenant(store_url=SHOP, name="Aurora", installed_at=datetime(2026, 1, 1, tzinfo=UTC))
        session.add(tenant)
        session.flush()
        return tenant.id


@pytest.fixture
def own_login(postgres):
    """Limits how many connections the app's login may open."""

    def limit(connections):
        with psycopg.connect(postgres.url, autocommit=True) as connection:
            connection.execute(f"ALTER ROLE {LOGIN} CONNECTION LIMIT {connections}")

    yield limit
    limit(-1)


@pytest.fixture
def kept(app):
    def read():
        with app.app_context(), directory() as session:
            rows = list(session.scalars(select(Delivery).order_by(Delivery.id)))
            session.expunge_all()
            return rows

    return read


def queued(redis_url):
    with redis.Redis.from_url(redis_url) as connection:
        return connection.llen("rq:queue:inbox")


def eventually(condition, seconds=5.0):
    ends_at = time.monotonic() + seconds
    while not condition() and time.monotonic() < ends_at:
        time.sleep(0.02)
    assert condition()


def test_a_signed_delivery_is_kept_as_its_bytes_and_answered_with_nothing(client, tenant_id, kept):
    answer = client.post("/webhooks/orders", data=BODY, headers=headers())

    assert (answer.status_code, answer.data) == (200, b"")
    (row,) = kept()
    assert (row.tenant_id, row.shop_domain, row.topic, row.webhook_id) == (tenant_id, SHOP, "orders/create", "w-1")
    assert (row.event_id, row.api_version, bytes(row.payload)) == ("e-1", "2026-10", BODY)
    assert row.triggered_at == datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)


def test_a_kept_delivery_rings_for_a_worker(client, tenant_id, redis_url):
    client.post("/webhooks/orders", data=BODY, headers=headers())

    eventually(lambda: queued(redis_url) == 1)


def test_repeat_delivery_is_answered_alike_and_kept_once(client, tenant_id, kept):
    statuses = [client.post("/webhooks/orders", data=BODY, headers=headers()).status_code for _ in range(3)]

    assert statuses == [200, 200, 200]
    assert len(kept()) == 1


def test_headers_of_the_newer_events_are_read_too(client, tenant_id, kept):
    answer = client.post("/webhooks/orders", data=BODY, headers=headers(prefix="shopify-"))

    assert answer.status_code == 200
    assert kept()[0].webhook_id == "w-1"


def test_a_delivery_from_a_shop_we_do_not_know_is_kept(client, kept):
    assert client.post("/webhooks/orders", data=BODY, headers=headers()).status_code == 200
    assert kept()[0].tenant_id is None


@pytest.mark.parametrize("signature", [None, "", "bm9wZQ==", "ünsigned", signed(BODY, "another secret")])
def test_a_delivery_that_shopify_did_not_sign_is_refused_and_not_kept(client, kept, signature):
    answer = client.post("/webhooks/orders", data=BODY, headers=headers(Hmac_Sha256=signature))

    assert answer.status_code == 401
    assert kept() == []


def test_every_topic_is_taken_at_its_own_address_and_nowhere_else(client, tenant_id, kept):
    resources = {"app", "bulk", "carts", "checkouts", "customers", "orders", "products", "refunds"}
    ours = {name: topic for name, topic in TOPICS.items() if topic.resource in resources}

    for name, topic in ours.items():
        at_home = client.post(f"/webhooks/{topic.resource}", data=BODY, headers=headers(topic=name, Webhook_Id=name))
        elsewhere = "orders" if topic.resource != "orders" else "app"
        astray = client.post(f"/webhooks/{elsewhere}", data=BODY, headers=headers(topic=name, Webhook_Id="astray"))

        assert at_home.status_code == 200, name
        assert astray.status_code == 400, name
        assert name in astray.text
    assert [row.topic for row in kept()] == list(ours)


@pytest.mark.parametrize("resource", ["bulk", "app"])
def test_the_end_of_a_bulk_operation_is_also_taken_where_older_subscriptions_send_it(client, tenant_id, kept, resource):
    given = headers(topic="bulk_operations/finish")

    assert client.post(f"/webhooks/{resource}", data=BODY, headers=given).status_code == 200
    assert [row.topic for row in kept()] == ["bulk_operations/finish"]


def test_an_address_for_no_resource_does_not_exist(client):
    assert client.post("/webhooks/inventory", data=BODY, headers=headers()).status_code == 404


def test_a_webhook_address_takes_nothing_but_posts(client):
    assert client.get("/webhooks/orders", headers=headers(b"")).status_code == 405


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"Topic": None}, "X-Shopify-Topic"),
        ({"Topic": "orders/invented"}, "orders/invented"),
        ({"Shop_Domain": None}, "X-Shopify-Shop-Domain"),
        ({"Shop_Domain": "evil.example/aurora.myshopify.com"}, "X-Shopify-Shop-Domain"),
    ],
)
def test_a_delivery_without_what_it_needs_is_refused_by_name(client, kept, changes, named):
    answer = client.post("/webhooks/orders", data=BODY, headers=headers(**changes))

    assert answer.status_code == 400
    assert named in answer.text
    assert kept() == []


def test_a_delivery_without_an_id_is_known_again_by_its_body(client, tenant_id, kept):
    for body in (BODY, BODY, b'{"id": 2}'):
        client.post("/webhooks/orders", data=body, headers=headers(body, Webhook_Id=None))

    assert len(kept()) == 2


@pytest.mark.parametrize("given", [None, "yesterday"])
def test_a_delivery_without_a_readable_time_is_kept_without_one(client, tenant_id, kept, given):
    assert client.post("/webhooks/orders", data=BODY, headers=headers(Triggered_At=given)).status_code == 200
    assert kept()[0].triggered_at is None


@pytest.mark.parametrize(
    "value", ["w\x00", "w" * 300, "é", "\u0080", "'; DROP TABLE inbox; --", "w\ttab", "ÿ" * 100], ids=range(7)
)
@pytest.mark.parametrize("name", ["Webhook_Id", "Event_Id", "API_Version", "Triggered_At"])
def test_a_header_that_is_no_plain_text_costs_no_delivery(client, tenant_id, kept, name, value):
    environ = {"HTTP_" + key.upper().replace("-", "_"): given for key, given in headers(**{name: value}).items()}

    assert client.post("/webhooks/orders", data=BODY, environ_overrides=environ).status_code == 200
    assert [(row.tenant_id, row.payload) for row in kept()] == [(tenant_id, BODY)]


@pytest.mark.parametrize("value", ["\x00", "x" * 70_000, "é", "orders/create\x00"], ids=range(4))
@pytest.mark.parametrize("name", ["Topic", "Shop_Domain", "Hmac_Sha256"])
def test_a_header_that_is_needed_and_useless_is_refused(client, tenant_id, kept, name, value):
    environ = {"HTTP_" + key.upper().replace("-", "_"): given for key, given in headers(**{name: value}).items()}

    assert client.post("/webhooks/orders", data=BODY, environ_overrides=environ).status_code in {400, 401}
    assert kept() == []


def test_the_signature_is_checked_before_anything_else_is_looked_at(client, kept):
    wrong = headers(topic="orders/invented", Shop_Domain="nowhere", Hmac_Sha256="bm9wZQ==")

    assert client.post("/webhooks/orders", data=b"{not json", headers=wrong).status_code == 401
    assert client.post("/webhooks/orders", data=b"{not json", headers=headers()).status_code == 401


def test_malformed_json_that_shopify_signed_is_kept_for_nobody(client, tenant_id, kept):
    body = b'{"id": 1, "note": "cut o'

    assert client.post("/webhooks/orders", data=body, headers=headers(body)).status_code == 200
    assert [(row.tenant_id, row.payload) for row in kept()] == [(None, body)]


def test_the_tenant_is_the_shops_and_not_what_query_or_body_say(app, client, tenant_id, kept):
    with app.app_context(), directory() as session:
        other = Tenant(store_url="birch.myshopify.com", name="Birch", installed_at=datetime(2026, 1, 1, tzinfo=UTC))
        session.add(other)
        session.flush()
        query = {"shop": "birch.myshopify.com", "tenant_id": other.id}
        body = f'{{"id": 1, "tenant_id": {other.id}, "shop_domain": "birch.myshopify.com"}}'.encode()

    assert client.post("/webhooks/orders", data=body, headers=headers(body), query_string=query).status_code == 200
    assert [row.tenant_id for row in kept()] == [tenant_id]


def test_a_body_over_eight_mebibytes_is_refused(client, kept):
    body = b" " * (8 * 1024 * 1024 + 1)

    assert client.post("/webhooks/orders", data=body, headers=headers(body)).status_code == 413
    assert kept() == []


def test_a_database_that_is_away_is_answered_at_once_with_when_to_come_back(config):
    nowhere = dataclasses.replace(config, database_url="postgresql://nobody@127.0.0.1:1/nowhere")
    client = create_app(nowhere).test_client()

    began = time.monotonic()
    answer = client.post("/webhooks/orders", data=BODY, headers=headers())

    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert time.monotonic() - began < 2


def test_a_server_with_no_connection_to_spare_is_answered_at_once_with_when_to_come_back(
    client, tenant_id, postgres, own_login
):
    own_login(0)

    began = time.monotonic()
    refused = client.post("/webhooks/orders", data=BODY, headers=headers())
    own_login(-1)
    taken = client.post("/webhooks/orders", data=BODY, headers=headers())

    assert (refused.status_code, taken.status_code) == (503, 200)
    assert int(refused.headers["Retry-After"]) > 0
    assert time.monotonic() - began < 2


def test_a_pool_that_pages_have_used_up_keeps_no_delivery_waiting(app, client, tenant_id):
    with app.app_context(), contextlib.ExitStack() as held:
        for _ in range(12):
            held.enter_context(db.engine.connect())
        answer = client.post("/webhooks/orders", data=BODY, headers=headers())

    assert answer.status_code == 200


def test_a_postgresql_that_stops_and_comes_back_costs_only_the_time_it_was_away(make_directory):
    data, port = make_directory(), free_port()
    delivered = []

    def deliver(client):
        began = time.monotonic()
        answer = client.post("/webhooks/orders", data=BODY, headers=headers(Webhook_Id=f"w-{len(delivered)}"))
        delivered.append((answer.status_code, time.monotonic() - began))

    with embedded_postgres(data, port=port, durable=False) as server:
        server.create_role(LOGIN)
        owner_url = server.create_database("storelens", owner=OWNER)
        urls = {"DATABASE_URL": server.url_of("storelens", LOGIN), "DATABASE_OWNER_URL": owner_url}
        release(urls)
        app = create_app(Config.from_env({**SETTINGS, **urls, "REDIS_URL": "redis://127.0.0.1:1/0"}))
        client = app.test_client()
        deliver(client)
    deliver(client)
    with embedded_postgres(data, port=port, durable=False), app.app_context():
        deliver(client)
        rows = current().direct.run(lambda line: line.ask("SELECT webhook_id FROM inbox ORDER BY id", []))
        current().close()

    assert [status for status, _ in delivered] == [200, 503, 200]
    assert delivered[1][1] < 1
    assert rows == [(b"w-0",), (b"w-2",)]


def test_a_redis_that_is_away_changes_nothing(client, tenant_id, kept, redis_server):
    redis_server.stop()
    try:
        began = time.monotonic()
        statuses = [
            client.post("/webhooks/orders", data=BODY, headers=headers(Webhook_Id=f"w-{number}")).status_code
            for number in range(5)
        ]
        took = time.monotonic() - began
    finally:
        redis_server.start()

    assert statuses == [200] * 5
    assert len(kept()) == 5
    assert took < 2
