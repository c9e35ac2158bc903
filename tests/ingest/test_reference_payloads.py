"""Shopify's own sample bodies through the door: kept, applied once, or set aside with the field at fault.

`docs-*` are those of the documentation; `real-*` have the keys of captured bodies and placeholders for values.
`test_fields` holds what the columns take from them; the topics about the store itself are here.
"""

import json
import re
import uuid
from datetime import UTC, datetime
from types import MappingProxyType

import msgspec
import pytest
from sqlalchemy import select

from shopify_app.database import directory, tenant_work
from shopify_app.ingest import TOPICS as INGESTED
from shopify_app.ingest import WebhookBody, apply_webhooks
from shopify_app.jobs.inbox import drain
from shopify_app.models import Backfill, Claim, Delivery, OfflineToken, PrivacyRequest, Tenant
from shopify_app.shopify.notices import BulkNotice, ScopesNotice, ShopNotice
from shopify_app.shopify.signatures import webhook_hmac
from shopify_app.shopify.topics import COMPLIANCE, TOPICS
from tests.conftest import SETTINGS
from tests.ingest.world import KEY, NOW

SHOP = "aurora.myshopify.com"
SHOP_NUMBER = 548380009  # that of the documentation's shop
INSTALLED = datetime(2025, 1, 1, tzinfo=UTC)
FAR_OFF = datetime(2100, 1, 1, tzinfo=UTC)
PLACEHOLDERS = ("example string", "https://www.example.com/")
# What was captured, and the topic it belongs to; one is of a topic of orders that the app does not listen to.
CAPTURED = MappingProxyType(
    {
        "real-2024-01__orders_1": "orders/updated",
        "real-2024-04__orders_1": "orders/create",
        "real-2025-04__orders_1": "orders/paid",
        "real-2025-04__orders_2": "orders/edited",
        "real-2025-04__orders_3": "orders/updated",
        "real-2024-04__checkouts_2": "checkouts/create",
        "real-2025-04__checkouts_1": "checkouts/update",
        "real-2025-04__carts_1": "carts/update",
        "real-2025-04__customers_1": "customers/update",
        "real-2025-04__customers_email_marketing_consent_1": "customers_email_marketing_consent/update",
        "real-2025-04__customers_marketing_consent_1": "customers_marketing_consent/update",
        "real-2025-04__products_1": "products/update",
        "real-2025-04__refunds_1": "refunds/create",
        "real-2025-04__refunds_2": "refunds/create",
        "real-2025-04__shop_1": "shop/update",
        "real-2025-04__bulk_operations_1": "bulk_operations/finish",
    }
)
NOT_OURS = frozenset({"real-2025-04__order_transactions_1"})


def documented(reference, topic):
    return (reference / "payloads" / f"docs-2026-04__{topic.replace('/', '_')}.json").read_bytes()


@pytest.fixture
def tenant_id(app):
    """A store with a token and the documentation's number."""
    with app.app_context(), directory() as session:
        tenant = Tenant(store_url=SHOP, name="Aurora", shopify_id=SHOP_NUMBER, installed_at=INSTALLED)
        session.add(tenant)
        session.flush()
        token = {"access_token": b"sealed", "access_expires_at": FAR_OFF, "obtained_at": NOW}
        session.add(OfflineToken(tenant_id=tenant.id, scopes=["read_products"], **token))
        return tenant.id


@pytest.fixture
def deliver(client):
    """Delivers a body as Shopify does, under an id of its own."""
    ids = iter(range(1, 1_000))

    def post(topic, body):
        headers = {
            "X-Shopify-Topic": topic,
            "X-Shopify-Shop-Domain": SHOP,
            "X-Shopify-Hmac-Sha256": webhook_hmac(body, SETTINGS["SHOPIFY_API_SECRET"]),
            "X-Shopify-Webhook-Id": f"w-{next(ids)}",
            "X-Shopify-Triggered-At": "2026-01-01T00:00:00Z",
        }
        return client.post(f"/webhooks/{TOPICS[topic].resource}", data=body, headers=headers).status_code

    return post


@pytest.fixture
def read(app):
    """Reads rows of the directory and the queue."""

    def rows(model):
        with app.app_context(), directory() as session:
            found = list(session.scalars(select(model).order_by(*model.__table__.primary_key)))
            session.expunge_all()
            return found

    return rows


@pytest.fixture
def work(app):
    """Drains the inbox."""

    def run():
        with app.app_context():
            drain()

    return run


@pytest.mark.parametrize("topic", sorted(INGESTED))
def test_a_documented_body_changes_nothing_the_second_time(world, reference, topic):
    payload = documented(reference, topic)
    bodies = [WebhookBody(1, topic, payload, datetime(2026, 1, 1, tzinfo=UTC), NOW)]

    def apply():
        with tenant_work(world.alpha) as session:
            return apply_webhooks(session, session.get_one(Tenant, world.alpha), bodies, NOW, KEY)

    apply()
    before = world.everything()

    assert apply().rows_written == 0
    assert world.everything() == before


def test_every_documented_body_is_kept_and_applied(tenant_id, reference, deliver, work, read):
    topics = {name for name, topic in TOPICS.items() if topic.resource != COMPLIANCE}
    bodies = {topic: _about(documented(reference, topic)) for topic in sorted(topics)}

    answers = {topic: deliver(topic, body) for topic, body in bodies.items()}
    work()

    assert set(answers.values()) == {200}
    rows = read(Delivery)
    assert {row.topic: bytes(row.payload) for row in rows} == bodies
    assert [(row.topic, row.error) for row in rows if row.processed_at is None] == []


@pytest.mark.parametrize("topic", ["customers/data_request", "customers/redact", "shop/redact"])
def test_a_documented_compliance_request_is_taken_down_with_its_fields(tenant_id, reference, deliver, read, topic):
    payload = _about(documented(reference, topic))

    assert deliver(topic, payload) == 200

    body = json.loads(payload)
    (row,) = read(PrivacyRequest)
    assert (row.tenant_id, row.shop_domain, row.topic) == (tenant_id, body["shop_domain"], topic)
    assert row.subject == body.get("data_request", {}).get("id")
    assert row.completed_at is None
    assert [bytes(kept.payload) for kept in read(Delivery)] == [payload]


def test_a_shop_s_documented_facts_are_in_their_columns(tenant_id, reference, deliver, work, read):
    payload = documented(reference, "shop/update")

    deliver("shop/update", payload)
    work()

    columns = {
        "id": "shopify_id",
        "myshopify_domain": "store_url",
        "name": "name",
        "email": "email",
        "currency": "currency",
        "iana_timezone": "time_zone",
        "primary_locale": "locale",
        "plan_display_name": "plan",
    }
    assert set(columns) | {"updated_at"} == set(ShopNotice.__struct_fields__)
    body = json.loads(payload)
    (row,) = read(Tenant)
    untold = {"myshopify_domain": SHOP, "iana_timezone": "UTC"}
    for name, column in columns.items():
        assert getattr(row, column) == (untold[name] if body[name] is None else body[name]), name


def test_an_uninstallation_as_documented_is_noted(tenant_id, reference, deliver, work, read):
    deliver("app/uninstalled", documented(reference, "app/uninstalled"))
    work()

    assert read(Tenant)[0].uninstalled_at is not None
    assert read(OfflineToken) == []


def test_scopes_as_documented_are_taken_down(tenant_id, reference, deliver, work, read):
    payload = documented(reference, "app/scopes_update")

    deliver("app/scopes_update", payload)
    work()

    assert set(ScopesNotice.__struct_fields__) == {"shop_id", "current"}
    assert read(OfflineToken)[0].scopes == json.loads(payload)["current"]


def test_a_finished_operation_as_documented_wakes_its_backfill(app, tenant_id, reference, deliver, work, read):
    payload = documented(reference, "bulk_operations/finish")
    operation = json.loads(payload)["admin_graphql_api_id"]
    with app.app_context(), tenant_work(tenant_id) as session:
        running = {"resource": "orders", "state": "running", "operation_id": operation}
        session.add(Backfill(tenant_id=tenant_id, run_id=uuid.uuid4(), **running))

    deliver("bulk_operations/finish", payload)
    work()

    assert set(BulkNotice.__struct_fields__) == {"admin_graphql_api_id"}
    assert [row.tenant_id for row in read(Claim) if row.kind == "backfill"] == [tenant_id]


def test_every_captured_body_is_kept_and_applied_or_set_aside_at_a_placeholder(
    tenant_id, reference, deliver, work, read
):
    files = {path.stem: path.read_bytes() for path in sorted((reference / "payloads").glob("real-*.json"))}
    assert set(files) == set(CAPTURED) | NOT_OURS

    answers = [deliver(topic, files[name]) for name, topic in CAPTURED.items()]
    work()

    assert set(answers) == {200}
    rows = read(Delivery)
    assert [bytes(row.payload) for row in rows] == [files[name] for name in CAPTURED]
    outcomes = {name: _at_fault(row) for name, row in zip(CAPTURED, rows, strict=True)}
    applied = {name for name, pointer in outcomes.items() if pointer is None}
    assert applied >= {
        "real-2025-04__orders_2",
        "real-2025-04__customers_1",
        "real-2025-04__customers_email_marketing_consent_1",
        "real-2025-04__customers_marketing_consent_1",
        "real-2025-04__bulk_operations_1",
    }
    assert outcomes.pop("real-2025-04__orders_3") == "$"  # an order's risk: it has no id
    for name, pointer in outcomes.items():
        assert pointer is None or _at(json.loads(files[name]), pointer) in PLACEHOLDERS, (name, pointer)


def test_a_captured_body_with_real_amounts_in_its_placeholders_is_applied(tenant_id, reference, deliver, work, read):
    """Its keys are true ones: with values of the right kind every captured body has to go through."""
    for name, topic in CAPTURED.items():
        body = (reference / "payloads" / f"{name}.json").read_bytes()
        if topic.partition("/")[0] in {"orders", "checkouts", "carts", "products", "refunds"} and "_3" not in name:
            deliver(topic, _with_values(body))

    work()

    assert [(row.topic, row.error) for row in read(Delivery) if row.processed_at is None] == []


def _about(payload):
    """Return a body of a topic that names the shop, naming ours: the documentation leaves a gap there."""
    return payload.replace(b"{shop}.myshopify.com", SHOP.encode())


def _at_fault(row):
    """Return the path that a delivery's error names; None for one that was applied."""
    if row.processed_at is not None:
        return None
    assert row.error.startswith(("PayloadRejected: ", "NoticeRejected: ", "NotThisShop: ")), row.error
    return re.search(r"\$[\w.\[\]]*", row.error)[0]


def _at(body, pointer):
    """Return what stands at a JSON path such as `$.line_items[0].price`."""
    for name, place in re.findall(r"\.(\w+)|\[(\d+)\]", pointer):
        body = body[name] if name else body[int(place)]
    return body


_AMOUNT = re.compile(r"amount|price|total|subtotal|discount$|tax$")


def _with_values(payload):
    """Put an amount, a global id or a word where a captured body has a placeholder, by the name of the field."""

    def filled(value, name):
        if isinstance(value, dict):
            return {key: filled(one, key) for key, one in value.items()}
        if isinstance(value, list):
            return [filled(one, name) for one in value]
        if value not in PLACEHOLDERS:
            return value
        if name.startswith("admin_graphql_api"):
            return "gid://shopify/Thing/123"
        return "1.50" if _AMOUNT.search(name) else value

    return msgspec.json.encode(filled(json.loads(payload), ""))
