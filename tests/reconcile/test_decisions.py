"""What a check decides from what is held and what Shopify says, without either."""

from datetime import UTC, datetime, timedelta

import pytest

from shopify_app import reconcile
from shopify_app.reconcile import Held, Standing
from shopify_app.reconcile.decisions import floor
from shopify_app.shopify.differences import KINDS, Listed, Window

T = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LATER = T + timedelta(seconds=1)
EARLIER = T - timedelta(seconds=1)
STANDING = Standing(id=1, tenant_id=1, resource="orders", mode="daily", state="changes", ceiling=T)


@pytest.mark.parametrize(
    ("row", "difference"),
    [
        (None, "missing"),
        (Held(None, None, None), "missing"),  # a placeholder
        (Held(EARLIER, None, LATER), "stale"),
        (Held(T, None, LATER), None),
        (Held(T, None, T + timedelta(milliseconds=999)), "unsure"),  # its second was not over when it was read
        (Held(T, None, None), "unsure"),
        (Held(LATER, None, None), None),  # a webhook was faster than the list
        (Held(EARLIER, T, None), None),  # nothing is newer than a deletion
        (Held(None, T, None), None),
    ],
)
def test_a_listed_object_differs_from_its_row_as_the_table_says(row, difference):
    found = reconcile.compare("orders", [Listed(7, T)], {} if row is None else {7: row})

    assert {kind for kind in ("missing", "stale", "unsure") if getattr(found, kind) == {7}} == {difference} - {None}
    assert found.wanted == (((7, 7),) if difference else ())


def test_only_what_had_to_be_changed_counts_as_wrong():
    held = {2: Held(EARLIER, None, T), 3: Held(T, None, None), 4: Held(EARLIER, None, T)}

    found = reconcile.compare("orders", [Listed(number, T) for number in range(1, 5)], held)

    assert found.tally({1, 2, 3}) == {"missing": 1, "stale": 1, "corrected": 1}
    assert found.tally(set()) == {"missing": 0, "stale": 0, "corrected": 0}


def test_checkouts_are_known_by_the_token_in_their_address():
    url = "https://shop.example/1/checkouts/ac/abc123/recover?key=1"

    assert reconcile.key_of("checkouts", Listed(7, T, url)) == "abc123"
    assert reconcile.key_of("checkouts", Listed(7, T)) == "checkout-7"
    assert reconcile.key_of("orders", Listed(7, T, url)) == 7


@pytest.mark.parametrize(
    ("mode", "state", "counts", "then"),
    [
        ("recent", "counting", (5, 4), "done"),
        ("daily", "counting", (5, 5), "done"),
        ("daily", "counting", (5, 4), "ids"),
        ("asked", "counting", (5, 5), "ids"),
        ("asked", "ids", (5, 4), "done"),
    ],
)
def test_ids_are_compared_where_the_counts_ask_for_it_or_somebody_did(mode, state, counts, then):
    standing = Standing(1, 1, "orders", mode, state, T, after=9, checked=3)

    after = reconcile.counted(standing, *counts)

    assert after.state == then
    assert (after.count_shopify, after.count_held) == counts
    assert (after.after, after.checked) == ((0, 0) if then == "ids" else (9, 3))


@pytest.mark.parametrize(("resource", "then"), [("orders", "counting"), ("checkouts", "done")])
def test_checkouts_are_not_counted(resource, then):
    standing = Standing(1, 1, resource, "asked", "changes", T, after=9)

    assert reconcile.compared_changes(standing).state == then


@pytest.mark.parametrize(
    ("resource", "granted", "days"),
    [
        ("orders", {"read_orders"}, 59),
        ("orders", {"read_orders", "read_all_orders"}, None),
        ("customers", {"read_customers"}, None),
    ],
)
def test_only_orders_have_a_window_and_only_without_the_scope_for_all(resource, granted, days):
    assert floor(resource, granted, T) == (None if days is None else T - timedelta(days=days))


def test_a_window_is_written_as_shopify_searches():
    window = Window(T, since=EARLIER, floor=T - timedelta(days=1))

    assert window.query(after=7) == (
        "updated_at:<='2026-11-22T12:00:00Z' AND updated_at:>='2026-11-22T11:59:59Z'"
        " AND created_at:>='2026-11-21T12:00:00Z' AND id:>7"
    )
    assert Window(T).query() == "updated_at:<='2026-11-22T12:00:00Z'"


def test_counts_reach_as_far_as_a_store_does():
    assert all("limit: null" in kind.counting for kind in KINDS.values() if kind.counted)


@pytest.mark.parametrize(
    ("checked", "counts", "compared", "unexplained"),
    [(3, (None, None), 3, 0), (3, (9, 9), 9, 0), (3, (9, 8), 3, 1), (3, (8, 9), 3, -1)],
)
def test_counts_that_agree_stand_for_everything(checked, counts, compared, unexplained):
    standing = Standing(
        1, 1, "orders", "daily", "done", T, checked=checked, count_shopify=counts[0], count_held=counts[1]
    )

    assert (standing.compared, standing.unexplained) == (compared, unexplained)


def test_ends_say_why():
    assert reconcile.failed(STANDING, "No.").error == "No."
    assert reconcile.cancelled(STANDING, "Gone.").finished
