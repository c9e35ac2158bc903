"""How far backfills have come: what a store's people see of its own, and what operators see of all."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shopify_app import backfill
from shopify_app.backfill import summaries
from shopify_app.backfill.progress import Pace, rate, seconds_left
from shopify_app.backfill.windows import Window
from shopify_app.database import directory, operations, tenant_work
from shopify_app.models import Tenant

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


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


def start(tenant_id, *resources, now=NOW, **asked):
    with tenant_work(tenant_id) as session:
        return backfill.start(session, session.get_one(Tenant, tenant_id), resources, now, **asked)


def shown(tenant_id, resource, now=NOW):
    with tenant_work(tenant_id) as session:
        return next(one for one in backfill.progress(session, now) if one.resource == resource)


def move(tenant_id, resource, at, **changes):
    """Write what a worker found out ``at`` seconds after the start."""
    with tenant_work(tenant_id) as session:
        found = next(one for one in backfill.progress(session) if one.resource == resource)
        standing = backfill.read(session, tenant_id, found.id)
        backfill.write(session, replace(standing, **changes), NOW + at * SECOND)


def listed(*states, store=None, now=NOW):
    with operations() as session:
        return summaries.listed(session, now, states=states, store_url=store, limit=100)


# ── rates and estimates ──


@pytest.mark.parametrize(
    ("seconds", "moved", "quiet_for", "wanted"),
    [
        (10, 500, 0, 50.0),
        (10, 500, 30, 50.0),
        (2, 500, 0, None),  # too short to be more than chance
        (10, 0, 0, None),  # nothing moves
        (10, 500, 31, None),  # nothing was heard of it for too long
    ],
)
def test_a_rate_is_told_where_enough_was_seen_of_late(seconds, moved, quiet_for, wanted):
    pace = Pace(anchor_at=NOW - seconds * SECOND, noted_at=NOW, moved=moved)

    assert rate(pace, NOW + quiet_for * SECOND) == wanted


def test_without_a_measure_there_is_no_rate():
    assert rate(None, NOW) is None


@pytest.mark.parametrize(
    ("read", "total", "speed", "wanted"),
    [(40, 100, 20.0, 3), (100, 100, 20.0, 0), (110, 100, 20.0, 0), (40, None, 20.0, None), (40, 100, None, None)],
)
def test_an_estimate_needs_the_whole_and_a_rate(read, total, speed, wanted):
    assert seconds_left(objects_read=read, objects_total=total, rate=speed) == wanted


def test_the_rate_is_that_of_the_last_half_minute_and_not_of_the_whole_time(tenant_id):
    start(tenant_id, "customers")
    move(tenant_id, "customers", 0, state="loading", objects_total=100_000)
    for at in range(1, 31):
        move(tenant_id, "customers", at, objects_read=at * 1000)
    fast = shown(tenant_id, "customers", NOW + 30 * SECOND)
    for at in range(31, 91):
        move(tenant_id, "customers", at, objects_read=30_000 + (at - 30) * 100)
    slow = shown(tenant_id, "customers", NOW + 90 * SECOND)

    assert (round(fast.rate), fast.seconds_left) == (1000, 70)
    assert (round(slow.rate), slow.seconds_left) == (100, 640)


def test_a_rate_of_preparing_is_not_taken_for_one_of_loading(tenant_id):
    start(tenant_id, "customers")
    for at in range(6):
        move(tenant_id, "customers", at, state="running", objects_total=at * 5000)
    preparing = shown(tenant_id, "customers", NOW + 5 * SECOND)
    move(tenant_id, "customers", 6, state="loading", objects_total=25_000)
    loading = shown(tenant_id, "customers", NOW + 6 * SECOND)

    assert (preparing.prepared, preparing.objects_total, round(preparing.rate)) == (25_000, None, 5000)
    assert preparing.seconds_left is None
    assert (loading.prepared, loading.objects_total, loading.rate) == (None, 25_000, None)


def test_how_much_there_is_stays_unknown_until_the_last_part_is_being_loaded(tenant_id):
    start(tenant_id, "customers")
    later = (Window(NOW - timedelta(days=1), None, 1),)
    loading = {"state": "loading", "objects_total": 100, "objects_read": 40, "objects_before": 500}

    move(tenant_id, "customers", 1, **loading, windows_left=later)
    part = shown(tenant_id, "customers")
    move(tenant_id, "customers", 2, **loading, windows_left=())
    last = shown(tenant_id, "customers")

    assert (part.objects_read, part.objects_total) == (540, None)
    assert (last.objects_read, last.objects_total) == (540, 600)


# ── what a store's people see ──


def test_the_latest_of_each_resource_is_shown_and_the_ones_before_are_history(tenant_id):
    start(tenant_id, "customers", "orders", by="install")
    move(tenant_id, "customers", 1, state="failed", error="Shopify answered 403.")
    again = start(tenant_id, "customers", now=NOW + SECOND, by="merchant")

    with tenant_work(tenant_id) as session:
        now_shown = backfill.progress(session, NOW)
        past = backfill.history(session, NOW, limit=10)
        run = backfill.of_run(session, again, NOW)

    assert [(one.resource, one.state, one.asked_by) for one in now_shown] == [
        ("customers", "planned", "merchant"),
        ("orders", "planned", "install"),
        ("refunds", "planned", "install"),
    ]
    assert [one.resource for one in past] == ["customers", "refunds", "orders", "customers"]
    assert (past[-1].state, past[-1].error, past[-1].finished_at) == ("failed", "Shopify answered 403.", NOW + SECOND)
    assert [one.id for one in run] == [past[0].id]


def test_another_stores_backfill_is_not_there(tenant_ids):
    ours, theirs = tenant_ids
    start(theirs, "customers")
    number = shown(theirs, "customers").id

    with tenant_work(ours) as session:
        assert backfill.one(session, number, NOW) is None
        assert backfill.history(session, NOW, limit=10) == []
        assert backfill.progress(session, NOW) == ()


def test_a_backfill_whose_end_was_asked_for_is_stopping_until_it_has_come(tenant_id):
    start(tenant_id, "customers")
    number = shown(tenant_id, "customers").id

    with tenant_work(tenant_id) as session:
        backfill.cancel(session, tenant_id, number, NOW)
        stopping = backfill.one(session, number, NOW)
    move(tenant_id, "customers", 1, state="cancelled", error="It was cancelled.")

    assert (stopping.stopping, stopping.finished) == (True, False)
    ended = shown(tenant_id, "customers")
    assert (ended.stopping, ended.finished) == (False, True)


# ── what operators see ──


def test_operators_see_all_stores_and_no_more_than_figures(tenant_ids):
    ours, theirs = tenant_ids
    start(ours, "customers", by="merchant", since=NOW - timedelta(days=3))
    start(theirs, "products", by="install")
    move(theirs, "products", 1, state="loading", objects_total=10, objects_read=4, note="A note.")

    found = listed()

    assert [(one.store_url, one.progress.resource, one.progress.state) for one in found] == [
        ("birch.myshopify.com", "products", "loading"),
        ("aurora.myshopify.com", "customers", "planned"),
    ]
    assert (found[0].progress.objects_read, found[0].progress.objects_total, found[0].progress.note) == (
        4,
        10,
        "A note.",
    )
    assert (found[1].progress.asked_by, found[1].progress.since) == ("merchant", NOW - timedelta(days=3))


def test_they_can_be_of_one_state_or_one_store_and_only_the_latest_counts(tenant_ids):
    ours, theirs = tenant_ids
    start(ours, "customers")
    move(ours, "customers", 1, state="failed", error="Shopify answered 403.")
    start(theirs, "customers")
    move(theirs, "customers", 1, state="failed", error="Shopify answered 403.")
    start(theirs, "customers", now=NOW + SECOND)

    with operations() as session:
        tallies = summaries.counts(session)
        everything = summaries.listed(session, NOW, store_url="birch.myshopify.com", every=True, limit=10)
    failed = listed("failed")

    assert [one.store_url for one in failed] == ["aurora.myshopify.com"]
    assert [one.store_url for one in listed(store="birch.myshopify.com")] == ["birch.myshopify.com"]
    assert tallies == {"failed": 1, "planned": 1}
    assert [one.progress.state for one in everything] == ["planned", "failed"]
    with operations() as session:
        assert set(summaries.find(session, [failed[0].progress.id, 4711], NOW)) == {failed[0].progress.id}


def test_numbers_are_noted_once_a_second_and_what_is_told_at_once(tenant_id):
    start(tenant_id, "customers")
    move(tenant_id, "customers", 0, state="loading", objects_total=100)
    move(tenant_id, "customers", 0.5, objects_read=10)
    early = listed()[0].progress
    move(tenant_id, "customers", 1, objects_read=20)
    later = listed()[0].progress
    move(tenant_id, "customers", 1.2, objects_read=30, error="Shopify asks to wait.")
    told = listed()[0].progress

    assert (early.objects_read, later.objects_read) == (0, 20)
    assert (told.objects_read, told.error) == (30, "Shopify asks to wait.")


def test_what_is_shown_of_a_store_is_what_operators_see_of_it(tenant_id):
    start(tenant_id, "customers", by="merchant")
    for at in range(1, 5):
        move(tenant_id, "customers", at, state="loading", objects_total=100, objects_read=at * 10)

    now = NOW + 4 * SECOND
    assert listed(now=now)[0].progress == shown(tenant_id, "customers", now)
