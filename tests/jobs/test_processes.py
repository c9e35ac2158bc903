"""Stories with real worker and clock processes: one is killed, Redis goes away, and the numbers come out right."""

import base64
import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select

from shopify_app import backfill
from shopify_app.database import tenant_work
from shopify_app.models import Backfill, Customer, Product, Tenant

ROOT = Path(__file__).resolve().parent.parent.parent
CUSTOMERS = 12_000

pytestmark = [pytest.mark.long, pytest.mark.alone]


@pytest.fixture
def process(environ):
    """Starts worker and clock processes, and leaves none behind."""
    started = []

    def run(module):
        made = subprocess.Popen(
            [sys.executable, "-m", f"shopify_app.{module}"], cwd=ROOT, env={"PATH": os.environ["PATH"], **environ}
        )
        started.append(made)
        return made

    yield run
    for made in started:
        made.kill()
        made.wait()


def customer(number):
    return {
        "id": f"gid://shopify/Customer/{number}",
        "firstName": "Ada",
        "lastName": f"No. {number}",
        "createdAt": "2026-01-01T00:00:00Z",
        "updatedAt": "2026-01-01T00:00:00Z",
        "state": "ENABLED",
        "tags": [],
        "locale": "en",
        "numberOfOrders": "0",
        "amountSpent": {"amount": "0.0"},
        "defaultEmailAddress": {"emailAddress": f"{number}@example.com", "marketingState": "SUBSCRIBED"},
        "defaultPhoneNumber": None,
        "defaultAddress": None,
    }


def held(tenant_id):
    with tenant_work(tenant_id) as session:
        return session.execute(select(Backfill.state, Backfill.objects_read, Backfill.byte_offset)).one()


def count(tenant_id, model):
    with tenant_work(tenant_id) as session:
        return session.scalar(select(func.count()).select_from(model))


def eventually(condition, seconds):
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at:
        if condition():
            return
        time.sleep(0.02)
    pytest.fail(f"not within {seconds} seconds")


def test_a_backfill_whose_worker_is_killed_goes_on_within_seconds_and_ends_right(tenant_id, shopify, process):
    shopify.files = {"customers": [customer(number) for number in range(1, CUSTOMERS + 1)]}
    shopify.pause = 0.05
    with tenant_work(tenant_id) as session:
        backfill.start(session, session.get_one(Tenant, tenant_id), ("customers",), datetime.now(UTC))
    process("clock")
    worker = process("worker")
    eventually(lambda: 0 < held(tenant_id).objects_read < CUSTOMERS, 30)

    worker.send_signal(signal.SIGKILL)
    worker.wait()
    stopped = held(tenant_id)
    began = time.monotonic()
    process("worker")
    eventually(lambda: held(tenant_id).objects_read > stopped.objects_read, 30)
    took = time.monotonic() - began
    eventually(lambda: held(tenant_id).state == "done", 60)

    assert stopped.state == "loading"
    assert took < 25
    assert held(tenant_id).objects_read == count(tenant_id, Customer) == CUSTOMERS
    assert len(shopify.runs) == 1
    assert (1, stopped.byte_offset) in shopify.ranges


def test_webhooks_that_arrive_while_redis_is_away_are_all_applied(app, tenant_id, process, redis_server, config):
    process("clock")
    process("worker")
    client = app.test_client()
    assert post(client, config, 1) == 200
    eventually(lambda: count(tenant_id, Product) == 1, 20)

    redis_server.stop()
    statuses = [post(client, config, number) for number in range(2, 40)]
    time.sleep(3)
    redis_server.start()

    assert statuses == [200] * 38
    eventually(lambda: count(tenant_id, Product) == 39, 40)


def test_an_order_is_applied_within_a_second_of_its_delivery(app, tenant_id, process, config):
    process("worker")
    client = app.test_client()
    assert post(client, config, 1) == 200
    eventually(lambda: count(tenant_id, Product) == 1, 20)

    began = time.monotonic()
    assert post(client, config, 2) == 200
    eventually(lambda: count(tenant_id, Product) == 2, 5)

    assert time.monotonic() - began < 1


def post(client, config, number):
    stamp = "2026-11-01T10:00:00Z"
    body = json.dumps({"id": number, "title": "A shirt", "updated_at": stamp, "variants": []}).encode()
    signature = hmac.new(config.shopify_api_secret.encode(), body, hashlib.sha256).digest()
    headers = {
        "X-Shopify-Topic": "products/create",
        "X-Shopify-Shop-Domain": "aurora.myshopify.com",
        "X-Shopify-Webhook-Id": f"w-{number}",
        "X-Shopify-Hmac-Sha256": base64.b64encode(signature).decode(),
    }
    return client.post("/webhooks/products", data=body, headers=headers).status_code
