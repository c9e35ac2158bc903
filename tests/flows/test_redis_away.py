"""Redis is away for a minute: every webhook is kept, and the numbers come out right all the same."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from supervisor.demo import Demo, demo_environment
from supervisor.ports import free_port
from supervisor.settings import DemoOptions
from tests.flows.story import AURORA, act, export, held, install, report, rows, settled, wait_until

pytestmark = [pytest.mark.long, pytest.mark.alone]

STORE = ("--customers", "400", "--products", "40", "--orders", "2500")
REDIS_AWAY = 60.0  # seconds


@pytest.fixture
def larger_stack(make_directory: Callable[[], Path]) -> Iterator[Demo]:
    """The whole demo, with a store that takes a while to load."""
    options = DemoOptions(
        data=make_directory(),
        app_port=free_port(),
        devstore_port=free_port(),
        devstore_arguments=STORE,
        durable=False,
        environ={"PATH": os.environ["PATH"]},
    )
    with demo_environment(options) as demo:
        yield demo


def totals(stack: Demo) -> dict[str, Decimal]:
    """The ledger's totals over all days."""
    (row,) = rows(
        stack,
        AURORA,
        """SELECT sum(gross) AS gross_sales, sum(discounts) AS discounts, sum(returns) AS returns,
                  sum(shipping) AS shipping, sum(taxes) AS taxes, sum(orders) AS orders FROM day_totals""",
    )
    return {name: Decimal(value) for name, value in row.items()}


def assert_everything_is_right(stack: Demo) -> None:
    """Rows, money and totals equal devstore's own."""
    truth, ours = export(stack, AURORA), held(stack, AURORA)
    counted = {name: count for name, count in truth["counts"].items() if name not in {"carts", "checkouts"}}
    assert ours["counts"] == counted
    assert ours["totals"] == {name: Decimal(amount) for name, amount in truth["totals"].items()}
    theirs = report(stack, AURORA, "2020-01-01", "2030-01-01")
    assert totals(stack) == {name: Decimal(str(theirs[name])) for name in totals(stack)}


def test_redis_away_for_a_minute_loses_no_webhook(larger_stack: Demo) -> None:
    install(larger_stack, AURORA)
    wait_until("the backfill", lambda: settled(larger_stack, AURORA), patience=240)

    larger_stack.stop_redis()
    away_until = time.monotonic() + REDIS_AWAY
    placed = []
    while time.monotonic() < away_until:
        placed.append(act(larger_stack, AURORA, "place_order")["id"])
        time.sleep(1)
    larger_stack.start_redis()

    wait_until("every order", lambda: settled(larger_stack, AURORA), patience=120)
    kept = {row["shopify_id"] for row in rows(larger_stack, AURORA, "SELECT shopify_id FROM orders")}
    assert len(placed) > 10
    assert set(placed) <= kept
    assert_everything_is_right(larger_stack)
