"""After a backfill the app's tables hold what the store holds: as many rows, and the same money to the cent."""

from __future__ import annotations

from decimal import Decimal

import pytest

from supervisor.demo import Demo
from tests.flows.story import AURORA, BIRCH, export, held, install, settled, wait_until

# What Shopify does not tell an app afterwards: carts, and checkouts that were completed at once.
NOT_TOLD = {"carts", "checkouts"}


@pytest.mark.parametrize("shop", [AURORA, BIRCH])
def test_rows_and_money_are_the_store_s(stack: Demo, shop: str) -> None:
    install(stack, shop)
    wait_until("the backfill", lambda: settled(stack, shop))

    truth, ours = export(stack, shop), held(stack, shop)

    assert ours["counts"] == {name: count for name, count in truth["counts"].items() if name not in NOT_TOLD}
    assert ours["totals"] == {name: Decimal(amount) for name, amount in truth["totals"].items()}
