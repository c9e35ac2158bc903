"""Everything that devstore can do wrong, for each resource: done with the store's very state, or failed in words.

Never in between: a backfill that says done holds all there is, and one that fails names the cause and what to do.
"""

from dataclasses import dataclass
from typing import Any

import pytest

RESOURCES = ("customers", "products", "orders", "checkouts")


@dataclass(frozen=True)
class Case:
    """What goes wrong, whether time has to fly until it ends, and the words of a failure; none: it ends as done."""

    bulk: dict[str, Any] | None = None
    api: dict[str, Any] | None = None
    words: tuple[str, ...] = ()
    years: bool = False


LATER = "Sync again"
CASES = {
    # Passing trouble with an operation: what was delivered is used, and the rest is asked for again.
    "no fault": Case(),
    "children far from their parents": Case(bulk={"scattered": True}),
    "timeout with whole lines": Case(bulk={"fail_at": 3, "fail_code": "TIMEOUT", "partial": "lines", "times": 1}),
    "timeout with a torn line": Case(bulk={"fail_at": 3, "fail_code": "TIMEOUT", "partial": "torn", "times": 1}),
    "timeout with nothing": Case(bulk={"fail_at": 3, "fail_code": "TIMEOUT", "partial": "none", "times": 2}),
    "server error with whole lines": Case(
        bulk={"fail_at": 3, "fail_code": "INTERNAL_SERVER_ERROR", "partial": "lines", "times": 1}
    ),
    "server error with nothing": Case(
        bulk={"fail_at": 0, "fail_code": "INTERNAL_SERVER_ERROR", "partial": "none", "times": 3}
    ),
    "large operations fail": Case(bulk={"fail_over": 6, "fail_code": "TIMEOUT"}),
    "cancelled by Shopify": Case(bulk={"cancel_at": 2, "times": 1}),
    "stalled": Case(bulk={"stall_at": 2, "times": 1}, years=True),
    "expired": Case(bulk={"expire_after": 0, "times": 1}),
    "no place": Case(bulk={"refuse": "LIMIT_REACHED", "times": 3}),
    "in progress": Case(bulk={"refuse": "OPERATION_IN_PROGRESS", "times": 3}),
    # Passing trouble with a file.
    "lines silently missing": Case(bulk={"lines_missing": 1, "times": 1}),
    "lines repeated": Case(bulk={"lines_repeated": 1, "times": 1}),
    "garbage in the file": Case(bulk={"garbage_at": 2, "times": 1}),
    "an address that expires at once": Case(bulk={"url_seconds": 0, "times": 1}),
    "storage away": Case(bulk={"download_status": 503, "downloads": 3}),
    "storage forgets": Case(bulk={"download_status": 404, "times": 1}),
    "broken downloads": Case(bulk={"break_after": 700, "downloads": 12}),
    "frozen downloads": Case(bulk={"freeze_after": 500, "freeze_seconds": 0.3, "downloads": 2}),
    "ranges ignored": Case(bulk={"ignore_range": True, "break_after": 900, "downloads": 2}),
    "compressed unasked": Case(bulk={"gzip": True, "downloads": 2}),
    # Passing trouble with the API.
    "closed before": Case(api={"close": "before", "times": 9}),
    "closed after": Case(api={"close": "after", "times": 3}),
    "every second request fails": Case(api={"status": 503, "share": 0.5, "times": 40}),
    "too many requests": Case(api={"status": 429, "retry_after": 0.01, "times": 9}),
    "throttled": Case(api={"code": "THROTTLED", "times": 2}),
    "server trouble told in JSON": Case(api={"code": "INTERNAL_SERVER_ERROR", "times": 9}),
    "a page of HTML": Case(api={"html": True, "times": 9}),
    "slow": Case(api={"slow": 0.2, "times": 3}),
    "an empty bucket": Case(api={"plan": "Standard", "drained": True}),
    # Trouble that stays.
    "always times out": Case(bulk={"fail_at": 0, "fail_code": "TIMEOUT"}, words=("TIMEOUT", "too long", LATER)),
    "always fails": Case(
        bulk={"fail_at": 1, "fail_code": "INTERNAL_SERVER_ERROR", "partial": "none"},
        words=("INTERNAL_SERVER_ERROR", "trouble of its own", "support", LATER),
    ),
    "access denied": Case(
        bulk={"fail_at": 2, "fail_code": "ACCESS_DENIED"}, words=("ACCESS_DENIED", "read_", "open the app")
    ),
    "always cancelled": Case(bulk={"cancel_at": 0}, words=("CANCELED", "not by this app", LATER)),
    "always expired": Case(bulk={"expire_after": 0}, words=("EXPIRED", LATER)),
    "always stalls": Case(bulk={"stall_at": 0}, words=("STALLED", "30 minutes", LATER), years=True),
    "never a place": Case(
        bulk={"refuse": "LIMIT_REACHED"}, words=("24 hours", "waits for a free place", LATER), years=True
    ),
    "refused": Case(bulk={"refuse": "INVALID"}, words=(LATER,)),
    "lines always missing": Case(bulk={"lines_missing": 1}, words=("counted", "its file held", LATER)),
    "garbage always": Case(bulk={"garbage_at": 1}, words=("could not be read", LATER)),
    "file never there": Case(bulk={"download_status": 403}, words=("gone", LATER)),
    "storage never there": Case(bulk={"download_status": 503}, words=("24 hours", "503", LATER), years=True),
    "always compressed": Case(bulk={"gzip": True}, words=("24 hours", "compressed", LATER), years=True),
    "frozen store": Case(api={"status": 402}, words=("402", "frozen", "pay")),
    "forbidden": Case(api={"status": 403}, words=("403", "grant")),
    "locked store": Case(api={"status": 423}, words=("423", "locked", "support")),
    "inactive store": Case(api={"code": "SHOP_INACTIVE"}, words=("frozen",)),
    "not allowed": Case(api={"code": "ACCESS_DENIED"}, words=("grant",)),
    "never an answer": Case(api={"close": "before"}, words=("24 hours", LATER), years=True),
    "never a good answer": Case(api={"status": 500}, words=("24 hours", "500", LATER), years=True),
    "always throttled": Case(api={"code": "THROTTLED"}, words=("24 hours", "rate limit", LATER), years=True),
    "suspected": Case(api={"status": 430}, words=("24 hours", "security", LATER), years=True),
    "token refused": Case(api={"status": 401}, words=("Open the app",)),
}


# In every run each case meets one resource, and in the long one all of them.
SHORT = [(name, RESOURCES[number % len(RESOURCES)]) for number, name in enumerate(CASES)]
REST = [(name, resource) for name in CASES for resource in RESOURCES if (name, resource) not in SHORT]


@pytest.mark.parametrize(("name", "resource"), [*SHORT, *(pytest.param(*one, marks=pytest.mark.long) for one in REST)])
def test_a_backfill_ends_with_all_there_is_or_says_why_not(name, resource, shop, work_off, impatient):
    case = CASES[name]
    shop.goes_wrong(seed=7, bulk={"seconds": 0.02, **(case.bulk or {})}, api=case.api or {})
    shop.start(resource)

    work_off(years=case.years)

    row = shop.rows()[resource]
    assert row.finished_at is not None
    if case.words:
        assert row.state == "failed"
        assert all(word.lower() in row.error.lower() for word in case.words), row.error
    else:
        assert (row.state, row.error) == ("done", None)
        assert shop.differences(resource) == []
        assert row.count_shopify == row.count_held
    if resource == "orders":
        assert shop.rows()["refunds"].state == row.state


UNAPPROVED = {
    "customers": ("Customer.firstName", "name"),
    "orders": ("Order.email", "email"),
}


@pytest.mark.parametrize("resource", UNAPPROVED)
def test_what_shopify_has_not_approved_is_empty_and_that_is_said(resource, shop, work_off, impatient):
    field, column = UNAPPROVED[resource]
    shop.goes_wrong(bulk={"seconds": 0.02}, api={"unapproved": [field]})
    shop.start(resource)

    work_off()

    row = shop.rows()[resource]
    assert row.state == "done"
    assert f"not approved the app to read {resource}.{field.partition('.')[2]}" in row.note
    wrong = shop.differences(resource)
    assert wrong
    assert {difference.partition(" is ")[0].rpartition(".")[2] for difference in wrong} == {column}


def test_customers_that_shopify_has_not_approved_at_all_are_no_silent_nothing(shop, work_off, impatient):
    shop.goes_wrong(bulk={"seconds": 0.02}, api={"unapproved": ["Customer"]})
    shop.start("customers")

    work_off()

    row = shop.rows()["customers"]
    assert row.state == "failed"
    assert "approved" in f"{row.error} {row.note}"


def test_the_version_that_answers_makes_no_difference(shop, work_off, impatient):
    shop.goes_wrong(bulk={"seconds": 0.02}, api={"version": "2026-07"})
    shop.start("products")

    work_off()

    assert shop.rows()["products"].state == "done"
    assert shop.differences("products") == []
