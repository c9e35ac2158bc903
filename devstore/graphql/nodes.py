"""What can be asked for by its global id."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from devstore.graphql import access, bulk_operations, webhooks
from devstore.graphql.checkouts import is_listed
from devstore.graphql.context import Context, Line, OrderRefund, RequestError, Transaction
from devstore.graphql.orders import transactions
from devstore.graphql.products import find_variant
from devstore.graphql.scalars import parse_gid

if TYPE_CHECKING:
    from devstore.model import Checkout, Customer, Order, Product

LARGEST_ARRAY = 250


def find(context: Context, id_: str) -> Any:  # noqa: ANN401 (any of the records that are nodes)
    """Return the record of a global id, or None; raises ``RequestError`` for what is no global id."""
    parsed = parse_gid(id_)
    if parsed is None:
        message = f"Invalid global id '{id_}'"
        raise RequestError(message, "argumentLiteralsIncompatible")
    kind, number = parsed
    finder = NODES.get(kind)
    return finder(context, number) if finder else None


def of_kind(kind: str) -> Callable[..., Any]:
    """Return a resolver ``(id:)`` for one kind of record."""

    def resolve(_root: object, context: Context, id: str) -> Any:  # noqa: A002, ANN401 (GraphQL's name; any record)
        parsed = parse_gid(id)
        return find(context, id) if parsed is None or parsed[0] == kind else None

    return resolve


def _checkout(context: Context, number: int) -> Checkout | None:
    found = (one for one in list(context.store.checkouts.values()) if one.id == number and is_listed(one))
    return next(found, None)


def _order(context: Context, number: int) -> Order | None:
    multitude = context.store.multitude
    held = context.store.orders.get(number) or (multitude.find(number) if multitude else None)
    return next(iter(access.visible(context, [held] if held else [])), None)


def _line(context: Context, number: int) -> Line | None:
    orders = access.orders(context)
    return next((Line(order, line) for order in orders for line in order.lines if line.id == number), None)


def _refund(context: Context, number: int) -> OrderRefund | None:
    orders = access.orders(context)
    return next((OrderRefund(order, one) for order in orders for one in order.refunds if one.id == number), None)


def _transaction(context: Context, number: int) -> Transaction | None:
    orders = access.orders(context)
    return next((one for order in orders for one in transactions(order) if one.record.id == number), None)


def _variant(context: Context, number: int) -> object:
    products = list(context.store.products.values())
    found = (find_variant(context.store, product.id, number) for product in products)
    return next(filter(None, found), None)


NODES: dict[str, Callable[[Context, int], Order | Customer | Product | object]] = {
    "AbandonedCheckout": _checkout,
    "AppInstallation": lambda context, number: context.installation if context.installation.id == number else None,
    "BulkOperation": bulk_operations.find,
    "Customer": lambda context, number: context.store.customers.get(number),
    "LineItem": _line,
    "Order": _order,
    "OrderTransaction": _transaction,
    "Product": lambda context, number: context.store.products.get(number),
    "ProductVariant": _variant,
    "Refund": _refund,
    "Shop": lambda context, number: context.store.shop if context.store.shop.id == number else None,
    "WebhookSubscription": lambda context, number: webhooks.find(
        None, context, f"gid://shopify/WebhookSubscription/{number}"
    ),
}


def find_all(_root: object, context: Context, ids: list[str]) -> list[Any]:
    """``nodes(ids:)``: the records in the order of their ids, None for what is not there."""
    if len(ids) > LARGEST_ARRAY:
        message = f"The input array size of {len(ids)} is greater than the maximum allowed of {LARGEST_ARRAY}."
        raise RequestError(message, "MAX_INPUT_SIZE_EXCEEDED")
    return [find(context, id_) for id_ in ids]
