"""The lines of orders and refunds in webhook bodies: what was sold, its taxes, discounts and shipping."""

from __future__ import annotations

from typing import TYPE_CHECKING

from devstore import lifecycle, totals
from devstore.payloads_wire import Body, Purse, gid

if TYPE_CHECKING:
    from decimal import Decimal

    from devstore.model import LineItem, Order, ShippingLine, Shop


def _allocations(purse: Purse, amount: Decimal, index: int) -> list[Body]:
    if not amount:
        return []
    return [{"amount": purse.text(amount), "discount_application_index": index, "amount_set": purse.bag(amount)}]


def tax_lines(shop: Shop, purse: Purse, amount: Decimal) -> list[Body]:
    """Return the tax as the one line it is charged in; none where there is none."""
    if not amount:
        return []
    return [
        {
            "channel_liable": False,
            "price": purse.text(amount),
            "price_set": purse.bag(amount),
            "rate": float(shop.tax_rate),
            "title": "Sales tax" if shop.country_code == "US" else "VAT",
        }
    ]


def line_body(shop: Shop, order: Order, line: LineItem) -> Body:
    """Return a line as an order holds it."""
    shipped = order.fulfillment_status == "fulfilled"
    return {
        **refunded_line_body(shop, order, line),
        "attributed_staffs": [],
        "current_quantity": line.current_quantity,
        "fulfillable_quantity": 0 if shipped else lifecycle.to_ship(line),
        "sales_line_item_group_id": None,
    }


def refunded_line_body(shop: Shop, order: Order, line: LineItem) -> Body:
    """Return a line as a refund holds it: without what changes after the order."""
    purse = Purse.of(order)
    return {
        "id": line.id,
        "admin_graphql_api_id": gid("LineItem", line.id),
        "fulfillable_quantity": 0,
        "fulfillment_service": "gift_card" if line.gift_card else "manual",
        "fulfillment_status": _line_status(order, line),
        "gift_card": line.gift_card,
        "grams": line.grams,
        "name": line.title if line.variant_title in {None, "Default Title"} else f"{line.title} - {line.variant_title}",
        "price": purse.text(line.price),
        "price_set": purse.bag(line.price),
        "product_exists": line.product_id is not None,
        "product_id": line.product_id,
        "properties": [],
        "quantity": line.quantity,
        "requires_shipping": not line.gift_card,
        "sku": line.sku,
        "taxable": line.taxable,
        "title": line.title,
        # Shopify fills total_discount only for discounts set by draft orders or scripts; what a
        # code or an automatic discount takes off is in discount_allocations alone.
        "total_discount": purse.text(totals.ZERO),
        "total_discount_set": purse.bag(totals.ZERO),
        "variant_id": line.variant_id,
        "variant_inventory_management": "shopify" if line.variant_id else None,
        "variant_title": line.variant_title,
        "vendor": line.vendor,
        "tax_lines": tax_lines(shop, purse, line.tax),
        "duties": [],
        "discount_allocations": _allocations(purse, line.discount, 0),
    }


def _line_status(order: Order, line: LineItem) -> str | None:
    """Return how much of a line was shipped: all of it with an order that was, part of it, or nothing (None)."""
    if order.fulfillment_status == "fulfilled" or (line.shipped and not lifecycle.to_ship(line)):
        return "fulfilled"
    return "partial" if line.shipped else None


def shipping_body(shop: Shop, order: Order, line: ShippingLine) -> Body:
    """Return a shipping charge."""
    purse = Purse.of(order)
    net = line.price - line.discount
    refunded = totals.total([refund.shipping for refund in order.refunds])
    return {
        "id": line.id,
        "carrier_identifier": None,
        "code": line.title,
        "current_discounted_price_set": purse.bag(max(net - refunded, totals.ZERO)),
        "discounted_price": purse.text(net),
        "discounted_price_set": purse.bag(net),
        "is_removed": False,
        "phone": None,
        "price": purse.text(line.price),
        "price_set": purse.bag(line.price),
        "requested_fulfillment_service_id": None,
        "source": "shopify",
        "title": line.title,
        "tax_lines": tax_lines(shop, purse, line.tax),
        "discount_allocations": _allocations(purse, line.discount, 1 if totals.ordered(order).discounts else 0),
    }
