"""The part of a backfill's job that reads refund lines, which no export holds: order by order, where there are any."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from shopify_app import backfill, ingest
from shopify_app.database import tenant_work
from shopify_app.jobs import details, slices
from shopify_app.jobs.loading import record
from shopify_app.jobs.tokens import client_for
from shopify_app.shopify.details import order_details

if TYPE_CHECKING:
    from shopify_app.backfill import Standing
    from shopify_app.jobs.slices import Work

ORDERS_POLL = timedelta(seconds=30)  # refunds are woken when the orders are done; this is for when that is lost
NOW = timedelta()


def await_orders(_work: Work, standing: Standing) -> tuple[Standing, timedelta]:
    """Begin once the run's orders are there; how they ended is how refunds end that cannot be read without them."""
    with tenant_work(standing.tenant_id) as session:
        orders = backfill.sibling(session, standing, "orders")
        total = backfill.count_orders_to_detail(session, standing.tenant_id)
    if orders is None or orders.state == "done":
        return replace(standing, state="loading", objects_total=total), NOW
    if orders.state == "cancelled":
        return backfill.cancelled(standing, f"The orders come first: {orders.error}"), NOW
    if orders.finished:
        return backfill.failed(standing, f"The orders could not be read first: {orders.error}"), NOW
    return standing, ORDERS_POLL


def read_details(work: Work, standing: Standing) -> tuple[Standing, timedelta]:
    """Read on, some orders at a time, until there are no more or the slice is over."""
    client = client_for(standing.tenant_id)
    while ids := _ids_after(standing):
        standing, unwanted = _write(work, standing, ids, order_details(client, ids))
        if unwanted or work.over:
            return standing, NOW
    with tenant_work(standing.tenant_id) as session:
        bare = backfill.count_bare_refunds(session, standing.tenant_id)
    return backfill.detailed_all(standing, bare), NOW


def _ids_after(standing: Standing) -> list[int]:
    with tenant_work(standing.tenant_id) as session:
        after = int(standing.cursor or 0)
        return backfill.orders_to_detail(session, standing.tenant_id, after=after, limit=details.AT_ONCE)


def _write(work: Work, standing: Standing, ids: list[int], nodes: list[dict[str, object]]) -> tuple[Standing, bool]:
    now = datetime.now(UTC)
    with tenant_work(standing.tenant_id) as session:
        outcome = ingest.apply_order_details(session, slices.enter(session, work.taken, now), nodes, now)
        after = backfill.detailed(standing, orders=ids, rows=outcome.rows_written)
        return after, record(session, work, after, outcome, now)
