"""What became of generated orders: shipped, refunded, cancelled, edited, left unpaid."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from devstore import lifecycle
from devstore.model import Order

if TYPE_CHECKING:
    from devstore.generate_orders import Market


def befall(market: Market, order: Order) -> None:
    """Draw a fate and let it happen, if its day has come by the end of the history; then ship what is to be shipped."""
    fate, soonest, latest = market.random.choices(FATES, WEIGHTS)[0]
    hours = market.random.randint(soonest, latest)
    at = order.processed_at + timedelta(hours=hours, minutes=market.random.randrange(60))
    if at <= market.end:
        fate(market, order, at)
    if order.cancelled_at is None and order.financial_status not in lifecycle.UNPAID:
        _ship(market, order)


def _ship(market: Market, order: Order) -> None:
    """Ship within days (at the counter: at once), though now and then only a part; updated_at follows."""
    days = 0 if order.source_name == "pos" else market.random.randint(1, 4)
    at = order.processed_at + timedelta(days=days)
    if at > market.end:
        return
    if market.chance(0.01):
        order.fulfillment_status = "partial"
        order.updated_at = max(order.updated_at, at)
    else:
        lifecycle.fulfill(order, at)


def _nothing(_market: Market, _order: Order, _at: datetime) -> None:
    """Most orders are paid, shipped and never heard of again."""


def _return_some(market: Market, order: Order, at: datetime) -> None:
    line = market.random.choice(order.lines)
    units = market.random.randint(1, line.current_quantity)
    shipping = market.chance(0.2)
    lifecycle.refund(order, {line.id: units}, shipping=shipping, at=at, next_id=market.next_id)


def _return_all(market: Market, order: Order, at: datetime) -> None:
    _return_lines(market, order, at, shipping=True)


def _return_goods(market: Market, order: Order, at: datetime) -> None:
    _return_lines(market, order, at, shipping=False)


def _return_lines(market: Market, order: Order, at: datetime, *, shipping: bool) -> None:
    units = {line.id: line.current_quantity for line in order.lines}
    lifecycle.refund(order, units, shipping=shipping, at=at, next_id=market.next_id)


def _return_twice(market: Market, order: Order, at: datetime) -> None:
    _return_some(market, order, at)
    later = at + timedelta(days=3)
    if later <= market.end:
        _return_all(market, order, later)


def _refund_shipping(market: Market, order: Order, at: datetime) -> None:
    if any(line.price > line.discount for line in order.shipping_lines):
        lifecycle.refund(order, {}, shipping=True, at=at, next_id=market.next_id)


def _cancel_refunded(market: Market, order: Order, at: datetime) -> None:
    lifecycle.cancel(order, reverse=True, at=at, next_id=market.next_id, reason="inventory")


def _cancel_kept(market: Market, order: Order, at: datetime) -> None:
    lifecycle.cancel(order, reverse=False, at=at, next_id=market.next_id)


def _void(market: Market, order: Order, at: datetime) -> None:
    _owe(market, order, at)
    lifecycle.cancel(order, reverse=True, at=at, next_id=market.next_id, reason="declined")


def _void_bare(market: Market, order: Order, at: datetime) -> None:
    _owe(market, order, at)
    lifecycle.cancel(order, reverse=False, at=at, next_id=market.next_id, reason="fraud")


def _owe(_market: Market, order: Order, _at: datetime) -> None:
    order.financial_status = "pending"
    order.transactions.clear()


def _authorize(_market: Market, order: Order, _at: datetime) -> None:
    order.financial_status = "authorized"
    for transaction in order.transactions:
        transaction.kind = "authorization"


def _edit(market: Market, order: Order, at: datetime) -> None:
    """Add a basket's lines, or remove some units, or both; what was added is paid at once in two of three cases."""
    add = market.chance(0.6)
    added = market.lines(at) if add else []
    line = market.random.choice(order.lines)
    removed = {} if add and market.chance(0.5) else {line.id: market.random.randint(1, line.quantity)}
    lifecycle.edit(order, added, removed, at, market.next_id)
    if add and market.chance(0.67):
        lifecycle.pay(order, at + timedelta(minutes=5), market.next_id)


def _edit_and_return(market: Market, order: Order, at: datetime) -> None:
    lifecycle.edit(order, market.lines(at), {}, at, market.next_id)
    lifecycle.pay(order, at, market.next_id)
    later = at + timedelta(days=6)
    if later <= market.end:
        _return_all(market, order, later)


# fate, soonest and latest hours after the order, weight in thousandths
_TABLE = (
    (_nothing, 0, 0, 847),
    (_return_some, 24, 720, 52),
    (_return_all, 24, 720, 20),
    (_return_goods, 24, 720, 10),
    (_return_twice, 24, 240, 4),
    (_refund_shipping, 24, 240, 5),
    (_cancel_refunded, 1, 40, 15),
    (_cancel_kept, 1, 40, 3),
    (_void, 1, 60, 8),
    (_void_bare, 1, 60, 4),
    (_owe, 0, 0, 10),
    (_authorize, 0, 0, 5),
    (_edit, 1, 20, 12),
    (_edit_and_return, 1, 20, 5),
)
FATES = [(fate, soonest, latest) for fate, soonest, latest, _ in _TABLE]
WEIGHTS = [weight for _, _, _, weight in _TABLE]
