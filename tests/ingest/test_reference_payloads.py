"""Shopify's own sample bodies: mapped, found again under their number, and harmless when they come twice."""

import json
import re
from datetime import UTC, datetime
from types import MappingProxyType

import pytest

from shopify_app.database import tenant_work
from shopify_app.ingest import TOPICS, PayloadRejected, WebhookBody, apply_webhooks
from shopify_app.models import Tenant
from tests.ingest.world import NOW

PLACEHOLDER = "example string"
PREFIX = "docs-2026-04__"
UNDERSCORED = MappingProxyType({topic.replace("/", "_"): topic for topic in TOPICS})


def _expected(topic, body):
    """Return the table a body ends in, and the key it must be found under."""
    if topic.startswith("customer.") or topic == "customers/purchasing_summary":
        return "customers", int(body["customerId"].rpartition("/")[2])
    if topic == "customers/merge":
        return "customers", int(body["admin_graphql_api_customer_kept_id"].rpartition("/")[2])
    if topic == "orders/edited":
        return "order_edits", body["order_edit"]["id"]
    if topic.startswith("customers_email"):
        return "customers", body["customer_id"]
    if topic.startswith("customers_"):
        return "customers", body["id"]
    return topic.partition("/")[0], body.get("id", body.get("token"))


def _samples(reference, pattern):
    files = sorted((reference / "payloads").glob(pattern))
    assert files
    return files


def _apply(world, topic, payload):
    event = datetime(2026, 1, 1, tzinfo=UTC)
    with tenant_work(world.alpha) as session:
        tenant = session.get_one(Tenant, world.alpha)
        return apply_webhooks(session, tenant, [WebhookBody(1, topic, payload, event, NOW)], NOW, b"k")


def _key(row, table):
    return row["token"] if table == "checkouts" else row["shopify_id"]


def test_every_sample_of_the_documentation_is_found_in_its_table_and_changes_nothing_again(world, reference):
    seen = set()
    for path in _samples(reference, PREFIX + "*.json"):
        topic = UNDERSCORED.get(path.stem.removeprefix(PREFIX))
        if topic is None or topic == "checkouts/delete" or topic.endswith("/delete"):
            continue
        payload = path.read_bytes()
        table, key = _expected(topic, json.loads(payload))

        _apply(world, topic, payload)

        assert key in {_key(row, table) for row in world.rows(table)}, path.name
        before = world.everything()
        assert _apply(world, topic, payload).rows_written == 0, path.name
        assert world.everything() == before, path.name
        seen.add(topic)
    assert seen == {topic for topic in TOPICS if not topic.endswith("/delete")}


@pytest.mark.parametrize("topic", ["customers/delete", "products/delete", "orders/delete"])
def test_a_sample_of_a_deletion_leaves_a_tombstone(world, reference, topic):
    payload = (reference / "payloads" / f"{PREFIX}{topic.replace('/', '_')}.json").read_bytes()

    _apply(world, topic, payload)

    table, key = _expected(topic, json.loads(payload))
    assert world.row(table, shopify_id=key)["deleted_at"] is not None


@pytest.mark.parametrize(
    ("pattern", "topic"),
    [
        ("real-*__orders_1.json", "orders/updated"),
        ("real-*__orders_2.json", "orders/edited"),
        ("real-*__customers_1.json", "customers/update"),
        ("real-*__customers_email*.json", "customers_email_marketing_consent/update"),
        ("real-*__customers_marketing*.json", "customers_marketing_consent/update"),
        ("real-*__products_1.json", "products/update"),
        ("real-*__carts_1.json", "carts/update"),
        ("real-*__checkouts_*.json", "checkouts/update"),
        ("real-*__refunds_*.json", "refunds/create"),
    ],
)
def test_a_captured_body_is_mapped_or_refused_at_a_placeholder(world, reference, pattern, topic):
    for path in _samples(reference, pattern):
        body = json.loads(path.read_bytes())
        table, key = _expected(topic, body)
        pointer = _refused_at(world, topic, path.read_bytes())

        kept = key in {_key(row, table) for row in world.rows(table)}
        assert kept if pointer is None else _at(body, pointer) == PLACEHOLDER, (path.name, pointer)


def test_a_body_of_another_kind_is_refused(world, reference):
    (path,) = _samples(reference, "real-2025-04__orders_3.json")

    with pytest.raises(PayloadRejected, match="required field `id`"):
        _apply(world, "orders/updated", path.read_bytes())


def _refused_at(world, topic, payload):
    """Return where a body was refused; None when it was not."""
    try:
        _apply(world, topic, payload)
    except PayloadRejected as refused:
        return refused.pointer
    return None


def _at(body, pointer):
    """Return what stands at a JSON path such as `$.line_items[0].price`."""
    for name, place in re.findall(r"\.(\w+)|\[(\d+)\]", pointer):
        body = body[name] if name else body[int(place)]
    return body
