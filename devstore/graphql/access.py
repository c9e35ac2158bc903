"""Which access scope a type needs, and the refusal of a field without it (``offline_scopes`` of the real schema)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from devstore import installs
from devstore.graphql.context import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable

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


def visible(context: Context, orders: Iterable[Order]) -> list[Order]:
    """Return the orders the app may see: those of the last 60 days, all of them with ``read_all_orders``."""
    if ALL_ORDERS in context.installation.scopes:
        return list(orders)
    oldest = context.store.now() - ORDERS_WINDOW
    return [order for order in orders if order.created_at >= oldest]


def orders(context: Context) -> list[Order]:
    """Return all orders of the store the app may see."""
    with context.store.lock:
        held = list(context.store.orders.values())
    return visible(context, held)


def lacking(context: Context, types: Iterable[str]) -> bool:
    """Tell whether any of these types needs a scope the app does not hold."""
    held = installs.expand(context.installation.scopes)
    return any(scope is not None and scope not in held for scope in (needed(name, "") for name in types))
