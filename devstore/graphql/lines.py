"""What stands on an order: line items, shipping lines, refunds, transactions, taxes, money.

Every discount in a devstore belongs to the whole order, so it is in ``discountAllocations`` and the fields "after all
discounts", and not in the fields Shopify keeps free of order-level discounts.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from devstore import lifecycle, totals
from devstore.graphql.context import (
    Bag,
    Context,
    Fields,
    Line,
    Listing,
    Money,
    OrderRefund,
    RefundedLine,
    Shipping,
    Tax,
    Transaction,
    Variant,
)
from devstore.graphql.products import ONLY_VARIANT, find_variant
from devstore.graphql.scalars import gid, order_bag, presentment, tax_line

if TYPE_CHECKING:
    from devstore.model import Order


class RefundedShipping(NamedTuple):
    """The shipping a refund gave back."""

    refund: OrderRefund
    line: Shipping


def tax_lines(order: Order, tax: Decimal, context: Context) -> list[Tax]:
    """Return the tax as the one line devstore's shops charge it in, at the shop's rate."""
    return [tax_line(order_bag(order, tax), context)] if tax else []


def _bag(source: Line | Shipping, amount: Decimal) -> Bag:
    return order_bag(source.order, amount)


def _unit_price(source: Line, off: Decimal) -> Bag:
    """Return the price of one unit with its part of a discount taken off."""
    quantity = source.line.quantity
    return _bag(source, totals.cents(source.line.price - off / quantity) if quantity else source.line.price)


def _discounted_total(source: Line, _context: Context, *, withCodeDiscounts: bool = False) -> Bag:  # noqa: N803 (GraphQL's name)
    """Return the line's price without order-level discounts; those by code are in it only when asked for."""
    with_code = withCodeDiscounts and source.order.discount_code is not None
    return _bag(source, source.line.price * source.line.quantity - (source.line.discount if with_code else 0))


def _variant(source: Line, context: Context) -> Variant | None:
    """Return the variant that was sold; None once it was deleted."""
    return find_variant(context.store, source.line.product_id, source.line.variant_id)


def _line_name(source: Line, _context: Context) -> str:
    """Return ``Product - Variant``."""
    line = source.line
    return line.title if line.variant_title in {None, ONLY_VARIANT} else f"{line.title} - {line.variant_title}"


def _discount_allocations(source: Line | Shipping, _context: Context) -> list[Bag]:
    """Return the discounts of a line, which devstore keeps as one amount."""
    return [_bag(source, source.line.discount)] if source.line.discount else []


def line_of(refunded: RefundedLine) -> Line:
    """Return the line item that was refunded; raises KeyError for a refund of no line of its order."""
    lines = {line.id: line for line in refunded.order.lines}
    return Line(refunded.order, lines[refunded.line.line_item_id])


def refunded_shipping(source: OrderRefund) -> list[RefundedShipping]:
    """Return the refunded shipping, on the order's first shipping line."""
    refund, order = source.refund, source.order
    if not (refund.shipping or refund.shipping_tax) or not order.shipping_lines:
        return []
    return [RefundedShipping(source, Shipping(order, order.shipping_lines[0]))]


def _shipping_left(source: Shipping, _context: Context) -> Bag:
    """Return what a shipping line costs after refunds."""
    gone = Decimal(0)
    if source.line is source.order.shipping_lines[0]:
        gone = totals.total([refund.shipping for refund in source.order.refunds])
    return _bag(source, source.line.price - source.line.discount - gone)


LINE_ITEM: Fields = {
    "currentQuantity": lambda source, _context: source.line.current_quantity,
    "discountAllocations": _discount_allocations,
    "discountedTotalSet": _discounted_total,
    "discountedUnitPriceAfterAllDiscountsSet": lambda source, _context: _unit_price(source, source.line.discount),
    "discountedUnitPriceSet": lambda source, _context: _unit_price(source, totals.ZERO),
    "id": lambda source, _context: gid("LineItem", source.line.id),
    "isGiftCard": lambda source, _context: source.line.gift_card,
    "name": _line_name,
    "originalTotalSet": lambda source, _context: _bag(source, source.line.price * source.line.quantity),
    "originalUnitPriceSet": lambda source, _context: _bag(source, source.line.price),
    "product": lambda source, context: context.store.products.get(source.line.product_id),
    "quantity": lambda source, _context: source.line.quantity,
    "refundableQuantity": lambda source, _context: source.line.current_quantity,
    "requiresShipping": lambda source, _context: not source.line.gift_card,
    "sku": lambda source, _context: source.line.sku,
    "taxLines": lambda source, context, first=None: tax_lines(source.order, source.line.tax, context)[:first],
    "taxable": lambda source, _context: source.line.taxable,
    "title": lambda source, _context: source.line.title,
    "totalDiscountSet": lambda source, _context: _bag(source, totals.ZERO),
    "unfulfilledQuantity": lambda source, _context: (
        0 if source.order.fulfillment_status == "fulfilled" else lifecycle.to_ship(source.line)
    ),
    "variant": _variant,
    "variantTitle": lambda source, _context: source.line.variant_title,
    "vendor": lambda source, _context: source.line.vendor,
}
DISCOUNT_ALLOCATION: Fields = {"allocatedAmountSet": lambda bag, _context: bag}
TAX_LINE: Fields = {
    "priceSet": lambda tax, _context: tax.amount,
    "rate": lambda tax, _context: float(tax.rate),
    "ratePercentage": lambda tax, _context: float(tax.rate * 100),
    "title": lambda tax, _context: tax.title,
}
SHIPPING_LINE: Fields = {
    "currentDiscountedPriceSet": _shipping_left,
    "custom": lambda _source, _context: False,
    "discountAllocations": _discount_allocations,
    "discountedPriceSet": lambda source, _context: _bag(source, source.line.price - source.line.discount),
    "id": lambda source, _context: gid("ShippingLine", source.line.id),
    "isRemoved": lambda _source, _context: False,
    "originalPriceSet": lambda source, _context: _bag(source, source.line.price),
    "taxLines": lambda source, context: tax_lines(source.order, source.line.tax, context),
    "title": lambda source, _context: source.line.title,
}
TRANSACTION: Fields = {
    "amountSet": lambda source, _context: order_bag(source.order, source.record.amount),
    "createdAt": lambda source, _context: source.record.created_at,
    "formattedGateway": lambda source, _context: source.record.gateway.replace("_", " ").title(),
    "gateway": lambda source, _context: source.record.gateway,
    "id": lambda source, _context: gid("OrderTransaction", source.record.id),
    "kind": lambda source, _context: source.record.kind.upper(),
    "order": lambda source, _context: source.order,
    "processedAt": lambda source, _context: source.record.created_at,
    "status": lambda source, _context: source.record.status.upper(),
    "test": lambda source, _context: source.order.test,
}
REFUND: Fields = {
    "createdAt": lambda source, _context: source.refund.created_at,
    "id": lambda source, _context: gid("Refund", source.refund.id),
    "legacyResourceId": lambda source, _context: source.refund.id,
    "note": lambda source, _context: source.refund.note,
    "order": lambda source, _context: source.order,
    "processedAt": lambda source, _context: source.refund.processed_at,
    "refundLineItems": lambda source, _context, **_page: Listing(
        [RefundedLine(source.order, line) for line in source.refund.lines]
    ),
    "refundShippingLines": lambda source, _context, **_page: Listing(refunded_shipping(source)),
    "totalRefundedSet": lambda source, _context: order_bag(source.order, source.refund.amount),
    "transactions": lambda source, _context, **_page: Listing(
        [Transaction(source.order, record) for record in source.refund.transactions]
    ),
    "updatedAt": lambda source, _context: source.refund.created_at,
}
REFUND_LINE_ITEM: Fields = {
    "id": lambda source, _context: gid("RefundLineItem", source.line.id),
    "lineItem": lambda source, _context: line_of(source),
    "priceSet": lambda source, _context: order_bag(
        source.order, totals.cents(source.line.subtotal / source.line.quantity)
    ),
    "quantity": lambda source, _context: source.line.quantity,
    "restockType": lambda source, _context: source.line.restock_type.upper(),
    "restocked": lambda source, _context: source.line.restock_type != "no_restock",
    "subtotalSet": lambda source, _context: order_bag(source.order, source.line.subtotal),
    "totalTaxSet": lambda source, _context: order_bag(source.order, source.line.tax),
}
REFUND_SHIPPING_LINE: Fields = {
    "id": lambda source, _context: gid("RefundShippingLine", source.refund.refund.id),
    "shippingLine": lambda source, _context: source.line,
    "subtotalAmountSet": lambda source, _context: order_bag(source.refund.order, source.refund.refund.shipping),
    "taxAmountSet": lambda source, _context: order_bag(source.refund.order, source.refund.refund.shipping_tax),
}
MONEY_BAG: Fields = {
    "presentmentMoney": lambda bag, _context: presentment(bag),
    "shopMoney": lambda bag, _context: Money(bag.amount, bag.currency),
}
MONEY: Fields = {
    "amount": lambda money, _context: money.amount,
    "currencyCode": lambda money, _context: money.currency,
}
