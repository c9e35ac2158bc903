"""The steps of a check: a page of what Shopify lists, what differs of it, and the repairs, each a transaction."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

import structlog

from shopify_app import claims, ingest, reconcile
from shopify_app.database import tenant_work
from shopify_app.jobs import slices
from shopify_app.reconcile import ALL_ORDERS, Key, Standing
from shopify_app.runtime import current
from shopify_app.shopify import differences, scopes
from shopify_app.shopify.differences import KINDS, PAGE, Listed, Window

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from sqlalchemy.orm import Session

    from shopify_app.ingest import Outcome
    from shopify_app.shopify.client import AdminClient

log = structlog.get_logger(__name__)

MOST_HELD = 2 * PAGE  # objects of ours that are looked at beside a page of Shopify's
MOST_COMPANIONS = 240  # orders read anew because their customer has gone

Item = TypeVar("Item")


@dataclass
class Work(slices.Work):
    """A check that is ours for now.

    ``totals`` and ``details`` say whether totals or details of orders have to follow what was repaired.
    """

    client: AdminClient
    granted: frozenset[str]
    totals: bool = False
    details: bool = False


def compare_page(work: Work, standing: Standing) -> Standing:
    """Compare the next page, or as much of it as the slice allows, and go on to what follows the last one."""
    window = standing.window(work.granted)
    page = differences.listed(work.client, standing.resource, window, standing.after)
    end = page[-1].number if len(page) == PAGE else None
    if standing.state == "ids":
        standing, end = _bury_unlisted(work, standing, window, page, end)
    page = [listed for listed in page if end is None or listed.number <= end]
    standing = _repair(work, standing, page)
    if page and standing.after < page[-1].number:
        return standing  # the slice is over
    if end is not None:
        return reconcile.passed(standing, after=end, checked=0)
    if standing.state == "changes":
        return reconcile.compared_changes(standing)
    return count(work, standing)


def count(work: Work, standing: Standing) -> Standing:
    """Count both sides at the ceiling."""
    window = standing.window(work.granted)
    theirs = differences.count(work.client, standing.resource, window)
    with tenant_work(standing.tenant_id) as session:
        ours = reconcile.count(session, standing.tenant_id, standing.resource, window)
    return reconcile.counted(standing, ours if theirs is None else theirs, ours)


def _repair(work: Work, standing: Standing, page: Sequence[Listed]) -> Standing:
    """Read what differs of a page, some objects at a time, and write it; ends early with the slice."""
    keys = [reconcile.key_of(standing.resource, listed) for listed in page]
    with tenant_work(standing.tenant_id) as session:
        found = reconcile.compare(
            standing.resource, page, reconcile.held(session, standing.tenant_id, standing.resource, keys)
        )
    for chunk in _chunks(found.wanted, KINDS[standing.resource].at_once):
        read_at, lines = _read(work, standing.resource, [number for number, _ in chunk])
        with tenant_work(standing.tenant_id) as session:
            changed = _write(session, work, standing.resource, lines, read_at)
            standing = _past(standing, page, chunk[-1][0], found.tally(changed))
            reconcile.write(session, standing, read_at)
        if work.over:
            return standing
    return _past(standing, page, page[-1].number, {}) if page else standing


def _past(standing: Standing, page: Sequence[Listed], upto: int, wrong: dict[str, int]) -> Standing:
    checked = sum(1 for listed in page if standing.after < listed.number <= upto)
    return reconcile.passed(standing, after=upto, checked=checked, **wrong)


def _read(work: Work, resource: str, numbers: Sequence[int]) -> tuple[datetime, list[bytes]]:
    """Return objects, and a moment before they were read."""
    return datetime.now(UTC), differences.read(work.client, resource, numbers)


def _write(session: Session, work: Work, resource: str, lines: Sequence[bytes], read_at: datetime) -> Collection[Key]:
    """Write objects through the one ingest; returns the keys of those that were not held as they are."""
    now = datetime.now(UTC)
    tenant = slices.enter(session, work.taken, now)
    key = ingest.tombstone_key(current().config.secret_key)
    applied = ingest.apply_snapshots(session, tenant, resource, lines, read_at, now, key)
    _follow_up(session, work, applied.outcome, now)
    return applied.changed


def _refresh(work: Work, resource: str, numbers: Sequence[int]) -> None:
    for chunk in _chunks(numbers, KINDS[resource].at_once):
        read_at, lines = _read(work, resource, chunk)
        with tenant_work(work.taken.tenant_id) as session:
            _write(session, work, resource, lines, read_at)


# ── deletions ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _bury_unlisted(
    work: Work, standing: Standing, window: Window, page: Sequence[Listed], end: int | None
) -> tuple[Standing, int | None]:
    """Bury what we hold up to the page's end, Shopify does not list, and is not there either.

    Returns where the page ends for all that follows: sooner, where we hold far more than is listed.
    """
    with tenant_work(standing.tenant_id) as session:
        ours = reconcile.held_numbers(session, standing, window, upto=end, limit=MOST_HELD)
    end = ours[-1] if len(ours) == MOST_HELD else end
    unlisted = sorted(set(ours).difference(listed.number for listed in page))
    for chunk in _chunks(unlisted, PAGE):
        asked_at = datetime.now(UTC)
        there, granted = differences.existing(work.client, standing.resource, chunk)
        if window.floor is None and standing.resource == "orders" and scopes.missing(granted, [ALL_ORDERS]):
            log.warning("orders are out of sight, not deleted", tenant_id=standing.tenant_id)
            break
        standing = _bury(work, standing, sorted(set(chunk) - there), asked_at)
    return standing, end


def _bury(work: Work, standing: Standing, gone: Sequence[int], told_at: datetime) -> Standing:
    if not gone:
        return standing
    with tenant_work(standing.tenant_id) as session:
        now = datetime.now(UTC)
        tenant = slices.enter(session, work.taken, now)
        bodies = [_deletion(standing.resource, number, told_at) for number in gone]
        key = ingest.tombstone_key(current().config.secret_key)
        _follow_up(session, work, ingest.apply_webhooks(session, tenant, bodies, now, key), now)
        standing = replace(standing, deleted=standing.deleted + len(gone))
        reconcile.write(session, standing, now)
        theirs = reconcile.orders_of(session, tenant.id, gone) if standing.resource == "customers" else []
    if not scopes.missing(work.granted, ["read_orders"]):
        # A customer with orders is not deleted but merged into another, who has the orders now.
        _refresh(work, "orders", theirs[:MOST_COMPANIONS])
    return standing


def _deletion(resource: str, number: int, told_at: datetime) -> ingest.WebhookBody:
    """Return what Shopify's webhook would have said."""
    payload = json.dumps({"id": number}).encode()
    return ingest.WebhookBody(0, f"{resource}/delete", payload, triggered_at=told_at, received_at=told_at)


# ── what steps share ────────────────────────────────────────────────────────────────────────────────────────────────


def _follow_up(session: Session, work: Work, outcome: Outcome, now: datetime) -> None:
    tenant_id = work.taken.tenant_id
    claims.put_all(session, claims.ORDER_DETAILS, tenant_id, outcome.details_wanted, due_at=now)
    work.details |= bool(outcome.details_wanted)
    if outcome.days:
        claims.put(session, claims.ROLLUPS, tenant_id, due_at=now)
        work.totals = True


def _chunks(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    return (items[start : start + size] for start in range(0, len(items), size))
