"""What an order booked, and when: sales, returns, taxes and shipping, entry by entry.

A line is a sale on the day of its order at the quantity first ordered; what an edit adds is a sale and what it removes
a return on the day of the edit; a refund is a return on the day it was processed, and lowers shipping and taxes by what
it paid back of those. Gift cards book nothing. An order cancelled without ever having been paid is reversed on the day
it was cancelled, as far as its refunds and edits have not done so.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from devstore.totals import ZERO, total

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from devstore.model import EditChange, LineItem, Order

NEVER_PAID = frozenset({"voided", "pending", "authorized"})


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One booking: what was sold (``gross``, ``discount``), taken back (``returned``), taxed and shipped (signed)."""

    at: datetime
    order: Order
    line: LineItem | None = None
    of_edit: bool = False
    gross: Decimal = ZERO
    discount: Decimal = ZERO
    returned: Decimal = ZERO
    tax: Decimal = ZERO
    shipping: Decimal = ZERO

    @property
    def net(self) -> Decimal:
        """Net sales."""
        return self.gross - self.discount - self.returned


@dataclass
class Sums:
    """Amounts added up."""

    gross: Decimal = ZERO
    discount: Decimal = ZERO
    returned: Decimal = ZERO
    tax: Decimal = ZERO
    shipping: Decimal = ZERO
    orders: int = 0

    def add(self, entry: Entry) -> None:
        """Add one booking."""
        self.gross += entry.gross
        self.discount += entry.discount
        self.returned += entry.returned
        self.tax += entry.tax
        self.shipping += entry.shipping

    @property
    def net(self) -> Decimal:
        """Net sales: gross − discounts − returns."""
        return self.gross - self.discount - self.returned

    @property
    def total(self) -> Decimal:
        """Total sales: net sales + taxes + shipping."""
        return self.net + self.tax + self.shipping


def entries(order: Order) -> Iterator[Entry]:
    """Yield everything an order booked, ever; lines of gift cards book nothing."""
    goods = {line.id: line for line in order.lines if not line.gift_card}
    added = [change for edit in order.edits for change in edit.changes if change.delta > 0]
    for line in goods.values():
        yield _sale(order, line, [change for change in added if change.line_item_id == line.id])
    for charge in order.shipping_lines:
        yield Entry(at=order.processed_at, order=order, shipping=charge.price - charge.discount, tax=charge.tax)
    yield from _edits(order, goods)
    yield from _refunds(order, goods)


def booked(order: Order) -> list[Entry]:
    """Return :func:`entries`, with the reversal of what is left of an order that was cancelled and never paid."""
    all_entries = list(entries(order))
    if order.cancelled_at is None or order.financial_status not in NEVER_PAID:
        return all_entries
    return all_entries + list(_reversals(order, order.cancelled_at, all_entries))


def _sale(order: Order, line: LineItem, added: list[EditChange]) -> Entry:
    """Book a line as first ordered: without the units that edits added later."""
    units = line.quantity - sum(change.delta for change in added)
    return Entry(
        at=order.processed_at,
        order=order,
        line=line,
        gross=line.price * units,
        discount=line.discount - total([change.discount for change in added]),
        tax=line.tax - total([change.tax for change in added]),
    )


def _edits(order: Order, goods: dict[int, LineItem]) -> Iterator[Entry]:
    for edit in order.edits:
        for change in edit.changes:
            line = goods.get(change.line_item_id)
            if line is None:
                continue
            base = Entry(at=edit.created_at, order=order, line=line, of_edit=True)
            yield _added(base, change) if change.delta > 0 else _removed(base, change)


def _added(base: Entry, change: EditChange) -> Entry:
    return Entry(
        at=base.at,
        order=base.order,
        line=base.line,
        of_edit=True,
        gross=change.gross,
        discount=change.discount,
        tax=change.tax,
    )


def _removed(base: Entry, change: EditChange) -> Entry:
    returned = change.gross - change.discount
    return Entry(at=base.at, order=base.order, line=base.line, of_edit=True, returned=returned, tax=-change.tax)


def _refunds(order: Order, goods: dict[int, LineItem]) -> Iterator[Entry]:
    for refund in order.refunds:
        at = refund.processed_at
        for taken in refund.lines:
            line = goods.get(taken.line_item_id)
            if line is not None:
                yield Entry(at=at, order=order, line=line, returned=taken.subtotal, tax=-taken.tax)
        yield Entry(at=at, order=order, shipping=-refund.shipping, tax=-refund.shipping_tax)


def _reversals(order: Order, at: datetime, all_entries: Iterable[Entry]) -> Iterator[Entry]:
    left: dict[int | None, Sums] = defaultdict(Sums)
    lines = {line.id: line for line in order.lines}
    for entry in all_entries:
        left[entry.line.id if entry.line else None].add(entry)
    for line_id, sums in left.items():
        line = lines[line_id] if line_id is not None else None
        yield Entry(at=at, order=order, line=line, returned=sums.net, tax=-sums.tax, shipping=-sums.shipping)
