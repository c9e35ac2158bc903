"""A backfill's way from plan to end: what is asked of Shopify, what is written, and what happens when it goes wrong."""

import time
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, func, select, update

from shopify_app import backfill, claims, ingest
from shopify_app.database import directory, operations, tenant_work
from shopify_app.jobs import backfill as module
from shopify_app.jobs import loading, slices
from shopify_app.jobs.backfill import advance
from shopify_app.models import (
    Backfill,
    Claim,
    Customer,
    OfflineToken,
    Order,
    Product,
    ProductVariant,
    Reconciliation,
    Refund,
    RefundLine,
    Tenant,
)
from shopify_app.shopify.errors import BulkFileExpired, BulkRefused, Throttled

NOW = datetime.now(UTC)


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


def product(number):
    return {
        "id": f"gid://shopify/Product/{number}",
        "title": f"Shirt {number}",
        "handle": f"shirt-{number}",
        "status": "ACTIVE",
        "productType": "",
        "vendor": "",
        "tags": [],
        "createdAt": "2026-01-01T00:00:00Z",
        "updatedAt": "2026-01-01T00:00:00Z",
        "publishedAt": None,
        "priceRangeV2": {"minVariantPrice": {"amount": "9.95"}},
    }


def variant(number, parent):
    return {
        "id": f"gid://shopify/ProductVariant/{number}",
        "title": "M",
        "sku": None,
        "barcode": None,
        "price": "9.95",
        "compareAtPrice": None,
        "position": 1,
        "inventoryQuantity": 3,
        "updatedAt": "2026-01-01T00:00:00Z",
        "__parentId": f"gid://shopify/Product/{parent}",
    }


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(loading, "BATCH", 10)


def start(tenant_id, *resources):
    with tenant_work(tenant_id) as session:
        backfill.start(session, session.get_one(Tenant, tenant_id), resources, NOW)


def rows(tenant_id):
    with tenant_work(tenant_id) as session:
        return {row.resource: row for row in backfill.progress(session)}


def only_id(tenant_id):
    with tenant_work(tenant_id) as session:
        return session.scalars(select(Backfill.id)).one()


def held(tenant_id):
    with tenant_work(tenant_id) as session:
        found = session.scalars(select(Backfill)).one()
        session.expunge(found)
        return found


def count(tenant_id, model):
    with tenant_work(tenant_id) as session:
        return session.scalar(select(func.count()).select_from(model))


def claim():
    with operations() as session:
        return session.execute(select(Claim.due_at, Claim.leased_until, Claim.attempts, Claim.error)).one_or_none()


def make_due():
    with operations() as session:
        session.execute(update(Claim).values(due_at=NOW))


def let_lease_run_out():
    with operations() as session:
        session.execute(update(Claim).values(leased_until=NOW, due_at=NOW))


def test_a_store_is_read_from_plan_to_done(tenant_id, shopify, work_off):
    shopify.files = {
        "customers": [customer(number) for number in range(1, 36)],
        "products": [line for number in range(1, 8) for line in (product(number), variant(number, number))],
    }
    start(tenant_id, "customers", "products")

    work_off()

    done = rows(tenant_id)
    assert {name: (row.state, row.objects_read, row.objects_total) for name, row in done.items()} == {
        "customers": ("done", 35, 35),
        "products": ("done", 14, 14),
    }
    assert all(row.finished_at >= row.started_at for row in done.values())
    assert [count(tenant_id, model) for model in (Customer, Product, ProductVariant)] == [35, 7, 7]
    assert claim() is None


def test_each_store_reads_its_own_history(tenant_ids, shopify, work_off):
    shopify.files = {"customers": [customer(1), customer(2)]}
    start(tenant_ids[0], "customers")

    work_off()

    assert [count(tenant_id, Customer) for tenant_id in tenant_ids] == [2, 0]
    assert shopify.runs == ["customers"]


def test_an_export_without_rows_is_done_at_once(tenant_id, shopify, work_off):
    start(tenant_id, "customers")

    work_off()

    row = rows(tenant_id)["customers"]
    assert (row.state, row.objects_read, row.objects_total) == ("done", 0, 0)


def test_a_running_export_is_looked_at_again_later(tenant_id, shopify):
    shopify.statuses = [("RUNNING", None)]
    shopify.files = {"customers": [customer(1)]}
    start(tenant_id, "customers")

    advance(tenant_id=tenant_id, backfill_id=only_id(tenant_id))

    assert held(tenant_id).state == "running"
    due_at, leased_until, *_ = claim()
    assert due_at > datetime.now(UTC)
    assert leased_until is None


@pytest.mark.parametrize(("minutes", "wait"), [(0, 2), (1, 6), (60, 60), (6000, 60)])
def test_an_export_that_runs_long_is_looked_at_seldom(minutes, wait):
    standing = backfill.Standing(
        id=1,
        tenant_id=1,
        run_id=uuid.uuid4(),
        resource="orders",
        state="running",
        asked_at=NOW - timedelta(minutes=minutes),
    )

    assert module._until_poll(standing, NOW) == timedelta(seconds=wait)


def test_loading_in_slices_goes_on_from_the_byte(tenant_id, shopify, work_off, monkeypatch):
    monkeypatch.setattr(module, "SLICE", 0.0001)
    shopify.files = {"customers": [customer(number) for number in range(1, 31)]}
    start(tenant_id, "customers")

    work_off(rounds=60)

    assert rows(tenant_id)["customers"].state == "done"
    assert count(tenant_id, Customer) == 30
    starts = [start for _, start in shopify.ranges]
    assert starts[0] == 0
    assert len(starts) >= 3
    assert starts == sorted(starts)


def test_a_worker_that_dies_mid_way_is_followed_by_one_that_goes_on(tenant_id, shopify, monkeypatch):
    shopify.files = {"customers": [customer(number) for number in range(1, 31)]}
    start(tenant_id, "customers")
    backfill_id = only_id(tenant_id)
    apply, batches = ingest.apply_bulk_lines, []

    def dies(*args):
        batches.append(len(args[2].lines))
        if len(batches) == 2:
            raise SystemExit
        return apply(*args)

    monkeypatch.setattr(ingest, "apply_bulk_lines", dies)
    with pytest.raises(SystemExit):
        advance(tenant_id=tenant_id, backfill_id=backfill_id)
    monkeypatch.setattr(ingest, "apply_bulk_lines", apply)

    stopped = held(tenant_id)
    assert (stopped.state, stopped.objects_read, count(tenant_id, Customer)) == ("loading", 10, 10)
    advance(tenant_id=tenant_id, backfill_id=backfill_id)
    assert held(tenant_id).objects_read == 10
    let_lease_run_out()
    advance(tenant_id=tenant_id, backfill_id=backfill_id)

    assert (held(tenant_id).state, held(tenant_id).objects_read) == ("done", 30)
    assert count(tenant_id, Customer) == 30
    assert shopify.ranges[-1] == (1, stopped.byte_offset)


def test_a_worker_that_was_overtaken_writes_nothing_more(tenant_id, shopify, monkeypatch):
    shopify.files = {"customers": [customer(number) for number in range(1, 31)]}
    start(tenant_id, "customers")
    backfill_id = only_id(tenant_id)
    write, written = loading._write, []

    def slow(*args):
        if written:
            let_lease_run_out()
            slices.take(claims.BACKFILL, tenant_id, backfill_id)
        written.append(None)
        return write(*args)

    monkeypatch.setattr(loading, "_write", slow)
    advance(tenant_id=tenant_id, backfill_id=backfill_id)

    assert held(tenant_id).objects_read == count(tenant_id, Customer) == 10


def test_an_operation_that_shopify_always_fails_is_asked_for_in_halves_and_then_given_up(tenant_id, shopify, work_off):
    shopify.statuses = [("FAILED", "INTERNAL_SERVER_ERROR")] * 200
    start(tenant_id, "customers")

    work_off(rounds=60)

    row = rows(tenant_id)["customers"]
    assert row.state == "failed"
    assert "Shopify's export of customers from the beginning to 20" in row.error
    assert "ended as INTERNAL_SERVER_ERROR: Shopify had trouble of its own." in row.error
    assert "Sync again later." in row.error
    assert f"gid://shopify/BulkOperation/{len(shopify.runs)}" in row.error
    assert row.finished_at is not None
    assert 10 < len(shopify.runs) < 30
    assert claim() is None


def test_an_operation_that_failed_once_is_done_the_second_time(tenant_id, shopify, work_off):
    shopify.statuses = [("EXPIRED", None)] * 2
    shopify.files = {"customers": [customer(1)]}
    start(tenant_id, "customers")

    work_off()

    row = rows(tenant_id)["customers"]
    assert (row.state, row.error, row.objects_read) == ("done", None, 1)


def test_a_file_that_holds_less_than_shopify_counted_is_not_done(tenant_id, shopify, work_off):
    shopify.files = {"customers": [customer(1)]}
    shopify.counts = {"customers": 2}
    start(tenant_id, "customers")

    work_off()

    row = rows(tenant_id)["customers"]
    assert row.state == "failed"
    assert row.error.startswith("Shopify counted 2 lines of customers of all time; its file held 1, and 1 of them")
    assert len(shopify.runs) == 3


def test_a_line_that_cannot_be_read_ends_the_backfill_with_its_reason(tenant_id, shopify, work_off):
    shopify.files = {"customers": [customer(1), customer(2) | {"updatedAt": "yesterday"}]}
    start(tenant_id, "customers")

    work_off()

    row = rows(tenant_id)["customers"]
    assert row.state == "failed"
    assert "could not be read" in row.error
    assert len(shopify.runs) == 3


def test_a_store_that_shopify_has_locked_is_not_waited_for(tenant_id, shopify):
    shopify.refusals = [(423, {"errors": "locked"})]
    start(tenant_id, "customers")

    advance(tenant_id=tenant_id, backfill_id=only_id(tenant_id))

    assert held(tenant_id).state == "failed"
    assert "423" in held(tenant_id).error


def test_a_throttled_request_waits_its_turn(tenant_id, shopify, monkeypatch, work_off):
    shopify.files = {"customers": [customer(1)]}
    start(tenant_id, "customers")

    def throttled(*_args):
        raise Throttled("The store's rate limit is used up.", retry_after=45.0)

    with monkeypatch.context() as patch:
        patch.setattr(module.bulk, "run", throttled)
        advance(tenant_id=tenant_id, backfill_id=only_id(tenant_id))

    waiting = held(tenant_id)
    assert (waiting.state, waiting.error) == ("planned", "The store's rate limit is used up.")
    assert timedelta(seconds=40) < claim().due_at - datetime.now(UTC) < timedelta(seconds=46)
    make_due()
    work_off()
    assert (held(tenant_id).state, held(tenant_id).error) == ("done", None)


def test_a_file_that_is_gone_is_asked_for_anew(tenant_id, shopify, monkeypatch, work_off):
    shopify.files = {"customers": [customer(1)]}
    start(tenant_id, "customers")

    def gone(*_args):
        raise BulkFileExpired("The result file is gone.")

    with monkeypatch.context() as patch:
        patch.setattr(module.bulk, "lines", gone)
        patch.setattr(module, "SLICE", 0.0001)
        for _ in range(4):
            advance(tenant_id=tenant_id, backfill_id=only_id(tenant_id))
    work_off()

    assert held(tenant_id).state == "done"
    assert held(tenant_id).attempts >= 1


def test_a_mistake_of_our_own_is_tried_again_and_then_admitted(tenant_id, shopify, monkeypatch):
    shopify.files = {"customers": [customer(1)]}
    start(tenant_id, "customers")

    def mistaken(*_args):
        raise KeyError("oops")

    monkeypatch.setattr(ingest, "apply_bulk_lines", mistaken)
    for _ in range(module.MOST_ATTEMPTS):
        advance(tenant_id=tenant_id, backfill_id=only_id(tenant_id))
        assert held(tenant_id).state == "loading"
        assert claim().error == "KeyError: 'oops'"
        make_due()
    advance(tenant_id=tenant_id, backfill_id=only_id(tenant_id))

    assert held(tenant_id).state == "failed"
    assert held(tenant_id).error.startswith("It stopped 8 times at the same place: KeyError: 'oops'.")
    assert claim() is None


def test_a_store_that_uninstalls_is_read_no_further(tenant_id, shopify):
    start(tenant_id, "customers")
    with directory() as session:
        session.get_one(Tenant, tenant_id).uninstalled_at = NOW

    advance(tenant_id=tenant_id, backfill_id=only_id(tenant_id))

    assert (held(tenant_id).state, held(tenant_id).error) == ("cancelled", "The store has uninstalled the app.")
    assert shopify.runs == []


def test_a_backfill_that_is_finished_is_left_alone(tenant_id, shopify, work_off):
    start(tenant_id, "customers")
    work_off()
    with operations() as session:
        claims.put(session, claims.BACKFILL, tenant_id, only_id(tenant_id), due_at=NOW)

    advance(tenant_id=tenant_id, backfill_id=only_id(tenant_id))

    assert len(shopify.runs) == 1
    assert claim() is None


def test_a_claim_on_nothing_goes_away(tenant_id):
    with operations() as session:
        claims.put(session, claims.BACKFILL, tenant_id, 999, due_at=NOW)

    advance(tenant_id=tenant_id, backfill_id=999)

    assert claim() is None


def order_details(number, refund):
    return {
        "id": f"gid://shopify/Order/{number}",
        "refunds": [
            {
                "id": f"gid://shopify/Refund/{refund}",
                "createdAt": "2026-02-01T00:00:00Z",
                "processedAt": "2026-02-01T00:00:00Z",
                "totalRefundedSet": {"shopMoney": {"amount": "5.00"}},
                "refundLineItems": {
                    "pageInfo": {"hasNextPage": False, "endCursor": None},
                    "nodes": [
                        {
                            "id": f"gid://shopify/RefundLineItem/{refund}",
                            "quantity": 1,
                            "restockType": "RETURN",
                            "lineItem": {"id": "gid://shopify/LineItem/1"},
                            "subtotalSet": {"shopMoney": {"amount": "5.00"}},
                            "totalTaxSet": {"shopMoney": {"amount": "0.00"}},
                        }
                    ],
                },
                "refundShippingLines": {"nodes": []},
            }
        ],
        "edited": False,
    }


def test_refund_lines_are_read_once_the_orders_are_done(tenant_id, shopify, work_off):
    with tenant_work(tenant_id) as session:
        for number in range(1, 13):
            session.add(Order(tenant_id=tenant_id, shopify_id=number))
            session.add(Refund(tenant_id=tenant_id, shopify_id=100 + number, order_shopify_id=number))
    shopify.details = {f"gid://shopify/Order/{number}": order_details(number, 100 + number) for number in range(1, 12)}
    start(tenant_id, "orders")

    work_off()

    row = rows(tenant_id)["refunds"]
    assert (row.state, row.objects_read, row.objects_total) == ("done", 12, 12)
    assert count(tenant_id, RefundLine) == 11
    assert sorted(shopify.detailed) == sorted(f"gid://shopify/Order/{number}" for number in range(1, 13))


def test_refunds_wait_for_orders_and_fail_with_them(tenant_id, shopify, work_off):
    shopify.statuses = [("FAILED", "ACCESS_DENIED")] * 3
    start(tenant_id, "orders")

    work_off()

    row = rows(tenant_id)["refunds"]
    assert row.state == "failed"
    assert row.error.startswith(
        "The orders could not be read first: Shopify's export of orders of all time ended as ACC"
    )
    assert "read_orders" in row.error


def cancel(tenant_id):
    with tenant_work(tenant_id) as session:
        assert backfill.cancel(session, tenant_id, only_id(tenant_id), datetime.now(UTC))


def test_a_backfill_that_is_cancelled_while_shopify_writes_ends_there_too(tenant_id, shopify):
    shopify.statuses = [("RUNNING", None)]
    start(tenant_id, "customers")
    advance(tenant_id=tenant_id, backfill_id=only_id(tenant_id))

    cancel(tenant_id)
    advance(tenant_id=tenant_id, backfill_id=only_id(tenant_id))

    assert held(tenant_id).state == "cancelled"
    assert shopify.cancelled == ["gid://shopify/BulkOperation/1"]
    assert claim() is None


def test_a_cancelled_export_that_shopify_does_not_let_go_ends_here_all_the_same(tenant_id, shopify):
    shopify.statuses = [("RUNNING", None)]
    start(tenant_id, "customers")
    advance(tenant_id=tenant_id, backfill_id=only_id(tenant_id))
    shopify.refusals = [(423, {"errors": "locked"})]

    cancel(tenant_id)
    advance(tenant_id=tenant_id, backfill_id=only_id(tenant_id))

    assert held(tenant_id).state == "cancelled"


def test_loading_stops_at_the_next_batch_when_it_is_cancelled_and_what_came_stays(tenant_id, shopify, monkeypatch):
    shopify.files = {"customers": [customer(number) for number in range(1, 31)]}
    start(tenant_id, "customers")
    apply, batches = ingest.apply_bulk_lines, []

    def meanwhile(*args):
        batches.append(len(args[2].lines))
        return apply(*args)

    monkeypatch.setattr(ingest, "apply_bulk_lines", meanwhile)
    monkeypatch.setattr(module, "SLICE", 0.0001)
    while not batches:
        advance(tenant_id=tenant_id, backfill_id=only_id(tenant_id))
    cancel(tenant_id)
    advance(tenant_id=tenant_id, backfill_id=only_id(tenant_id))

    row = held(tenant_id)
    assert (row.state, row.objects_read) == ("cancelled", count(tenant_id, Customer))
    assert row.error.startswith(f"It was cancelled after {row.objects_read} lines.")
    assert 0 < count(tenant_id, Customer) < 30


def test_a_cancellation_in_the_middle_of_a_slice_is_noticed_with_the_batch(tenant_id, shopify, monkeypatch):
    shopify.files = {"customers": [customer(number) for number in range(1, 31)]}
    start(tenant_id, "customers")
    gather, gathered = loading._gather, []

    def meanwhile(*lines, **how):
        batch = gather(*lines, **how)
        if not gathered:
            cancel(tenant_id)
        gathered.append(batch)
        return batch

    monkeypatch.setattr(loading, "_gather", meanwhile)
    advance(tenant_id=tenant_id, backfill_id=only_id(tenant_id))

    assert held(tenant_id).state == "cancelled"
    assert count(tenant_id, Customer) == 10


def test_refunds_are_cancelled_with_their_orders(tenant_id, shopify, work_off):
    start(tenant_id, "orders")
    with tenant_work(tenant_id) as session:
        numbers = {row.resource: row.id for row in session.scalars(select(Backfill))}
        backfill.cancel(session, tenant_id, numbers["orders"], NOW)

    work_off()

    found = rows(tenant_id)
    assert {name: found[name].state for name in found} == {"orders": "cancelled", "refunds": "cancelled"}
    assert shopify.runs == []


def test_an_export_that_was_asked_for_when_a_worker_died_is_taken_up_and_not_asked_for_twice(
    tenant_id, shopify, monkeypatch, work_off
):
    shopify.files = {"customers": [customer(1)]}
    start(tenant_id, "customers")
    run = module.bulk.run

    def dies(*args):
        run(*args)
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(module.bulk, "run", dies)
        with pytest.raises(SystemExit):
            advance(tenant_id=tenant_id, backfill_id=only_id(tenant_id))
    begun = {"id": "gid://shopify/BulkOperation/1", "status": "RUNNING", "query": shopify.documents[0]}
    shopify.underway = [begun | {"query": "{ shop { id } }"}, begun]
    let_lease_run_out()
    work_off()

    assert held(tenant_id).state == "done"
    assert len(shopify.runs) == 1


def test_an_export_whose_worker_died_before_it_began_is_asked_for(tenant_id, shopify, monkeypatch, work_off):
    shopify.files = {"customers": [customer(1)]}
    start(tenant_id, "customers")

    def dies(*_args):
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(module.bulk, "run", dies)
        with pytest.raises(SystemExit):
            advance(tenant_id=tenant_id, backfill_id=only_id(tenant_id))
    let_lease_run_out()
    work_off()

    assert (held(tenant_id).state, len(shopify.runs)) == ("done", 1)


def test_a_store_that_runs_as_many_exports_as_it_may_is_waited_for_and_that_is_said(tenant_id, shopify, monkeypatch):
    start(tenant_id, "customers")

    def full(*_args):
        raise BulkRefused("Bulk operations limit reached.", ["LIMIT_REACHED"])

    monkeypatch.setattr(module.bulk, "run", full)
    advance(tenant_id=tenant_id, backfill_id=only_id(tenant_id))

    row = held(tenant_id)
    assert (row.state, row.error) == ("planned", backfill.NO_PLACE)
    assert timedelta(0) < claim().due_at - datetime.now(UTC) <= timedelta(seconds=10)


def test_an_export_that_adds_nothing_is_called_off_and_asked_for_again(tenant_id, shopify, work_off):
    shopify.statuses = [("RUNNING", None)] * 2
    shopify.files = {"customers": [customer(1)]}
    start(tenant_id, "customers")
    advance(tenant_id=tenant_id, backfill_id=only_id(tenant_id))
    with tenant_work(tenant_id) as session:
        session.execute(update(Backfill).values(moved_at=NOW - timedelta(hours=1)))

    make_due()
    work_off()

    assert shopify.cancelled == ["gid://shopify/BulkOperation/1"]
    assert (held(tenant_id).state, held(tenant_id).error) == ("done", None)
    assert len(shopify.runs) == 2


def test_an_export_since_then_asks_for_no_more_and_counts_no_more(tenant_id, shopify, work_off):
    shopify.files = {"customers": [customer(1)]}
    with tenant_work(tenant_id) as session:
        tenant, since = session.get_one(Tenant, tenant_id), datetime(2025, 12, 31, tzinfo=UTC)
        backfill.start(session, tenant, ["customers"], NOW, since=since)

    work_off()

    assert "query: \"updated_at:>='2025-12-31T00:00:00Z'\"" in shopify.documents[0]
    assert (held(tenant_id).state, held(tenant_id).count_held) == ("done", 1)


def test_only_sixty_days_of_orders_is_said(tenant_id, shopify, work_off):
    start(tenant_id, "orders", "customers")

    work_off()

    with tenant_work(tenant_id) as session:
        notes = {row.resource: row.note for row in session.scalars(select(Backfill))}
    assert notes["orders"] == backfill.SIXTY_DAYS
    assert "read_all_orders" in notes["orders"]
    assert notes["customers"] is None


def test_all_of_the_orders_is_not_said_to_be_sixty_days(tenant_id, shopify, work_off):
    with directory() as session:
        session.execute(update(OfflineToken).values(scopes=["read_orders", "read_all_orders"]))
    start(tenant_id, "orders")

    work_off()

    with tenant_work(tenant_id) as session:
        assert {row.note for row in session.scalars(select(Backfill))} == {None}


def test_what_is_missing_at_the_end_is_found_and_read_object_by_object(tenant_id, shopify, work_off):
    shopify.files = {"customers": [customer(1)]}
    shopify.counted = {"customers": 2}
    shopify.listed = {
        "customers": [
            {"id": f"gid://shopify/Customer/{number}", "updatedAt": "2026-01-01T00:00:00Z"} for number in (1, 2)
        ]
    }
    shopify.replies["query Objects"] = lambda *_: {"nodes": [customer(2)]}
    start(tenant_id, "customers")

    work_off()

    row = held(tenant_id)
    assert (row.state, row.error, row.count_shopify, row.count_held) == ("done", None, 2, 2)
    assert count(tenant_id, Customer) == 2


def test_what_still_differs_after_every_object_was_compared_is_a_failure_that_names_both_numbers(
    tenant_id, shopify, work_off
):
    shopify.files = {"customers": [customer(1)]}
    shopify.counted = {"customers": 2}
    start(tenant_id, "customers")
    shopify.replies["query Existing"] = lambda _query, variables: {
        "nodes": [{"id": gid} for gid in variables["ids"]],
        "currentAppInstallation": {"accessScopes": [{"handle": "read_customers"}]},
    }

    work_off()

    row = held(tenant_id)
    assert (row.state, row.count_shopify, row.count_held) == ("failed", 2, 1)
    assert row.error.startswith("Shopify counts 2 customers, and Storelens holds 1, also after every one")


def test_a_check_that_fails_leaves_the_backfill_unproven_and_that_is_said(tenant_id, shopify, work_off):
    shopify.files = {"customers": [customer(1)]}
    shopify.counted = {"customers": 2}
    start(tenant_id, "customers")
    shopify.replies["query Listed"] = lambda *_: {"customers": {"nodes": [{"id": "nonsense"}]}}

    work_off()

    row = held(tenant_id)
    assert row.state == "failed"
    assert "comparing them did not go to its end" in row.error
    assert "Shopify counts 2 customers, and Storelens holds 1" in row.error


def test_a_check_that_was_forgotten_is_planned_anew(tenant_id, shopify, work_off):
    shopify.files = {"customers": [customer(1)]}
    shopify.counted = {"customers": 2}
    start(tenant_id, "customers")
    for _ in range(2):
        advance(tenant_id=tenant_id, backfill_id=only_id(tenant_id))
    assert held(tenant_id).reconciliation_id is not None
    with tenant_work(tenant_id) as session:
        session.execute(delete(Reconciliation))
    shopify.counted = {}

    work_off()

    assert held(tenant_id).state == "done"


def test_refunds_whose_orders_shopify_shows_no_longer_are_told_of(tenant_id, shopify, work_off):
    with tenant_work(tenant_id) as session:
        session.add(Order(tenant_id=tenant_id, shopify_id=1))
        session.add(Refund(tenant_id=tenant_id, shopify_id=101, order_shopify_id=1))
    start(tenant_id, "refunds")

    work_off()

    row = held(tenant_id)
    assert row.state == "done"
    assert row.note == "Refunds of which only the amount is known, as Shopify shows their orders no longer: 1."


def test_a_worker_that_waits_keeps_its_lease(tenant_id, shopify, monkeypatch):
    shopify.files = {"customers": [customer(1)]}
    start(tenant_id, "customers")
    monkeypatch.setattr(slices, "LEASE", timedelta(seconds=0.5))
    monkeypatch.setattr(slices, "RENEW_EVERY", 0.1)
    run, others = module.bulk.run, []

    def slow(*args):
        leased_until = claim().leased_until
        give_up_at = time.monotonic() + 20
        while claim().leased_until <= leased_until + slices.LEASE and time.monotonic() < give_up_at:
            others.append(slices.take(claims.BACKFILL, tenant_id, only_id(tenant_id)))
        return run(*args)

    monkeypatch.setattr(module.bulk, "run", slow)
    advance(tenant_id=tenant_id, backfill_id=only_id(tenant_id))

    assert set(others) == {None}
    assert held(tenant_id).state == "done"
