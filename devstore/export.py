"""A store written out: how much there is of everything, what it comes to, and all of it line by line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from devstore import totals
from devstore.graphql.checkouts import is_listed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstore.state import Store


def counts(store: Store) -> dict[str, int]:
    """Return how many rows there are of every kind."""
    orders = store.orders.values()
    refunds = [refund for order in orders for refund in order.refunds]
    return {
        "customers": len(store.customers),
        "products": len(store.products),
        "variants": sum(len(product.variants) for product in store.products.values()),
        "orders": len(store.orders),
        "line_items": sum(len(order.lines) for order in orders),
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
    orders = store.orders.values()
    sums = {
        "orders_total_price": [totals.ordered(order).total for order in orders],
        "line_items_gross": [line.price * line.quantity for order in orders for line in order.lines],
        "refunds_total": [totals.refunded(order) for order in orders],
    }
    return {name: str(totals.total(amounts).quantize(totals.CENT)) for name, amounts in sums.items()}


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
    """Yield every record as a line of JSON, ``{"kind": …, "record": {…}}``; amounts and times are strings."""
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
