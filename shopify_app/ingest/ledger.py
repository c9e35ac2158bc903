"""The sales ledger: every order booked as Shopify books it, entry by entry, on the day of the shop's calendar.

The rules are those of Shopify's sales reports (docs/decisions/0003). A line's sale is booked on the day its order was
processed, at the quantity first ordered; an edit on its own day, what it added as a sale and what it removed as a
return; a refund on the day it was processed, by its lines, its shipping and their taxes. An order cancelled without
ever being paid is reversed on the day of cancelling, as far as refunds and edits have not reversed it. Gift-card lines
are out everywhere, test and deleted orders altogether. Where prices include taxes, what is booked leaves them out.

Orders are booked again whole whenever anything about them changed: the entries follow from the tables alone.
"""

# ruff: noqa: S608 - statements are put together from the constants of this module; values are bound

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date
from typing import Any

from babel.numbers import get_currency_precision
from sqlalchemy.orm import Session

from shopify_app import rollups
from shopify_app.ingest.texts import numbers
from shopify_app.models import Tenant
from shopify_app.statements import column, put_off, run

_UNPAID = ("voided", "pending", "authorized", "expired")


def book(
    session: Session,
    tenant: Tenant,
    order_ids: Iterable[int],
    *,
    new: Collection[int] = frozenset(),
    mark: bool = True,
) -> frozenset[date]:
    """Book these orders anew and mark the days that changes; returns those days.

    ``new`` are those of them that were never booked, so that there is nothing to take back. Without ``mark`` it is the
    caller who sees to those days' totals, in this transaction.
    """
    orders = sorted(set(order_ids))
    if not orders:
        return frozenset()
    values = {
        "tenant": tenant.id,
        "orders": numbers(orders),
        "zone": tenant.time_zone,
        "decimals": get_currency_precision(tenant.currency),
    }
    days: set[date] = set()
    if held := [number for number in orders if number not in new]:
        days |= _run(session, _UNBOOK, values, held)
    placed = run(session, _PLACED, {**values, "unpaid": list(_UNPAID)})
    days.update(day for day, _, _ in placed)
    eventful = {number for _, _, numbers_ in placed for number in numbers_ or ()}
    if calm := [number for number in orders if number not in eventful]:
        put_off(session, _BOOK_PLACED, {**values, "orders": numbers(calm)})  # on the days just found
    days |= _run(session, _BOOK, values, sorted(eventful))
    days |= _run(session, _REVERSE_CANCELLED, values, [number for _, void, _ in placed for number in void or ()])
    if mark:
        rollups.mark(session, tenant.id, days)
    return frozenset(days)


def _run(session: Session, statement: str, values: Mapping[str, Any], orders: list[int]) -> set[date]:
    """Run a statement over some orders, if there are any; returns the days of the entries it touched."""
    if not orders:
        return set()
    return set(column(session, statement, {**values, "orders": numbers(orders)}))


def rebook(session: Session, tenant: Tenant) -> frozenset[date]:
    """Book all of a tenant's orders anew, as a change of its currency or time zone requires; returns the days."""
    values = {"tenant": tenant.id}
    known = set(column(session, _DAYS_KNOWN, values))
    rollups.mark(session, tenant.id, known)
    return book(session, tenant, column(session, _ALL_ORDERS, values)) | known


_DAYS_KNOWN = "SELECT day_on FROM day_totals WHERE tenant_id = :tenant"
_ALL_ORDERS = "SELECT shopify_id FROM orders WHERE tenant_id = :tenant"
_UNBOOK = """
    WITH gone AS (
        DELETE FROM sales WHERE tenant_id = :tenant AND order_shopify_id = ANY (CAST(:orders AS bigint[]))
        RETURNING day_on
    ) SELECT DISTINCT day_on FROM gone
"""

# The orders asked about, each looked up by its number: of a list of numbers in a condition PostgreSQL may think, as
# long as nobody has analysed the table, that reading all orders of the tenant and comparing each is as quick.
_ASKED_ORDERS = """unnest(CAST(:orders AS bigint[])) AS asked (number) CROSS JOIN LATERAL (
        SELECT * FROM orders WHERE tenant_id = :tenant AND shopify_id = asked.number OFFSET 0
    ) AS o"""

# The days on which orders were placed; which of those were cancelled without being paid; and to which something
# happened later. An order without any sale, of gift cards alone, still counts on its day.
_PLACED = f"""
    WITH eventful AS MATERIALIZED (
        SELECT order_shopify_id FROM refunds
        WHERE tenant_id = :tenant AND order_shopify_id = ANY (CAST(:orders AS bigint[]))
        UNION ALL
        SELECT order_shopify_id FROM order_edits
        WHERE tenant_id = :tenant AND order_shopify_id = ANY (CAST(:orders AS bigint[]))
    )
    SELECT CAST(processed_at AT TIME ZONE :zone AS date) AS day,
           array_agg(shopify_id) FILTER (WHERE cancelled_at IS NOT NULL AND financial_status = ANY (:unpaid)) AS void,
           array_agg(shopify_id) FILTER (
               WHERE shopify_id IN (SELECT order_shopify_id FROM eventful)) AS eventful
    FROM {_ASKED_ORDERS} WHERE processed_at IS NOT NULL
    GROUP BY 1
"""

_ENTRY = """
    tenant_id, order_shopify_id, kind, line_type, happened_at, day_on, customer_shopify_id,
    order_line_shopify_id, product_shopify_id, variant_shopify_id,
    quantity, gross, discounts, returns, shipping, taxes
"""

# booked: the orders that count. lines: their lines, as far as they are sales, with the tax taken out of the price.
_LINES = """
    WITH booked AS MATERIALIZED (
        SELECT *, coalesce(taxes_included, false) AS inclusive FROM orders
        WHERE tenant_id = :tenant AND shopify_id = ANY (CAST(:orders AS bigint[]))
          AND NOT test AND deleted_at IS NULL AND processed_at IS NOT NULL
    ), priced AS (
        SELECT line.*, booked.processed_at, booked.customer_shopify_id, line.price * line.quantity AS listed,
               line.price * line.quantity - line.discount - CASE WHEN inclusive THEN line.tax ELSE 0 END AS net,
               inclusive
        FROM booked CROSS JOIN LATERAL (
            SELECT * FROM order_lines
            WHERE tenant_id = :tenant AND order_shopify_id = booked.shopify_id AND NOT gift_card OFFSET 0
        ) AS line
    ), lines AS MATERIALIZED (
        SELECT *,
               CASE WHEN inclusive AND net <> 0 AND net + tax <> 0
                    THEN round(listed / (1 + tax / net), :decimals) ELSE listed END AS gross
        FROM priced
"""
_SHIPPING = """
    ), shipping AS (
        SELECT booked.*, line.price - line.discount AS charged, line.tax AS shipping_tax
        FROM booked JOIN order_shipping_lines AS line
          ON line.tenant_id = :tenant AND line.order_shopify_id = booked.shopify_id
        UNION ALL
        -- A bulk result has no shipping lines: there the charge is a total, and its tax what the lines leave.
        SELECT booked.*, booked.total_shipping, coalesce(booked.total_tax, 0) - coalesce((
            SELECT sum(line.tax) FROM order_lines AS line
            WHERE line.tenant_id = :tenant AND line.order_shopify_id = booked.shopify_id), 0)
        FROM booked WHERE booked.total_shipping <> 0 AND NOT EXISTS (
            SELECT FROM order_shipping_lines AS line
            WHERE line.tenant_id = :tenant AND line.order_shopify_id = booked.shopify_id)
"""
_SHIPPED = """
        SELECT shopify_id, 'order', 'shipping', processed_at, customer_shopify_id, NULL, NULL, NULL,
               0, 0, 0, 0, charged - CASE WHEN inclusive THEN shipping_tax ELSE 0 END, shipping_tax
        FROM shipping WHERE charged <> 0 OR shipping_tax <> 0
"""
_ENTRIES = f"""
    ), entries ({_ENTRY.partition(",")[2].replace("day_on, ", "")}) AS (
"""
_WRITE = f"""
    ), written AS (
        INSERT INTO sales ({_ENTRY})
        SELECT CAST(:tenant AS bigint), order_shopify_id, kind, line_type, happened_at,
               CAST(happened_at AT TIME ZONE :zone AS date), customer_shopify_id,
               order_line_shopify_id, product_shopify_id, variant_shopify_id,
               quantity, gross, discounts, returns, shipping, taxes
        FROM entries
        RETURNING day_on
    )
    SELECT DISTINCT day_on FROM written
"""
# Nearly every order: placed, and nothing happened to it since. Its lines and charges are looked up by its number,
# however many orders PostgreSQL takes there to be: a join would read whole tables while a history is loaded, when it
# cannot know better. The same goes for the others.
_BOOK_PLACED = f"""
    WITH booked AS MATERIALIZED (
        SELECT shopify_id, processed_at, CAST(processed_at AT TIME ZONE :zone AS date) AS day_on, customer_shopify_id,
               total_shipping, total_tax, coalesce(taxes_included, false) AS inclusive
        FROM {_ASKED_ORDERS} WHERE NOT test AND deleted_at IS NULL AND processed_at IS NOT NULL
    )
    INSERT INTO sales ({_ENTRY})
    SELECT CAST(:tenant AS bigint), booked.shopify_id, 'order', 'product', processed_at, day_on, customer_shopify_id,
           line.shopify_id, product_shopify_id, variant_shopify_id, quantity, gross, gross - net, 0, 0, tax
    FROM booked CROSS JOIN LATERAL (
        SELECT *, price * quantity AS listed,
               price * quantity - discount - CASE WHEN inclusive THEN tax ELSE 0 END AS net
        FROM order_lines
        WHERE tenant_id = :tenant AND order_shopify_id = booked.shopify_id AND NOT gift_card AND quantity > 0
        OFFSET 0
    ) AS line CROSS JOIN LATERAL (
        SELECT CASE WHEN inclusive AND net <> 0 AND net + tax <> 0
                    THEN round(listed / (1 + tax / net), :decimals) ELSE listed END AS gross
    ) AS priced
    UNION ALL
    SELECT CAST(:tenant AS bigint), booked.shopify_id, 'order', 'shipping', processed_at, day_on, customer_shopify_id,
           NULL, NULL, NULL, 0, 0, 0, 0, charged - CASE WHEN inclusive THEN shipping_tax ELSE 0 END, shipping_tax
    FROM booked CROSS JOIN LATERAL (
        SELECT line.price - line.discount, line.tax
        FROM order_shipping_lines AS line
        WHERE line.tenant_id = :tenant AND line.order_shopify_id = booked.shopify_id
        UNION ALL
        -- A bulk result has no shipping lines: there the charge is a total, and its tax what the lines leave.
        SELECT booked.total_shipping, coalesce(booked.total_tax, 0) - coalesce((
            SELECT sum(line.tax) FROM order_lines AS line
            WHERE line.tenant_id = :tenant AND line.order_shopify_id = booked.shopify_id), 0)
        WHERE booked.total_shipping <> 0 AND NOT EXISTS (
            SELECT FROM order_shipping_lines AS line
            WHERE line.tenant_id = :tenant AND line.order_shopify_id = booked.shopify_id)
        OFFSET 0
    ) AS shipping (charged, shipping_tax)
    WHERE charged <> 0 OR shipping_tax <> 0
"""
# changes: what edits did to lines; without amounts of its own a change takes its share of the line's.
_BOOK = f"""
    {_LINES}
    ), changes AS MATERIALIZED (
        SELECT line.shopify_id, line.order_shopify_id, line.customer_shopify_id, line.product_shopify_id,
               line.variant_shopify_id, edit.happened_at, change.delta,
               coalesce(change.gross, round(line.gross * share, :decimals)) AS gross,
               coalesce(change.discount, round((line.gross - line.net) * share, :decimals)) AS discount,
               coalesce(change.tax, round(line.tax * share, :decimals)) AS tax
        FROM booked
        JOIN order_edits AS edit ON edit.tenant_id = :tenant AND edit.order_shopify_id = booked.shopify_id
        JOIN order_edit_lines AS change ON change.tenant_id = :tenant AND change.edit_shopify_id = edit.shopify_id
        JOIN lines AS line
          ON line.order_shopify_id = booked.shopify_id AND line.shopify_id = change.order_line_shopify_id
        CROSS JOIN LATERAL (
            SELECT coalesce(CAST(abs(change.delta) AS numeric) / nullif(line.quantity, 0), 0)
        ) AS part (share)
    ), added AS (
        SELECT shopify_id, sum(delta) AS units, sum(gross) AS gross, sum(discount) AS discount, sum(tax) AS tax
        FROM changes WHERE delta > 0 GROUP BY shopify_id
    {_SHIPPING}
    ), returned AS (
        SELECT booked.shopify_id AS order_id, booked.customer_shopify_id, booked.inclusive, refund.*,
               coalesce(refund.processed_at, refund.created_at, booked.processed_at) AS happened_at
        FROM booked JOIN refunds AS refund
          ON refund.tenant_id = :tenant AND refund.order_shopify_id = booked.shopify_id
    {_ENTRIES}
        SELECT order_shopify_id, 'order', 'product', processed_at, customer_shopify_id,
               line.shopify_id, product_shopify_id, variant_shopify_id,
               quantity - coalesce(added.units, 0), line.gross - coalesce(added.gross, 0),
               line.gross - line.net - coalesce(added.discount, 0), 0, 0, line.tax - coalesce(added.tax, 0)
        FROM lines AS line LEFT JOIN added ON added.shopify_id = line.shopify_id
        WHERE quantity > coalesce(added.units, 0)
        UNION ALL
    {_SHIPPED}
        UNION ALL
        SELECT order_shopify_id, 'edit', 'product', happened_at, customer_shopify_id,
               shopify_id, product_shopify_id, variant_shopify_id, delta,
               CASE WHEN delta > 0 THEN gross ELSE 0 END, CASE WHEN delta > 0 THEN discount ELSE 0 END,
               CASE WHEN delta > 0 THEN 0 ELSE gross - discount END, 0, CASE WHEN delta > 0 THEN tax ELSE -tax END
        FROM changes
        UNION ALL
        SELECT refund.order_id, 'refund', 'product', refund.happened_at, refund.customer_shopify_id,
               line.order_line_shopify_id, sold.product_shopify_id, sold.variant_shopify_id, -line.quantity,
               0, 0, line.subtotal - CASE WHEN refund.inclusive THEN line.tax ELSE 0 END, 0, -line.tax
        FROM returned AS refund
        JOIN refund_lines AS line ON line.tenant_id = :tenant AND line.refund_shopify_id = refund.shopify_id
        LEFT JOIN order_lines AS sold ON sold.tenant_id = :tenant
         AND sold.order_shopify_id = refund.order_id AND sold.shopify_id = line.order_line_shopify_id
        WHERE NOT coalesce(sold.gift_card, false)
        UNION ALL
        SELECT order_id, 'refund', 'shipping', happened_at, customer_shopify_id, NULL, NULL, NULL, 0, 0, 0, 0,
               -(shipping - CASE WHEN inclusive THEN coalesce(shipping_tax, 0) ELSE 0 END), -coalesce(shipping_tax, 0)
        FROM returned WHERE shipping <> 0 OR shipping_tax <> 0
    {_WRITE}
"""

_REVERSE_CANCELLED = f"""
    WITH written AS (
        INSERT INTO sales ({_ENTRY})
        SELECT CAST(:tenant AS bigint), sale.order_shopify_id, 'cancellation', sale.line_type, cancelled.cancelled_at,
               CAST(cancelled.cancelled_at AT TIME ZONE :zone AS date), sale.customer_shopify_id,
               sale.order_line_shopify_id, sale.product_shopify_id, sale.variant_shopify_id,
               -sum(sale.quantity), 0, 0, sum(sale.gross - sale.discounts - sale.returns),
               -sum(sale.shipping), -sum(sale.taxes)
        FROM sales AS sale JOIN orders AS cancelled
          ON cancelled.tenant_id = :tenant AND cancelled.shopify_id = sale.order_shopify_id
        WHERE sale.tenant_id = :tenant AND sale.order_shopify_id = ANY (CAST(:orders AS bigint[]))
        GROUP BY sale.order_shopify_id, sale.line_type, cancelled.cancelled_at, sale.customer_shopify_id,
                 sale.order_line_shopify_id, sale.product_shopify_id, sale.variant_shopify_id
        HAVING sum(sale.gross - sale.discounts - sale.returns) <> 0 OR sum(sale.shipping) <> 0 OR sum(sale.taxes) <> 0
        RETURNING day_on
    )
    SELECT DISTINCT day_on FROM written
"""
