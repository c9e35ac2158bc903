"""Details of orders, read by ordinary queries: refund lines, refunded shipping, and the amounts of edits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from sqlalchemy.orm import Session

from shopify_app.ingest import ledger, refunds
from shopify_app.ingest.outcome import Outcome, PayloadRejected
from shopify_app.ingest.staging import Row
from shopify_app.models import Tenant
from shopify_app.shopify import bulk_lines, details
from shopify_app.shopify.scalars import number_of

_EDIT = "OrderEditAgreement"
_RETURN = "RETURN"


def apply_order_details(
    session: Session, tenant: Tenant, nodes: Sequence[dict[str, Any] | None], now: datetime
) -> Outcome:
    """Apply nodes of ``details.order_details``; null nodes, orders that are gone, are passed over.

    Raises PayloadRejected for a node that cannot be mapped; nothing has been written then.
    """
    orders = [_order(node) for node in nodes if node is not None]
    refund_rows, refund_lines = _refund_rows(orders, now)
    written, touched = refunds.write_refunds(session, tenant.id, refund_rows, refund_lines, now)
    numbers = [number_of(order.id) for order in orders]
    changed = refunds.replace_edits(session, tenant.id, numbers, _edit_rows(orders), now)
    touched |= set(numbers) if changed else set()
    return Outcome(rows_written=written + changed, days=ledger.book(session, tenant, touched))


def _order(node: dict[str, Any]) -> details.OrderDetails:
    try:
        return msgspec.convert(node, details.OrderDetails)
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at `")
        raise PayloadRejected(None, path.rstrip("`") or "$", reason) from error


def _refund_rows(orders: Iterable[details.OrderDetails], now: datetime) -> tuple[list[Row], list[Row]]:
    rows: list[Row] = []
    lines: list[Row] = []
    for order in orders:
        for refund in order.refunds:
            row, of_refund = refunds.detail_rows(number_of(order.id), refund, now)
            rows.append(row)
            lines.extend(of_refund)
    return rows, lines


def _edit_rows(orders: Iterable[details.OrderDetails]) -> tuple[list[Row], list[Row]]:
    """Return the rows of edits and of what they did; an edit that touched no line is kept as such."""
    edits: list[Row] = []
    lines: list[Row] = []
    for order in orders:
        for agreement in (edge.node for edge in order.agreements.edges):
            if agreement.typename == _EDIT:
                number = number_of(agreement.id)
                edits.append((number, number_of(order.id), agreement.happened_at))
                lines.extend(_edit_lines(number, agreement.sales.nodes))
    return edits, lines


def _edit_lines(edit_id: int, sales: Iterable[details.Sale]) -> Iterator[Row]:
    """Yield one row per line; a line that one edit booked more than once gets the sum."""
    booked: dict[int, list[Decimal]] = {}
    for sale in sales:
        if sale.line_item is not None:
            amounts = booked.setdefault(number_of(sale.line_item.id), [Decimal(0)] * 4)
            for place, amount in enumerate(_signed(sale)):
                amounts[place] += amount
    for line_id, (delta, gross, discount, tax) in booked.items():
        yield (edit_id, line_id, int(delta), abs(gross), abs(discount), abs(tax))


def _signed(sale: details.Sale) -> tuple[Decimal, Decimal, Decimal, Decimal]:
    """Return units, gross sales, discounts and tax of a sale, negative where units left the order.

    Shopify's total is after discounts and with tax, so gross = total − tax + discount before tax.
    """
    units = sale.quantity or 0
    sign = -1 if sale.action_type == _RETURN or units < 0 else 1
    bags = (sale.total_amount, sale.total_discount_amount_before_taxes, sale.total_tax_amount)
    total, discount, tax = (abs(Decimal(str(bulk_lines.shop_amount(bag) or 0))) for bag in bags)
    return sign * Decimal(abs(units)), sign * (total - tax + discount), sign * discount, sign * tax
