"""The entry points of the schema: what can be asked for by id, listed, counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from devstore.graphql import bulk_operations, nodes, resources, webhooks

if TYPE_CHECKING:
    from devstore.graphql.context import Context, Fields


def _subscriptions_count(_root: object, context: Context, **_filter: object) -> tuple[int, bool]:
    return len(webhooks.listing(None, context).items), True


QUERY: Fields = {
    "abandonedCheckouts": resources.CHECKOUTS.listing,
    "abandonedCheckoutsCount": resources.CHECKOUTS.count,
    "bulkOperation": nodes.of_kind("BulkOperation"),
    "bulkOperations": bulk_operations.listing,
    "currentAppInstallation": lambda _root, context: context.installation,
    "customer": nodes.of_kind("Customer"),
    "customers": resources.CUSTOMERS.listing,
    "customersCount": resources.CUSTOMERS.count,
    "node": lambda _root, context, id: nodes.find(context, id),  # noqa: A006 (GraphQL's name)
    "nodes": nodes.find_all,
    "order": nodes.of_kind("Order"),
    "orders": resources.ORDERS.listing,
    "ordersCount": resources.ORDERS.count,
    "product": nodes.of_kind("Product"),
    "products": resources.PRODUCTS.listing,
    "productsCount": resources.PRODUCTS.count,
    "refund": nodes.of_kind("Refund"),
    "shop": lambda _root, context: context.store.shop,
    "webhookSubscription": webhooks.find,
    "webhookSubscriptions": webhooks.listing,
    "webhookSubscriptionsCount": _subscriptions_count,
}
COUNT: Fields = {
    "count": lambda count, _context: count[0],
    "precision": lambda count, _context: "EXACT" if count[1] else "AT_LEAST",
}
