"""What a store's figures are, worked out in plain Python from its records: the yardstick for an app's own figures.

Definitions are Shopify's (https://help.shopify.com/manual/reports-and-analytics): a line is a sale on the day of its
order at the quantity first ordered; what an edit adds is a sale and what it removes a return on the day of the edit; a
refund is a return on the day it was processed, and lowers shipping and taxes by what it paid back of those. Test
orders, deleted orders and gift cards are out. An order cancelled without ever having been paid is reversed on the day
it was cancelled, as far as its refunds and edits have not done so. Days are the shop's.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from devstore.reports_ledger import Sums, booked
from devstore.totals import ZERO, total

if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstore.model import Order, Product
    from devstore.state import Store

TOP = 5
RATE_PLACES = Decimal("0.000001")


def overview(store: Store, start_on: date, end_on: date) -> dict[str, Any]:
    """Return the overview of the days from ``start_on`` to ``end_on``, both included, as JSON-ready values.

    Amounts are strings to the cent in the shop's currency; ``aov`` and ``returning_customer_rate`` are strings with
    six places, "0.000000" where nobody ordered. Raises ValueError when the range is empty.
    """
    if end_on < start_on:
        message = f"the range ends on {end_on}, before it starts on {start_on}"
        raise ValueError(message)
    with store.lock:
        return _Period(store, start_on, end_on).overview()


class _Period:
    """One range of days of one store, added up once."""

    def __init__(self, store: Store, start_on: date, end_on: date) -> None:
        self._store = store
        self._days = [start_on + timedelta(days=count) for count in range((end_on - start_on).days + 1)]
        self._orders = [order for order in store.orders.values() if not order.test]
        self._placed = [order for order in self._orders if self._holds(order.processed_at)]
        self._entries = [entry for order in self._orders for entry in booked(order) if self._holds(entry.at)]

    def overview(self) -> dict[str, Any]:
        sums = Sums(orders=len(self._placed))
        for entry in self._entries:
            sums.add(entry)
        return {
            "start_on": self._days[0].isoformat(),
            "end_on": self._days[-1].isoformat(),
            "timezone": self._store.shop.timezone,
            "currency": self._store.shop.currency,
            "total_sales": _text(sums.total),
            "gross_sales": _text(sums.gross),
            "discounts": _text(sums.discount),
            "returns": _text(sums.returned),
            "net_sales": _text(sums.net),
            "shipping": _text(sums.shipping),
            "taxes": _text(sums.tax),
            "orders": sums.orders,
            "aov": str(self._aov()),
            "returning_customer_rate": str(self._returning_rate()),
            "sales_by_day": self._by_day(),
            "top_customers": self._top_customers(),
            "top_products": self._top_products(),
        }

    def _holds(self, moment: datetime) -> bool:
        return self._days[0] <= self._day(moment) <= self._days[-1]

    def _day(self, moment: datetime) -> date:
        return moment.astimezone(self._store.zone).date()

    def _aov(self) -> Decimal:
        """Divide (gross sales − discounts) by orders, ignoring edits made after the order."""
        value = total([entry.gross - entry.discount for entry in self._entries if not entry.of_edit])
        return _ratio(value, len(self._placed))

    def _returning_rate(self) -> Decimal:
        """Divide those who ordered in the range and, ever, more than once by all who ordered in the range."""
        ever: dict[int, int] = defaultdict(int)
        for order in self._orders:
            if order.customer_id is not None:
                ever[order.customer_id] += 1
        here = {order.customer_id for order in self._placed if order.customer_id is not None}
        return _ratio(Decimal(sum(ever[customer] > 1 for customer in here)), len(here))

    def _by_day(self) -> list[dict[str, Any]]:
        days = {day: Sums() for day in self._days}
        for entry in self._entries:
            days[self._day(entry.at)].add(entry)
        for order in self._placed:
            days[self._day(order.processed_at)].orders += 1
        return [
            {
                "day": day.isoformat(),
                "total_sales": _text(sums.total),
                "net_sales": _text(sums.net),
                "orders": sums.orders,
            }
            for day, sums in days.items()
        ]

    def _top_customers(self) -> list[dict[str, Any]]:
        orders = self._counted("customer")
        return [
            {"id": id_, "name": self._customer_name(id_), "orders": orders[id_], "net_sales": _text(net)}
            for id_, net in _top(self._net("customer"))
        ]

    def _top_products(self) -> list[dict[str, Any]]:
        units = self._counted("product")
        return [
            {"product_id": id_, "title": self._product_title(id_), "units": units[id_], "net_sales": _text(net)}
            for id_, net in _top(self._net("product"))
        ]

    def _net(self, by: Literal["customer", "product"]) -> dict[int, Decimal]:
        """Return net sales booked in the range by customer or product; bookings without one are left out."""
        net: dict[int, Decimal] = defaultdict(lambda: ZERO)
        for entry in self._entries:
            product_id = entry.line.product_id if entry.line else None
            key = entry.order.customer_id if by == "customer" else product_id
            if key is not None:
                net[key] += entry.net
        return net

    def _counted(self, by: Literal["customer", "product"]) -> dict[int, int]:
        """Return orders placed in the range by customer, or units first ordered in the range by product."""
        counts: dict[int, int] = defaultdict(int)
        for order in self._placed:
            if by == "customer" and order.customer_id is not None:
                counts[order.customer_id] += 1
            elif by == "product":
                for product_id, units in _units(order):
                    counts[product_id] += units
        return counts

    def _customer_name(self, customer_id: int) -> str:
        customer = self._store.customers.get(customer_id)
        names = (customer.first_name, customer.last_name) if customer else ()
        return " ".join(name for name in names if name)

    def _product_title(self, product_id: int) -> str:
        product: Product | None = self._store.products.get(product_id)
        return product.title if product else ""


def _units(order: Order) -> Iterator[tuple[int, int]]:
    added: dict[int, int] = defaultdict(int)
    for edit in order.edits:
        for change in edit.changes:
            added[change.line_item_id] += max(change.delta, 0)
    for line in order.lines:
        if line.product_id is not None and not line.gift_card:
            yield line.product_id, line.quantity - added[line.id]


def _top(net: dict[int, Decimal]) -> list[tuple[int, Decimal]]:
    """Return the largest by net sales; equal ones by ascending id."""
    return sorted(net.items(), key=lambda item: (-item[1], item[0]))[:TOP]


def _ratio(value: Decimal, count: int) -> Decimal:
    return (value / count if count else Decimal(0)).quantize(RATE_PLACES)


def _text(amount: Decimal) -> str:
    return str(amount.quantize(ZERO))
