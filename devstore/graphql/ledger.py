"""The sales ledger of an order: agreements (placing, edits, refunds) and the sales each of them booked.

Signs are Shopify's: what leaves the order (a removal, a return) has a negative quantity and negative amounts.
``totalAmount`` is after discounts and includes tax, so gross = totalAmount - tax + discount before taxes.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from devstore.graphql.context import Fields, Line, Listing, OrderRefund, Shipping, Tax
from devstore.graphql.scalars import gid, order_bag, tax_line

if TYPE_CHECKING:
    from devstore.graphql.context import Context
    from devstore.model import LineItem, Order, OrderEdit, Refund


class Sale(NamedTuple):
    """One booking: amounts in the shop's currency, ``gross`` before discount and tax. All carry their sign."""

    id: str
    item: Line | Shipping
    units: int | None
    gross: Decimal
    discount: Decimal
    tax: Decimal

    @property
    def total(self) -> Decimal:
        """What the customer owes for it."""
        return self.gross - self.discount + self.tax


class Agreement(NamedTuple):
    """Placing the order (neither ``edit`` nor ``refund``), an edit of it, or a refund."""

    order: Order
    happened_at: datetime
    edit: OrderEdit | None = None
    refund: Refund | None = None


def agreements(order: Order) -> list[Agreement]:
    """Return the agreements of an order, in the order they happened."""
    later = [Agreement(order, edit.created_at, edit=edit) for edit in order.edits]
    later += [Agreement(order, refund.processed_at, refund=refund) for refund in order.refunds]
    return [Agreement(order, order.processed_at), *sorted(later, key=lambda agreement: agreement.happened_at)]


def sales(agreement: Agreement) -> list[Sale]:
    """Return what an agreement booked."""
    lines = {line.id: line for line in agreement.order.lines}
    if agreement.edit:
        return list(_edited(agreement.order, agreement.edit, lines))
    if agreement.refund:
        return list(_refunded(agreement.order, agreement.refund, lines))
    return list(_placed(agreement.order))


def _placed(order: Order) -> Iterator[Sale]:
    """Yield the sales of placing the order: each line as it was before any edit added to it, then shipping."""
    added = [change for edit in order.edits for change in edit.changes if change.delta > 0]
    for line in order.lines:
        changes = [change for change in added if change.line_item_id == line.id]
        units = line.quantity - sum(change.delta for change in changes)
        if units > 0:
            yield Sale(
                id=f"{order.id}-{line.id}",
                item=Line(order, line),
                units=units,
                gross=line.price * units,
                discount=line.discount - sum((change.discount for change in changes), Decimal(0)),
                tax=line.tax - sum((change.tax for change in changes), Decimal(0)),
            )
    for charge in order.shipping_lines:
        sold = Shipping(order, charge)
        yield Sale(f"{order.id}-{charge.id}", sold, None, charge.price, charge.discount, charge.tax)


def _edited(order: Order, edit: OrderEdit, lines: dict[int, LineItem]) -> Iterator[Sale]:
    """Yield what an edit added (positive) and removed (negative)."""
    for change in edit.changes:
        sign = 1 if change.delta > 0 else -1
        item = Line(order, lines[change.line_item_id])
        key = f"{edit.id}-{change.line_item_id}"
        yield Sale(key, item, change.delta, sign * change.gross, sign * change.discount, sign * change.tax)


def _refunded(order: Order, refund: Refund, lines: dict[int, LineItem]) -> Iterator[Sale]:
    """Yield what a refund took back, lines first, then shipping."""
    for returned in refund.lines:
        line = lines[returned.line_item_id]
        gross = line.price * returned.quantity
        key = f"{refund.id}-{returned.id}"
        yield Sale(key, Line(order, line), -returned.quantity, -gross, -(gross - returned.subtotal), -returned.tax)
    if (refund.shipping or refund.shipping_tax) and order.shipping_lines:
        sold = Shipping(order, order.shipping_lines[0])
        yield Sale(f"{refund.id}-shipping", sold, None, -refund.shipping, Decimal(0), -refund.shipping_tax)


def _agreement_id(agreement: Agreement) -> int:
    """Return the number an agreement goes by: that of what it is about."""
    about = agreement.edit or agreement.refund or agreement.order
    return about.id


def _reason(agreement: Agreement, _context: Context) -> str:
    """Return why it was agreed (``OrderActionType``)."""
    if agreement.edit:
        return "ORDER_EDIT"
    return "REFUND" if agreement.refund else "ORDER"


def _line_type(sale: Sale, _context: Context) -> str:
    """Return what was sold (``SaleLineType``)."""
    if isinstance(sale.item, Shipping):
        return "SHIPPING"
    return "GIFT_CARD" if sale.item.line.gift_card else "PRODUCT"


def _action(sale: Sale, _context: Context) -> str:
    """Return ORDER for what came onto the order, RETURN for what left it."""
    return "RETURN" if sale.total < 0 or (sale.units or 0) < 0 else "ORDER"


def _taxes(sale: Sale, context: Context) -> list[Tax]:
    """Return the tax of a sale as the one line it was charged in."""
    return [tax_line(order_bag(sale.item.order, sale.tax), context)] if sale.tax else []


def agreement_type(agreement: Agreement) -> str:
    """Return the GraphQL type of an agreement."""
    if agreement.edit:
        return "OrderEditAgreement"
    return "RefundAgreement" if agreement.refund else "OrderAgreement"


def sale_type(sale: Sale) -> str:
    """Return the GraphQL type of a sale."""
    if isinstance(sale.item, Shipping):
        return "ShippingLineSale"
    return "GiftCardSale" if sale.item.line.gift_card else "ProductSale"


AGREEMENT: Fields = {
    "happenedAt": lambda agreement, _context: agreement.happened_at,
    "id": lambda agreement, _context: gid(agreement_type(agreement), _agreement_id(agreement)),
    "order": lambda agreement, _context: agreement.order,
    "reason": _reason,
    "refund": lambda agreement, _context: OrderRefund(agreement.order, agreement.refund),
    "sales": lambda agreement, _context, **_page: Listing(sales(agreement)),
}
SALE: Fields = {
    "actionType": _action,
    "id": lambda sale, _context: gid(sale_type(sale), sale.id),
    "lineItem": lambda sale, _context: sale.item,
    "lineType": _line_type,
    "quantity": lambda sale, _context: sale.units,
    "shippingLine": lambda sale, _context: sale.item,
    "taxes": _taxes,
    "totalAmount": lambda sale, _context: order_bag(sale.item.order, sale.total),
    "totalDiscountAmountAfterTaxes": lambda sale, _context: order_bag(sale.item.order, sale.discount),
    "totalDiscountAmountBeforeTaxes": lambda sale, _context: order_bag(sale.item.order, sale.discount),
    "totalTaxAmount": lambda sale, _context: order_bag(sale.item.order, sale.tax),
}
SALE_TAX: Fields = {
    "amount": lambda tax, _context: tax.amount,
    "id": lambda tax, _context: gid("SaleTax", f"{tax.amount.amount}-{tax.rate}"),
    "taxLine": lambda tax, _context: tax,
}
