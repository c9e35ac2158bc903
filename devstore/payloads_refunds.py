"""Webhook bodies of refunds, alone and inside their order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from devstore import totals
from devstore.payloads_lines import refunded_line_body, shipping_body
from devstore.payloads_wire import Body, Purse, gid, local

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from devstore.model import LineItem, Order, Refund, RefundLine, Shop, Transaction
    from devstore.state import Store


def refund_body(store: Store, order: Order, refund: Refund) -> Body:
    """Return the body of refunds/create, which is also what an order's ``refunds`` holds."""
    purse = Purse.of(order)
    lines = {line.id: line for line in order.lines}
    return {
        "id": refund.id,
        "order_id": order.id,
        "created_at": local(refund.created_at, store.zone),
        "note": refund.note,
        "user_id": None,
        "processed_at": local(refund.processed_at, store.zone),
        "duties": [],
        "total_duties_set": purse.bag(totals.ZERO),
        "return": None,
        "restock": refund.restock,
        "refund_shipping_lines": _refunded_shipping(store.shop, order, refund),
        "admin_graphql_api_id": gid("Refund", refund.id),
        "order_adjustments": [],
        "refund_line_items": [
            _refund_line_body(store.shop, order, line, lines[line.line_item_id]) for line in refund.lines
        ],
        "transactions": [_transaction_body(store.zone, order, one) for one in refund.transactions],
    }


def _refund_line_body(shop: Shop, order: Order, line: RefundLine, of_order: LineItem) -> Body:
    purse = Purse.of(order)
    return {
        "id": line.id,
        "quantity": line.quantity,
        "line_item_id": line.line_item_id,
        "location_id": None,
        "restock_type": line.restock_type,
        "subtotal": line.subtotal,
        "total_tax": line.tax,
        "subtotal_set": purse.bag(line.subtotal),
        "total_tax_set": purse.bag(line.tax),
        "line_item": refunded_line_body(shop, order, of_order),
    }


def _refunded_shipping(shop: Shop, order: Order, refund: Refund) -> list[Body]:
    """Return refunded shipping; since 2024-10 it is here and no longer among the order adjustments."""
    if not (refund.shipping or refund.shipping_tax):
        return []
    purse, line = Purse.of(order), order.shipping_lines[0]
    return [
        {
            "id": refund.id,
            "shipping_line_id": line.id,
            "subtotal_amount_set": purse.bag(refund.shipping),
            "tax_amount_set": purse.bag(refund.shipping_tax),
            "shipping_line": shipping_body(shop, order, line),
        }
    ]


def _transaction_body(zone: ZoneInfo, order: Order, one: Transaction) -> Body:
    purse = Purse.of(order)
    unsettled = {"amount": "0.0", "currency": "XXX"}
    return {
        "id": one.id,
        "order_id": order.id,
        "kind": one.kind,
        "gateway": one.gateway,
        "status": one.status,
        "message": None,
        "created_at": local(one.created_at, zone),
        "test": order.test,
        "authorization": None,
        "location_id": None,
        "user_id": None,
        "parent_id": order.transactions[0].id if order.transactions else None,
        "processed_at": local(one.created_at, zone),
        "device_id": None,
        "error_code": None,
        "source_name": order.source_name,
        "receipt": {},
        "amount": purse.text(one.amount),
        "currency": order.currency,
        "payment_id": f"#{order.number}.{one.id}",
        "total_unsettled_set": {"presentment_money": unsettled, "shop_money": unsettled},
        "manual_payment_gateway": False,
        "amount_rounding": None,
        "admin_graphql_api_id": gid("OrderTransaction", one.id),
    }
