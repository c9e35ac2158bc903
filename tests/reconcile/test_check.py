"""A check as a piece of work: planned by the clock, done in slices under a lease, and what happens when it fails."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text, update

from devstore import tokens
from shopify_app import claims, reconcile
from shopify_app.database import directory, operations, tenant_work
from shopify_app.jobs import reconcile as module
from shopify_app.jobs import repairs
from shopify_app.jobs.reconcile import check, check_all
from shopify_app.models import Backfill, Claim, DriftSummary, OfflineToken, Tenant
from shopify_app.runtime import current
from shopify_app.shopify import differences
from shopify_app.shopify.errors import AccessDenied, Throttled, Unavailable
from tests.reconcile.conftest import work


class Killed(BaseException):
    """What no job can catch."""


def plans(shop):
    with tenant_work(shop.tenant_id) as session:
        rows = session.execute(text("SELECT resource, mode, state FROM reconciliations ORDER BY id"))
        return [tuple(row) for row in rows]


def standing(shop, number):
    with tenant_work(shop.tenant_id) as session:
        return reconcile.read(session, shop.tenant_id, number)


def claim():
    with operations() as session:
        kind = Claim.kind == claims.RECONCILE
        return session.execute(
            select(Claim.due_at, Claim.leased_until, Claim.attempts, Claim.error).where(kind)
        ).first()


def let_lease_run_out():
    now = datetime.now(UTC)
    with operations() as session:
        session.execute(update(Claim).where(Claim.leased_until.is_not(None)).values(leased_until=now, due_at=now))


def look():
    """Do what the clock does every few minutes."""
    check_all()
    work()


def long_ago(**ages):
    """Set back when a store's checks were planned."""
    with directory() as session:
        for column, age in ages.items():
            session.execute(update(DriftSummary).values({column: datetime.now(UTC) - age}))


@pytest.fixture
def broken(monkeypatch):
    """Has every reading of a list end in an error, until it is told otherwise."""

    def break_with(error):
        def fail(*_):
            raise error

        monkeypatch.setattr(differences, "listed", fail)

    return break_with


# ── slices ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_check_that_was_killed_goes_on_and_counts_nothing_twice(shop, work_off, monkeypatch):
    number = shop.start("orders", "customers")["orders"]
    real, calls = differences.read, []

    def read(client, resource, numbers):
        calls.append(list(numbers))
        if len(calls) == 2:
            raise Killed
        return real(client, resource, numbers)

    monkeypatch.setattr(differences, "read", read)
    with pytest.raises(Killed):
        check(tenant_id=shop.tenant_id, reconciliation_id=number)
    check(tenant_id=shop.tenant_id, reconciliation_id=number)  # somebody else's still
    assert 0 < standing(shop, number).missing < len(shop.store.orders)

    let_lease_run_out()
    work_off()

    assert shop.wrong("orders") == {"orders": (len(shop.store.orders), 0, 0)}
    assert standing(shop, number).checked == len(shop.store.orders)
    assert calls[0] not in calls[1:]
    shop.assert_same_objects("customers", "orders")


def test_a_check_gives_way_after_every_step_when_its_slice_is_over(shop, work_off, monkeypatch):
    monkeypatch.setattr(module, "SLICE", 0.0)
    number = shop.start("products", "customers")["customers"]

    check(tenant_id=shop.tenant_id, reconciliation_id=number)

    assert not standing(shop, number).finished
    monkeypatch.undo()
    work_off()
    assert shop.wrong("customers") == {"customers": (len(shop.store.customers), 0, 0)}


@pytest.mark.parametrize("held_at_once", [2, 6])
def test_small_pages_find_the_same(held, work_off, monkeypatch, held_at_once):
    gone = [max(held.store.orders), min(held.store.orders)]
    for number in gone:
        held.act("delete_order", order_id=number)
    held.act("place_order", customer_id="new")
    held.drop()
    listing = differences.Kind.listing.fget
    monkeypatch.setattr(
        differences.Kind, "listing", property(lambda kind: listing(kind).replace("first: 250", "first: 3"))
    )
    monkeypatch.setattr(differences, "PAGE", 3)
    monkeypatch.setattr(repairs, "PAGE", 3)
    monkeypatch.setattr(repairs, "MOST_HELD", held_at_once)

    held.start("orders")
    work_off()

    assert held.wrong("orders") == {"orders": (1, 0, 2)}
    held.assert_same_objects("orders")


def test_a_check_that_somebody_withdrew_is_left_alone(shop):
    number = shop.start("products")["products"]
    with operations() as session:
        claims.withdraw_all(session, shop.tenant_id, [claims.RECONCILE])

    check(tenant_id=shop.tenant_id, reconciliation_id=number)

    assert standing(shop, number).checked == 0


# ── errors ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_error_that_may_pass_is_waited_for_and_shown(shop, broken):
    number = shop.start("products")["products"]
    broken(Unavailable("Shopify answered 502"))

    check(tenant_id=shop.tenant_id, reconciliation_id=number)

    assert (standing(shop, number).state, standing(shop, number).error) == ("changes", "Shopify answered 502")
    assert claim().due_at > datetime.now(UTC) + timedelta(seconds=10)
    assert claim().leased_until is None


def test_the_rate_limit_sends_a_check_back_to_the_queue(shop, broken):
    number = shop.start("products")["products"]
    broken(Throttled("The store's rate limit is used up.", retry_after=7))

    check(tenant_id=shop.tenant_id, reconciliation_id=number)

    assert standing(shop, number).error is None
    assert timedelta(seconds=5) < claim().due_at - datetime.now(UTC) < timedelta(seconds=8)


def test_a_worker_sleeps_no_longer_for_the_rate_limit_than_a_slice():
    with pytest.raises(Throttled) as refused:
        module._give_way(module.LONGEST_PAUSE + 1)

    assert refused.value.retry_after == module.LONGEST_PAUSE + 1


def test_a_refusal_ends_the_check_and_says_why(shop, broken):
    number = shop.start("products")["products"]
    broken(AccessDenied("Access denied for products field."))

    check(tenant_id=shop.tenant_id, reconciliation_id=number)

    assert (standing(shop, number).state, standing(shop, number).error) == (
        "failed",
        "Access denied for products field.",
    )
    assert claim() is None
    with operations() as session:
        assert session.scalars(select(DriftSummary.state)).all() == ["failed"]


def test_a_token_that_is_no_longer_taken_is_disowned(shop, devstore):
    number = shop.start("products")["products"]
    with devstore.app.app_context():
        tokens.revoke_all(shop.store)

    check(tenant_id=shop.tenant_id, reconciliation_id=number)

    assert standing(shop, number).state == "failed"
    with directory() as session:
        assert session.get_one(OfflineToken, shop.tenant_id).failed_at is not None


def test_a_crash_is_tried_again_and_then_given_up(shop, broken):
    number = shop.start("products")["products"]
    broken(RuntimeError("boom"))

    for _ in range(module.MOST_ATTEMPTS + 1):
        check(tenant_id=shop.tenant_id, reconciliation_id=number)
        with operations() as session:
            session.execute(update(Claim).values(due_at=datetime.now(UTC)))

    assert standing(shop, number).error == "It stopped 8 times at the same place: RuntimeError: boom."
    assert standing(shop, number).state == "failed"


def test_what_cannot_be_read_ends_the_check(shop, monkeypatch):
    number = shop.start("products")["products"]
    monkeypatch.setattr(differences, "read", lambda *_: [b'{"id": "gid://shopify/Product/1", "title": 7}'])

    check(tenant_id=shop.tenant_id, reconciliation_id=number)

    assert standing(shop, number).error.startswith("What Shopify answered could not be read: $.title: Expected")


def test_the_check_of_a_store_that_uninstalled_is_cancelled(shop):
    number = shop.start("products")["products"]
    with directory() as session:
        session.get_one(Tenant, shop.tenant_id).uninstalled_at = datetime.now(UTC)

    check(tenant_id=shop.tenant_id, reconciliation_id=number)

    assert standing(shop, number).state == "cancelled"
    assert claim() is None


def test_the_check_of_a_disabled_store_waits(shop, work_off):
    number = shop.start("products")["products"]
    with directory() as session:
        session.get_one(Tenant, shop.tenant_id).disabled_at = datetime.now(UTC)

    work_off()

    assert standing(shop, number).state == "changes"


# ── planning ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_clock_checks_everything_first_and_what_changed_after_an_hour(shops, work_off):
    shop, _ = shops
    look()
    assert plans(shop) == [(of, "daily", "changes") for of in reconcile.RESOURCES]
    look()
    assert len(plans(shop)) == 4
    work_off()
    look()
    assert len(plans(shop)) == 4

    long_ago(planned_at=timedelta(minutes=61))
    look()

    assert plans(shop)[4:] == [(of, "recent", "changes") for of in reconcile.RESOURCES]
    work_off()
    long_ago(planned_at=timedelta(minutes=61), full_planned_at=timedelta(hours=25))
    look()
    assert {mode for _, mode, _ in plans(shop)[8:]} == {"daily"}


def test_a_check_begins_where_the_one_before_ended(shop, work_off):
    ended = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
    shop.start("products", ceiling=ended)
    work_off()

    number = shop.start("products", mode="recent")["products"]

    assert standing(shop, number).since == ended - reconcile.LOOKBACK


def test_the_first_check_begins_where_the_history_ends(shop):
    loaded_at = datetime.now(UTC) - timedelta(days=3)
    with tenant_work(shop.tenant_id) as session:
        run_id = "00000000-0000-0000-0000-000000000001"
        values = {"tenant_id": shop.tenant_id, "run_id": run_id, "resource": "products", "state": "done"}
        session.add(Backfill(**values, created_at=loaded_at))

    number = shop.start("products")["products"]

    assert standing(shop, number).since == loaded_at - reconcile.LOOKBACK


def test_what_is_being_loaded_or_may_not_be_read_is_not_checked(shop):
    with tenant_work(shop.tenant_id) as session:
        run_id = "00000000-0000-0000-0000-000000000001"
        values = {"tenant_id": shop.tenant_id, "run_id": run_id, "resource": "products", "state": "loading"}
        session.add(Backfill(**values))
    shop.grant(["read_customers", "read_products"])

    assert list(shop.start()) == ["customers"]


def test_a_check_under_way_is_returned_and_not_planned_twice(shop):
    first = shop.start("products")

    assert shop.start("products", "customers") == {**shop.start("customers"), **first}
    assert len(plans(shop)) == 2


@pytest.mark.parametrize("column", ["uninstalled_at", "disabled_at"])
def test_the_clock_leaves_out_stores_that_may_not_be_asked(shops, column):
    with directory() as session:
        setattr(session.get_one(Tenant, shops[0].tenant_id), column, datetime.now(UTC))

    with operations() as session:
        due = reconcile.due(session, datetime.now(UTC), 10)

    assert due == [(shops[1].tenant_id, "daily")]


def test_checks_that_ended_long_ago_are_forgotten_but_for_the_last_good_one(shop, work_off):
    for _ in range(3):
        shop.start("products")
        work_off()
    with tenant_work(shop.tenant_id) as session:
        session.execute(text("UPDATE reconciliations SET finished_at = finished_at - interval '40 days'"))

    shop.start("customers")

    with tenant_work(shop.tenant_id) as session:
        assert list(session.scalars(text("SELECT id FROM reconciliations WHERE resource = 'products'"))) == [3]


def test_operators_see_the_last_check_of_each_resource(held):
    with operations() as session:
        rows = {row.resource: row for row in reconcile.drift(session, 10)}

    assert set(rows) == set(reconcile.RESOURCES)
    assert (rows["orders"].store_url, rows["orders"].missing) == (held.store.domain, len(held.store.orders))
    assert {row.unexplained for row in rows.values()} == {0}
    assert current().config.secret_key not in repr(rows)
