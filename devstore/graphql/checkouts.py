"""Abandoned checkouts, as GraphQL shows them. A checkout has neither token nor email there."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from devstore import totals
from devstore.graphql.context import Bag, CheckoutLine, Context, Fields, Listing, Mailing
from devstore.graphql.products import find_variant
from devstore.graphql.scalars import checkout_bag, gid, tax_line

if TYPE_CHECKING:
    from devstore.graphql.context import Tax, Variant
    from devstore.model import Checkout

ABANDONED_AFTER = timedelta(minutes=10)


def is_listed(checkout: Checkout) -> bool:
    """Tell whether Shopify lists a checkout as abandoned: contact was given, and it was not completed at once.

    The list keeps those that were completed later (recovered). Open ones are listed immediately.
    """
    if not (checkout.email or checkout.phone):
        return False
    return checkout.completed_at is None or checkout.completed_at - checkout.created_at > ABANDONED_AFTER


def subtotal(checkout: Checkout) -> Decimal:
    """Return the lines after discounts, before tax."""
    return totals.total([line.price * line.quantity - line.discount for line in checkout.lines])


def tax(checkout: Checkout, rate: Decimal) -> Decimal:
    """Return the tax on lines and shipping."""
    return totals.total([line.tax for line in checkout.lines]) + totals.cents(checkout.shipping * rate)


def _bag(checkout: Checkout, context: Context, amount: Decimal) -> Bag:
    return checkout_bag(context.store, checkout, amount)


def _line_bag(source: CheckoutLine, context: Context, amount: Decimal) -> Bag:
    return checkout_bag(context.store, source.checkout, amount)


def recovery_url(checkout: Checkout, context: Context) -> str:
    """Return the address a customer takes an abandoned checkout up again at."""
    shop = context.store.shop
    return f"https://{shop.domain}/{shop.id}/checkouts/{checkout.token}/recover?key={checkout.token[:8]}"


def _mailing(checkout: Checkout, _context: Context) -> Mailing | None:
    if checkout.address is None:
        return None
    return Mailing(gid("MailingAddress", f"{checkout.id}?model_name=Address"), checkout.address)


def _gross(checkout: Checkout) -> Decimal:
    return totals.total([line.price * line.quantity for line in checkout.lines])


def _tax_lines(checkout: Checkout, context: Context) -> list[Tax]:
    amount = tax(checkout, context.store.shop.tax_rate)
    return [tax_line(_bag(checkout, context, amount), context)] if amount else []


def _variant(source: CheckoutLine, context: Context) -> Variant | None:
    return find_variant(context.store, source.line.product_id, source.line.variant_id)


def _discounted(source: CheckoutLine) -> Decimal:
    return source.line.price * source.line.quantity - source.line.discount


def _unit_discounted(source: CheckoutLine) -> Decimal:
    return totals.cents(_discounted(source) / source.line.quantity)


CHECKOUT: Fields = {
    "abandonedCheckoutUrl": recovery_url,
    "billingAddress": _mailing,
    "completedAt": lambda checkout, _context: checkout.completed_at,
    "createdAt": lambda checkout, _context: checkout.created_at,
    "customer": lambda checkout, context: context.store.customers.get(checkout.customer_id),
    "discountCodes": lambda checkout, _context: [checkout.discount_code] if checkout.discount_code else [],
    "id": lambda checkout, _context: gid("AbandonedCheckout", checkout.id),
    "lineItems": lambda checkout, _context, **_page: Listing([CheckoutLine(checkout, line) for line in checkout.lines]),
    "name": lambda checkout, _context: f"#{checkout.id}",
    "note": lambda _checkout, _context: "",
    "shippingAddress": _mailing,
    "subtotalPriceSet": lambda checkout, context: _bag(checkout, context, subtotal(checkout)),
    "taxLines": _tax_lines,
    "taxesIncluded": lambda _checkout, context: context.store.shop.taxes_included,
    "totalDiscountSet": lambda checkout, context: _bag(
        checkout, context, totals.total([line.discount for line in checkout.lines])
    ),
    "totalLineItemsPriceSet": lambda checkout, context: _bag(checkout, context, _gross(checkout)),
    "totalPriceSet": lambda checkout, context: _bag(
        checkout, context, subtotal(checkout) + checkout.shipping + tax(checkout, context.store.shop.tax_rate)
    ),
    "totalTaxSet": lambda checkout, context: _bag(checkout, context, tax(checkout, context.store.shop.tax_rate)),
    "updatedAt": lambda checkout, _context: checkout.updated_at,
}
CHECKOUT_LINE: Fields = {
    "discountedTotalPriceSet": lambda source, context: _line_bag(source, context, _discounted(source)),
    "discountedTotalPriceWithCodeDiscount": lambda source, context: _line_bag(source, context, _discounted(source)),
    "discountedUnitPriceSet": lambda source, context: _line_bag(source, context, _unit_discounted(source)),
    "id": lambda source, _context: gid("AbandonedCheckoutLineItem", source.line.id),
    "originalTotalPriceSet": lambda source, context: _line_bag(
        source, context, source.line.price * source.line.quantity
    ),
    "originalUnitPriceSet": lambda source, context: _line_bag(source, context, source.line.price),
    "product": lambda source, context: context.store.products.get(source.line.product_id),
    "quantity": lambda source, _context: source.line.quantity,
    "sku": lambda source, _context: source.line.sku,
    "title": lambda source, _context: source.line.title,
    "variant": _variant,
    "variantTitle": lambda source, _context: source.line.variant_title,
}
