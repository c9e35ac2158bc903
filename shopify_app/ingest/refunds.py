"""Refunds and edits of orders. Both are facts that never change, and both may arrive before their order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime

from sqlalchemy.orm import Session

from shopify_app.database import clause
from shopify_app.ingest.customers import lowered
from shopify_app.ingest.freshness import PLACEHOLDER
from shopify_app.ingest.staging import Row, Target, put
from shopify_app.shopify import bulk_lines, details, payloads_orders
from shopify_app.shopify.payloads import shop_amount
from shopify_app.shopify.scalars import added, number_of, optional_number, present

_HEADER = ("order_shopify_id", "created_at", "processed_at", "amount")
# A header from a bulk line says nothing about lines and shipping, so it leaves them as they are.
HEADERS = Target("refunds", ("shopify_id",), _HEADER)
REFUNDS = Target(
    "refunds",
    ("shopify_id",),
    (*_HEADER, "shipping", "shipping_tax", "lines_read_at"),
    merges={"lines_read_at": "coalesce(held.lines_read_at, excluded.lines_read_at)"},
)
LINES = Target(
    "refund_lines",
    ("refund_shopify_id", "position"),
    ("shopify_id", "order_line_shopify_id", "quantity", "restock_type", "subtotal", "tax"),
)
EDITS = Target("order_edits", ("shopify_id",), ("order_shopify_id", "happened_at"))
EDIT_LINES = Target(
    "order_edit_lines", ("edit_shopify_id", "order_line_shopify_id"), ("delta", "gross", "discount", "tax")
)
_SHIPPING_REFUND = "shipping_refund"


def apply_refunds(
    session: Session, tenant_id: int, refunds: Iterable[payloads_orders.Refund], now: datetime
) -> tuple[int, set[int]]:
    """Write whole refunds; returns the rows written and the orders whose refunds changed."""
    known = {refund.id: refund for refund in refunds}
    rows = [_refund_row(refund, now) for refund in known.values()]
    lines = [row for refund in known.values() for row in _line_rows(refund)]
    return write_refunds(session, tenant_id, rows, lines, now)


def write_refunds(
    session: Session, tenant_id: int, rows: list[Row], lines: list[Row], now: datetime
) -> tuple[int, set[int]]:
    """Write rows of ``REFUNDS`` with all their ``LINES``; returns the rows written and the orders that changed."""
    if not rows:
        return 0, set()
    order_of = {row[0]: row[1] for row in rows}
    written = put(session, tenant_id, REFUNDS, rows, now)
    written += put(session, tenant_id, LINES, lines, now)
    counts = Counter(line[0] for line in lines)
    values = {"tenant": tenant_id, "refunds": list(order_of), "counts": [counts[refund] for refund in order_of]}
    written += session.execute(clause(_DROP_LINES), values).scalars()
    return len(written), {order_of[refund] for refund in written}


def header_rows(order_id: int, headers: Iterable[bulk_lines.RefundHeader]) -> Iterator[Row]:
    """Yield rows of ``HEADERS``."""
    for header in headers:
        yield (
            number_of(header.id),
            order_id,
            header.created_at,
            header.processed_at or header.created_at,
            bulk_lines.shop_amount(header.total_refunded_set),
        )


def detail_rows(order_id: int, refund: details.Refund, now: datetime) -> tuple[Row, list[Row]]:
    """Return the row of ``REFUNDS`` and the rows of ``LINES`` of a refund read in full."""
    number = number_of(refund.id)
    shipping = refund.refund_shipping_lines.nodes
    row = (
        number,
        order_id,
        refund.created_at,
        refund.processed_at or refund.created_at,
        bulk_lines.shop_amount(refund.total_refunded_set),
        added(bulk_lines.shop_amount(one.subtotal_amount_set) for one in shipping),
        added(bulk_lines.shop_amount(one.tax_amount_set) for one in shipping),
        now,
    )
    return row, [_detail_line(number, place, line) for place, line in enumerate(refund.refund_line_items.nodes)]


def unread(session: Session, tenant_id: int, order_ids: Iterable[int]) -> set[int]:
    """Return those of these orders that have a refund of which only the header is known."""
    values = {"tenant": tenant_id, "orders": list(order_ids)}
    return set(session.execute(clause(_UNREAD), values).scalars())


def apply_edits(
    session: Session, tenant_id: int, edits: Iterable[tuple[payloads_orders.Edit, datetime]], now: datetime
) -> tuple[int, set[int]]:
    """Write edits, with when each was told, as orders/edited tells them; returns the rows written and their orders.

    They come without amounts. An edit whose amounts were read already is there, perhaps under its agreement's number:
    it is left alone.
    """
    known: dict[int, payloads_orders.Edit] = {}
    instants: dict[int, datetime] = {}
    for edit, told_at in edits:
        known[edit.id] = edit
        instants[edit.id] = edit.committed_at or edit.created_at or told_at
    if not known:
        return 0, set()
    orders = {edit.order_id for edit in known.values()}
    _mark_edited(session, tenant_id, orders)
    rows: list[Row] = [(edit.id, edit.order_id, instants[edit.id]) for edit in known.values()]
    held = _held_edits(session, tenant_id, rows)
    fresh = [row for row in rows if row[0] not in held]
    written = put(session, tenant_id, EDITS, fresh, now)
    lines = [line for row in fresh for line in _edited_lines(known[row[0]])]
    written += put(session, tenant_id, EDIT_LINES, lines, now)
    return len(written), orders


def replace_edits(
    session: Session, tenant_id: int, orders: list[int], edits: tuple[list[Row], list[Row]], now: datetime
) -> int:
    """Let these edits and lines, read with amounts, be all the edits of these orders; returns the rows that changed.

    The numbers of agreements need not be those of the webhooks' edits, so what is held under others goes.
    """
    values = {
        "tenant": tenant_id,
        "orders": orders,
        "edits": [row[0] for row in edits[0]],
        "line_edits": [row[0] for row in edits[1]],
        "lines": [row[1] for row in edits[1]],
    }
    changed = sum(len(session.execute(clause(drop), values).all()) for drop in (_DROP_EDIT_LINES, _DROP_EDITS))
    for target, rows in zip((EDITS, EDIT_LINES), edits, strict=True):
        changed += len(put(session, tenant_id, target, rows, now))
    return changed


def _refund_row(refund: payloads_orders.Refund, now: datetime) -> Row:
    paid = (one.amount for one in present(refund.transactions) if one.kind == "refund" and one.status == "success")
    shipping, shipping_tax = _shipping(refund)
    return (
        refund.id,
        refund.order_id,
        refund.created_at,
        refund.processed_at or refund.created_at,
        added(paid),
        shipping,
        shipping_tax,
        now,
    )


def _shipping(refund: payloads_orders.Refund) -> tuple[str, str]:
    """Return refunded shipping and its tax, from where the body's version keeps them."""
    lines = list(present(refund.refund_shipping_lines))
    if lines:
        return (
            added(shop_amount(line.subtotal_amount_set) for line in lines),
            added(shop_amount(line.tax_amount_set) for line in lines),
        )
    older = [one for one in present(refund.order_adjustments) if one.kind == _SHIPPING_REFUND]
    return _negated(added(one.amount for one in older)), _negated(added(one.tax_amount for one in older))


def _negated(amount: str) -> str:
    return amount.removeprefix("-") if amount.startswith("-") else "-" + amount


def _line_rows(refund: payloads_orders.Refund) -> Iterator[Row]:
    for place, line in enumerate(present(refund.refund_line_items)):
        yield (
            refund.id,
            place,
            line.id,
            line.line_item_id,
            line.quantity or 0,
            line.restock_type,
            shop_amount(line.subtotal_set, line.subtotal) or 0,
            shop_amount(line.total_tax_set, line.total_tax) or 0,
        )


def _detail_line(refund_id: int, place: int, line: details.RefundLine) -> Row:
    return (
        refund_id,
        place,
        optional_number(line.id),
        number_of(line.line_item.id),
        line.quantity or 0,
        lowered(line.restock_type),
        bulk_lines.shop_amount(line.subtotal_set) or 0,
        bulk_lines.shop_amount(line.total_tax_set) or 0,
    )


def _edited_lines(edit: payloads_orders.Edit) -> list[Row]:
    """Return rows of ``EDIT_LINES``, one per line however often the edit names it."""
    deltas: dict[int, int] = {}
    changed = edit.line_items or payloads_orders.EditedLines()
    for sign, lines in ((1, changed.additions), (-1, changed.removals)):
        for line in present(lines):
            if line.id is not None:
                deltas[line.id] = deltas.get(line.id, 0) + sign * (line.delta or 0)
    return [(edit.id, line_id, delta, None, None, None) for line_id, delta in deltas.items()]


def _held_edits(session: Session, tenant_id: int, rows: list[Row]) -> set[int]:
    """Return the edits that are held, under their own number or as another edit of that order at that moment."""
    ids, orders, instants = ([row[place] for row in rows] for place in range(3))
    values = {"tenant": tenant_id, "ids": ids, "orders": orders, "instants": instants}
    return set(session.execute(clause(_HELD_EDITS), values).scalars())


def _mark_edited(session: Session, tenant_id: int, orders: set[int]) -> None:
    values = {"tenant": tenant_id, "orders": sorted(orders), "placeholder": PLACEHOLDER}
    session.execute(clause(_MARK_EDITED), values)


_DROP_LINES = """
    DELETE FROM refund_lines AS line
    USING unnest(CAST(:refunds AS bigint[]), CAST(:counts AS integer[])) AS known (refund_id, count)
    WHERE line.tenant_id = :tenant AND line.refund_shopify_id = known.refund_id AND line.position >= known.count
    RETURNING line.refund_shopify_id
"""
_UNREAD = """
    SELECT order_shopify_id FROM refunds
    WHERE tenant_id = :tenant AND order_shopify_id = ANY (CAST(:orders AS bigint[])) AND lines_read_at IS NULL
"""
_HELD_EDITS = """
    SELECT incoming.id
    FROM unnest(CAST(:ids AS bigint[]), CAST(:orders AS bigint[]), CAST(:instants AS timestamptz[]))
         AS incoming (id, order_id, happened_at)
    JOIN order_edits AS held ON held.tenant_id = :tenant AND held.order_shopify_id = incoming.order_id
     AND (held.shopify_id = incoming.id OR held.happened_at = incoming.happened_at)
"""
_MARK_EDITED = """
    INSERT INTO orders AS held (tenant_id, shopify_id, backfill_id, edited)
    SELECT CAST(:tenant AS bigint), id, CAST(:placeholder AS bigint), true
    FROM unnest(CAST(:orders AS bigint[])) AS id ORDER BY id
    ON CONFLICT (tenant_id, shopify_id) DO UPDATE SET edited = true WHERE NOT held.edited
"""
_DROP_EDIT_LINES = """
    DELETE FROM order_edit_lines AS line USING order_edits AS edit
    WHERE line.tenant_id = :tenant AND edit.tenant_id = :tenant AND line.edit_shopify_id = edit.shopify_id
      AND edit.order_shopify_id = ANY (:orders) AND (line.edit_shopify_id, line.order_line_shopify_id) NOT IN
          (SELECT * FROM unnest(CAST(:line_edits AS bigint[]), CAST(:lines AS bigint[])))
    RETURNING 1
"""
_DROP_EDITS = """
    DELETE FROM order_edits WHERE tenant_id = :tenant AND order_shopify_id = ANY (:orders)
      AND shopify_id <> ALL (CAST(:edits AS bigint[]))
    RETURNING 1
"""
