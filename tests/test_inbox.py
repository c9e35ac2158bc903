"""The inbox: a delivery is kept once, claimed by one, and left alone when it cannot be applied."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text

from shopify_app import inbox
from shopify_app.database import db, directory, operations, tenant_work
from shopify_app.models import Delivery, Tenant

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LEASE = timedelta(seconds=60)
SHOP = "aurora.myshopify.com"

pytestmark = pytest.mark.usefixtures("app_context")


@pytest.fixture
def tenant_id():
    with directory() as session:
        tenant = Tenant(store_url=SHOP, name="Aurora", installed_at=NOW)
        session.add(tenant)
        session.flush()
        return tenant.id


def receive(webhook_id="w-1", shop=SHOP, payload=b'{"id":1}'):
    incoming = inbox.Incoming(
        shop_domain=shop,
        topic="orders/create",
        webhook_id=webhook_id,
        event_id=None,
        triggered_at=NOW,
        api_version="2026-10",
        payload=payload,
    )
    with db.engine.connect() as connection:
        return inbox.receive(connection.execution_options(isolation_level="AUTOCOMMIT"), incoming)


def claim(now=NOW, limit=10):
    with operations() as session:
        return inbox.claim(session, now=now, lease_for=LEASE, limit=limit)


def row(delivery_id):
    with directory() as session:
        found = session.get_one(Delivery, delivery_id)
        session.expunge(found)
        return found


def only_id():
    with directory() as session:
        return session.scalars(select(Delivery.id)).one()


def waiting(now):
    with operations() as session:
        return inbox.waiting(session, now)


def test_repeat_delivery_is_stored_once(tenant_id):
    assert receive() is True
    assert receive(payload=b"{}") is False

    kept = row(only_id())
    assert (kept.tenant_id, kept.topic, bytes(kept.payload)) == (tenant_id, "orders/create", b'{"id":1}')


def test_the_same_id_from_another_shop_is_another_delivery(tenant_id):
    assert receive() is True
    assert receive(shop="stranger.myshopify.com") is True


def test_a_delivery_from_an_unknown_shop_is_kept_and_never_claimed():
    receive(shop="stranger.myshopify.com")

    assert row(only_id()).tenant_id is None
    assert not claim()
    assert waiting(NOW) is False


def test_a_store_that_was_only_named_and_never_installed_gets_no_deliveries():
    with directory() as session:
        session.add(Tenant(store_url=SHOP, name="A claim"))

    receive()

    assert row(only_id()).tenant_id is None


def test_waiting_deliveries_are_claimed_oldest_first_and_once(tenant_id):
    for number in range(3):
        receive(f"w-{number}")

    first, second = claim(limit=2), claim()

    assert len(first.by_tenant[tenant_id]) == 2
    assert max(first.by_tenant[tenant_id]) < min(second.by_tenant[tenant_id])
    assert not claim()


def test_two_workers_at_the_same_moment_claim_different_deliveries(tenant_id):
    receive("w-1")
    receive("w-2")

    with operations() as one, operations() as other:
        first = inbox.claim(one, now=NOW, lease_for=LEASE, limit=1)
        second = inbox.claim(other, now=NOW, lease_for=LEASE, limit=10)

    assert len(first.by_tenant[tenant_id]) == len(second.by_tenant[tenant_id]) == 1
    assert first.by_tenant[tenant_id] != second.by_tenant[tenant_id]


def test_a_delivery_whose_worker_died_is_claimed_again_and_not_read_by_the_first(tenant_id):
    receive()
    dead = claim()

    alive = claim(NOW + LEASE)

    ids = alive.by_tenant[tenant_id]
    with tenant_work(tenant_id) as session:
        assert inbox.read(session, tenant_id, dead.lease, ids) == []
        assert [kept.payload for kept in inbox.read(session, tenant_id, alive.lease, ids)] == [b'{"id":1}']


def test_deliveries_of_another_tenant_are_not_read(tenant_id):
    receive()
    batch = claim()

    with tenant_work(tenant_id + 1) as session:
        assert inbox.read(session, tenant_id + 1, batch.lease, batch.by_tenant[tenant_id]) == []


def test_a_finished_delivery_is_not_claimed_again(tenant_id):
    receive()
    batch = claim()

    with tenant_work(tenant_id) as session:
        kept = inbox.read(session, tenant_id, batch.lease, batch.by_tenant[tenant_id])
        inbox.finish(session, [delivery.id for delivery in kept], NOW)

    assert not claim(NOW + timedelta(days=1))
    assert row(only_id()).processed_at == NOW


def test_a_failed_delivery_waits_longer_each_time_and_is_dead_after_the_eighth(tenant_id):
    receive()
    now, waits = NOW, []

    for _ in range(8):
        batch = claim(now)
        (delivery_id,) = batch.by_tenant[tenant_id]
        with operations() as session:
            inbox.fail(session, batch.lease, delivery_id, error="$.id: not a number", now=now)
        until = row(delivery_id).leased_until
        waits.append((until - now).total_seconds() if until else None)
        now = until or now

    assert waits == [5, 15, 45, 135, 405, 1215, 3645, None]
    assert row(delivery_id).dead_at == now
    assert row(delivery_id).error == "$.id: not a number"
    assert not claim(now + timedelta(days=30))


def test_a_failure_reported_too_late_changes_nothing(tenant_id):
    receive()
    dead = claim()
    claim(NOW + LEASE)
    (delivery_id,) = dead.by_tenant[tenant_id]

    with operations() as session:
        inbox.fail(session, dead.lease, delivery_id, error="late", now=NOW)

    assert row(delivery_id).error is None


def test_the_role_that_claims_cannot_read_what_deliveries_say():
    with pytest.raises(Exception, match="permission denied"), operations() as session:
        session.execute(text("SELECT payload FROM inbox"))


# ── quarantine ──


@pytest.mark.parametrize("body", [b"", b"not json", b"[1]", b'"text"', b"{", b'{"id": 1} {}', b"\xff{}"])
def test_a_body_that_is_no_object_is_nobodys(tenant_id, body):
    assert receive(payload=body)

    assert row(only_id()).tenant_id is None


def test_a_shops_quarantine_has_a_quota(tenant_id, monkeypatch, caplog):
    monkeypatch.setattr(inbox, "MOST_OF_SHOP", 2)

    kept = [receive(f"w-{number}", payload=b"no") for number in range(4)]
    other = receive("w-1", shop="birch.myshopify.com", payload=b"no")

    assert kept == [True, True, False, False]
    assert other
    assert "a delivery was not kept" in caplog.text


def test_all_quarantines_together_have_a_quota(tenant_id, monkeypatch):
    monkeypatch.setattr(inbox, "MOST_IN_ALL", 2)

    kept = [receive("w-1", shop=f"shop-{number}.myshopify.com", payload=b"no") for number in range(3)]

    assert kept == [True, True, False]


def test_a_full_quarantine_keeps_no_delivery_of_a_known_shop_out(tenant_id, monkeypatch):
    monkeypatch.setattr(inbox, "MOST_OF_SHOP", 0)
    monkeypatch.setattr(inbox, "MOST_IN_ALL", 0)

    assert receive()
