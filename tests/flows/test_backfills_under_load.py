"""A large history, real processes: a worker killed again and again loses nothing, and nobody waits behind a giant."""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from random import Random

import httpx
import msgspec
import pytest

from supervisor.demo import Demo, demo_environment
from supervisor.ports import free_port
from supervisor.settings import DemoOptions
from tests.conftest import SMALL_STORE
from tests.flows.story import AURORA, BIRCH, act, devstore_url, export, held, install, rows, settled, states, wait_until

pytestmark = [pytest.mark.long, pytest.mark.alone]

SEED = int(os.environ.get("FAULTS_SEED") or secrets.randbelow(10**6))
KILLS = 20
ORDERS, LINES = 75_000, 3  # 300,000 lines of a file, and a batch at least between two kills
GIANT = 500_000  # orders: 2,000,000 lines
AT_MOST = 10.0  # seconds from a kill until somebody has come further
PATIENCE = 420.0
AWAY = (0.0, 0.4)  # seconds from a step forward to the next kill
SMALL_ENDS = 20.0  # seconds for a few hundred lines beside two millions
COUNTED = ("customers", "products", "variants", "orders", "line_items", "refunds", "refund_lines")


@pytest.fixture
def quick_stack(make_directory: Callable[[], Path]) -> Iterator[Demo]:
    """The whole demo, of which nothing but its processes dies."""
    options = DemoOptions(
        data=make_directory(),
        app_port=free_port(),
        devstore_port=free_port(),
        devstore_arguments=SMALL_STORE,
        durable=False,
        environ={"PATH": os.environ["PATH"]},
    )
    with demo_environment(options) as demo:
        yield demo


def test_a_worker_killed_at_twenty_points_is_followed_within_seconds_and_nothing_is_lost(quick_stack: Demo) -> None:
    print(f"\nseed {SEED}, {KILLS} kills in {ORDERS * (LINES + 1)} lines")  # noqa: T201 - to play it again
    grow(quick_stack, AURORA, ORDERS)

    with bustle(quick_stack) as acted:
        install(quick_stack, AURORA)
        recoveries = kill_at_random(quick_stack, Random(SEED))
    wait_until("the history to be complete", lambda: settled(quick_stack, AURORA), patience=PATIENCE)

    tell(recoveries, acted)
    assert len(recoveries) == KILLS
    assert max(recoveries) < AT_MOST
    assert acted["place_order"] > 0
    assert_same_state(quick_stack)


def test_a_small_store_is_not_kept_waiting_by_a_giant(quick_stack: Demo) -> None:
    grow(quick_stack, AURORA, GIANT)
    install(quick_stack, AURORA)
    wait_until("the giant to be loaded", lambda: way(quick_stack)[0] > 0, patience=PATIENCE)

    install(quick_stack, BIRCH)
    wait_until("the small store's history", lambda: set(small(quick_stack).values()) == {"done"}, patience=PATIENCE)

    query = "SELECT extract(epoch FROM max(finished_at) - min(created_at))::float8 AS took FROM backfills"
    took = rows(quick_stack, BIRCH, query)[0]["took"]
    print(f"\n{took:.1f} s beside {way(quick_stack)} lines of the giant")  # noqa: T201 - what was seen
    assert states(quick_stack, AURORA)["orders"] == "loading"
    assert took < SMALL_ENDS


def grow(stack: Demo, shop: str, orders: int) -> None:
    """Give a store a long past."""
    url = f"{devstore_url(stack)}/_dev/stores/{shop}/multitude"
    headers = {"Origin": devstore_url(stack)}
    answer = httpx.post(url, json={"orders": orders, "lines": LINES, "seed": 1}, headers=headers, timeout=120)
    assert answer.status_code == 200, answer.text


@contextmanager
def bustle(stack: Demo) -> Iterator[Counter[str]]:
    """Have things happen in the store, whose webhooks flow meanwhile."""
    over, acted = threading.Event(), Counter[str]()

    def live() -> None:
        chance = Random(SEED)
        while not over.wait(0.3):
            placed = act(stack, AURORA, "place_order", customer_id="new")
            acted["place_order"] += 1
            if chance.random() < 0.3:
                act(stack, AURORA, "refund_order", order_id=placed["id"])
                acted["refund_order"] += 1

    thread = threading.Thread(target=live)
    thread.start()
    try:
        yield acted
    finally:
        over.set()
        thread.join()


def kill_at_random(stack: Demo, chance: Random) -> list[float]:
    """Kill the worker each time it has come further, some moments later; return how long it took to come further."""
    recoveries: list[float] = []
    known = way(stack)
    killed_at = 0.0
    while True:
        known = further(stack, known)
        if killed_at:
            recoveries.append(time.monotonic() - killed_at)
        if len(recoveries) == KILLS or known[1] == "done":
            return recoveries
        time.sleep(chance.uniform(*AWAY))
        stack.kill("worker")
        killed_at, known = time.monotonic(), way(stack)
        stack.processes["worker"].start()


def further(stack: Demo, known: tuple[int, str]) -> tuple[int, str]:
    """Wait until the orders have come further than this while they are loaded, and return how far."""

    def moved() -> tuple[int, str] | None:
        found = way(stack)
        return found if found != known and found[1] in {"loading", "verifying", "done"} and found[0] else None

    found: tuple[int, str] = wait_until("a step forward", moved, patience=PATIENCE)
    return found


def way(stack: Demo) -> tuple[int, str]:
    """Return how many lines of the orders have been read, and the backfill's state."""
    query = "SELECT objects_read, state, error FROM backfills WHERE resource = 'orders' ORDER BY id DESC LIMIT 1"
    found = rows(stack, AURORA, query) or [{"objects_read": 0, "state": "planned", "error": None}]
    assert found[0]["state"] != "failed", found[0]["error"]
    return found[0]["objects_read"], found[0]["state"]


def small(stack: Demo) -> dict[str, str]:
    """Return the states of the small store's backfills once there are all."""
    found = states(stack, BIRCH)
    return found if len(found) == 5 else {"": "planned"}


def assert_same_state(stack: Demo) -> None:
    """Fail unless counts, sums of money and every line of every order are those of the store."""
    theirs, ours = export(stack, AURORA), held(stack, AURORA)
    assert {name: ours["counts"][name] for name in COUNTED} == {name: theirs["counts"][name] for name in COUNTED}
    assert ours["totals"] == {name: Decimal(value) for name, value in theirs["totals"].items()}
    assert lines_held(stack) == lines_there(stack)
    proofs = rows(stack, AURORA, "SELECT resource, count_shopify, count_held, note, error FROM backfills")
    assert all(proof["count_shopify"] == proof["count_held"] and proof["error"] is None for proof in proofs), proofs


def lines_held(stack: Demo) -> dict[int, list[tuple[int, int, Decimal]]]:
    """Return each order's lines that are held: number, quantity, price."""
    found: dict[int, list[tuple[int, int, Decimal]]] = {}
    for row in rows(stack, AURORA, "SELECT * FROM order_lines ORDER BY order_shopify_id, shopify_id"):
        line = (row["shopify_id"], row["quantity"], row["price"])
        found.setdefault(row["order_shopify_id"], []).append(line)
    return found


def lines_there(stack: Demo) -> dict[int, list[tuple[int, int, Decimal]]]:
    """Return each order's lines in the store, likewise."""
    found = {}
    url = f"{devstore_url(stack)}/_dev/stores/{AURORA}/export.json?full=1"
    with httpx.stream("GET", url, timeout=300) as answer:
        for told in answer.iter_lines():
            written = msgspec.json.decode(told)
            if written["kind"] == "order":
                order = written["record"]
                lines = [(line["id"], line["quantity"], Decimal(line["price"])) for line in order["lines"]]
                found[order["id"]] = sorted(lines)
    return found


def tell(recoveries: list[float], acted: Counter[str]) -> None:
    """Print what was seen."""
    told = " ".join(f"{seconds:.1f}" for seconds in recoveries)
    print(f"seconds until it went on: {told}; meanwhile {dict(acted)}")  # noqa: T201 - what was seen
