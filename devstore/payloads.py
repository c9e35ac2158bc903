"""Webhook bodies, one function per shape; topics that share a shape share the function.

A test holds each of them against the key structure of Shopify's own samples. Orders, customers and baskets live in
sibling modules and are named here, so that callers write ``payloads.order_body``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from babel import Locale
from babel.numbers import get_currency_symbol

from devstore.payloads_baskets import cart_body, checkout_body, checkout_deleted_body
from devstore.payloads_customers import (
    customer_body,
    customer_deleted_body,
    customer_merge_body,
    customer_tags_body,
    email_consent_body,
    purchasing_summary_body,
    sms_consent_body,
)
from devstore.payloads_orders import order_body, order_edited_body
from devstore.payloads_refunds import refund_body
from devstore.payloads_wire import Body, gid, local, zulu

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from devstore.model import Customer, Product, Shop, Variant
    from devstore.state import Store

__all__ = [
    "bulk_finish_body",
    "cart_body",
    "checkout_body",
    "checkout_deleted_body",
    "customer_body",
    "customer_data_request_body",
    "customer_deleted_body",
    "customer_merge_body",
    "customer_redact_body",
    "customer_tags_body",
    "deleted_body",
    "email_consent_body",
    "order_body",
    "order_edited_body",
    "product_body",
    "purchasing_summary_body",
    "refund_body",
    "scopes_update_body",
    "shop_body",
    "shop_redact_body",
    "sms_consent_body",
]

FULL_VARIANTS = 100  # a product's body holds only so many variants in full
PLAN_NAMES = {"Basic": "basic", "Grow": "professional", "Advanced": "unlimited", "Plus": "enterprise"}


def deleted_body(number: int) -> Body:
    """Return the body of orders/delete and products/delete."""
    return {"id": number}


def product_body(store: Store, product: Product) -> Body:
    """Return the body of products/create and products/update."""
    return {
        "admin_graphql_api_id": gid("Product", product.id),
        "body_html": product.body_html,
        "created_at": local(product.created_at, store.zone),
        "handle": product.handle,
        "id": product.id,
        "product_type": product.product_type,
        "published_at": local(product.published_at, store.zone),
        "template_suffix": None,
        "title": product.title,
        "updated_at": local(product.updated_at, store.zone),
        "vendor": product.vendor,
        "status": product.status,
        "published_scope": "global",
        "tags": ", ".join(product.tags),
        "variants": [_variant_body(store, product, variant) for variant in product.variants[:FULL_VARIANTS]],
        "options": [_option_body(product)],
        "images": [],
        "image": None,
        "media": [],
        "variant_gids": [
            {"admin_graphql_api_id": gid("ProductVariant", variant.id), "updated_at": zulu(variant.updated_at)}
            for variant in product.variants
        ],
        "has_variants_that_requires_components": False,
        "category": None,
    }


def _option_body(product: Product) -> Body:
    return {
        "name": "Title" if product.variants[0].option1 == "Default Title" else "Option",
        "id": product.id,
        "product_id": product.id,
        "position": 1,
        "values": [variant.option1 for variant in product.variants],
    }


def _variant_body(store: Store, product: Product, variant: Variant) -> Body:
    return {
        "admin_graphql_api_id": gid("ProductVariant", variant.id),
        "barcode": variant.barcode,
        "compare_at_price": None if variant.compare_at_price is None else str(variant.compare_at_price),
        "created_at": local(variant.created_at, store.zone),
        "id": variant.id,
        "inventory_policy": "deny",
        "position": variant.position,
        "price": str(variant.price),
        "product_id": product.id,
        "sku": variant.sku,
        "taxable": not product.gift_card,
        "title": variant.title,
        "updated_at": local(variant.updated_at, store.zone),
        "option1": variant.option1,
        "option2": None,
        "option3": None,
        "image_id": None,
        "inventory_item_id": variant.inventory_item_id,
        "inventory_quantity": variant.inventory_quantity,
        "old_inventory_quantity": variant.inventory_quantity,
    }


def shop_body(store: Store) -> Body:
    """Return the body of shop/update and app/uninstalled. The made-up shop has no street address."""
    shop = store.shop
    country = Locale("en").territories[shop.country_code]
    return {
        "id": shop.id,
        "name": shop.name,
        "email": shop.email,
        "domain": shop.domain,
        **dict.fromkeys(("province", "address1", "zip", "city", "source", "phone", "latitude", "longitude")),
        "country": shop.country_code,
        "primary_locale": shop.locale,
        "address2": None,
        "created_at": local(shop.created_at, store.zone),
        "updated_at": local(shop.updated_at, store.zone),
        "country_code": shop.country_code,
        "country_name": country,
        "currency": shop.currency,
        "customer_email": shop.email,
        "timezone": _zone_name(store),
        "iana_timezone": shop.timezone,
        "shop_owner": shop.owner_name,
        **_money_formats(shop),
        "weight_unit": "kg",
        "province_code": None,
        "taxes_included": shop.taxes_included,
        **dict.fromkeys(("auto_configure_tax_inclusivity", "tax_shipping", "county_taxes")),
        "plan_display_name": shop.plan,
        "plan_name": PLAN_NAMES.get(shop.plan, shop.plan.lower()),
        "myshopify_domain": shop.domain,
        **dict.fromkeys(("google_apps_domain", "google_apps_login_enabled")),
        **_features(store),
    }


def _zone_name(store: Store) -> str:
    offset = store.shop.created_at.astimezone(store.zone).strftime("%z")
    return f"(GMT{offset[:3]}:{offset[3:]}) {store.shop.timezone}"


def _money_formats(shop: Shop) -> Body:
    symbol = get_currency_symbol(shop.currency, locale="en")
    plain, named = f"{symbol}{{{{amount}}}}", f"{symbol}{{{{amount}}}} {shop.currency}"
    return {
        "money_format": plain,
        "money_with_currency_format": named,
        "money_in_emails_format": plain,
        "money_with_currency_in_emails_format": named,
    }


def _features(store: Store) -> Body:
    """Return what a shop can do and what of it is used; counted where the store knows."""
    presented = {order.presentment_currency for order in store.orders.values()} | {store.shop.currency}
    return {
        "has_discounts": any(order.discount_code for order in store.orders.values()),
        "has_gift_cards": any(product.gift_card for product in store.products.values()),
        "eligible_for_payments": True,
        "requires_extra_payments_agreement": False,
        "password_enabled": False,
        "has_storefront": True,
        "finances": True,
        "primary_location_id": store.shop.id,
        "checkout_api_supported": True,
        "multi_location_enabled": True,
        "setup_required": False,
        "pre_launch_enabled": False,
        "enabled_presentment_currencies": sorted(presented),
        "marketing_sms_consent_enabled_at_checkout": False,
        "transactional_sms_disabled": False,
    }


def scopes_update_body(store: Store, previous: Iterable[str], current: Iterable[str], at: datetime) -> Body:
    """Return the body of app/scopes_update."""
    return {
        "id": store.next_id(),
        "shop_id": gid("Shop", store.shop.id),
        "previous": sorted(previous),
        "current": sorted(current),
        "updated_at": zulu(at),
    }


def bulk_finish_body(
    store: Store, operation: str, created_at: datetime, completed_at: datetime, *, error_code: str | None = None
) -> Body:
    """Return the body of bulk_operations/finish; ``operation`` is the gid, ``error_code`` is set when it failed."""
    return {
        "admin_graphql_api_id": operation,
        "completed_at": local(completed_at, store.zone),
        "created_at": local(created_at, store.zone),
        "error_code": error_code.lower() if error_code else None,
        "status": "failed" if error_code else "completed",
        "type": "query",
    }


def customer_data_request_body(store: Store, customer: Customer) -> Body:
    """Return the body of customers/data_request."""
    return {
        **_about_customer(store, customer),
        "orders_requested": [order.id for order in store.orders_of(customer.id)],
        "data_request": {"id": store.next_id()},
    }


def customer_redact_body(store: Store, customer: Customer) -> Body:
    """Return the body of customers/redact."""
    orders = [order.id for order in store.orders_of(customer.id)]
    return {**_about_customer(store, customer), "orders_to_redact": orders}


def shop_redact_body(store: Store) -> Body:
    """Return the body of shop/redact."""
    return {"shop_id": store.shop.id, "shop_domain": store.shop.domain}


def _about_customer(store: Store, customer: Customer) -> Body:
    return {
        **shop_redact_body(store),
        "customer": {"id": customer.id, "email": customer.email, "phone": customer.phone},
    }
