"""Orders and everything on them, as GraphQL shows them. The amounts come from ``devstore.totals`` alone."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from devstore import totals
from devstore.graphql.context import Context, Fields, Line, Listing, Mailing, OrderRefund, Shipping, Transaction
from devstore.graphql.ledger import agreements
from devstore.graphql.scalars import gid, order_bag
from devstore.totals import Totals, total

if TYPE_CHECKING:
    from devstore.model import Order

DISPLAY_FULFILLMENT = {None: "UNFULFILLED", "partial": "PARTIALLY_FULFILLED", "fulfilled": "FULFILLED"}


def _mailing(order: Order, _context: Context) -> Mailing | None:
    """Return the order's address; devstore bills and ships to the same one."""
    if order.address is None:
        return None
    return Mailing(gid("MailingAddress", f"{order.id}?model_name=Address"), order.address)


def transactions(order: Order) -> list[Transaction]:
    """Return the payments and the money paid back, in the order they happened."""
    records = order.transactions + [record for refund in order.refunds for record in refund.transactions]
    return [Transaction(order, record) for record in sorted(records, key=lambda record: (record.created_at, record.id))]


def _gateways(order: Order, _context: Context) -> list[str]:
    """Return the names of the gateways used, each once."""
    return sorted({record.gateway for record in order.transactions})


def status_page(order: Order, context: Context) -> str:
    """Return the address of the customer's order status page."""
    shop = context.store.shop
    return f"https://{shop.domain}/{shop.id}/orders/{order.token}/authenticate?key={order.token[:8]}"


def placed_total(order: Order) -> Decimal:
    """Return the total at the time of placing: what edits added is not in it."""
    added = [change for edit in order.edits for change in edit.changes if change.delta > 0]
    return totals.ordered(order).total - total([change.gross - change.discount + change.tax for change in added])


def _all_discounts(amounts: Totals) -> Decimal:
    """Return the discounts on lines and shipping."""
    return amounts.discounts + amounts.shipping_discounts


def _shipping_charged(order: Order) -> Decimal:
    """Return the shipping before discounts and returns."""
    placed = totals.ordered(order)
    return placed.shipping + placed.shipping_discounts


def _units(order: Order, *, left: bool) -> int:
    """Count the units that make up the subtotal."""
    lines = [line for line in order.lines if not line.gift_card]
    return sum(line.current_quantity if left else line.quantity for line in lines)


ORDER: Fields = {
    "agreements": lambda order, _context, **_page: Listing(agreements(order)),
    "billingAddress": _mailing,
    "cancelReason": lambda order, _context: order.cancel_reason.upper() if order.cancel_reason else None,
    "cancelledAt": lambda order, _context: order.cancelled_at,
    "cartToken": lambda order, _context: order.cart_token,
    "checkoutToken": lambda order, _context: order.checkout_token,
    "closed": lambda order, _context: order.closed_at is not None,
    "closedAt": lambda order, _context: order.closed_at,
    "confirmed": lambda _order, _context: True,
    "createdAt": lambda order, _context: order.created_at,
    "currencyCode": lambda order, _context: order.currency,
    "currentShippingPriceSet": lambda order, _context: order_bag(order, totals.current(order).shipping),
    "currentSubtotalLineItemsQuantity": lambda order, _context: _units(order, left=True),
    "currentSubtotalPriceSet": lambda order, _context: order_bag(order, totals.current(order).subtotal),
    "currentTotalDiscountsSet": lambda order, _context: order_bag(order, _all_discounts(totals.current(order))),
    "currentTotalPriceSet": lambda order, _context: order_bag(order, totals.current(order).total),
    "currentTotalTaxSet": lambda order, _context: order_bag(order, totals.current(order).tax),
    "customer": lambda order, context: context.store.customers.get(order.customer_id),
    "discountCode": lambda order, _context: order.discount_code,
    "discountCodes": lambda order, _context: [order.discount_code] if order.discount_code else [],
    "displayAddress": _mailing,
    "displayFinancialStatus": lambda order, _context: order.financial_status.upper(),
    "displayFulfillmentStatus": lambda order, _context: DISPLAY_FULFILLMENT[order.fulfillment_status],
    "edited": lambda order, _context: bool(order.edits),
    "email": lambda order, _context: order.email,
    "fullyPaid": lambda order, _context: totals.outstanding(order) <= 0,
    "id": lambda order, _context: gid("Order", order.id),
    "legacyResourceId": lambda order, _context: order.id,
    "lineItems": lambda order, _context, **_page: Listing([Line(order, line) for line in order.lines]),
    "name": lambda order, _context: f"#{order.number}",
    "netPaymentSet": lambda order, _context: order_bag(order, totals.captured(order) - totals.refunded(order)),
    "note": lambda order, _context: order.note,
    "number": lambda order, _context: order.number,
    "originalTotalPriceSet": lambda order, _context: order_bag(order, placed_total(order)),
    "paymentGatewayNames": _gateways,
    "phone": lambda order, _context: order.phone,
    "presentmentCurrencyCode": lambda order, _context: order.presentment_currency,
    "processedAt": lambda order, _context: order.processed_at,
    "refunds": lambda order, _context, first=None: [OrderRefund(order, refund) for refund in order.refunds[:first]],
    "shippingAddress": _mailing,
    "shippingLines": lambda order, _context, **_page: Listing([Shipping(order, line) for line in order.shipping_lines]),
    "sourceName": lambda order, _context: order.source_name,
    "statusPageUrl": lambda order, context, **_options: status_page(order, context),
    "subtotalLineItemsQuantity": lambda order, _context: _units(order, left=False),
    "subtotalPriceSet": lambda order, _context: order_bag(order, totals.ordered(order).subtotal),
    "tags": lambda order, _context: sorted(order.tags),
    "taxesIncluded": lambda _order, context: context.store.shop.taxes_included,
    "test": lambda order, _context: order.test,
    "totalDiscountsSet": lambda order, _context: order_bag(order, _all_discounts(totals.ordered(order))),
    "totalOutstandingSet": lambda order, _context: order_bag(order, totals.outstanding(order)),
    "totalPriceSet": lambda order, _context: order_bag(order, totals.ordered(order).total),
    "totalReceivedSet": lambda order, _context: order_bag(order, totals.captured(order)),
    "totalRefundedSet": lambda order, _context: order_bag(order, totals.refunded(order)),
    "totalRefundedShippingSet": lambda order, _context: order_bag(order, total([r.shipping for r in order.refunds])),
    "totalShippingPriceSet": lambda order, _context: order_bag(order, _shipping_charged(order)),
    "totalTaxSet": lambda order, _context: order_bag(order, totals.ordered(order).tax),
    "transactions": lambda order, _context, first=None: transactions(order)[:first],
    "unpaid": lambda order, _context: totals.captured(order) == 0,
    "updatedAt": lambda order, _context: order.updated_at,
}
