"""What a merchant does to orders once they are placed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from devstore import lifecycle, payloads, pricing, totals
from devstore.actions_customers import tell_history
from devstore.actions_desk import Desk, Units, Wanted, refuse
from devstore.model import Order

if TYPE_CHECKING:
    from collections.abc import Sequence


def pay_order(desk: Desk, *, order_id: int) -> Order:
    """Take in what is outstanding on an order; refuses a cancelled one and one with nothing to pay."""
    order = _open_order(desk, order_id)
    if totals.outstanding(order) <= 0:
        refuse(f"order #{order.number} has nothing left to pay")
    lifecycle.pay(order, desk.store.now(), desk.store.next_id)
    desk.store.put("order", order.id, order)
    desk.tell("orders/paid", payloads.order_body(desk.store, order))
    desk.tell("orders/updated", payloads.order_body(desk.store, order))
    _tell_spent(desk, order)
    return order


def fulfill_order(desk: Desk, *, order_id: int, lines: list[Units] | None = None) -> Order:
    """Ship units, or everything that is left; refuses a cancelled or shipped order and more units than are left."""
    order = _open_order(desk, order_id)
    if order.fulfillment_status == "fulfilled":
        refuse(f"order #{order.number} was shipped before")
    units = None if lines is None else _units(lines, order, {line.id: lifecycle.to_ship(line) for line in order.lines})
    if units == {}:
        refuse("a shipment has something in it")
    lifecycle.fulfill(order, desk.store.now(), units)
    desk.store.put("order", order.id, order)
    topic = "orders/fulfilled" if order.fulfillment_status == "fulfilled" else "orders/partially_fulfilled"
    desk.tell(topic, payloads.order_body(desk.store, order))
    desk.tell("orders/updated", payloads.order_body(desk.store, order))
    return order


def edit_order(
    desk: Desk, *, order_id: int, add: list[Wanted] | None = None, remove: list[Units] | None = None
) -> Order:
    """Add lines and remove units; refuses a cancelled order and more units than are left."""
    order = _open_order(desk, order_id)
    removed = _units(remove or [], order, _left(order))
    if not (add or removed):
        refuse("an edit adds or removes something")
    store = desk.store
    added = pricing.price_lines(desk.picks(add or []), None, store.shop.tax_rate, store.next_id)
    edit = lifecycle.edit(order, added, removed, store.now(), store.next_id)
    store.put("order", order.id, order)
    desk.tell("orders/edited", payloads.order_edited_body(store, order, edit))
    desk.tell("orders/updated", payloads.order_body(store, order))
    return order


def refund_order(desk: Desk, *, order_id: int, lines: list[Units] | None = None, shipping: bool = True) -> Order:
    """Refund units (all that are left by default), with or without the shipping that is left.

    Refuses an order nobody paid for, more units than are left, and a refund of nothing.
    """
    order = desk.order(order_id)
    if totals.captured(order) <= 0:
        refuse(f"order #{order.number} is {order.financial_status}: there is nothing to pay back")
    units = {line.id: line.current_quantity for line in order.lines if line.current_quantity}
    if lines is not None:
        units = _units(lines, order, _left(order))
    if not units and not (shipping and totals.current(order).shipping):
        refuse(f"order #{order.number} has nothing of that left to refund")
    store = desk.store
    booked = lifecycle.refund(order, units, shipping=shipping, at=store.now(), next_id=store.next_id)
    store.put("order", order.id, order)
    desk.tell("refunds/create", payloads.refund_body(store, order, booked))
    desk.tell("orders/updated", payloads.order_body(store, order))
    _tell_spent(desk, order)
    return order


def cancel_order(desk: Desk, *, order_id: int, refund: bool = True) -> Order:
    """Cancel an order; with ``refund`` what is left is paid back, or booked back where nothing was paid.

    Refuses an order that is cancelled or shipped.
    """
    order = _open_order(desk, order_id)
    if order.fulfillment_status is not None:
        refuse(f"order #{order.number} was shipped: refund it instead")
    store = desk.store
    booked = lifecycle.cancel(order, reverse=refund, at=store.now(), next_id=store.next_id)
    store.put("order", order.id, order)
    if booked:
        desk.tell("refunds/create", payloads.refund_body(store, order, booked))
    desk.tell("orders/cancelled", payloads.order_body(store, order))
    desk.tell("orders/updated", payloads.order_body(store, order))
    if booked and booked.transactions:
        _tell_spent(desk, order)
    return order


def update_order(desk: Desk, *, order_id: int, note: str | None = None, tags: list[str] | None = None) -> Order:
    """Change an order's note or tags; refuses when nothing is given."""
    order = desk.order(order_id)
    if note is None and tags is None:
        refuse("nothing would change")
    order.note = order.note if note is None else note or None
    order.tags = order.tags if tags is None else sorted(set(tags))
    order.updated_at = max(order.updated_at, desk.store.now())
    desk.store.put("order", order.id, order)
    desk.tell("orders/updated", payloads.order_body(desk.store, order))
    return order


def delete_order(desk: Desk, *, order_id: int) -> Order:
    """Delete an order."""
    order = desk.order(order_id)
    desk.store.remove("order", order.id)
    desk.tell("orders/delete", payloads.deleted_body(order.id))
    _tell_spent(desk, order)
    return order


def _tell_spent(desk: Desk, order: Order) -> None:
    """Tell what a customer has spent by now; test orders do not count."""
    customer = desk.store.customers.get(order.customer_id or 0)
    if customer is not None and not order.test:
        tell_history(desk, customer)


def _open_order(desk: Desk, order_id: int) -> Order:
    order = desk.order(order_id)
    if order.cancelled_at is not None:
        refuse(f"order #{order.number} is cancelled")
    return order


def _left(order: Order) -> dict[int, int]:
    return {line.id: line.current_quantity for line in order.lines}


def _units(wanted: Sequence[Units], order: Order, left: dict[int, int]) -> dict[int, int]:
    """Add up the units wanted of each line; refuses more than are ``left``."""
    units: dict[int, int] = {}
    for want in wanted:
        if want.line_item_id not in left:
            refuse(f"order #{order.number} has no line {want.line_item_id}")
        if not 1 <= want.quantity <= left[want.line_item_id]:
            refuse(f"line {want.line_item_id} has {left[want.line_item_id]} units left, not {want.quantity}")
        left[want.line_item_id] -= want.quantity
        units[want.line_item_id] = units.get(want.line_item_id, 0) + want.quantity
    return units
