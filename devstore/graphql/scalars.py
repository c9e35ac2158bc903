"""How values leave: Shopify's scalars, exactly as they look on its wire."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import TYPE_CHECKING

from babel.numbers import get_currency_precision

from devstore.graphql.context import Bag, Money, Tax

if TYPE_CHECKING:
    from collections.abc import Callable

    from devstore.graphql.context import Context
    from devstore.model import Checkout, Order
    from devstore.state import Store


def moment(value: datetime) -> str:
    """Write a time as ``2026-11-22T10:00:00Z``."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def decimal(value: Decimal) -> str:
    """Write a decimal the way GraphQL answers do: no trailing zeros but one (``10.0``, ``9.95``)."""
    whole, _, fraction = f"{value:f}".partition(".")
    return f"{whole}.{fraction.rstrip('0') or '0'}"


def money(value: Decimal) -> str:
    """Write the old ``Money`` scalar: two decimals."""
    return f"{value:.2f}"


SCALARS: dict[str, Callable[..., object]] = {
    "DateTime": moment,
    "Decimal": decimal,
    "Money": money,
    "UnsignedInt64": str,
    "URL": str,
    "HTML": str,
}


@lru_cache
def minor_unit(currency: str) -> Decimal:
    """Return the smallest amount of a currency: 0.01, for yen 1 (CLDR)."""
    return Decimal(1).scaleb(-get_currency_precision(currency))


def presentment(bag: Bag) -> Money:
    """Return what the customer saw, rounded to the presentment currency's minor unit."""
    amount = (bag.amount * bag.rate).quantize(minor_unit(bag.presentment_currency), ROUND_HALF_UP)
    return Money(amount, bag.presentment_currency)


def order_bag(order: Order, amount: Decimal) -> Bag:
    """Return an amount of an order in both its currencies."""
    return Bag(amount, order.currency, order.presentment_currency, order.presentment_rate)


def checkout_bag(store: Store, checkout: Checkout, amount: Decimal) -> Bag:
    """Return an amount of a checkout in both its currencies."""
    return Bag(amount, store.shop.currency, checkout.presentment_currency, checkout.presentment_rate)


def tax_line(amount: Bag, context: Context) -> Tax:
    """Return a tax at the shop's rate, under the name it goes by in the shop's country."""
    shop = context.store.shop
    return Tax(amount, shop.tax_rate, "Sales tax" if shop.country_code == "US" else "VAT")


def gid(kind: str, number: int | str) -> str:
    """Return a global id: ``gid://shopify/Order/1``."""
    return f"gid://shopify/{kind}/{number}"


def parse_gid(text: str) -> tuple[str, int] | None:
    """Return (kind, number) of a global id, or None when it is not one. A query part after ``?`` is ignored."""
    prefix, _, rest = text.partition("gid://shopify/")
    kind, _, number = rest.partition("?")[0].partition("/")
    if prefix or not kind or not number.isdecimal():
        return None
    return kind, int(number)
