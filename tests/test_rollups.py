"""Totals per day: what is marked is refreshed, nothing is lost between two processes, a rebuild says the same."""

import threading
from datetime import date

import pytest
from sqlalchemy import text

from shopify_app import rollups
from shopify_app.database import directory, tenant_work
from shopify_app.models import Tenant
from tests.ingest.world import NOW, World, at, edited, line, order, refund, shipping

DAY = date(2026, 3, 1)


@pytest.fixture
def world(app_context):
    return World.made()


def totals(world):
    """Return the totals by day, as numbers."""
    return {
        row["day_on"]: tuple(
            float(row[name])
            for name in ("orders", "units", "gross", "discounts", "returns", "shipping", "taxes", "ordered_gross")
        )
        for row in world.rows("day_totals")
    }


def busy(world):
    """Give the store sales, edits, refunds and cancellations over several days."""
    world.apply(
        ("orders/create", order(1, [line(11, quantity=2, tax="1.60")], shipping_lines=[shipping(91)])),
        ("orders/create", order(2, [line(21), line(22, discount="1.00")], processed_at=at(days=1))),
        ("orders/edited", edited(41, 2, removed=[(22, 1)], days=2)),
        ("refunds/create", refund(31, 1, lines=[(11, 1, "10.00", "0.80")], shipping="5.00", days=2)),
        ("orders/create", order(3, [line(31)], financial_status="voided", cancelled_at=at(days=3))),
        ("orders/create", order(4, [line(41, gift_card=True)], processed_at=at(days=5))),
        ("orders/create", order(5, [line(51)], test=True, processed_at=at(days=6))),
    )


def test_a_refresh_computes_the_days_that_were_marked(world):
    busy(world)

    count = world.refresh()

    assert count == 6
    assert totals(world) == {
        date(2026, 3, 1): (2, 3, 30.0, 0.0, 0.0, 5.0, 1.6, 30.0),
        date(2026, 3, 2): (1, 2, 20.0, 1.0, 0.0, 0.0, 0.0, 20.0),
        date(2026, 3, 3): (0, 0, 0.0, 0.0, 19.0, -5.0, -0.8, 0.0),
        date(2026, 3, 4): (0, 0, 0.0, 0.0, 10.0, 0.0, 0.0, 0.0),
        date(2026, 3, 6): (1, 0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    }
    assert world.rows("dirty_days") == []


def test_a_day_that_lost_its_sales_loses_its_totals(world):
    world.apply(("orders/create", order()))
    world.refresh()

    world.apply(("orders/delete", {"id": 1}, 5))
    world.refresh()

    assert totals(world) == {}


def test_a_rebuild_says_what_the_refreshes_said(world):
    busy(world)
    world.refresh()
    world.apply(("orders/delete", {"id": 2}, 99), ("orders/create", order(6, [line(61)], processed_at=at(days=4))))
    world.refresh()
    incremental = totals(world)

    world.refresh(rebuild=True)

    assert totals(world) == incremental


def test_a_rebuild_moves_sales_to_the_days_of_a_new_time_zone(world):
    world.apply(("orders/create", order(processed_at="2026-03-02T03:00:00Z")))
    world.refresh()
    assert list(totals(world)) == [DAY]
    with directory() as session:
        session.get_one(Tenant, world.alpha).time_zone = "Asia/Tokyo"

    world.refresh(rebuild=True)

    assert list(totals(world)) == [date(2026, 3, 2)]


def test_the_version_rises_with_every_refresh_that_did_something(world):
    def state():
        with tenant_work(world.alpha) as session:
            return rollups.state(session)

    assert state() == rollups.Freshness(0, None, 0)
    world.apply(("orders/create", order()))
    assert state() == rollups.Freshness(0, None, 1)
    world.refresh()
    assert state() == rollups.Freshness(1, NOW, 0)
    world.refresh()
    assert state().version == 1


def test_a_mark_that_is_made_while_a_refresh_runs_is_not_lost(world):
    world.apply(("orders/create", order()))
    refreshed = threading.Event()

    with tenant_work(world.alpha) as session:
        tenant = session.get_one(Tenant, world.alpha)
        rollups.refresh(session, tenant, NOW)
        late = threading.Thread(target=_apply_late, args=(world, refreshed))
        late.start()
        assert not refreshed.wait(0.3)  # it waits for the refresh to end before it can mark the day
    late.join(10)

    assert [row["day_on"] for row in world.rows("dirty_days")] == [DAY]
    world.refresh()
    assert totals(world)[DAY][0] == 2


def _apply_late(world, done):
    with world.app.app_context():
        world.apply(("orders/create", order(2, [line(21)])))
    done.set()


def test_a_refresh_waits_for_a_mark_that_is_not_committed_yet(world):
    world.apply(("orders/create", order()))
    done = []

    with tenant_work(world.alpha) as session:
        rollups.mark(session, world.alpha, [DAY])
        session.execute(text("UPDATE sales SET gross = 99"))
        thread = threading.Thread(target=_refresh, args=(world, done))
        thread.start()
        thread.join(0.3)
        assert not done
    thread.join(10)

    assert totals(world)[DAY][2] == 99.0


def _refresh(world, done):
    with world.app.app_context():
        done.append(world.refresh())


def test_two_refreshes_at_once_compute_a_day_once(world):
    world.apply(("orders/create", order()))
    done = []

    threads = [threading.Thread(target=_refresh, args=(world, done)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert sorted(done) == [0, 1]


def test_a_refresh_reads_and_writes_one_store_only(world):
    world.apply(("orders/create", order()), tenant=world.beta)
    world.apply(("orders/create", order(9, [line(91)])))

    world.refresh()

    assert world.rows("day_totals", tenant=world.beta) == []
    assert len(world.rows("dirty_days", tenant=world.beta)) == 1
    assert world.rows("day_totals", tenant=world.stranger) == []


def test_a_day_of_23_hours_ends_where_the_next_begins(world):
    world.apply(
        ("orders/create", order(1, [line(11)], processed_at="2026-03-08T05:00:00Z")),  # midnight of the day it changes
        ("orders/create", order(2, [line(21)], processed_at="2026-03-09T03:59:59Z")),
        ("orders/create", order(3, [line(31)], processed_at="2026-03-09T04:00:00Z")),
    )

    world.refresh()

    assert {day: row[0] for day, row in totals(world).items()} == {date(2026, 3, 8): 2, date(2026, 3, 9): 1}
