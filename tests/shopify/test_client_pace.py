"""The rate limit before it is hit: waits that Shopify's last answer calls for, calls at once, and what was spent."""

import threading
import time

import pytest

from shopify_app.shopify import errors, traffic
from shopify_app.shopify.client import AdminClient
from shopify_app.shopify.traffic import Pace, Traffic
from tests.shopify.scripted import Reply

DEAR = "query Dear { orders { id } }"
CHEAP = "query Cheap { shop { name } }"
SHOP = {"shop": {"name": "Some Shop"}}


def costing(requested, *, available, rate=100.0, actual=7, maximum=2000.0):
    status = {"maximumAvailable": maximum, "currentlyAvailable": available, "restoreRate": rate}
    cost = {"requestedQueryCost": requested, "actualQueryCost": actual, "throttleStatus": status}
    return Reply({"data": SHOP, "extensions": {"cost": cost}})


def test_first_call_waits_for_nothing(server, admin, waits):
    server.replies = [costing(500, available=0)]

    admin.execute(DEAR)

    assert waits == []


def test_call_waits_until_the_bucket_holds_what_it_cost_the_last_time(server, admin, waits):
    server.otherwise = lambda _asked: costing(500, available=300)

    admin.execute(DEAR)
    admin.execute(DEAR)

    assert waits == [2.0]
    assert len(server.asked) == 2


def test_bucket_that_is_full_enough_holds_nobody_up(server, admin, waits):
    server.otherwise = lambda _asked: costing(500, available=500)

    admin.execute(DEAR)
    admin.execute(DEAR)

    assert waits == []


def test_document_whose_cost_is_not_known_is_sent(server, admin, waits):
    server.otherwise = lambda _asked: costing(500, available=0)

    admin.execute(DEAR)
    admin.execute(CHEAP)

    assert waits == []


def test_time_that_passed_has_refilled_the_bucket(server, admin, waits):
    server.otherwise = lambda _asked: costing(500, available=300)
    admin.execute(DEAR)
    waits.append(1.5)

    admin.execute(DEAR)

    assert waits == [1.5, 0.5]


def test_wait_that_is_too_long_is_left_to_the_job_and_nothing_is_sent(server, admin, waits):
    server.otherwise = lambda _asked: costing(1000, available=0, rate=10)
    admin.execute(DEAR)

    with pytest.raises(errors.Throttled) as caught:
        admin.execute(DEAR)

    assert caught.value.retry_after == 100
    assert (len(server.asked), waits) == (1, [])


def test_query_that_no_bucket_holds_is_shopifys_to_refuse(server, admin, waits):
    server.otherwise = lambda _asked: costing(3000, available=0)

    admin.execute(DEAR)
    admin.execute(DEAR)

    assert (len(server.asked), waits) == (2, [])


@pytest.mark.parametrize(
    "extensions",
    [
        None,
        {},
        {"cost": None},
        {"cost": {"requestedQueryCost": 3}},
        {"cost": {"requestedQueryCost": 3, "throttleStatus": {"maximumAvailable": 1, "currentlyAvailable": 0}}},
        {"cost": {"requestedQueryCost": "x", "throttleStatus": {}}},
        {
            "cost": {
                "requestedQueryCost": 3,
                "throttleStatus": {"maximumAvailable": 1, "currentlyAvailable": 0, "restoreRate": 0},
            }
        },
    ],
)
def test_cost_that_is_no_cost_is_not_reckoned_with(server, admin, waits, extensions):
    server.otherwise = lambda _asked: Reply({"data": SHOP, "extensions": extensions})

    admin.execute(DEAR)
    admin.execute(DEAR)

    assert waits == []
    assert admin.spent.cost == 0


def test_stores_do_not_wait_for_one_another(server, admin, waits):
    server.otherwise = lambda _asked: costing(500, available=0)
    other = AdminClient(server.url + "/other", "2026-10", "shpat_9", admin.http, waits.append, admin.traffic)

    admin.execute(DEAR)
    other.execute(DEAR)

    assert waits == []


def test_clients_of_one_store_share_what_is_known_of_it(server, admin, waits):
    server.otherwise = lambda _asked: costing(500, available=300)
    other = AdminClient(server.url, "2026-10", "shpat_0123", admin.http, waits.append, admin.traffic)

    admin.execute(DEAR)
    other.execute(DEAR)

    assert waits == [2.0]


def test_those_who_wait_already_are_counted(server, admin):
    """A second caller waits for its own points after those that the first one is waiting for."""
    server.replies = [costing(500, available=0)]
    admin.execute(DEAR)
    pace, asked = admin.traffic.pace(admin.origin), []

    def pause(seconds):
        asked.append(seconds)
        if len(asked) == 1:
            with pace.turn(DEAR, pause):
                pass

    with pace.turn(DEAR, pause):
        pass

    assert asked == [5.0, 10.0]


def test_caller_that_will_not_wait_gives_its_place_in_line_back(server, admin):
    server.replies = [costing(500, available=0)]
    admin.execute(DEAR)
    pace, asked = admin.traffic.pace(admin.origin), []

    def refuse(seconds):
        asked.append(seconds)
        raise errors.Throttled("not now", retry_after=seconds)

    for _ in range(2):
        with pytest.raises(errors.Throttled, match="not now"), pace.turn(DEAR, refuse):
            pytest.fail("it was let through")

    assert asked == [5.0, 5.0]


def test_a_process_asks_a_store_only_so_many_things_at_once(server, http):
    under_way, most, lock = [0], [0], threading.Lock()
    every = threading.Barrier(traffic.AT_ONCE, timeout=10)

    def answer(_asked):
        with lock:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
        every.wait()  # as many as may are under way, before any of them is answered
        with lock:
            under_way[0] -= 1
        return Reply({"data": SHOP})

    server.otherwise = answer
    http.timeout = 20
    client = AdminClient(server.url, "2026-10", "shpat_0123", http)
    threads = [threading.Thread(target=client.execute, args=(CHEAP,)) for _ in range(3 * traffic.AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert most[0] == traffic.AT_ONCE
    assert len(server.asked) == 3 * traffic.AT_ONCE


def test_place_that_never_gets_free_is_not_waited_for_for_ever(monkeypatch):
    monkeypatch.setattr(traffic, "LONGEST_WAIT", 0.05)
    pace = Pace()
    turns = [pace.turn(CHEAP, time.sleep) for _ in range(traffic.AT_ONCE)]
    for turn in turns:
        turn.__enter__()

    with pytest.raises(errors.Throttled, match="Too many calls") as caught, pace.turn(CHEAP, time.sleep):
        pytest.fail("it was let through")
    turns[0].__exit__(None, None, None)

    assert caught.value.retryable
    with pace.turn(CHEAP, time.sleep) as waited:
        assert waited < 0.05


def test_stores_longest_not_asked_are_forgotten(monkeypatch):
    monkeypatch.setattr(traffic, "MOST_STORES", 2)
    known = Traffic()
    first, second = known.pace("first"), known.pace("second")
    known.pace("first")

    known.pace("third")

    assert known.pace("first") is first
    assert known.pace("second") is not second


def test_client_adds_up_calls_points_and_waits(server, admin, waits):
    server.replies = [costing(500, available=300, actual=40), Reply("slow down", 429, {"Retry-After": "3"})]
    server.otherwise = lambda _asked: costing(500, available=500, actual=2)

    admin.execute(DEAR)
    admin.execute(DEAR)

    assert waits == [2.0, 3.0]
    assert (admin.spent.calls, admin.spent.cost, admin.spent.waited) == (3, 42, 5.0)


def test_every_call_is_logged_with_its_cost(server, admin, logged):
    server.replies = [costing(500, available=300, actual=40)]

    admin.execute(DEAR)

    assert logged == [
        {
            "event": "shopify.called",
            "log_level": "debug",
            "origin": server.url,
            "operation": "Dear",
            "requested": 500,
            "actual": 40,
            "available": 300,
            "waited": 0,
        }
    ]
