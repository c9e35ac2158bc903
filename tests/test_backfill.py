"""Backfills as rows: what is planned, cancelled, shown and read."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shopify_app import backfill, claims
from shopify_app.backfill import Window
from shopify_app.database import directory, operations, tenant_work
from shopify_app.models import Order, Refund, Tenant

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
BULK = ("customers", "products", "orders", "checkouts")


@pytest.fixture
def tenant_ids(app_context):
    with directory() as session:
        tenants = [
            Tenant(store_url=f"{name}.myshopify.com", name=name, installed_at=NOW) for name in ("aurora", "birch")
        ]
        session.add_all(tenants)
        session.flush()
        return [tenant.id for tenant in tenants]


@pytest.fixture
def tenant_id(tenant_ids):
    return tenant_ids[0]


def start(tenant_id, resources=BULK, now=NOW, **how):
    with tenant_work(tenant_id) as session:
        return backfill.start(session, session.get_one(Tenant, tenant_id), resources, now, **how)


def progress(tenant_id):
    with tenant_work(tenant_id) as session:
        return backfill.progress(session)


def claimed():
    with operations() as session:
        return [(due.tenant_id, due.subject) for due in claims.due(session, (claims.BACKFILL,), NOW, 100)]


def standing(tenant_id, resource="orders"):
    with tenant_work(tenant_id) as session:
        for _, subject in claimed():
            found = backfill.read(session, tenant_id, subject)
            if found and found.resource == resource:
                return found
    return None


def save(changed, now=NOW):
    with tenant_work(changed.tenant_id) as session:
        backfill.write(session, changed, now)


def test_a_run_plans_every_resource_with_a_claim_each_and_refunds_after_orders(tenant_id):
    start(tenant_id)

    assert [row.resource for row in progress(tenant_id)] == ["customers", "products", "orders", "refunds", "checkouts"]
    assert {row.state for row in progress(tenant_id)} == {"planned"}
    assert len(claimed()) == 5


def test_without_orders_there_are_no_refunds_to_read(tenant_id):
    start(tenant_id, ("products",))

    assert [row.resource for row in progress(tenant_id)] == ["products"]


def test_starting_twice_returns_the_run_that_is_under_way(tenant_id):
    assert start(tenant_id) == start(tenant_id)
    assert len(claimed()) == 5


def test_a_run_that_ended_can_be_followed_by_another(tenant_id):
    first = start(tenant_id, ("products",))
    save(replace(standing(tenant_id, "products"), state="done"))

    second = start(tenant_id, ("products",), NOW + timedelta(hours=1))

    assert first != second
    assert [row.state for row in progress(tenant_id)] == ["planned"]


def test_a_resource_that_is_under_way_is_not_planned_again_and_others_are(tenant_id):
    first = start(tenant_id, ("products",))

    second = start(tenant_id, ("products", "customers"))

    assert first != second
    assert [(row.resource, row.run_id) for row in progress(tenant_id)] == [("customers", second), ("products", first)]


def test_starting_what_is_all_under_way_returns_the_latest_run_of_it(tenant_id):
    start(tenant_id, ("products",))
    second = start(tenant_id, ("customers",))

    assert start(tenant_id, ("products", "customers")) == second


def test_orders_are_followed_by_refunds_although_others_are_under_way(tenant_id):
    start(tenant_id, ("refunds",))

    start(tenant_id, ("orders", "refunds"))

    assert [row.resource for row in progress(tenant_id)] == ["orders", "refunds"]
    assert len(claimed()) == 3


def test_a_plan_says_who_asked_and_from_when_on(tenant_id):
    since = NOW - timedelta(days=3, microseconds=1)

    start(tenant_id, ("orders",), since=since, by="merchant")

    planned = standing(tenant_id)
    assert (planned.asked_by, planned.created_at) == ("merchant", NOW)
    assert planned.since == planned.window.since == since.replace(microsecond=0)


def test_nothing_to_read_is_planned_as_nothing(tenant_id):
    start(tenant_id, ())

    assert progress(tenant_id) == ()


def test_a_retry_plans_the_same_resource_from_the_same_time_on(tenant_id):
    first = start(tenant_id, ("customers",), since=NOW - timedelta(days=3))
    ended = standing(tenant_id, "customers")
    save(backfill.failed(ended, "Shopify refused."))

    with tenant_work(tenant_id) as session:
        tenant = session.get_one(Tenant, tenant_id)
        second = backfill.retry(session, tenant, ended.id, NOW, by="ada@example.com")
        nothing = backfill.retry(session, tenant, 12345, NOW)

    with tenant_work(tenant_id) as session:
        planned = backfill.read(session, tenant_id, progress(tenant_id)[0].id)
    assert (planned.run_id, planned.since, planned.asked_by) == (second, ended.since, "ada@example.com")
    assert second != first
    assert nothing is None


def test_a_cancellation_makes_the_backfill_due_and_is_told_to_whoever_writes_it(tenant_id):
    start(tenant_id, ("products",))
    planned = standing(tenant_id, "products")
    with operations() as session:
        taken = claims.take(session, (claims.BACKFILL,), 1, NOW, timedelta(seconds=1))
        claims.postpone(session, taken[0], due_at=NOW + timedelta(hours=1))

    with tenant_work(tenant_id) as session:
        assert backfill.cancel(session, tenant_id, planned.id, NOW)

    assert claimed() == [(tenant_id, planned.id)]
    with tenant_work(tenant_id) as session:
        assert backfill.write(session, planned, NOW)
        assert backfill.read(session, tenant_id, planned.id).cancel_asked_at == NOW


def test_what_is_finished_or_anothers_is_not_cancelled(tenant_ids):
    start(tenant_ids[0], ("products",))
    planned = standing(tenant_ids[0], "products")

    for tenant_id in tenant_ids:
        save(replace(planned, state="done")) if tenant_id == tenant_ids[0] else None
        with tenant_work(tenant_id) as session:
            assert not backfill.cancel(session, tenant_id, planned.id, NOW)


def test_progress_shows_one_tenant_only(tenant_ids):
    start(tenant_ids[0])

    assert progress(tenant_ids[1]) == ()


def test_what_is_written_is_read_back_and_shown(tenant_id):
    start(tenant_id)
    changed = replace(
        standing(tenant_id),
        state="loading",
        operation_id="gid://shopify/BulkOperation/9",
        objects_total=9,
        objects_read=4,
        window=Window(NOW, None, 2),
        windows_left=(Window(None, NOW, 1),),
        asked_at=NOW,
        note="Sixty days.",
    )

    save(changed)

    assert replace(standing(tenant_id), started_at=None) == changed
    assert changed.windows_left
    shown = next(row for row in progress(tenant_id) if row.resource == "orders")
    assert (shown.objects_read, shown.objects_total, shown.started_at, shown.finished_at) == (4, None, NOW, None)


def test_a_finished_backfill_shows_when_and_why(tenant_id):
    start(tenant_id)

    save(backfill.failed(standing(tenant_id), "Shopify refused."), NOW + timedelta(minutes=1))

    shown = next(row for row in progress(tenant_id) if row.resource == "orders")
    assert (shown.state, shown.error, shown.finished_at) == ("failed", "Shopify refused.", NOW + timedelta(minutes=1))


def test_refunds_become_due_when_the_orders_have_ended(tenant_id):
    start(tenant_id)
    refunds = standing(tenant_id, "refunds")
    orders = standing(tenant_id)
    with operations() as session:
        taken = claims.take(session, (claims.BACKFILL,), 1, NOW, timedelta(seconds=1), subject=refunds.id)
        claims.postpone(session, taken[0], due_at=NOW + timedelta(hours=1))
    assert (tenant_id, refunds.id) not in claimed()

    save(replace(orders, state="done"))

    assert (tenant_id, refunds.id) in claimed()


def test_a_resource_finds_another_of_its_run(tenant_id):
    start(tenant_id)

    with tenant_work(tenant_id) as session:
        found = backfill.sibling(session, standing(tenant_id, "refunds"), "orders")

    assert found is not None
    assert found.resource == "orders"


def test_an_unfinished_backfill_is_found_by_its_operation(tenant_id):
    start(tenant_id)
    gid = "gid://shopify/BulkOperation/9"
    waiting = replace(standing(tenant_id), state="running", operation_id=gid)
    save(waiting)

    with tenant_work(tenant_id) as session:
        assert backfill.by_operation(session, tenant_id, gid) == waiting.id
        assert backfill.by_operation(session, tenant_id, "gid://shopify/BulkOperation/10") is None


def test_orders_with_unread_refunds_or_edits_want_details_and_nobody_elses(tenant_ids):
    for tenant_id in tenant_ids:
        with tenant_work(tenant_id) as session:
            edited = 1 if tenant_id == tenant_ids[0] else 100
            session.add_all(
                [
                    Order(tenant_id=tenant_id, shopify_id=edited, edited=True),
                    Order(tenant_id=tenant_id, shopify_id=edited + 1),
                    Order(tenant_id=tenant_id, shopify_id=edited + 2, edited=True, deleted_at=NOW),
                    Refund(tenant_id=tenant_id, shopify_id=1, order_shopify_id=edited + 3),
                    Refund(tenant_id=tenant_id, shopify_id=2, order_shopify_id=edited + 3),
                    Refund(tenant_id=tenant_id, shopify_id=3, order_shopify_id=edited + 4, lines_read_at=NOW),
                ]
            )

    with tenant_work(tenant_ids[0]) as session:
        assert backfill.orders_to_detail(session, tenant_ids[0], after=0, limit=10) == [1, 4]
        assert backfill.orders_to_detail(session, tenant_ids[0], after=1, limit=10) == [4]
        assert backfill.orders_to_detail(session, tenant_ids[0], after=0, limit=1) == [1]
        assert backfill.count_orders_to_detail(session, tenant_ids[0]) == 2


def test_a_backfill_that_does_not_exist_is_not_read(tenant_id):
    with tenant_work(tenant_id) as session:
        assert backfill.read(session, tenant_id, 12345) is None
