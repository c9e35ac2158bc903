"""A store written out: how much there is of everything, what it comes to, and all of it line by line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from devstore import totals
from devstore.graphql.checkouts import is_listed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from decimal import Decimal

    from devstore.model import Order
    from devstore.state import Store


def counts(store: Store) -> dict[str, int]:
    """Return how many rows there are of every kind, generated orders included."""
    orders, series = store.orders.values(), store.multitude and store.multitude.series
    refunds = [refund for order in orders for refund in order.refunds]
    return {
        "customers": len(store.customers),
        "products": len(store.products),
        "variants": sum(len(product.variants) for product in store.products.values()),
        "orders": len(store.orders) + (series.orders if series else 0),
        "line_items": sum(len(order.lines) for order in orders) + (series.orders * series.lines if series else 0),
        "refunds": len(refunds),
        "refund_lines": sum(len(refund.lines) for refund in refunds),
        "checkouts": len(store.checkouts),
        "abandoned_checkouts": sum(is_listed(checkout) for checkout in store.checkouts.values()),
        "carts": len(store.carts),
    }


def money(store: Store) -> dict[str, str]:
    """Return money totals over all orders, test orders included, in the shop's currency, to the cent.

    ``orders_total_price`` is what was ordered (before removals and refunds), ``line_items_gross`` price × quantity
    over all lines, ``refunds_total`` what was paid back.
    """
    amounts: dict[str, Callable[[Order], Decimal]] = {
        "orders_total_price": lambda order: totals.ordered(order).total,
        "line_items_gross": lambda order: totals.total([line.price * line.quantity for line in order.lines]),
        "refunds_total": totals.refunded,
    }
    return {name: str(_added_up(store, amount).quantize(totals.CENT)) for name, amount in amounts.items()}


def _added_up(store: Store, amount: Callable[[Order], Decimal]) -> Decimal:
    """Return the sum of an amount over all orders, generated ones included."""
    own = totals.total([amount(order) for order in store.orders.values()])
    return own + store.multitude.added_up(amount) if store.multitude else own


def summary(store: Store) -> dict[str, Any]:
    """Return counts and money totals with the currency they are in."""
    with store.lock:
        return {
            "shop": store.domain,
            "currency": store.shop.currency,
            "counts": counts(store),
            "totals": money(store),
        }


def lines(store: Store) -> Iterator[bytes]:
    """Yield every record as a line of JSON, ``{"kind": …, "record": {…}}``; amounts and times are strings.

    Generated orders come last.
    """
    encoder = msgspec.json.Encoder()
    with store.lock:
        kinds: dict[str, list[Any]] = {
            "shop": [store.shop],
            "customer": list(store.customers.values()),
            "product": list(store.products.values()),
            "order": list(store.orders.values()),
            "cart": list(store.carts.values()),
            "checkout": list(store.checkouts.values()),
        }
    for kind, records in kinds.items():
        for record in records:
            yield encoder.encode({"kind": kind, "record": record}) + b"\n"
    multitude = store.multitude
    for index in range(multitude.series.orders if multitude else 0):
        yield encoder.encode({"kind": "order", "record": multitude and multitude.order(index)}) + b"\n"
