"""Room: the history of a store, resource by resource, as rows that say how far each has come.

A backfill moves planned → requested → running → loading → verifying → done, or ends failed or cancelled. Every move
is decided here by a pure function from what is held and what Shopify says; the door makes the calls, and holds the
backfill's claim while it does.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import func, select, union, update

from shopify_app import claims
from shopify_app.models import Backfill, Order, Refund
from shopify_app.models.backfills import RESOURCES, UNFINISHED

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Select
    from sqlalchemy.orm import Session

    from shopify_app.models import Tenant
    from shopify_app.shopify.bulk import Operation

MOST_OPERATIONS = 3  # an export that Shopify fails, cancels or lets expire is asked for this often

IN_PROGRESS = frozenset({"CREATED", "RUNNING", "CANCELING"})


@dataclass(frozen=True)
class Standing:
    """How far a backfill has come; the fields are those of the row (see :class:`shopify_app.models.Backfill`)."""

    id: int
    tenant_id: int
    run_id: uuid.UUID
    resource: str
    state: str
    operation_id: str | None = None
    objects_total: int | None = None
    objects_read: int = 0
    rows_written: int = 0
    byte_offset: int = 0
    cursor: str | None = None
    attempts: int = 0
    error: str | None = None
    started_at: datetime | None = None

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do, for better or worse."""
        return self.state not in UNFINISHED


@dataclass(frozen=True)
class Progress:
    """What a merchant sees of a backfill. ``objects_total`` is None until Shopify has said it."""

    resource: str
    state: str
    objects_read: int
    objects_total: int | None
    error: str | None
    started_at: datetime | None
    finished_at: datetime | None


# ── decisions ───────────────────────────────────────────────────────────────────────────────────────────────────────


def requested(standing: Standing, operation_id: str) -> Standing:
    """Shopify has accepted the export."""
    return replace(standing, state="requested", operation_id=operation_id, error=None)


def polled(standing: Standing, operation: Operation) -> Standing:
    """Shopify has said how the export is doing."""
    counted = replace(standing, objects_total=operation.object_count, error=None)
    if operation.status in IN_PROGRESS:
        return replace(counted, state="running")
    if operation.status != "COMPLETED":
        return troubled(standing, _end_of(operation))
    # A file that is not there is an export without rows.
    return replace(counted, state="loading" if operation.url else "verifying")


def loaded(standing: Standing, *, lines: int, rows: int, byte_offset: int) -> Standing:
    """A batch of the file has been written; the next one begins at ``byte_offset``."""
    return replace(
        standing,
        objects_read=standing.objects_read + lines,
        rows_written=standing.rows_written + rows,
        byte_offset=byte_offset,
        error=None,
    )


def detailed(standing: Standing, *, orders: Collection[int], rows: int) -> Standing:
    """The details of some orders have been written; the next ones have higher ids."""
    return replace(
        standing,
        objects_read=standing.objects_read + len(orders),
        rows_written=standing.rows_written + rows,
        cursor=str(max(orders)),
        error=None,
    )


def verified(standing: Standing) -> Standing:
    """Everything has been read: it is done if that is as much as Shopify counted."""
    if standing.objects_read == standing.objects_total:
        return replace(standing, state="done", error=None)
    return troubled(
        standing, f"Shopify counted {standing.objects_total} objects, and its file held {standing.objects_read}."
    )


def troubled(standing: Standing, sentence: str) -> Standing:
    """The export has to be asked for anew, or it has been asked for often enough."""
    if standing.attempts + 1 >= MOST_OPERATIONS:
        return failed(standing, sentence)
    return replace(
        standing,
        state="planned",
        operation_id=None,
        objects_total=None,
        objects_read=0,
        rows_written=0,
        byte_offset=0,
        cursor=None,
        attempts=standing.attempts + 1,
        error=sentence,
    )


def failed(standing: Standing, sentence: str) -> Standing:
    """Trying again would not help, or has not."""
    return replace(standing, state="failed", error=sentence)


def cancelled(standing: Standing, sentence: str) -> Standing:
    """The backfill has become pointless."""
    return replace(standing, state="cancelled", error=sentence)


def _end_of(operation: Operation) -> str:
    code = f" ({operation.error_code})" if operation.error_code else ""
    return f"Shopify ended the export as {operation.status}{code}."


# ── rows ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def start(session: Session, tenant: Tenant, resources: Collection[str], now: datetime) -> uuid.UUID:
    """Plan a backfill of each resource, each with a claim due now, and return the run's id.

    ``refunds`` follows ``orders`` without being named: a bulk export holds no refund lines. While a run is
    unfinished, that run is returned and nothing is planned.
    """
    claims.write_alone(session, tenant.id)
    if running := session.scalar(_unfinished(tenant.id)):
        return running
    run_id = uuid.uuid4()
    wanted = {*resources, "refunds"} if "orders" in resources else {*resources}
    rows = [
        Backfill(tenant_id=tenant.id, run_id=run_id, resource=resource, created_at=now)
        for resource in RESOURCES
        if resource in wanted
    ]
    session.add_all(rows)
    session.flush()
    claims.put_all(session, claims.BACKFILL, tenant.id, [row.id for row in rows], due_at=now)
    return run_id


def read(session: Session, tenant_id: int, backfill_id: int) -> Standing | None:
    """Return how far a backfill has come, or None when there is no such backfill."""
    row = session.get(Backfill, (tenant_id, backfill_id))
    if row is None:
        return None
    return Standing(**{name: getattr(row, name) for name in Standing.__dataclass_fields__})


def write(session: Session, standing: Standing, now: datetime) -> None:
    """Record how far a backfill has come; whoever waits for its end becomes due."""
    session.execute(
        update(Backfill)
        .where(Backfill.tenant_id == standing.tenant_id, Backfill.id == standing.id)
        .values(
            state=standing.state,
            operation_id=standing.operation_id,
            objects_total=standing.objects_total,
            objects_read=standing.objects_read,
            rows_written=standing.rows_written,
            byte_offset=standing.byte_offset,
            cursor=standing.cursor,
            attempts=standing.attempts,
            error=standing.error,
            started_at=func.coalesce(Backfill.started_at, now),
            finished_at=now if standing.finished else None,
        ),
        execution_options={"synchronize_session": False},
    )
    if standing.finished and standing.resource == "orders":
        claims.put_all(session, claims.BACKFILL, standing.tenant_id, _ids_of(session, standing, "refunds"), due_at=now)


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


def orders_to_detail(session: Session, tenant_id: int, *, after: int, limit: int) -> list[int]:
    """Return Shopify's ids of orders whose refund lines or edits are not known yet, in ascending order."""
    wanted = _orders_to_detail(tenant_id).subquery()
    column = wanted.c[0]
    return list(session.scalars(select(column).where(column > after).order_by(column).limit(limit)))


def count_orders_to_detail(session: Session, tenant_id: int) -> int:
    """Return how many orders' refund lines or edits are not known yet."""
    return session.scalar(select(func.count()).select_from(_orders_to_detail(tenant_id).subquery())) or 0


def progress(session: Session) -> tuple[Progress, ...]:
    """Return the latest run of the transaction's tenant, a row for each resource; empty when there was none."""
    latest = select(Backfill.run_id).order_by(Backfill.created_at.desc(), Backfill.id.desc()).limit(1).scalar_subquery()
    rows = session.scalars(select(Backfill).where(Backfill.run_id == latest))
    return tuple(
        Progress(
            resource=row.resource,
            state=row.state,
            objects_read=row.objects_read,
            objects_total=row.objects_total,
            error=row.error,
            started_at=row.started_at,
            finished_at=row.finished_at,
        )
        for row in sorted(rows, key=lambda row: RESOURCES.index(row.resource))
    )


def _unfinished(tenant_id: int) -> Select[uuid.UUID]:
    return (
        select(Backfill.run_id)
        .where(Backfill.tenant_id == tenant_id, Backfill.state.in_(UNFINISHED))
        .order_by(Backfill.id.desc())
        .limit(1)
    )


def _ids_of(session: Session, standing: Standing, resource: str) -> list[int]:
    same_run = (Backfill.tenant_id == standing.tenant_id, Backfill.run_id == standing.run_id)
    return list(session.scalars(select(Backfill.id).where(*same_run, Backfill.resource == resource)))


def _orders_to_detail(tenant_id: int) -> Select[int]:
    edited = select(Order.shopify_id).where(Order.tenant_id == tenant_id, Order.edited, Order.deleted_at.is_(None))
    refunded = select(Refund.order_shopify_id).where(Refund.tenant_id == tenant_id, Refund.lines_read_at.is_(None))
    both = union(edited, refunded).subquery()
    return select(both.c[0])
