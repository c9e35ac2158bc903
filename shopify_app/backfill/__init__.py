"""Room: the history of a store, resource by resource, as rows that say how far each has come.

A backfill moves planned → requested → running → loading → verifying → done, or ends failed or cancelled. It asks for
one window of time after another: all of it at first, and halves of what Shopify does not manage. Every move is
decided by a pure function from what is held and what Shopify says; the door makes the calls, and holds the
backfill's claim while it does.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from sqlalchemy import func, select, update

from shopify_app import claims
from shopify_app.backfill import summaries
from shopify_app.backfill.decisions import (
    Standing,
    again,
    cancelled,
    counted,
    detailed,
    detailed_all,
    ended,
    failed,
    hindered,
    left_to,
    loaded,
    mended,
    polled,
    refused,
    requested,
    stopped,
    unproven,
    verified,
)
from shopify_app.backfill.details import count_bare_refunds, count_orders_to_detail, orders_to_detail
from shopify_app.backfill.progress import Progress, history, of_run, one, progress
from shopify_app.backfill.sentences import NO_PLACE, SIXTY_DAYS
from shopify_app.backfill.windows import Window, packed, unpacked
from shopify_app.models import Backfill
from shopify_app.models.backfills import RESOURCES, UNFINISHED

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy.orm import Session

    from shopify_app.models import Tenant

__all__ = [
    "NO_PLACE",
    "SIXTY_DAYS",
    "Progress",
    "Standing",
    "Window",
    "again",
    "by_operation",
    "cancel",
    "cancelled",
    "count_bare_refunds",
    "count_orders_to_detail",
    "counted",
    "detailed",
    "detailed_all",
    "ended",
    "failed",
    "hindered",
    "history",
    "left_to",
    "loaded",
    "mended",
    "of_run",
    "one",
    "orders_to_detail",
    "polled",
    "progress",
    "read",
    "refused",
    "requested",
    "retry",
    "sibling",
    "start",
    "stopped",
    "summaries",
    "unproven",
    "verified",
    "write",
]

# What a row holds in another shape than a standing does, and what never changes after the plan.
_PACKED = ("window", "windows_left")
_PLANNED = ("id", "tenant_id", "run_id", "resource", "since", "asked_by", "created_at")
_FIELDS = tuple(name for name in Standing.__dataclass_fields__ if name not in _PACKED)
# These are written by who asks, or by the time of writing.
_CHANGING = tuple(name for name in _FIELDS if name not in {*_PLANNED, "cancel_asked_at", "started_at", "finished_at"})


def start(
    session: Session,
    tenant: Tenant,
    resources: Collection[str],
    now: datetime,
    *,
    since: datetime | None = None,
    by: str = "",
) -> uuid.UUID:
    """Plan a backfill of each resource, each with a claim due now, and return the run's id.

    ``since`` leaves out what was last changed before it. ``refunds`` follows ``orders`` without being named: a bulk
    export holds no refund lines. A resource whose backfill is unfinished is not planned again; when that is so of all
    of them, the run of the latest one is returned. ``by`` says who asked.
    """
    claims.write_alone(session, tenant.id)
    under_way = _under_way(session, tenant.id)
    wanted = set(resources) - under_way.keys()
    if resources and not wanted:
        return max(under_way[resource] for resource in resources)[1]
    if "orders" in wanted:
        wanted.add("refunds")
    run_id, begin = uuid.uuid4(), since.replace(microsecond=0) if since else None
    plan = {"run_id": run_id, "created_at": now, "since": begin, "window_since": begin, "asked_by": by}
    rows = [Backfill(tenant_id=tenant.id, resource=resource, **plan) for resource in RESOURCES if resource in wanted]
    session.add_all(rows)
    session.flush()
    claims.put_all(session, claims.BACKFILL, tenant.id, [row.id for row in rows], due_at=now)
    summaries.note(session, tenant.id, [row.id for row in rows], now)
    return run_id


def retry(session: Session, tenant: Tenant, backfill_id: int, now: datetime, *, by: str = "") -> uuid.UUID | None:
    """Plan a backfill of the same resource from the same time on; returns its run, or None for no such backfill."""
    before = read(session, tenant.id, backfill_id)
    if before is None:
        return None
    return start(session, tenant, [before.resource], now, since=before.since, by=by)


def cancel(session: Session, tenant_id: int, backfill_id: int, now: datetime) -> bool:
    """Ask for a backfill's end: whoever works on it stops at the next batch. Returns whether it was unfinished."""
    claims.write_alone(session, tenant_id)
    asked = session.scalar(
        update(Backfill)
        .where(Backfill.tenant_id == tenant_id, Backfill.id == backfill_id, Backfill.state.in_(UNFINISHED))
        .values(cancel_asked_at=func.coalesce(Backfill.cancel_asked_at, now))
        .returning(Backfill.id),
        execution_options={"synchronize_session": False},
    )
    if asked is not None:
        claims.put(session, claims.BACKFILL, tenant_id, backfill_id, due_at=now)
        summaries.note(session, tenant_id, [backfill_id], now)
    return asked is not None


def read(session: Session, tenant_id: int, backfill_id: int) -> Standing | None:
    """Return how far a backfill has come, or None when there is no such backfill."""
    row = session.get(Backfill, (tenant_id, backfill_id))
    if row is None:
        return None
    window = Window(row.window_since, row.window_until, row.window_splits)
    fields = {name: getattr(row, name) for name in _FIELDS}
    return Standing(**fields, window=window, windows_left=unpacked(row.windows_left))


def write(session: Session, standing: Standing, now: datetime) -> bool:
    """Record how far a backfill has come; whoever waits for its end becomes due.

    Returns whether somebody has asked for its end.
    """
    asked_at = session.scalar(
        update(Backfill)
        .where(Backfill.tenant_id == standing.tenant_id, Backfill.id == standing.id)
        .values(
            **{name: getattr(standing, name) for name in _CHANGING},
            window_since=standing.window.since,
            window_until=standing.window.until,
            window_splits=standing.window.splits,
            windows_left=packed(standing.windows_left),
            started_at=func.coalesce(Backfill.started_at, now),
            finished_at=now if standing.finished else None,
        )
        .returning(Backfill.cancel_asked_at),
        execution_options={"synchronize_session": False},
    )
    summaries.note(session, standing.tenant_id, [standing.id], now)
    if standing.finished and standing.resource == "orders":
        claims.put_all(session, claims.BACKFILL, standing.tenant_id, _ids_of(session, standing, "refunds"), due_at=now)
    return asked_at is not None


def sibling(session: Session, standing: Standing, resource: str) -> Standing | None:
    """Return how far another resource of the same run has come, or None when the run has no such resource."""
    ids = _ids_of(session, standing, resource)
    return read(session, standing.tenant_id, ids[0]) if ids else None


def by_operation(session: Session, tenant_id: int, operation_id: str) -> int | None:
    """Return the id of the unfinished backfill that waits for a bulk operation, or None."""
    return session.scalar(
        select(Backfill.id).where(
            Backfill.tenant_id == tenant_id, Backfill.operation_id == operation_id, Backfill.state.in_(UNFINISHED)
        )
    )


def _under_way(session: Session, tenant_id: int) -> dict[str, tuple[int, uuid.UUID]]:
    """Return the id and the run of each resource's unfinished backfill."""
    rows = session.execute(
        select(Backfill.resource, Backfill.id, Backfill.run_id)
        .where(Backfill.tenant_id == tenant_id, Backfill.state.in_(UNFINISHED))
        .order_by(Backfill.id)
    )
    return {resource: (number, run_id) for resource, number, run_id in rows}


def _ids_of(session: Session, standing: Standing, resource: str) -> list[int]:
    same_run = (Backfill.tenant_id == standing.tenant_id, Backfill.run_id == standing.run_id)
    return list(session.scalars(select(Backfill.id).where(*same_run, Backfill.resource == resource)))
