"""What happens to an order after it was placed: paid, edited, refunded, cancelled, fulfilled.

Each function changes the order it is given and books what Shopify books. The generator and the merchant's
actions both end here, so that history and the present follow the same rules. Nothing here checks whether a
merchant may do it; that is for the actions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from devstore import totals
from devstore.model import EditChange, LineItem, Order, OrderEdit, Refund, RefundLine, Transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from decimal import Decimal

UNPAID = frozenset({"pending", "authorized", "voided"})


def pay(order: Order, at: datetime, next_id: Callable[[], int]) -> None:
    """Take in what is outstanding."""
    amount = totals.outstanding(order)
    if amount > 0:
        order.transactions.append(_transaction("sale", amount, at, next_id))
    order.financial_status = "paid"
    _touch(order, at)


def edit(
    order: Order, added: Sequence[LineItem], removed: Mapping[int, int], at: datetime, next_id: Callable[[], int]
) -> OrderEdit:
    """Add whole lines and remove units ({line id: units}); a paid order that grew is then partially paid."""
    changes = [_removal(line, removed[line.id]) for line in order.lines if removed.get(line.id)]
    changes += [_addition(line) for line in added]
    order.lines.extend(added)
    booked = OrderEdit(id=next_id(), created_at=at, note="", changes=changes)
    order.edits.append(booked)
    if order.financial_status == "paid" and totals.outstanding(order) > 0:
        order.financial_status = "partially_paid"
    _touch(order, at)
    return booked


def refund(
    order: Order, units: Mapping[int, int], *, shipping: bool, at: datetime, next_id: Callable[[], int]
) -> Refund:
    """Take units back ({line id: units}) and pay their value, tax and, if asked for, the shipping that is left.

    No more is paid back than was taken in and is still there.
    """
    booked = _book(order, units, "return", at, next_id)
    if shipping:
        _reverse_shipping(order, booked)
    _pay_back(order, booked, at, next_id)
    order.refunds.append(booked)
    order.financial_status = _status_after_refund(order)
    _touch(order, at)
    return booked


def cancel(
    order: Order, *, reverse: bool, at: datetime, next_id: Callable[[], int], reason: str = "customer"
) -> Refund | None:
    """Cancel; with ``reverse`` everything left is booked back, as a refund of a paid order and as a void of another.

    Cancelling an unpaid order books a refund with ``cancel`` lines and reversed shipping, without transactions.
    Without ``reverse`` no refund is booked: a paid order keeps its money, an unpaid one is voided all the same.
    """
    order.cancelled_at = at
    order.cancel_reason = reason
    order.closed_at = at
    unpaid = order.financial_status in UNPAID
    booked = _reverse_all(order, at, next_id, settle=not unpaid) if reverse else None
    if unpaid:
        order.financial_status = "voided"
    _touch(order, at)
    return booked


def fulfill(order: Order, at: datetime, units: Mapping[int, int] | None = None) -> None:
    """Ship ``units`` ({line id: units}), or everything; an order that is shipped and paid is closed."""
    for line in order.lines:
        line.shipped += to_ship(line) if units is None else units.get(line.id, 0)
    if any(to_ship(line) for line in order.lines):
        order.fulfillment_status = "partial"
    else:
        order.fulfillment_status = "fulfilled"
        if order.financial_status == "paid":
            order.closed_at = at
    _touch(order, at)


def to_ship(line: LineItem) -> int:
    """Return the units of a line that are still to be shipped."""
    return max(line.current_quantity - line.shipped, 0)


def _reverse_all(order: Order, at: datetime, next_id: Callable[[], int], *, settle: bool) -> Refund:
    left = {line.id: line.current_quantity for line in order.lines}
    booked = _book(order, left, "cancel", at, next_id)
    booked.restock = True
    _reverse_shipping(order, booked)
    if settle:
        _pay_back(order, booked, at, next_id)
    order.refunds.append(booked)
    if settle:
        order.financial_status = "refunded"
    return booked


def _book(
    order: Order, units: Mapping[int, int], restock_type: str, at: datetime, next_id: Callable[[], int]
) -> Refund:
    lines = []
    for line in order.lines:
        count = units.get(line.id, 0)
        if count:
            taken = totals.take(line, count)
            lines.append(
                RefundLine(
                    id=next_id(),
                    line_item_id=line.id,
                    quantity=count,
                    restock_type=restock_type,
                    subtotal=taken.value,
                    tax=taken.tax,
                )
            )
    return Refund(
        id=next_id(),
        created_at=at,
        processed_at=at,
        note=None,
        restock=False,
        lines=lines,
        shipping=totals.ZERO,
        shipping_tax=totals.ZERO,
        transactions=[],
    )


def _reverse_shipping(order: Order, booked: Refund) -> None:
    left = totals.current(order)
    booked.shipping = left.shipping
    booked.shipping_tax = left.shipping_tax


def _pay_back(order: Order, booked: Refund, at: datetime, next_id: Callable[[], int]) -> None:
    value = totals.total([line.subtotal + line.tax for line in booked.lines]) + booked.shipping + booked.shipping_tax
    amount = min(value, totals.captured(order) - totals.refunded(order))
    if amount > 0:
        booked.transactions.append(_transaction("refund", amount, at, next_id))


def _status_after_refund(order: Order) -> str:
    everything = totals.refunded(order) >= totals.captured(order)
    return "refunded" if everything else "partially_refunded"


def _removal(line: LineItem, units: int) -> EditChange:
    taken = totals.take(line, units)
    return EditChange(line_item_id=line.id, delta=-units, gross=taken.gross, discount=taken.discount, tax=taken.tax)


def _addition(line: LineItem) -> EditChange:
    return EditChange(
        line_item_id=line.id,
        delta=line.quantity,
        gross=line.price * line.quantity,
        discount=line.discount,
        tax=line.tax,
    )


def _transaction(kind: str, amount: Decimal, at: datetime, next_id: Callable[[], int]) -> Transaction:
    return Transaction(
        id=next_id(), kind=kind, status="success", gateway="shopify_payments", amount=amount, created_at=at
    )


def _touch(order: Order, at: datetime) -> None:
    order.updated_at = max(order.updated_at, at)
