"""Deliveries applied again, through the same drain as ever: whatever the range and the order, nothing changes."""

import json
import random
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, select, text

from shopify_app import inbox, rollups
from shopify_app.database import db, directory, operations, tenant_work
from shopify_app.inbox import Choice
from shopify_app.jobs.inbox import drain
from shopify_app.models import Delivery, Tenant
from shopify_app.models.base import TENANT
from tests.ingest.test_webhooks import cart, checkout
from tests.ingest.world import at, customer, edited, order, product, refund, shipping

NOW = datetime.now(UTC)
START = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
# When a row was last written, and how often totals were made: neither is a figure, a fact, or told to anybody.
WORKINGS = {"ingested_at", "refreshed_at", "version", "id", "seen_at"}


def stream():
    """A store's deliveries as they come: everything is made, changed, paid for, given back or taken away."""
    late = {"updated_at": at(30)}
    return [
        ("customers/create", customer()),
        ("products/create", product()),
        ("carts/create", cart()),
        ("checkouts/create", checkout()),
        ("orders/create", order(shipping_lines=[shipping()])),
        (
            "orders/updated",
            order(shipping_lines=[shipping()], refunds=[refund(lines=[(11, 1, "10.00", "0.00")])], **late),
        ),
        ("refunds/create", {**refund(lines=[(11, 1, "10.00", "0.00")]), "order_id": order()["id"]}),
        ("orders/edited", edited(added=[(11, 1)])),
        ("customers/update", customer(first_name="Augusta", **late)),
        ("customer.tags_added", {"customerId": "gid://shopify/Customer/77", "tags": ["vip"], "occurredAt": at(40)}),
        ("products/create", product(500, **late)),
        ("products/delete", {"id": 500}),
        ("customers/create", customer(78, email="brief@example.com")),
        ("customers/delete", {"id": 78}),
    ]


def keep(*stores):
    """Keep the stream as it came to each of the stores (tenant and name), an hour apart."""
    rows = [
        {
            "tenant_id": tenant_id,
            "shop_domain": f"{name}.myshopify.com",
            "topic": topic,
            "webhook_id": f"{tenant_id}-{number}",
            "event_id": f"event-{number}",
            "triggered_at": START + number * HOUR,
            "received_at": START + number * HOUR,
            "payload": json.dumps(body).encode(),
        }
        for number, (topic, body) in enumerate(stream())
        for tenant_id, name in stores
    ]
    with directory() as session:
        session.execute(insert(Delivery), rows)


def held(tenant_id):
    """Every row of a store, without what only says when it was written."""
    with tenant_work(tenant_id) as session:
        return {
            table.name: sorted(
                str({name: value for name, value in row.items() if name not in WORKINGS})
                for row in session.execute(select(table)).mappings()
            )
            for table in db.metadata.sorted_tables
            if table.info == TENANT
        }


def differences(before, after):
    """The rows of each table that are not in both."""
    return {name: sorted({*rows} ^ {*after[name]}) for name, rows in before.items() if rows != after[name]}


def outcomes(tenant_id):
    with directory() as session:
        return list(
            session.scalars(select(Delivery.outcome).where(Delivery.tenant_id == tenant_id).order_by(Delivery.id))
        )


def replay(choice):
    with directory() as session:
        return inbox.replay(session, choice, now=NOW).changed


@pytest.fixture
def settled(tenant_ids):
    """Two stores to which all of it has happened."""
    keep(*zip(tenant_ids, ("aurora", "birch"), strict=True))
    drain()
    for tenant_id in tenant_ids:
        assert set(outcomes(tenant_id)) <= {"applied", "repeat"}
    return tenant_ids


def test_a_store_replayed_whole_is_what_it_was(settled):
    mine, other = settled
    before, others = held(mine), held(other)
    assert before["day_totals"]

    assert replay(Choice(tenant_ids=(mine,))) == len(stream())
    assert set(outcomes(mine)) == {None}
    assert None not in outcomes(other)
    drain()

    assert differences(before, held(mine)) == {}
    assert differences(others, held(other)) == {}
    assert set(outcomes(mine)) <= {"applied", "repeat"}


@pytest.mark.parametrize("seed", range(6))
def test_ranges_replayed_in_any_order_change_no_row_no_money_no_total(settled, seed):
    mine, _ = settled
    before, chance = held(mine), random.Random(seed)

    for _ in range(5):
        hours = sorted(chance.randrange(len(stream())) for _ in range(2))
        since, until = (START + hour * HOUR for hour in hours)
        assert replay(Choice(tenant_ids=(mine,), since=since, until=until)) == hours[1] - hours[0] + 1
        drain()
        assert differences(before, held(mine)) == {}

    with tenant_work(mine) as session:
        rollups.rebuild(session, session.get_one(Tenant, mine), NOW)
    assert held(mine)["day_totals"] == before["day_totals"]


def test_a_dead_letter_whose_cause_is_gone_is_applied_by_a_replay(tenant_id):
    keep((tenant_id, "aurora"))
    with operations() as session:
        session.execute(text("UPDATE inbox SET dead_at = now(), attempts = 8 WHERE topic = 'products/create'"))
    drain()
    assert len(held(tenant_id)["products"]) == 1  # that of the one which was deleted

    assert replay(Choice(state="dead")) == 2
    drain()

    assert len(held(tenant_id)["products"]) == 2
    assert set(outcomes(tenant_id)) <= {"applied", "repeat"}
