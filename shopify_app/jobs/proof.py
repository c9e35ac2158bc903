"""The part of a backfill's job that proves it: each window's lines, then what is held against what Shopify counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from shopify_app import backfill, ingest, reconcile, tenants
from shopify_app.database import tenant_work
from shopify_app.jobs.queues import CHECK
from shopify_app.jobs.tokens import client_for
from shopify_app.runtime import current
from shopify_app.shopify import differences

if TYPE_CHECKING:
    from shopify_app.backfill import Standing
    from shopify_app.jobs.slices import Work

CHECK_POLL = timedelta(seconds=3)
NOW = timedelta()


def verify(_work: Work, standing: Standing) -> tuple[Standing, timedelta]:
    """Take the next step of the proof; what differs at its end is compared object by object, and mended, by a check."""
    if standing.operation_id is not None:
        return backfill.verified(standing), NOW
    if standing.reconciliation_id is None:
        return _count(standing)
    return _after_check(standing)


def _count(standing: Standing) -> tuple[Standing, timedelta]:
    client, now = client_for(standing.tenant_id), datetime.now(UTC)
    with tenant_work(standing.tenant_id) as session:
        granted = tenants.granted_scopes(session, standing.tenant_id)
    window = reconcile.counted_window(standing.resource, granted, now, since=standing.since)
    theirs = differences.count(client, standing.resource, window)
    if theirs is None:
        return backfill.counted(standing, None, None), NOW
    with tenant_work(standing.tenant_id) as session:
        ours = reconcile.count(session, standing.tenant_id, standing.resource, window)
    told = backfill.counted(standing, theirs, ours)
    return (told, NOW) if told.finished else _mend(told, granted, now)


def _mend(standing: Standing, granted: frozenset[str], now: datetime) -> tuple[Standing, timedelta]:
    """Have every object compared. A check that is under way is taken for it."""
    with tenant_work(standing.tenant_id) as session:
        checks = reconcile.start(
            session,
            standing.tenant_id,
            granted,
            now,
            mode="daily",
            resources=[standing.resource],
            since=standing.created_at,
            proving=True,
        )
    check = checks[standing.resource]
    current().queues.nudge(CHECK, tenant_id=standing.tenant_id, reconciliation_id=check)
    return backfill.left_to(standing, check), CHECK_POLL


def _after_check(standing: Standing) -> tuple[Standing, timedelta]:
    with tenant_work(standing.tenant_id) as session:
        check = reconcile.read(session, standing.tenant_id, standing.reconciliation_id or 0)
        erased = ingest.count_tombstones(session, standing.tenant_id) if standing.resource == "customers" else 0
    if check is None:
        return backfill.left_to(standing, None), NOW
    if not check.finished:
        return standing, CHECK_POLL
    if check.state != "done":
        return backfill.unproven(standing, check.error or check.state), NOW
    return backfill.mended(standing, check.count_shopify, check.count_held, erased), NOW
