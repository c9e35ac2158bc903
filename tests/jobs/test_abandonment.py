"""The clock's look at carts and checkouts: one claim a store, due when the first of them is abandoned."""

import json
import time
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from shopify_app import abandonment, claims, ingest
from shopify_app.database import directory, operations, tenant_work
from shopify_app.jobs import abandonment as job
from shopify_app.jobs.queues import ABANDON
from shopify_app.models import Cart, Tenant
from shopify_app.runtime import current

HOUR = timedelta(hours=1)


def now():
    return datetime.now(UTC)


@pytest.fixture
def left(tenant_id):
    """A cart left ten minutes longer ago than the store's cut-off, and its claim."""
    at = now() - HOUR - timedelta(minutes=10)
    leave(tenant_id, "c1", at)
    with tenant_work(tenant_id) as session:
        claims.put(session, claims.ABANDONMENT, tenant_id, due_at=at + HOUR)
    return tenant_id


def leave(tenant_id, name, at):
    with tenant_work(tenant_id) as session:
        cart = Cart(tenant_id=tenant_id, shopify_id=name, units=1, seen_at=[at], idle_since=at, judged_by=60)
        session.add(cart)


def status(tenant_id):
    with tenant_work(tenant_id) as session:
        return {row.shopify_id: row.status for row in session.execute(text("SELECT shopify_id, status FROM carts"))}


def due():
    with operations() as session:
        query = text("SELECT tenant_id, due_at FROM claims WHERE kind = :kind")
        return {row.tenant_id: row.due_at for row in session.execute(query, {"kind": claims.ABANDONMENT})}


def test_what_is_due_is_abandoned_and_the_claim_is_gone(left):
    job.sweep(tenant_id=left)

    assert status(left) == {"c1": "abandoned"}
    assert due() == {}


def test_the_claim_moves_to_the_next_moment(left):
    later = now() - timedelta(minutes=20)
    leave(left, "c2", later)

    job.sweep(tenant_id=left)

    assert status(left) == {"c1": "abandoned", "c2": "active"}
    assert due() == {left: later + HOUR}


def test_a_sweep_too_early_changes_nothing_and_keeps_its_moment(tenant_id):
    later = now() - timedelta(minutes=20)
    leave(tenant_id, "c1", later)

    job.sweep(tenant_id=tenant_id)

    assert status(tenant_id) == {"c1": "active"}
    assert due() == {tenant_id: later + HOUR}


def test_a_sweep_that_fails_leaves_its_claim_and_no_half_of_its_work(left, monkeypatch):
    before = due()

    def broken(*_args):
        raise RuntimeError("no")

    monkeypatch.setattr(abandonment, "_next_due", broken)
    with pytest.raises(RuntimeError, match="no"):
        job.sweep(tenant_id=left)

    assert due() == before
    assert status(left) == {"c1": "active"}


def test_many_are_abandoned_batch_by_batch(left, monkeypatch):
    for number in range(2, 6):
        leave(left, f"c{number}", now() - 2 * HOUR)
    monkeypatch.setattr(job, "AT_ONCE", 2)

    job.sweep(tenant_id=left)

    assert set(status(left).values()) == {"abandoned"}
    assert due() == {}


def test_when_its_slice_is_over_the_rest_is_queued_behind_other_work(left, monkeypatch):
    leave(left, "c2", now() - 2 * HOUR)
    monkeypatch.setattr(job, "AT_ONCE", 1)
    monkeypatch.setattr(job, "SLICE", 0.0)
    queued = []
    monkeypatch.setattr(current().queues, "nudge", lambda name, **kwargs: queued.append((name, kwargs)))

    job.sweep(tenant_id=left)

    assert queued == [(ABANDON, {"tenant_id": left})]
    assert sorted(status(left).values()) == ["abandoned", "active"]
    assert list(due()) == [left]


def test_a_store_that_is_gone_has_nothing_to_sweep(tenant_id):
    with directory() as session:
        session.execute(text("DELETE FROM tenants WHERE id = :id"), {"id": tenant_id})

    job.sweep(tenant_id=tenant_id)

    assert due() == {}


def test_the_clock_and_a_worker_abandon_a_cart_that_was_told_of(tenant_ids, work_off):
    aurora, birch = tenant_ids
    told(aurora, now() - HOUR)
    told(birch, now())
    assert status(aurora) == {"c1": "abandoned"}  # late news: its time has passed already
    told(aurora, now() - HOUR + timedelta(seconds=2))
    assert status(aurora) == {"c1": "active"}

    eventually(lambda: due()[aurora] <= now())
    work_off()

    assert status(aurora) == {"c1": "abandoned"}
    assert status(birch) == {"c1": "active"}
    assert list(due()) == [birch]


def told(tenant_id, at):
    """Apply a delivery that tells of a cart."""
    body = {"id": "c1", "updated_at": at.isoformat(), "line_items": [{"quantity": 1, "price": "4.00"}]}
    delivery = ingest.WebhookBody(
        id=1, topic="carts/update", payload=json.dumps(body).encode(), triggered_at=at, received_at=at
    )
    with tenant_work(tenant_id) as session:
        ingest.apply_webhooks(session, session.get_one(Tenant, tenant_id), [delivery], now(), b"a key")


def eventually(condition, seconds=10.0):
    ends_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends_at
        time.sleep(0.05)
