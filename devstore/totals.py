"""Order arithmetic: what an order comes to, as placed and as it stands, and what was paid.

Prices exclude tax. subtotal = Σ (price × quantity − discount); total = subtotal + shipping + tax. A line's discount
and tax belong to its whole quantity; the share of some of its units is cut cumulatively, so that the shares of all
units add up to the line's amounts to the cent.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from devstore.model import LineItem, Order

ZERO = Decimal("0.00")
CENT = Decimal("0.01")


def cents(amount: Decimal) -> Decimal:
    """Round to the cent, halves away from zero, as Shopify does with taxes and percentages."""
    return amount.quantize(CENT, ROUND_HALF_UP)


def total(amounts: Sequence[Decimal]) -> Decimal:
    """Add up amounts; nothing adds up to 0.00."""
    return sum(amounts, ZERO)


def allocate(amount: Decimal, weights: Sequence[Decimal]) -> list[Decimal]:
    """Split ``amount`` in proportion to ``weights``, exactly to the cent, by the largest remainder.

    Equal remainders go to the earlier one. Weights that are all zero get nothing, whatever the amount.
    """
    whole = total(weights)
    if not whole:
        return [ZERO for _ in weights]
    in_cents = int(amount / CENT)
    exact = [in_cents * weight / whole for weight in weights]
    shares = [int(share) for share in exact]
    by_remainder = sorted(range(len(exact)), key=lambda index: shares[index] - exact[index])
    for index in by_remainder[: in_cents - sum(shares)]:
        shares[index] += 1
    return [share * CENT for share in shares]


@dataclass(frozen=True)
class Portion:
    """The amounts of some units of a line: ``gross`` = price × units, and their share of discount and tax."""

    gross: Decimal
    discount: Decimal
    tax: Decimal

    @property
    def value(self) -> Decimal:
        """What the units cost before tax."""
        return self.gross - self.discount


def portion(line: LineItem, units: int) -> Portion:
    """Return the amounts of the next ``units`` to leave the line; raises ValueError when fewer are left."""
    if not 0 <= units <= line.current_quantity:
        message = f"line {line.id} has {line.current_quantity} units left, not {units}"
        raise ValueError(message)
    gone = line.quantity - line.current_quantity
    return Portion(
        gross=line.price * units,
        discount=_share(line.discount, gone + units, line.quantity) - _share(line.discount, gone, line.quantity),
        tax=_share(line.tax, gone + units, line.quantity) - _share(line.tax, gone, line.quantity),
    )


def take(line: LineItem, units: int) -> Portion:
    """Let ``units`` leave the line (removed or refunded) and return their amounts; ValueError when fewer are left."""
    taken = portion(line, units)
    line.current_quantity -= units
    return taken


def _share(amount: Decimal, units: int, quantity: int) -> Decimal:
    return cents(amount * units / quantity) if quantity else ZERO


@dataclass(frozen=True)
class Totals:
    """An order's amounts in the shop's currency; ``discounts`` are the lines', ``shipping`` is after its own."""

    gross: Decimal
    discounts: Decimal
    shipping: Decimal
    shipping_discounts: Decimal
    line_tax: Decimal
    shipping_tax: Decimal

    @property
    def subtotal(self) -> Decimal:
        """Lines after discounts, before tax."""
        return self.gross - self.discounts

    @property
    def tax(self) -> Decimal:
        """Tax on lines and shipping."""
        return self.line_tax + self.shipping_tax

    @property
    def total(self) -> Decimal:
        """What the customer owes altogether."""
        return self.subtotal + self.shipping + self.tax


def ordered(order: Order) -> Totals:
    """Return the totals over everything that was ever on the order, before removals and refunds."""
    return Totals(
        gross=total([line.price * line.quantity for line in order.lines]),
        discounts=total([line.discount for line in order.lines]),
        shipping=total([line.price - line.discount for line in order.shipping_lines]),
        shipping_discounts=total([line.discount for line in order.shipping_lines]),
        line_tax=total([line.tax for line in order.lines]),
        shipping_tax=total([line.tax for line in order.shipping_lines]),
    )


def current(order: Order) -> Totals:
    """Return the totals of what is left after removals and refunds (Shopify's ``current_*``)."""
    placed = ordered(order)
    left = [portion(line, line.current_quantity) for line in order.lines]
    return Totals(
        gross=total([part.gross for part in left]),
        discounts=total([part.discount for part in left]),
        shipping=placed.shipping - total([refund.shipping for refund in order.refunds]),
        shipping_discounts=placed.shipping_discounts,
        line_tax=total([part.tax for part in left]),
        shipping_tax=placed.shipping_tax - total([refund.shipping_tax for refund in order.refunds]),
    )


def captured(order: Order) -> Decimal:
    """Return the money taken in: successful sales and captures."""
    return total([t.amount for t in order.transactions if t.kind in {"sale", "capture"} and t.status == "success"])


def refunded(order: Order) -> Decimal:
    """Return the money paid back."""
    return total([refund.amount for refund in order.refunds])


def outstanding(order: Order) -> Decimal:
    """Return what is still to be paid; negative when the store owes the customer."""
    return current(order).total - captured(order) + refunded(order)
