"""Webhook bodies of carts and checkouts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from devstore import payloads_customers, totals
from devstore.payloads_wire import Body, Purse, address_body, local, shop_purse, zulu

if TYPE_CHECKING:
    from decimal import Decimal

    from devstore.model import Cart, CartLine, Checkout
    from devstore.state import Store


def cart_body(store: Store, cart: Cart) -> Body:
    """Return the body of carts/create and carts/update. A cart has no customer."""
    purse = shop_purse(store.shop)
    return {
        "id": cart.token,
        "token": cart.token,
        "line_items": [_cart_line(purse, line) for line in cart.lines],
        "note": cart.note,
        "updated_at": zulu(cart.updated_at),
        "created_at": zulu(cart.created_at),
    }


def checkout_body(store: Store, checkout: Checkout) -> Body:
    """Return the body of checkouts/create and checkouts/update.

    Since 2026-04 it has no numeric id. Addresses and customer are left out as long as they are unknown.
    """
    at = {
        name: local(getattr(checkout, name), store.zone)
        for name in ("created_at", "updated_at", "completed_at", "closed_at")
    }
    return {
        "token": checkout.token,
        "cart_token": checkout.cart_token,
        "email": checkout.email,
        "gateway": None,
        **at,
        **_checkout_facts(store, checkout),
        **_checkout_amounts(store, checkout),
        "line_items": [_checkout_line(store, line) for line in checkout.lines],
        **_checkout_people(store, checkout),
    }


def checkout_deleted_body(store: Store, checkout: Checkout) -> Body:
    """Return the body of checkouts/delete, which has the numeric id and no token."""
    amounts = _checkout_amounts(store, checkout)
    kept = ("total_discounts", "total_line_items_price", "total_price", "total_tax", "subtotal_price", "total_duties")
    return {
        "id": checkout.id,
        "presentment_currency": checkout.presentment_currency,
        "buyer_accepts_sms_marketing": False,
        "sms_marketing_phone": None,
        "cart_token": checkout.cart_token,
        "reservation_token": None,
        **{name: amounts[name] for name in kept},
    }


def _cart_line(purse: Purse, line: CartLine) -> Body:
    amounts = {
        "discounted_price": line.price - totals.cents(line.discount / line.quantity),
        "line_price": line.price * line.quantity - line.discount,
        "original_line_price": line.price * line.quantity,
        "price": line.price,
        "total_discount": line.discount,
    }
    return {
        "id": line.variant_id,
        "properties": None,
        "quantity": line.quantity,
        "variant_id": line.variant_id,
        "key": f"{line.variant_id}:{line.id:032x}",
        "discounts": [],
        "gift_card": False,
        "grams": line.grams,
        "original_price": purse.text(line.price),
        "product_id": line.product_id,
        "sku": line.sku,
        "taxable": True,
        "title": line.title,
        "vendor": line.vendor,
        **{name: purse.text(amount) for name, amount in amounts.items()},
        **{f"{name}_set": purse.bag(amount) for name, amount in amounts.items()},
        "parent_relationship": None,
    }


def _checkout_facts(store: Store, checkout: Checkout) -> Body:
    shop = store.shop
    return {
        "buyer_accepts_marketing": False,
        "landing_site": None,
        "note": None,
        "note_attributes": [],
        "referring_site": None,
        "shipping_lines": [],
        "taxes_included": shop.taxes_included,
        "total_weight": sum(line.grams * line.quantity for line in checkout.lines),
        "currency": shop.currency,
        "user_id": None,
        "location_id": None,
        "source_identifier": None,
        "source_url": None,
        "device_id": None,
        "phone": checkout.phone,
        "customer_locale": shop.locale,
        "name": f"#{checkout.id}",
        "source": None,
        "abandoned_checkout_url": (
            f"https://{shop.domain}/{shop.id}/checkouts/{checkout.token}/recover?key={checkout.token[:8]}"
        ),
        "source_name": "web",
        "presentment_currency": checkout.presentment_currency,
        "buyer_accepts_sms_marketing": False,
        "sms_marketing_phone": None,
        "reservation_token": None,
    }


def _checkout_amounts(store: Store, checkout: Checkout) -> Body:
    purse = shop_purse(store.shop)
    gross = totals.total([line.price * line.quantity for line in checkout.lines])
    discounts = totals.total([line.discount for line in checkout.lines])
    tax = totals.total([line.tax for line in checkout.lines]) + totals.cents(checkout.shipping * store.shop.tax_rate)
    code = [{"code": checkout.discount_code, "amount": purse.text(discounts), "type": "fixed_amount"}]
    return {
        "discount_codes": code if checkout.discount_code else [],
        "tax_lines": _tax(store, purse, tax),
        "total_discounts": purse.text(discounts),
        "total_line_items_price": purse.text(gross),
        "total_price": purse.text(gross - discounts + checkout.shipping + tax),
        "total_tax": purse.text(tax),
        "subtotal_price": purse.text(gross - discounts),
        "total_duties": None,
    }


def _tax(store: Store, purse: Purse, amount: Decimal) -> list[Body]:
    if not amount:
        return []
    return [{"price": purse.text(amount), "rate": float(store.shop.tax_rate), "title": "Tax", "channel_liable": False}]


def _checkout_line(store: Store, line: CartLine) -> Body:
    purse = shop_purse(store.shop)
    return {
        "applied_discounts": [],
        "discount_allocations": _allocations(purse, line.discount),
        "key": f"{line.id:032x}",
        "destination_location_id": None,
        "fulfillment_service": "manual",
        "gift_card": False,
        "grams": line.grams,
        "origin_location_id": None,
        "presentment_title": line.title,
        "presentment_variant_title": line.variant_title,
        "product_id": line.product_id,
        "properties": None,
        "quantity": line.quantity,
        "requires_shipping": True,
        "sku": line.sku,
        "tax_lines": _line_tax(store, purse, line.tax),
        "taxable": True,
        "title": line.title,
        "variant_id": line.variant_id,
        "variant_title": line.variant_title,
        "variant_price": purse.text(line.price),
        "vendor": line.vendor,
        "user_id": None,
        "unit_price_measurement": dict.fromkeys(
            ("measured_type", "quantity_value", "quantity_unit", "reference_value", "reference_unit")
        ),
        "rank": None,
        "compare_at_price": None,
        "line_price": purse.text(line.price * line.quantity),
        "price": purse.text(line.price),
    }


def _allocations(purse: Purse, discount: Decimal) -> list[Body]:
    if not discount:
        return []
    return [{"amount": purse.text(discount), "discount_application_index": 0}]


def _line_tax(store: Store, purse: Purse, amount: Decimal) -> list[Body]:
    if not amount:
        return []
    rate = float(store.shop.tax_rate)
    unknown = (
        "jurisdiction_id",
        "jurisdiction_type",
        "jurisdiction_source",
        "reporting_taxable_amount",
        "reporting_non_taxable_amount",
        "reporting_exempt_amount",
        "reporting_jurisdiction_name",
        "reporting_jurisdiction_type",
        "reporting_jurisdiction_code",
        "tax_api_client_id",
        "tax_registration_id",
    )
    return [
        {
            "price": purse.text(amount),
            "position": 1,
            "rate": rate,
            "title": "Tax",
            "source": "Shopify",
            "zone": "province",
            **dict.fromkeys(unknown),
            "tax_calculation_price": purse.text(amount),
            "compare_at": rate,
            "channel_liable": False,
        }
    ]


def _checkout_people(store: Store, checkout: Checkout) -> Body:
    known: Body = {}
    address = address_body(checkout.address)
    if address:
        known |= {"billing_address": address, "shipping_address": address}
    customer = payloads_customers.customer_in_order(store, checkout.customer_id)
    if customer:
        known["customer"] = customer
    return known
