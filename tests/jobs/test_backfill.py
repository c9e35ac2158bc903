"""A backfill's way from plan to end: what is asked of Shopify, what is written, and what happens when it goes wrong."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from shopify_app import backfill, claims, ingest
from shopify_app.database import directory, operations, tenant_work
from shopify_app.jobs import backfill as module
from shopify_app.jobs.backfill import advance
from shopify_app.models import Backfill, Claim, Customer, Order, Product, ProductVariant, Refund, RefundLine, Tenant
from shopify_app.shopify.errors import BulkFileExpired, Throttled

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
    monkeypatch.setattr(module, "BATCH", 10)


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
        started_at=datetime.now(UTC) - timedelta(minutes=minutes),
    )

    assert abs(module._until_poll(standing).total_seconds() - wait) < 1.5


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
        batches.append(len(args[3]))
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
    gather, overtaken = module._gather, []

    def slow(lines):
        batch = gather(lines)
        if len(overtaken) == 1:
            let_lease_run_out()
            overtaken.append(module._take(tenant_id, backfill_id))
        overtaken.append(None)
        return batch

    monkeypatch.setattr(module, "_gather", slow)
    advance(tenant_id=tenant_id, backfill_id=backfill_id)

    assert held(tenant_id).objects_read == count(tenant_id, Customer) == 10


def test_an_operation_that_shopify_fails_is_asked_for_twice_more_and_then_given_up(tenant_id, shopify, work_off):
    shopify.statuses = [("FAILED", "INTERNAL_SERVER_ERROR")] * 3
    start(tenant_id, "customers")

    work_off()

    row = rows(tenant_id)["customers"]
    assert (row.state, row.error) == ("failed", "Shopify ended the export as FAILED (INTERNAL_SERVER_ERROR).")
    assert row.finished_at is not None
    assert len(shopify.runs) == 3
    assert claim() is None


def test_an_operation_that_failed_once_is_done_the_second_time(tenant_id, shopify, work_off):
    shopify.statuses = [("EXPIRED", None)]
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
    assert (row.state, row.error) == ("failed", "Shopify counted 2 objects, and its file held 1.")
    assert len(shopify.runs) == 3


def test_a_line_that_cannot_be_read_ends_the_backfill_with_its_reason(tenant_id, shopify, work_off):
    shopify.files = {"customers": [customer(1), customer(2) | {"updatedAt": "yesterday"}]}
    start(tenant_id, "customers")

    work_off()

    row = rows(tenant_id)["customers"]
    assert row.state == "failed"
    assert "could not be read" in row.error


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
    assert held(tenant_id).error == "It stopped 8 times at the same place: KeyError: 'oops'."
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
    assert row.error == "The orders could not be read first: Shopify ended the export as FAILED (ACCESS_DENIED)."
