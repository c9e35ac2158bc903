"""Turns at the inbox: who has one, what is read in it, and what becomes of a delivery that fails."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text, update

from shopify_app import claims, inbox
from shopify_app.database import directory, operations, tenant_work
from shopify_app.models import Delivery, Tenant
from shopify_app.runtime import current

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SHOP = "aurora.myshopify.com"

pytestmark = pytest.mark.usefixtures("app_context")


@pytest.fixture
def tenant_ids():
    with directory() as session:
        tenants = [
            Tenant(store_url=f"{name}.myshopify.com", name=name, installed_at=NOW)
            for name in ("aurora", "birch", "cedar")
        ]
        session.add_all(tenants)
        session.flush()
        return [tenant.id for tenant in tenants]


@pytest.fixture
def tenant_id(tenant_ids):
    return tenant_ids[0]


def receive(webhook_id="w-1", shop=SHOP, topic="orders/create", payload=b'{"id":1}'):
    incoming = inbox.Incoming(
        shop_domain=shop,
        topic=topic,
        webhook_id=webhook_id,
        event_id="e-1",
        triggered_at=NOW,
        api_version="2026-10",
        payload=payload,
    )
    return current().direct.run(lambda line: inbox.receive(line, incoming))


def waiting(now=NOW, **choice):
    with operations() as session:
        return inbox.waiting_tenants(session, now, **{"limit": 10, **choice})


def read(tenant_id, now=NOW, limit=10, except_for=()):
    with directory() as session:
        return inbox.read(session, tenant_id, now=now, limit=limit, except_for=except_for)


def finish(tenant_id, ids):
    with tenant_work(tenant_id) as session:
        return inbox.finish(session, tenant_id, ids, NOW)


def row(delivery_id):
    with directory() as session:
        found = session.get_one(Delivery, delivery_id)
        session.expunge(found)
        return found


def only_id():
    with directory() as session:
        return session.scalars(select(Delivery.id)).one()


def disable(tenant_id):
    with directory() as session:
        session.execute(update(Tenant).where(Tenant.id == tenant_id).values(disabled_at=NOW))


def test_tenants_with_something_to_apply_are_found_by_number_page_by_page(tenant_ids):
    for shop in ("cedar", "aurora"):
        for number in range(3):
            receive(f"w-{number}", shop=f"{shop}.myshopify.com")

    assert waiting() == inbox.Waiting((tenant_ids[0], tenant_ids[2]), None)
    assert waiting(limit=1) == inbox.Waiting((tenant_ids[0],), tenant_ids[0])
    assert waiting(limit=1, after=tenant_ids[0]) == inbox.Waiting((tenant_ids[2],), tenant_ids[2])
    assert waiting(limit=1, after=tenant_ids[2]) == inbox.Waiting((), None)


def test_a_page_whose_tenants_all_have_to_wait_leads_on_to_the_next(tenant_ids):
    receive()
    disable(tenant_ids[0])
    receive(shop="birch.myshopify.com")

    assert waiting(limit=1) == inbox.Waiting((), tenant_ids[0])
    with operations() as session:
        assert inbox.waiting(session, NOW) is True


def test_a_delivery_from_an_unknown_shop_is_nobodys_turn():
    receive(shop="stranger.myshopify.com")

    assert waiting() == inbox.Waiting((), None)
    with operations() as session:
        assert inbox.waiting(session, NOW) is False


def test_deliveries_are_read_oldest_first_with_their_bytes_and_without_those_in_hand(tenant_id):
    for number in range(3):
        receive(f"w-{number}", payload=b'{"id":%d,"note":"\xc3\xa9"}' % number)

    first, second, third = read(tenant_id)

    assert [kept.payload for kept in (first, second, third)] == [b'{"id":%d,"note":"\xc3\xa9"}' % n for n in range(3)]
    assert (first.topic, first.event_id, first.triggered_at) == ("orders/create", "e-1", NOW)
    assert read(tenant_id, limit=1) == [first]
    assert read(tenant_id, except_for=[first.id, third.id]) == [second]


def test_deliveries_of_another_tenant_are_not_read(tenant_ids):
    receive()

    assert read(tenant_ids[1]) == []


def test_of_a_disabled_store_only_what_is_owed_is_read(tenant_id):
    receive("w-1")
    receive("w-2", topic="app/uninstalled")
    disable(tenant_id)

    assert [kept.topic for kept in read(tenant_id)] == ["app/uninstalled"]
    assert waiting().tenant_ids == (tenant_id,)


def test_a_finished_delivery_is_out_of_the_way_and_can_be_finished_once(tenant_id):
    receive()

    assert finish(tenant_id, [only_id()]) == {only_id()}

    assert finish(tenant_id, [only_id()]) == set()
    assert (row(only_id()).processed_at, row(only_id()).outcome) == (NOW, "applied")
    assert read(tenant_id, NOW + timedelta(days=1)) == []
    assert waiting(NOW + timedelta(days=1)).tenant_ids == ()


def test_nobody_finishes_another_tenants_delivery(tenant_ids):
    receive()

    assert finish(tenant_ids[1], [only_id()]) == set()


def test_a_failed_delivery_waits_longer_each_time_and_is_dead_after_the_eighth(tenant_id):
    receive()
    now, waits = NOW, []

    for _ in range(8):
        (kept,) = read(tenant_id, now)
        with operations() as session:
            inbox.fail(session, kept.id, error="$.id: not a number", now=now, traceback="in decode")
        assert read(tenant_id, now) == []
        until = row(kept.id).retry_at
        waits.append((until - now).total_seconds() if until else None)
        now = until or now

    assert waits == [5, 15, 45, 135, 405, 1215, 3645, None]
    dead = row(only_id())
    assert (dead.dead_at, dead.error, dead.traceback, dead.attempts) == (now, "$.id: not a number", "in decode", 8)
    assert read(tenant_id, now + timedelta(days=30)) == []


def test_a_failure_reported_too_late_changes_nothing(tenant_id):
    receive()
    finish(tenant_id, [only_id()])

    with operations() as session:
        inbox.fail(session, only_id(), error="late", now=NOW)

    assert (row(only_id()).error, row(only_id()).attempts) == (None, 0)


def test_success_takes_the_error_away(tenant_id):
    receive()
    with operations() as session:
        inbox.fail(session, only_id(), error="$: once", now=NOW, traceback="in decode")

    finish(tenant_id, [only_id()])

    assert (row(only_id()).error, row(only_id()).traceback) == (None, None)


def test_the_first_that_could_be_applied_is_not_one_that_waits(tenant_id):
    for number in range(2):
        receive(f"w-{number}")
    first, second = read(tenant_id)
    with operations() as session:
        inbox.fail(session, first.id, error="$: once", now=NOW)

        assert inbox.first(session, tenant_id, NOW) == second.id
        assert inbox.first(session, tenant_id, NOW + timedelta(seconds=5)) == first.id
        assert inbox.first(session, tenant_id + 1, NOW) is None


def test_the_role_that_watches_cannot_read_what_deliveries_say():
    with pytest.raises(Exception, match="permission denied"), operations() as session:
        session.execute(text("SELECT payload FROM inbox"))


# ── the lease ──


def seize(tenant_ids, lease, now=NOW, seconds=15):
    with operations() as session:
        return claims.seize(session, claims.TURN, tenant_ids, lease, now=now, lease_for=timedelta(seconds=seconds))


LEASES = ("11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222")


def test_a_turn_belongs_to_one_worker_until_its_lease_runs_out(tenant_ids):
    assert seize(tenant_ids[:2], LEASES[0]) == dict.fromkeys(tenant_ids[:2], 1)

    assert seize(tenant_ids, LEASES[1]) == {tenant_ids[2]: 1}
    assert seize(tenant_ids[:1], LEASES[1], now=NOW + timedelta(seconds=15)) == {tenant_ids[0]: 2}


def test_a_lease_can_be_made_longer_and_let_go(tenant_ids):
    seize(tenant_ids[:1], LEASES[0])
    with operations() as session:
        claims.extend(session, claims.TURN, LEASES[0], now=NOW, lease_for=timedelta(seconds=60))

    assert seize(tenant_ids[:1], LEASES[1], now=NOW + timedelta(seconds=30)) == {}

    with operations() as session:
        claims.let_go(session, claims.TURN, LEASES[1])
    assert seize(tenant_ids[:1], LEASES[1]) == {}
    with operations() as session:
        claims.let_go(session, claims.TURN, LEASES[0])
    assert seize(tenant_ids[:1], LEASES[1]) == {tenant_ids[0]: 1}


def test_no_tenants_are_no_turns():
    assert seize([], LEASES[0]) == {}
