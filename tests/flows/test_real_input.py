"""Shopify's sample bodies, signed and posted to the running app: kept, applied, and harmless when they come again."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from supervisor.demo import Demo
from tests.flows.story import BIRCH, app_url, idle, install, rows, settled, wait_until

PREFIX = "docs-2026-04__"
RESOURCES = ("customers", "products", "orders", "carts", "checkouts", "refunds")
# The topic of a sample whose file name does not say it: underscores stand for slashes and for themselves.
NAMED_OTHERWISE = {
    "customers_email_marketing_consent_update": "customers_email_marketing_consent/update",
    "customers_marketing_consent_update": "customers_marketing_consent/update",
    "customers_purchasing_summary": "customers/purchasing_summary",
    "orders_partially_fulfilled": "orders/partially_fulfilled",
}
COMPLIANCE = {"customers_data_request", "customers_redact"}
TABLES = (*RESOURCES, "order_edits", "order_lines", "order_shipping_lines", "refund_lines", "product_variants", "sales")


def samples(reference: Path) -> dict[str, bytes]:
    """The documentation's body of every topic of the six resources, deletions aside."""
    found = {}
    for path in sorted((reference / "payloads").glob(PREFIX + "*.json")):
        name = path.stem.removeprefix(PREFIX)
        if name.startswith(RESOURCES) and name not in COMPLIANCE and not name.endswith("_delete"):
            found[NAMED_OTHERWISE.get(name, name.replace("_", "/", 1))] = path.read_bytes()
    return found


def place(topic: str, body: Mapping[str, Any]) -> tuple[str, str, object]:
    """The table, the column and the key under which a body must be found."""
    if topic == "orders/edited":
        return "order_edits", "shopify_id", body["order_edit"]["id"]
    if topic == "customers/merge":
        return "customers", "shopify_id", int(body["admin_graphql_api_customer_kept_id"].rpartition("/")[2])
    if topic == "customers/purchasing_summary":
        return "customers", "shopify_id", int(body["customerId"].rpartition("/")[2])
    table = topic.partition("/")[0].partition("_")[0]
    if table == "checkouts":
        return table, "token", body["token"]
    return table, "shopify_id", body["customer_id"] if "customer_id" in body else body["id"]


def post(stack: Demo, topic: str, payload: bytes) -> int:
    """Deliver a body as Shopify does; every delivery has an id of its own."""
    secret = stack.environ["SHOPIFY_API_SECRET"].encode()
    resource = topic.partition("/")[0].partition("_")[0]
    headers = {
        "Content-Type": "application/json",
        "X-Shopify-Topic": topic,
        "X-Shopify-Hmac-Sha256": base64.b64encode(hmac.digest(secret, payload, hashlib.sha256)).decode(),
        "X-Shopify-Shop-Domain": BIRCH,
        "X-Shopify-API-Version": "2026-04",
        "X-Shopify-Webhook-Id": str(uuid.uuid4()),
        "X-Shopify-Event-Id": str(uuid.uuid4()),
        "X-Shopify-Triggered-At": "2026-04-01T00:00:00.000Z",
    }
    return httpx.post(f"{app_url(stack)}/webhooks/{resource}", content=payload, headers=headers, timeout=10).status_code


def everything(stack: Demo) -> dict[str, list[str]]:
    """Every row of the tables that samples end in, as text."""
    return {
        table: sorted(row["t"] for row in rows(stack, BIRCH, f"SELECT t::text AS t FROM {table} t"))  # noqa: S608
        for table in TABLES
    }


def test_every_sample_is_kept_found_under_its_id_and_changes_nothing_the_second_time(
    stack: Demo, reference: Path
) -> None:
    install(stack, BIRCH)
    wait_until("the backfill", lambda: settled(stack, BIRCH))
    bodies = samples(reference)
    assert {topic.partition("/")[0].partition("_")[0] for topic in bodies} == set(RESOURCES)

    first = {topic: post(stack, topic, payload) for topic, payload in bodies.items()}
    wait_until("the samples", lambda: idle(stack))

    assert set(first.values()) == {200}
    for topic, payload in bodies.items():
        table, column, key = place(topic, json.loads(payload))
        assert key in [row[column] for row in rows(stack, BIRCH, f"SELECT {column} FROM {table}")], topic  # noqa: S608
    before = everything(stack)
    again = {topic: post(stack, topic, payload) for topic, payload in bodies.items()}
    wait_until("the samples again", lambda: idle(stack))
    assert set(again.values()) == {200}
    assert everything(stack) == before


@pytest.mark.parametrize("given", ["", "c2lnbmVkIGJ5IHNvbWVib2R5IGVsc2U="])
def test_a_body_without_shopify_s_signature_is_refused(stack: Demo, given: str) -> None:
    headers = {"X-Shopify-Topic": "orders/create", "X-Shopify-Shop-Domain": BIRCH, "X-Shopify-Hmac-Sha256": given}

    answer = httpx.post(f"{app_url(stack)}/webhooks/orders", content=b"{}", headers=headers, timeout=10)

    assert answer.status_code == 401
