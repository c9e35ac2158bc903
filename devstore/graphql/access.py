"""Which access scope a type needs, and the refusal of a field without it (``offline_scopes`` of the real schema)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from graphql import GraphQLError

from devstore import installs
from devstore.graphql.context import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from devstore.graphql.context import Context
    from devstore.model import Order

TYPE_SCOPES = {
    **dict.fromkeys(("AbandonedCheckout", "LineItem", "Order", "OrderTransaction", "Refund"), "read_orders"),
    **dict.fromkeys(("SalesAgreement", "AbandonedCheckoutLineItem", "RefundLineItem"), "read_orders"),
    "Customer": "read_customers",
    **dict.fromkeys(("InventoryItem", "Product", "ProductVariant"), "read_products"),
}
COUNT_SCOPES = {
    "abandonedCheckoutsCount": "read_orders",
    "customersCount": "read_customers",
    "ordersCount": "read_orders",
    "productsCount": "read_products",
}
ALL_ORDERS = "read_all_orders"
ORDERS_WINDOW = timedelta(days=60)
CUSTOMER_DATA = "https://partners.shopify.com/1/apps/1/customer_data"
DOCUMENTATION = "https://shopify.dev/api/usage/access-scopes"


def needed(type_name: str, field_name: str) -> str | None:
    """Return the scope a field of this (named) type needs, or None."""
    return COUNT_SCOPES.get(field_name) or TYPE_SCOPES.get(type_name.removesuffix("Connection"))


def require(context: Context, type_name: str, field_name: str) -> None:
    """Raise ``RequestError`` (ACCESS_DENIED) unless the app holds the scope a field needs."""
    scope = needed(type_name, field_name)
    if scope is None or scope in installs.expand(context.installation.scopes):
        return
    required = f"`{scope}` access scope."
    message = f"Access denied for {field_name} field. Required access: {required}"
    raise RequestError(message, "ACCESS_DENIED", documentation=DOCUMENTATION, requiredAccess=required)


def unapproved(names: frozenset[str], parent: str, field_name: str, type_name: str) -> bool:
    """Tell whether a field of ``parent`` is among ``names``, by itself (``Customer.email``) or by its type."""
    return bool(names) and (f"{parent}.{field_name}" in names or type_name.removesuffix("Connection") in names)


def require_approval(context: Context, parent: str, field_name: str, type_name: str) -> None:
    """Raise ``GraphQLError`` for a field of protected customer data that the app is not approved to read."""
    if not unapproved(context.unapproved, parent, field_name, type_name):
        return
    by_field = f"{parent}.{field_name}" in context.unapproved
    what = f"use the {field_name} field" if by_field else f"access the {type_name.removesuffix('Connection')} object"
    message = f"This app is not approved to {what}. See {CUSTOMER_DATA} for more details."
    raise GraphQLError(message)


def oldest_visible(context: Context) -> datetime | None:
    """Return when the oldest orders the app may see were created; None where it may see all."""
    return None if ALL_ORDERS in context.installation.scopes else context.store.now() - ORDERS_WINDOW


def visible(context: Context, orders: Iterable[Order]) -> list[Order]:
    """Return the orders the app may see: those of the last 60 days, all of them with ``read_all_orders``."""
    oldest = oldest_visible(context)
    return [order for order in orders if oldest is None or order.created_at >= oldest]


def orders(context: Context) -> list[Order]:
    """Return all orders of the store the app may see."""
    with context.store.lock:
        held = list(context.store.orders.values())
    return visible(context, held)


def lacking(context: Context, types: Iterable[str]) -> bool:
    """Tell whether any of these types needs a scope the app does not hold."""
    held = installs.expand(context.installation.scopes)
    return any(scope is not None and scope not in held for scope in (needed(name, "") for name in types))
