"""What bulk results leave out of an order, read by ordinary queries: refund lines, refunded shipping, agreements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import msgspec

from shopify_app.shopify.bulk_lines import Bag, Ref, Time
from shopify_app.shopify.exports import AGREEMENT_SALES, ORDER_AGREEMENTS, ORDER_DETAILS, REFUND_LINES
from shopify_app.shopify.scalars import Count, Gid, Instant

Node = dict[str, Any]


class Executes(Protocol):
    """The part of ``client.AdminClient`` that is needed here."""

    def execute(self, document: str, variables: Mapping[str, Any] | None = None) -> Node:
        """Run a document and return its data; raises ``errors.ShopifyError``."""


class RefundLine(msgspec.Struct, rename="camel"):
    """A line of a refund; Shopify may leave its id out."""

    line_item: Ref
    id: Gid | None = None
    quantity: Count | None = None
    restock_type: str | None = None
    subtotal_set: Bag | None = None
    total_tax_set: Bag | None = None


class RefundShipping(msgspec.Struct, rename="camel"):
    """Refunded shipping."""

    subtotal_amount_set: Bag | None = None
    tax_amount_set: Bag | None = None


class RefundLines(msgspec.Struct):
    """A refund's lines."""

    nodes: list[RefundLine]


class RefundShippings(msgspec.Struct):
    """A refund's refunded shipping."""

    nodes: list[RefundShipping]


class Refund(msgspec.Struct, rename="camel"):
    """A refund with its lines."""

    id: Gid
    refund_line_items: RefundLines
    refund_shipping_lines: RefundShippings
    created_at: Time | None = None
    processed_at: Time | None = None
    total_refunded_set: Bag | None = None


class Sale(msgspec.Struct, rename="camel"):
    """One booking of an agreement, signed: what leaves the order is negative and has the action ``RETURN``.

    ``totalAmount`` is after discounts and with taxes.
    """

    action_type: str
    line_type: str
    total_amount: Bag
    total_discount_amount_before_taxes: Bag
    total_tax_amount: Bag
    quantity: int | None = None
    line_item: Ref | None = None


class Sales(msgspec.Struct):
    """An agreement's sales."""

    nodes: list[Sale]


class Agreement(msgspec.Struct, rename="camel"):
    """A sales agreement: placing the order, an edit, a refund or a return."""

    typename: str = msgspec.field(name="__typename")
    id: Gid
    happened_at: Instant
    sales: Sales


class AgreementEdge(msgspec.Struct):
    """An agreement in its list."""

    node: Agreement


class Agreements(msgspec.Struct):
    """An order's agreements."""

    edges: list[AgreementEdge]


class OrderDetails(msgspec.Struct):
    """What bulk results leave out of an order: the lines of its refunds, and, once edited, its ledger of agreements."""

    id: Gid
    refunds: list[Refund]
    agreements: Agreements


def order_details(client: Executes, order_ids: Iterable[int]) -> list[Node]:
    """Return the ``OrderDetails`` node of each order that still exists, complete, as decoded JSON.

    One order a query keeps the requested cost under Shopify's limit of 1,000 points; what does not fit its first
    pages is read page by page. Raises what ``execute`` raises.
    """
    found = (_order(client, f"gid://shopify/Order/{number}") for number in order_ids)
    return [node for node in found if node is not None]


def _order(client: Executes, gid: str) -> Node | None:
    node: Node | None = client.execute(ORDER_DETAILS, {"ids": [gid]})["nodes"][0]
    if node is None:
        return None
    for refund in node["refunds"]:
        _complete_refund(client, refund)
    node["agreements"] = {"edges": _agreements(client, gid) if node["edited"] else []}
    return node


def _complete_refund(client: Executes, refund: Node) -> None:
    """Read the refund's lines to the end."""
    lines = refund["refundLineItems"]
    while lines["pageInfo"]["hasNextPage"]:
        variables = {"id": refund["id"], "after": lines["pageInfo"]["endCursor"]}
        page = client.execute(REFUND_LINES, variables)["refund"]["refundLineItems"]
        lines["nodes"] += page["nodes"]
        lines["pageInfo"] = page["pageInfo"]


def _agreements(client: Executes, order_gid: str) -> list[Node]:
    """Return the edges of an order's agreements to the last, each with all its sales."""
    edges: list[Node] = []
    info: Node = {"hasNextPage": True, "endCursor": None}
    while info["hasNextPage"]:
        page = client.execute(ORDER_AGREEMENTS, {"id": order_gid, "after": info["endCursor"]})["order"]["agreements"]
        edges += page["edges"]
        info = page["pageInfo"]
    before = None
    for edge in edges:
        _complete_sales(client, order_gid, before, edge["node"])
        before = edge["cursor"]
    return edges


def _complete_sales(client: Executes, order_gid: str, before: str | None, agreement: Node) -> None:
    """Read an agreement's sales to the end; it is no node, so it is found as the one after ``before``."""
    sales = agreement["sales"]
    while sales["pageInfo"]["hasNextPage"]:
        variables = {"id": order_gid, "before": before, "after": sales["pageInfo"]["endCursor"]}
        page = client.execute(AGREEMENT_SALES, variables)["order"]["agreements"]["nodes"][0]["sales"]
        sales["nodes"] += page["nodes"]
        sales["pageInfo"] = page["pageInfo"]
