"""Webhook bodies of orders."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from devstore import payloads_customers, totals
from devstore.payloads_lines import line_body, shipping_body, tax_lines
from devstore.payloads_refunds import refund_body
from devstore.payloads_wire import Body, Purse, address_body, gid, local

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from devstore.model import Order, OrderEdit
    from devstore.state import Store


def order_body(store: Store, order: Order) -> Body:
    """Return the body of orders/create, updated, paid, cancelled, fulfilled and partially_fulfilled."""
    return {
        **_head(store, order),
        **_amounts(order),
        "billing_address": address_body(order.address),
        "customer": payloads_customers.customer_in_order(store, order.customer_id),
        "discount_applications": _applications(order),
        "fulfillments": [],
        "line_items": [line_body(store.shop, order, line) for line in order.lines],
        "payment_terms": None,
        "refunds": [refund_body(store, order, refund) for refund in order.refunds],
        "shipping_address": address_body(order.address),
        "shipping_lines": [shipping_body(store.shop, order, line) for line in order.shipping_lines],
        "returns": [],
        "line_item_groups": [],
    }


def order_edited_body(store: Store, order: Order, edit: OrderEdit) -> Body:
    """Return the body of orders/edited."""
    added = [{"id": change.line_item_id, "delta": change.delta} for change in edit.changes if change.delta > 0]
    removed = [{"id": change.line_item_id, "delta": -change.delta} for change in edit.changes if change.delta < 0]
    at = local(edit.created_at, store.zone)
    return {
        "order_edit": {
            "id": edit.id,
            "app_id": None,
            "created_at": at,
            "committed_at": at,
            "notify_customer": False,
            "order_id": order.id,
            "staff_note": edit.note,
            "user_id": None,
            "line_items": {"additions": added, "removals": removed},
            "discounts": {"line_item": {"additions": [], "removals": []}},
            "shipping_lines": {"additions": [], "removals": []},
        }
    }


def _head(store: Store, order: Order) -> Body:
    """Return what is neither money nor nested."""
    return {**_identity(store, order), **_moments(store.zone, order), **_origin(order), **_customer_facts(store, order)}


def _identity(store: Store, order: Order) -> Body:
    """Return what the order is called and what state it is in."""
    shop = store.shop
    return {
        "id": order.id,
        "admin_graphql_api_id": gid("Order", order.id),
        "cancel_reason": order.cancel_reason,
        "confirmation_number": order.token[:9].upper(),
        "confirmed": True,
        "currency": order.currency,
        "discount_codes": _codes(order),
        "duties_included": False,
        "estimated_taxes": False,
        "financial_status": order.financial_status,
        "fulfillment_status": order.fulfillment_status,
        "merchant_business_entity_id": base64.b64encode(str(shop.id).encode()).decode().rstrip("="),
        "merchant_of_record_app_id": None,
        "name": f"#{order.number}",
        "note": order.note,
        "note_attributes": [],
        "number": order.number - 1000,
        "order_number": order.number,
        "order_status_url": f"https://{shop.domain}/{shop.id}/orders/{order.token}/authenticate?key={order.token[:8]}",
        "payment_gateway_names": sorted({one.gateway for one in order.transactions}),
        "po_number": None,
        "presentment_currency": order.presentment_currency,
        "tags": ", ".join(order.tags),
        "tax_exempt": False,
        "tax_lines": tax_lines(shop, Purse.of(order), totals.ordered(order).tax),
        "taxes_included": shop.taxes_included,
        "test": order.test,
        "token": order.token,
        "total_weight": sum(line.grams * line.quantity for line in order.lines),
    }


def _moments(zone: ZoneInfo, order: Order) -> Body:
    """Return when things happened."""
    names = ("cancelled_at", "closed_at", "created_at", "processed_at", "updated_at")
    return {name: local(getattr(order, name), zone) for name in names}


def _origin(order: Order) -> Body:
    """Return where the order came from; there are no apps, staff, devices or locations here."""
    unknown = ("app_id", "browser_ip", "client_details", "device_id", "landing_site_ref", "location_id", "reference")
    return {
        **dict.fromkeys(unknown),
        "cart_token": order.cart_token,
        "checkout_token": order.checkout_token,
        "landing_site": order.landing_site,
        "referring_site": order.referring_site,
        "source_identifier": None,
        "source_name": order.source_name,
        "source_url": None,
        "user_id": None,
    }


def _customer_facts(store: Store, order: Order) -> Body:
    """Return how to reach whoever ordered."""
    customer = store.customers.get(order.customer_id or 0)
    return {
        "buyer_accepts_marketing": customer is not None and customer.email_consent == "subscribed",
        "contact_email": order.email,
        "customer_locale": customer.locale if customer else store.shop.locale,
        "email": order.email,
        "phone": order.phone,
    }


def _amounts(order: Order) -> Body:
    """Return the order's totals, as placed and as they stand."""
    placed, left, purse = totals.ordered(order), totals.current(order), Purse.of(order)
    both = {
        "current_subtotal_price": left.subtotal,
        "current_total_discounts": left.discounts + left.shipping_discounts,
        "current_total_price": left.total,
        "current_total_tax": left.tax,
        "subtotal_price": placed.subtotal,
        "total_discounts": placed.discounts + placed.shipping_discounts,
        "total_line_items_price": placed.gross,
        "total_price": placed.total,
        "total_tax": placed.tax,
    }
    bags = {
        "current_shipping_price": left.shipping,
        "total_cash_rounding_payment_adjustment": totals.ZERO,
        "total_cash_rounding_refund_adjustment": totals.ZERO,
        # "excluding discounts and returns", says the Order resource's reference.
        "total_shipping_price": placed.shipping + placed.shipping_discounts,
    }
    unknown = ("current_total_additional_fees", "current_total_duties")
    return {
        **{name: purse.text(amount) for name, amount in both.items()},
        **{f"{name}_set": purse.bag(amount) for name, amount in {**both, **bags}.items()},
        **{f"{name}_set": None for name in unknown},
        "original_total_additional_fees_set": None,
        "original_total_duties_set": None,
        "total_outstanding": purse.text(totals.outstanding(order)),
        "total_tip_received": purse.text(totals.ZERO),
    }


def _codes(order: Order) -> list[Body]:
    if order.discount_code is None:
        return []
    placed = totals.ordered(order)
    on_shipping = not placed.discounts
    amount = placed.shipping_discounts if on_shipping else placed.discounts
    kind = "shipping" if on_shipping else "fixed_amount"
    return [{"code": order.discount_code, "amount": Purse.of(order).text(amount), "type": kind}]


def _applications(order: Order) -> list[Body]:
    """Return the discount applications: the lines' (index 0 where there is one), then the shipping's."""
    placed, purse = totals.ordered(order), Purse.of(order)
    targets = (("line_item", placed.discounts), ("shipping_line", placed.shipping_discounts))
    return [_application(order, target, purse.text(amount)) for target, amount in targets if amount]


def _application(order: Order, target: str, value: str) -> Body:
    named = (
        {"type": "discount_code", "code": order.discount_code}
        if order.discount_code
        else {"type": "automatic", "title": "Automatic discount"}
    )
    return {
        "target_type": target,
        "value": value,
        "value_type": "fixed_amount",
        "allocation_method": "across",
        "target_selection": "all",
        **named,
    }
