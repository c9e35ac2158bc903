"""The webhook door: what is kept, what is refused, and what happens while the database or Redis is away."""

import base64
import contextlib
import dataclasses
import hashlib
import hmac
import time
from datetime import UTC, datetime

import pytest
import redis
from sqlalchemy import select

from shopify_app.app import create_app
from shopify_app.database import db, directory
from shopify_app.models import Delivery, Tenant
from shopify_app.shopify.topics import TOPICS

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
    resources = {"app", "carts", "checkouts", "customers", "orders", "products", "refunds"}
    ours = {name: topic for name, topic in TOPICS.items() if topic.resource in resources}

    for name, topic in ours.items():
        at_home = client.post(f"/webhooks/{topic.resource}", data=BODY, headers=headers(topic=name, Webhook_Id=name))
        elsewhere = "orders" if topic.resource != "orders" else "app"
        astray = client.post(f"/webhooks/{elsewhere}", data=BODY, headers=headers(topic=name, Webhook_Id="astray"))

        assert at_home.status_code == 200, name
        assert astray.status_code == 400, name
        assert name in astray.text
    assert [row.topic for row in kept()] == list(ours)


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


def test_a_pool_that_is_busy_is_answered_within_shopifys_patience(app, client, tenant_id):
    with app.app_context(), contextlib.ExitStack() as held:
        for _ in range(12):
            held.enter_context(db.engine.connect())
        began = time.monotonic()
        answer = client.post("/webhooks/orders", data=BODY, headers=headers())

    assert answer.status_code == 503
    assert time.monotonic() - began < 2


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
