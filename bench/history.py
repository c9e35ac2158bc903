"""A store's history as Shopify exports it: orders with three lines each, as many as are asked for, in a file.

Every number follows from the order's place, so that a file is the same whenever it is written, and its money adds up:
an order's totals are those of its lines, their discounts and taxes, and its shipping.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LINES = 3
LINES_AN_ORDER = 1 + LINES
FIRST_ORDER = 5_000_000_000_000
FIRST_AT = datetime(2024, 11, 22, tzinfo=UTC)
SPAN = timedelta(days=730)
PRODUCTS, CUSTOMERS_SHARE = 500, 3
SHIPPING, TAX_PERCENT, DISCOUNT_EVERY, DISCOUNT_PERCENT = 590, 8, 5, 10  # cents; every fifth order has a discount
SCATTER = 0x9E3779B97F4A7C15F39CC0605CEDC835  # 2**128 over the golden ratio
CHUNK = 2_000  # orders written at once

_SHOP = '{"shopMoney":{"amount":"%s"}}'
_ORDER = (
    '{"id":"gid://shopify/Order/%(id)d","name":"#%(name)d","createdAt":"%(at)s","processedAt":"%(at)s",'
    '"updatedAt":"%(updated)s","cancelledAt":null,"closedAt":"%(updated)s","cancelReason":null,"test":false,'
    '"edited":false,"taxesIncluded":false,"email":"customer%(customer)d@example.com","phone":null,'
    '"currencyCode":"USD","presentmentCurrencyCode":"USD","displayFinancialStatus":"PAID",'
    '"displayFulfillmentStatus":"FULFILLED","sourceName":"web","cartToken":"%(cart)032x","checkoutToken":"%(checkout)032x",'
    '"tags":["repeat"],"discountCodes":[%(codes)s],"customer":{"id":"gid://shopify/Customer/%(customer)d"},'
    '"shippingAddress":{"countryCodeV2":"US"},"billingAddress":{"countryCodeV2":"US"},'
    '"totalPriceSet":{"shopMoney":{"amount":"%(total)s"},"presentmentMoney":{"amount":"%(total)s"}},'
    f'"currentTotalPriceSet":{_SHOP % "%(total)s"},"subtotalPriceSet":{_SHOP % "%(subtotal)s"},'
    f'"totalDiscountsSet":{_SHOP % "%(discount)s"},"totalTaxSet":{_SHOP % "%(tax)s"},'
    f'"currentShippingPriceSet":{_SHOP % "%(shipping)s"},"totalRefundedShippingSet":{_SHOP % "0.0"},"refunds":[]}}\n'
)
_LINE = (
    '{"id":"gid://shopify/LineItem/%d","title":"Product %d","variantTitle":"Size %d","sku":"SKU-%d","vendor":"Maker",'
    '"quantity":%d,"currentQuantity":%d,"isGiftCard":false,"product":{"id":"gid://shopify/Product/%d"},'
    f'"variant":{{"id":"gid://shopify/ProductVariant/%d"}},"originalUnitPriceSet":{_SHOP},'
    f'"discountAllocations":[%s],"taxLines":[{{"priceSet":{_SHOP}}}],'
    '"__parentId":"gid://shopify/Order/%d"}\n'
)
_ALLOCATION = f'{{"allocatedAmountSet":{_SHOP}}}'


class Sums(NamedTuple):
    """What a file holds in all; amounts in cents."""

    orders: int = 0
    units: int = 0
    gross: int = 0
    discounts: int = 0
    shipping: int = 0
    taxes: int = 0


class _Line(NamedTuple):
    """A line of an order; amounts in cents, for the whole quantity but the price."""

    text: str
    units: int
    gross: int
    discount: int
    tax: int


def write(path: Path, lines: int) -> Sums:
    """Write a file of that many lines, a multiple of four; returns what it holds."""
    orders = lines // LINES_AN_ORDER
    sums = Sums()
    with path.open("w", encoding="ascii", newline="\n") as file:
        texts: list[str] = []
        for number in range(orders):
            text, sums = _order(number, orders, sums)
            texts.append(text)
            if len(texts) == CHUNK:
                file.write("".join(texts))
                texts.clear()
        file.write("".join(texts))
    return sums


def _order(number: int, of: int, sums: Sums) -> tuple[str, Sums]:
    """Return an order with its lines, and the sums with it added."""
    lines = list(_lines(number))
    gross, discount, tax = (sum(amounts) for amounts in zip(*(line[2:] for line in lines), strict=True))
    at = FIRST_AT + SPAN * number / of
    header = _ORDER % {
        "id": FIRST_ORDER + number,
        "name": 1001 + number,
        "cart": _scattered(2 * number),
        "checkout": _scattered(2 * number + 1),
        "at": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        "updated": f"{at + timedelta(minutes=5):%Y-%m-%dT%H:%M:%SZ}",
        "customer": 7_000_000_000_000 + number // CUSTOMERS_SHARE,
        "codes": '"WELCOME"' if discount else "",
        "total": _money(gross - discount + tax + SHIPPING),
        "subtotal": _money(gross - discount),
        "discount": _money(discount),
        "tax": _money(tax),
        "shipping": _money(SHIPPING),
    }
    units = sum(line.units for line in lines)
    told = Sums(1, units, gross, discount, SHIPPING, tax)
    return header + "".join(line.text for line in lines), Sums(*(a + b for a, b in zip(sums, told, strict=True)))


def _lines(number: int) -> Iterator[_Line]:
    order = FIRST_ORDER + number
    for place in range(LINES):
        product = 1 + (number * 7 + place * 131) % PRODUCTS
        units = 1 + (number + place) % 3
        price = 500 + product * 37 % 9_500
        gross = price * units
        discount = gross * DISCOUNT_PERCENT // 100 if number % DISCOUNT_EVERY == 0 else 0
        tax = (gross - discount) * TAX_PERCENT // 100
        text = _LINE % (
            order * 10 + place, product, product % 5, product, units, units, 800_000_000_000 + product,
            900_000_000_000 + product, _money(price), _ALLOCATION % _money(discount) if discount else "",
            _money(tax), order,
        )  # fmt: skip
        yield _Line(text, units, gross, discount, tax)


def _scattered(number: int) -> int:
    """Return a number of 128 bits that is another one for each, in no order, as tokens are."""
    return (number + 1) * SCATTER % 2**128


def _money(cents: int) -> str:
    """Return an amount as GraphQL writes it: 12.5 for 1250 cents."""
    whole, part = divmod(cents, 100)
    return f"{whole}.{part:02d}".removesuffix("0") if part % 10 == 0 else f"{whole}.{part:02d}"
