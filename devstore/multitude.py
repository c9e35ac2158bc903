"""Orders that exist only as a formula: as many as are wanted, none of them kept.

A few orders are drawn as patterns; order ``i`` is pattern ``i % PERIOD`` with ids, times and tokens of its own. Times
rise with ``i``, so that a window of time is a range of orders, and everything is as wide in every order, so that the
bytes of a file of them can be found by counting. They are paid, never refunded and never edited.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from typing import TYPE_CHECKING, Annotated, NamedTuple

import msgspec
from msgspec import Meta

from devstore import totals
from devstore.generate_orders import Market, Who, place
from devstore.model import LineItem, Order

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from devstore.model import Customer
    from devstore.pricing import Code, Pick
    from devstore.state import Store

KIND = "multitude"
PERIOD = 100  # patterns
SPAN = timedelta(days=700)  # from the first order to the last
FIRST_NUMBER = 10_000_001  # order names of one width, out of the way of the store's own
OWN_IDS = 3  # of each order, beside those of its lines: its own, its transaction's, its shipping line's
GUESTS = 0.1
UPDATED_AFTER = 60  # seconds after the order was placed


class Wanted(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """How many orders, of how many lines each; another ``seed`` draws other patterns."""

    orders: Annotated[int, Meta(ge=1, le=50_000_000)]
    lines: Annotated[int, Meta(ge=1, le=20)] = 3
    seed: int = 1


class Identity(NamedTuple):
    """What an order has of its own; times are aware."""

    id: int
    number: int
    transaction_id: int
    shipping_id: int
    placed_at: datetime
    updated_at: datetime
    line_ids: list[int]


class Series(msgspec.Struct, kw_only=True, frozen=True):
    """Where each order stands in ids and time; ``start`` and ``span`` are seconds."""

    orders: int
    lines: int
    first_id: int
    start: int
    span: int

    def placed(self, index: int) -> int:
        """Return when an order was placed, in seconds since 1970."""
        return self.start + index * self.span // self.orders

    def placed_at(self, index: int) -> datetime:
        """Return when an order was placed."""
        return datetime.fromtimestamp(self.placed(index), UTC)

    def updated_at(self, index: int) -> datetime:
        """Return when an order was last changed."""
        return datetime.fromtimestamp(self.placed(index) + UPDATED_AFTER, UTC)

    def first_line_id(self, index: int) -> int:
        """Return the id of an order's first line; the others follow."""
        return self.first_id + OWN_IDS * self.orders + index * self.lines

    def identity(self, index: int) -> Identity:
        """Return what an order has of its own."""
        line = self.first_line_id(index)
        return Identity(
            self.first_id + index,
            FIRST_NUMBER + index,
            self.first_id + self.orders + index,
            self.first_id + 2 * self.orders + index,
            self.placed_at(index),
            self.updated_at(index),
            list(range(line, line + self.lines)),
        )

    def index_at(self, moment: datetime, of: Callable[[int], datetime]) -> int:
        """Return how many orders have a time before ``moment``; ``of`` is one of the times above."""
        return bisect_left(range(self.orders), moment, key=of)


class Multitude(msgspec.Struct, kw_only=True, frozen=True):
    """A series and its patterns."""

    wanted: Wanted
    series: Series
    patterns: list[Order]

    def order(self, index: int) -> Order:
        """Return an order as a record."""
        return with_identity(self.patterns[index % PERIOD], self.series.identity(index))

    def find(self, order_id: int) -> Order | None:
        """Return the order with an id, or None."""
        index = order_id - self.series.first_id
        return self.order(index) if 0 <= index < self.series.orders else None

    def added_up(self, of: Callable[[Order], Decimal]) -> Decimal:
        """Return the sum over all orders of an amount that only their patterns decide."""
        whole, rest = divmod(self.series.orders, PERIOD)
        return totals.total([of(one) * (whole + (place < rest)) for place, one in enumerate(self.patterns)])


@dataclass(kw_only=True)
class Baskets(Market):
    """Draws baskets of exactly ``size`` lines."""

    size: int

    def lines(self, at: datetime, code: Code | None = None) -> list[LineItem]:
        """Draw a basket; variants repeat only where there are too few of them."""
        picks: dict[int, Pick] = {}
        for attempt in count():
            pick = self.pick(at)
            picks[pick.variant.id if attempt < self.size * 20 else -attempt] = pick
            if len(picks) == self.size:
                break
        return self.priced(list(picks.values()), code)


def make(store: Store, wanted: Wanted) -> Multitude:
    """Give a store its generated orders, in the place of those it had."""
    with store.changing():
        start = int((store.now() - SPAN).timestamp())
        first_id = store.reserve_ids(wanted.orders * (OWN_IDS + wanted.lines))
        span = int(SPAN.total_seconds()) - 2 * UPDATED_AFTER
        series = Series(orders=wanted.orders, lines=wanted.lines, first_id=first_id, start=start, span=span)
        made = Multitude(wanted=wanted, series=series, patterns=_patterns(store, wanted))
        store.save(KIND, KIND, made)
        store.multitude = made
    return made


def remove(store: Store) -> None:
    """Take a store's generated orders away, as if they had never been."""
    with store.lock:
        store.drop(KIND, KIND)
        store.multitude = None


def with_identity(pattern: Order, own: Identity) -> Order:
    """Return an order of a pattern."""
    return msgspec.structs.replace(
        pattern,
        id=own.id,
        number=own.number,
        created_at=own.placed_at,
        processed_at=own.placed_at,
        updated_at=own.updated_at,
        token=f"t{own.id}",
        cart_token=pattern.cart_token and f"b{own.id}",
        checkout_token=pattern.checkout_token and f"c{own.id}",
        lines=[
            msgspec.structs.replace(line, id=number) for line, number in zip(pattern.lines, own.line_ids, strict=True)
        ],
        shipping_lines=[msgspec.structs.replace(line, id=own.shipping_id) for line in pattern.shipping_lines],
        transactions=[
            msgspec.structs.replace(one, id=own.transaction_id, created_at=own.placed_at)
            for one in pattern.transactions
        ],
    )


def _patterns(store: Store, wanted: Wanted) -> list[Order]:
    now = store.now()
    market = Baskets(
        random=Random(f"multitude:{wanted.seed}"),
        shop=store.shop,
        zone=store.zone,
        products=list(store.products.values()),
        gone=[],
        gone_at=now,
        end=now,
        next_id=count(1).__next__,
        size=wanted.lines,
    )
    customers = list(store.customers.values())
    orders = [place(market, _who(market, customers), now, 1) for _ in range(PERIOD)]
    return [msgspec.structs.replace(order, test=False) for order in orders]


def _who(market: Market, customers: list[Customer]) -> Who:
    if not customers or market.chance(GUESTS):
        return Who(customer=None, email=None, phone=None, address=None)
    customer = market.random.choice(customers)
    return Who(customer=customer, email=customer.email, phone=customer.phone, address=customer.address)
