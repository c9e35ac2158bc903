"""Backfills: what follows from what Shopify says, and what is planned, shown and read."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shopify_app import backfill, claims
from shopify_app.backfill import Standing
from shopify_app.database import directory, operations, tenant_work
from shopify_app.models import Order, Refund, Tenant
from shopify_app.shopify.bulk import Operation

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
BULK = ("customers", "products", "orders", "checkouts")
RUNNING = Standing(
    id=1,
    tenant_id=1,
    run_id=uuid.UUID(int=1),
    resource="orders",
    state="running",
    operation_id="gid://shopify/BulkOperation/1",
)
LOADING = replace(RUNNING, state="loading", objects_total=10, objects_read=6, rows_written=6, byte_offset=600)


def operation(status="COMPLETED", count=10, url="https://storage.example/1.jsonl", error_code=None):
    return Operation(
        id="gid://shopify/BulkOperation/1",
        status=status,
        error_code=error_code,
        object_count=count,
        root_object_count=count,
        file_size=None,
        url=url,
        partial_url=None,
    )


@pytest.mark.parametrize(
    ("said", "state", "total"),
    [
        (operation("CREATED", 0, None), "running", 0),
        (operation("RUNNING", 4, None), "running", 4),
        (operation("CANCELING", 4, None), "running", 4),
        (operation("COMPLETED", 10), "loading", 10),
        (operation("COMPLETED", 0, None), "verifying", 0),
    ],
)
def test_a_poll_moves_a_backfill_as_far_as_its_operation_is(said, state, total):
    after = backfill.polled(RUNNING, said)

    assert (after.state, after.objects_total, after.error) == (state, total, None)


@pytest.mark.parametrize("status", ["FAILED", "CANCELED", "EXPIRED"])
def test_an_operation_that_ended_badly_is_asked_for_anew(status):
    after = backfill.polled(RUNNING, operation(status, 3, None, "INTERNAL_SERVER_ERROR"))

    assert (after.state, after.operation_id, after.attempts) == ("planned", None, 1)
    assert after.error == f"Shopify ended the export as {status} (INTERNAL_SERVER_ERROR)."


def test_the_third_bad_end_is_a_failure_that_names_its_cause():
    after = backfill.polled(replace(RUNNING, attempts=2), operation("FAILED", 0, None, "TIMEOUT"))

    assert (after.state, after.error) == ("failed", "Shopify ended the export as FAILED (TIMEOUT).")


def test_a_batch_moves_the_counts_and_the_byte():
    after = backfill.loaded(LOADING, lines=4, rows=3, byte_offset=1000)

    assert (after.objects_read, after.rows_written, after.byte_offset) == (10, 9, 1000)


def test_details_move_the_count_and_the_cursor():
    after = backfill.detailed(replace(LOADING, resource="refunds"), orders=[5, 9, 7], rows=4)

    assert (after.objects_read, after.cursor) == (9, "9")


def test_a_backfill_that_read_what_shopify_counted_is_done():
    assert backfill.verified(replace(LOADING, objects_read=10)).state == "done"


def test_a_backfill_that_read_less_than_shopify_counted_starts_anew_from_the_first_byte():
    after = backfill.verified(LOADING)

    assert (after.state, after.objects_read, after.byte_offset, after.attempts) == ("planned", 0, 0, 1)
    assert after.error == "Shopify counted 10 objects, and its file held 6."


@pytest.mark.parametrize(
    ("state", "finished"), [("loading", False), ("done", True), ("failed", True), ("cancelled", True)]
)
def test_finished_means_nothing_is_left_to_do(state, finished):
    assert replace(LOADING, state=state).finished is finished


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


def start(tenant_id, resources=BULK, now=NOW):
    with tenant_work(tenant_id) as session:
        return backfill.start(session, session.get_one(Tenant, tenant_id), resources, now)


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
    )

    save(changed)

    assert replace(standing(tenant_id), started_at=None) == changed
    shown = next(row for row in progress(tenant_id) if row.resource == "orders")
    assert (shown.objects_read, shown.objects_total, shown.started_at, shown.finished_at) == (4, 9, NOW, None)


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
