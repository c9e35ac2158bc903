"""Bulk operations that go wrong on purpose: while they run, and in what they write."""

import json
import time
from collections import Counter
from datetime import timedelta
from itertools import pairwise

import pytest

from tests.devstore.faulty.asking import process

RESOURCES = ("customers", "products", "orders", "checkouts")
CODES = ("TIMEOUT", "INTERNAL_SERVER_ERROR", "ACCESS_DENIED")


def finishes(app):
    return app.topics().count("bulk_operations/finish")


@pytest.fixture
def subscribed(app):
    app.control("subscriptions", topic="bulk_operations/finish", uri="http://127.0.0.1:1/webhooks")
    return app


def test_an_operation_takes_the_time_it_is_given_and_its_counts_grow(app):
    app.faults(bulk={"seconds": 1.0})
    began = time.monotonic()
    gid = app.run("orders")["bulkOperation"]["id"]
    counts = []

    over = app.until(gid, lambda one: counts.append(int(one["objectCount"])) or one["completedAt"])

    assert 0.9 < time.monotonic() - began < 5
    assert sorted(counts) == counts
    assert len(set(counts)) > 3
    assert counts[-1] == int(over["objectCount"]) == len(app.lines(over["url"]))


def test_an_operation_without_rows_takes_its_time_too(app):
    app.faults(bulk={"seconds": 0.5})
    began = time.monotonic()

    over = app.exported("orders", "id:1")

    assert time.monotonic() - began > 0.4
    assert (over["status"], over["objectCount"], over["url"]) == ("COMPLETED", "0", None)


def distances(lines):
    """How many roots lie between each child and its parent, after its parent."""
    roots_before, seen = {}, 0
    found = []
    for line in lines:
        if "__parentId" in line:
            found.append(seen - roots_before[line["__parentId"]])
        else:
            seen += 1
            roots_before[line["id"]] = seen
    return found


@pytest.mark.parametrize(("apart", "least", "most"), [(0, 0, 0), (1, 0, 1), (3, 2, 3), (50, 49, 50)])
def test_children_come_so_many_parents_after_their_own(app, apart, least, most):
    app.faults(bulk={"apart": apart})

    lines = app.lines(app.exported("orders")["url"])

    assert Counter(distances(lines)).most_common(1)[0][0] in {least, most}
    assert max(distances(lines)) == most


def test_scattered_lines_lie_all_over_the_file_after_their_parents(app):
    whole = app.lines(app.exported("orders")["url"])
    app.faults(bulk={"scattered": True})

    lines = app.lines(app.exported("orders")["url"])

    places = {line["id"]: place for place, line in enumerate(lines)}
    assert sorted(map(json.dumps, lines)) == sorted(map(json.dumps, whole))
    assert all(places[line["__parentId"]] < places[line["id"]] for line in lines if "__parentId" in line)
    assert max(distances(lines)) > 50


@pytest.mark.parametrize("resource", RESOURCES)
@pytest.mark.parametrize("code", CODES)
def test_a_failed_operation_leaves_its_first_lines(app, resource, code):
    whole = app.download(app.exported(resource)["url"]).content
    app.faults(bulk={"fail_at": 3, "fail_code": code})

    failed = app.exported(resource)

    assert (failed["status"], failed["errorCode"], failed["objectCount"]) == ("FAILED", code, "3")
    assert failed["url"] is None
    assert app.download(failed["partialDataUrl"]).content == b"".join(whole.splitlines(keepends=True)[:3])


def test_the_last_line_of_a_partial_result_may_be_torn(app):
    whole = app.download(app.exported("orders")["url"]).content.splitlines(keepends=True)
    app.faults(bulk={"fail_at": 4, "partial": "torn"})

    partial = app.download(app.exported("orders")["partialDataUrl"]).content

    rest = partial.removeprefix(b"".join(whole[:3]))
    assert whole[3].startswith(rest)
    assert 0 < len(rest) < len(whole[3]) - 1


@pytest.mark.parametrize("faults", [{"fail_at": 0}, {"fail_at": 5, "partial": "none"}])
def test_a_failed_operation_may_leave_nothing(app, faults):
    app.faults(bulk=faults)

    failed = app.exported("orders")

    assert (failed["status"], failed["errorCode"], failed["partialDataUrl"]) == ("FAILED", "TIMEOUT", None)


def test_an_operation_over_too_many_objects_fails_and_a_smaller_window_succeeds(app):
    app.faults(bulk={"fail_over": 60, "apart": 0})
    times = sorted(order.updated_at for order in app.store.orders.values())

    failed = app.exported("orders")
    half = app.exported("orders", f"updated_at:>='{times[60].isoformat()}'")

    assert (failed["status"], failed["errorCode"], failed["rootObjectCount"]) == ("FAILED", "TIMEOUT", "60")
    assert len([line for line in app.lines(failed["partialDataUrl"]) if "__parentId" not in line]) == 60
    assert (half["status"], half["rootObjectCount"]) == ("COMPLETED", "60")


def test_shopify_cancels_an_operation_on_its_own(subscribed):
    subscribed.faults(bulk={"cancel_at": 10})

    canceled = subscribed.exported("orders")

    assert (canceled["status"], canceled["objectCount"]) == ("CANCELED", "10")
    assert (canceled["url"], canceled["partialDataUrl"]) == (None, None)
    assert finishes(subscribed) == 1


def test_a_stalled_operation_runs_until_it_is_cancelled(subscribed):
    subscribed.faults(bulk={"stall_at": 7})
    gid = subscribed.run("orders")["bulkOperation"]["id"]
    stalled = subscribed.until(gid, lambda one: one["objectCount"] == "7")

    answered = subscribed.cancel(gid)

    assert (stalled["status"], stalled["completedAt"]) == ("RUNNING", None)
    assert answered == "CANCELING"
    assert subscribed.until(gid, lambda one: one["completedAt"])["status"] == "CANCELED"
    assert finishes(subscribed) == 1


def test_an_operation_is_stalled_still_when_the_process_has_started_anew(options):
    with process(options) as before:
        before.faults(bulk={"stall_at": 7})
        gid = before.run("orders")["bulkOperation"]["id"]
        before.until(gid, lambda one: one["objectCount"] == "7")

    with process(options) as after:
        stalled = after.until(gid, lambda one: one["objectCount"] == "7")
        after.cancel(gid)

        assert (stalled["status"], stalled["completedAt"]) == ("RUNNING", None)
        assert after.until(gid, lambda one: one["completedAt"])["status"] == "CANCELED"


def test_stalled_operations_take_their_places(app):
    app.faults(bulk={"stall_at": 0})
    started = [app.run("products") for _ in range(5)]

    (error,) = app.run("products")["userErrors"]

    assert error["code"] == "LIMIT_REACHED"
    app.cancel(started[0]["bulkOperation"]["id"])
    app.until(started[0]["bulkOperation"]["id"], lambda one: one["completedAt"])
    assert app.run("products")["userErrors"] == []


def test_an_operation_expires_early_and_its_file_with_it(app):
    good = app.exported("orders")
    app.faults(bulk={"expire_after": 1})
    gid = app.run("orders")["bulkOperation"]["id"]
    complete = app.until(gid, lambda one: one["completedAt"])

    expired = app.until(gid, lambda one: one["status"] == "EXPIRED")

    assert expired["url"] is None
    assert complete["url"] is None or app.download(complete["url"]).status_code == 403
    assert app.download(good["url"]).status_code == 200


def test_the_end_is_announced_unless_it_is_not_to_be(subscribed):
    subscribed.exported("orders")
    subscribed.faults(bulk={"no_finish": True})

    subscribed.exported("orders")

    assert finishes(subscribed) == 1


@pytest.mark.parametrize(
    ("code", "field"), [("OPERATION_IN_PROGRESS", None), ("LIMIT_REACHED", None), ("INVALID", ["query"])]
)
def test_an_operation_is_refused(app, code, field):
    app.faults(bulk={"refuse": code, "times": 1})

    refused = app.run("orders")

    assert refused["bulkOperation"] is None
    assert [(error["code"], error["field"]) for error in refused["userErrors"]] == [(code, field)]
    assert app.exported("orders")["status"] == "COMPLETED"


def test_lines_are_missing_without_a_word(app):
    whole = app.lines(app.exported("orders")["url"])
    app.faults(bulk={"lines_missing": 4})

    over = app.exported("orders")

    assert (over["status"], over["objectCount"]) == ("COMPLETED", str(len(whole)))
    assert app.lines(over["url"]) == [line for place, line in enumerate(whole) if place not in {0, 2, 4, 6}]


def test_lines_are_there_twice_without_a_word(app):
    whole = app.lines(app.exported("orders")["url"])
    app.faults(bulk={"lines_repeated": 2})

    over = app.exported("orders")

    assert (over["status"], over["objectCount"]) == ("COMPLETED", str(len(whole)))
    assert app.lines(over["url"]) == [whole[0], whole[0], whole[1], whole[1], *whole[2:]]


def test_a_line_is_garbage(app):
    app.faults(bulk={"garbage_at": 3})

    over = app.exported("orders")

    lines = app.download(over["url"]).content.splitlines()
    assert int(over["objectCount"]) == len(lines)
    with pytest.raises(json.JSONDecodeError):
        json.loads(lines[2])
    assert [json.loads(line)["id"] for line in lines[:2] + lines[3:]]


def test_only_the_resources_named_go_wrong(app):
    app.faults(bulk={"resources": ["orders", "checkouts"], "fail_at": 0})

    ended = {resource: app.exported(resource)["status"] for resource in RESOURCES}

    assert ended == {"customers": "COMPLETED", "products": "COMPLETED", "orders": "FAILED", "checkouts": "FAILED"}


def test_only_the_first_operations_of_those_go_wrong(app):
    app.faults(bulk={"resources": ["orders"], "fail_at": 0, "times": 2})

    app.exported("customers")
    ended = [app.exported("orders")["status"] for _ in range(3)]

    assert ended == ["FAILED", "FAILED", "COMPLETED"]


def test_an_operation_keeps_the_faults_it_was_started_under(app):
    app.faults(bulk={"seconds": 0.5, "fail_at": 3})
    gid = app.run("orders")["bulkOperation"]["id"]

    app.faults()

    assert app.until(gid, lambda one: one["completedAt"])["status"] == "FAILED"
    assert app.exported("orders")["status"] == "COMPLETED"


@pytest.mark.parametrize("resource", RESOURCES)
def test_a_window_of_time_exports_what_was_changed_in_it(app, resource):
    held = {
        "customers": app.store.customers.values(),
        "products": app.store.products.values(),
        "orders": app.store.orders.values(),
        "checkouts": app.store.checkouts.values(),
    }[resource]
    whole = {line["id"]: line for line in app.lines(app.exported(resource)["url"]) if "__parentId" not in line}
    times = sorted({record.updated_at for record in held})
    edges = [times[0] - timedelta(days=1), times[len(times) // 3], times[2 * len(times) // 3], None]

    found = []
    for since, until in pairwise(edges):
        ends = f" updated_at:<'{until.isoformat()}'" if until else ""
        over = app.exported(resource, f"updated_at:>='{since.isoformat()}'{ends}")
        roots = [line for line in app.lines(over["url"]) if "__parentId" not in line]
        assert all(
            since.isoformat()[:19] <= line["updatedAt"][:19]
            and (until is None or line["updatedAt"][:19] < until.isoformat()[:19])
            for line in roots
        )
        found += [line["id"] for line in roots]

    assert len(found) == len(set(found))
    assert set(found) == whole.keys()
