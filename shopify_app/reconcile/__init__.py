"""Room: whether we hold what Shopify holds, resource by resource, and what was wrong where we did not.

A check moves changes → counting → ids → done, or ends failed or cancelled. First it compares versions of what
changed up to a ceiling, a moment that lies back far enough for webhooks to have come; then it counts both sides at
that ceiling, and where that asks for it compares all ids. Deletions are believed only inside the window that the
app's access scopes let it see: older orders are history to Shopify, not deleted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert

from shopify_app import claims
from shopify_app.models import Backfill, DriftSummary, OfflineToken, Reconciliation, Tenant
from shopify_app.models.backfills import UNFINISHED as LOADING
from shopify_app.models.reconciliations import RESOURCES, UNFINISHED
from shopify_app.reconcile.decisions import (
    ALL_ORDERS,
    SETTLE,
    Comparison,
    Held,
    Key,
    Standing,
    cancelled,
    compare,
    compared_changes,
    counted,
    counted_window,
    failed,
    key_of,
    passed,
)
from shopify_app.reconcile.holdings import count, held, held_numbers, orders_of
from shopify_app.shopify import scopes

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy.orm import Session

__all__ = [
    "ALL_ORDERS",
    "RESOURCES",
    "Comparison",
    "Held",
    "Key",
    "Standing",
    "cancelled",
    "compare",
    "compared_changes",
    "count",
    "counted",
    "counted_window",
    "drift",
    "due",
    "failed",
    "held",
    "held_numbers",
    "key_of",
    "latest",
    "orders_of",
    "passed",
    "read",
    "start",
    "write",
]

LOOKBACK = timedelta(minutes=10)  # how far a check reaches back behind the one before
RECENT, DAILY = timedelta(hours=1), timedelta(days=1)
KEPT = timedelta(days=30)  # how long finished checks are remembered
SPREAD = 300  # seconds over which the stores' checks begin

SCOPES = MappingProxyType(
    {
        "customers": "read_customers",
        "products": "read_products",
        "orders": "read_orders",
        "checkouts": "read_orders",
    }
)
_FIGURES = ("checked", "missing", "stale", "corrected", "deleted", "count_shopify", "count_held", "error")


def due(session: Session, now: datetime, limit: int) -> list[tuple[int, str]]:
    """Return the connected stores whose next check is due, each with its mode, those checked longest ago first."""
    summary = DriftSummary
    last = func.max(summary.planned_at)
    full = func.bool_or(summary.full_planned_at.is_(None) | (summary.full_planned_at <= now - DAILY))
    rows = session.execute(
        select(OfflineToken.tenant_id, func.coalesce(full, literal(value=True)))
        .join(Tenant, Tenant.id == OfflineToken.tenant_id)
        .outerjoin(summary, summary.tenant_id == OfflineToken.tenant_id)
        .where(Tenant.uninstalled_at.is_(None), Tenant.disabled_at.is_(None), OfflineToken.failed_at.is_(None))
        .group_by(OfflineToken.tenant_id)
        .having(last.is_(None) | (last <= now - RECENT))
        .order_by(last, OfflineToken.tenant_id)
        .limit(limit)
    )
    return [(tenant_id, "daily" if is_full else "recent") for tenant_id, is_full in rows]


def start(  # noqa: PLR0913 - which check is meant, of what, and when
    session: Session,
    tenant_id: int,
    granted: Collection[str],
    now: datetime,
    *,
    mode: str = "asked",
    resources: Collection[str] = RESOURCES,
    since: datetime | None = None,
    ceiling: datetime | None = None,
    proving: bool = False,
) -> dict[str, int]:
    """Plan a check of each resource that may be read, with a claim, and return their ids by resource.

    A check that is under way is returned instead; a resource whose history is being loaded is left out, unless it is
    its backfill that asks, ``proving`` what it has done. ``since`` defaults to the ceiling of the check before,
    ``ceiling`` to a moment ago.
    """
    claims.write_alone(session, tenant_id)
    _forget(session, tenant_id, now)
    running = _running(session, tenant_id)
    waiting = () if proving else _waiting(session, tenant_id, asked=mode == "asked")
    rows = [
        Reconciliation(
            tenant_id=tenant_id,
            resource=resource,
            mode=mode,
            since=since or _since(session, tenant_id, resource),
            ceiling=(ceiling or now - SETTLE).replace(microsecond=0),
            created_at=now,
        )
        for resource in _readable(granted, resources)
        if resource not in running and resource not in waiting
    ]
    session.add_all(rows)
    session.flush()
    begins_at = now if proving or mode == "asked" else now + timedelta(seconds=tenant_id % SPREAD)
    claims.put_all(session, claims.RECONCILE, tenant_id, [row.id for row in rows], due_at=begins_at)
    for row in rows:
        _note_plan(session, row, now)
    return {**{row.resource: row.id for row in rows}, **{of: running[of] for of in running if of in resources}}


def read(session: Session, tenant_id: int, reconciliation_id: int) -> Standing | None:
    """Return how far a check has come, or None when there is no such check."""
    row = session.get(Reconciliation, (tenant_id, reconciliation_id))
    return None if row is None else _standing(row)


def write(session: Session, standing: Standing, now: datetime) -> None:
    """Record how far a check has come, and how it ended."""
    figures = {name: getattr(standing, name) for name in _FIGURES}
    ended = {"state": standing.state, "finished_at": now if standing.finished else None}
    session.execute(
        update(Reconciliation)
        .where(Reconciliation.tenant_id == standing.tenant_id, Reconciliation.id == standing.id)
        .values(after=standing.after, **figures, **ended),
        execution_options={"synchronize_session": False},
    )
    if standing.finished:
        session.execute(
            update(DriftSummary)
            .where(DriftSummary.tenant_id == standing.tenant_id, DriftSummary.resource == standing.resource)
            .values(**figures, **ended),
            execution_options={"synchronize_session": False},
        )


def latest(session: Session) -> tuple[tuple[Standing, ...], frozenset[str]]:
    """Return the last finished check of each resource of the transaction's tenant, and the resources under way."""
    finished = select(func.max(Reconciliation.id)).where(Reconciliation.finished_at.is_not(None))
    newest = finished.group_by(Reconciliation.resource)
    rows = session.scalars(select(Reconciliation).where(Reconciliation.id.in_(newest)))
    found = sorted(map(_standing, rows), key=lambda standing: RESOURCES.index(standing.resource))
    running = session.scalars(select(Reconciliation.resource).where(Reconciliation.state.in_(UNFINISHED)))
    return tuple(found), frozenset(running)


@dataclass(frozen=True, kw_only=True)
class Drift:
    """How the last check of a store's resource ended, for those who run the app."""

    tenant_id: int
    store_url: str
    resource: str
    state: str
    finished_at: datetime | None
    error: str | None
    checked: int
    missing: int
    stale: int
    corrected: int
    deleted: int
    unexplained: int


def drift(session: Session, limit: int, tenant_id: int | None = None) -> list[Drift]:
    """Return how the last checks of one store or all ended: first those that need somebody, then who found most."""
    summary = DriftSummary
    counted = func.coalesce(summary.count_shopify, 0) - func.coalesce(summary.count_held, 0)
    wrong = summary.missing + summary.stale + summary.deleted
    one_store = () if tenant_id is None else (summary.tenant_id == tenant_id,)
    rows = session.execute(
        select(
            Tenant.store_url,
            *(getattr(summary, name) for name in ("tenant_id", "resource", "state", "finished_at", "error")),
            *(getattr(summary, name) for name in ("checked", "missing", "stale", "corrected", "deleted")),
            counted.label("unexplained"),
        )
        .join(Tenant, Tenant.id == summary.tenant_id)
        .where(*one_store)
        .order_by((summary.state == "failed").desc(), func.abs(counted).desc(), wrong.desc())
        .order_by(Tenant.store_url, summary.resource)
        .limit(limit)
    )
    return [Drift(**row) for row in rows.mappings()]


def _standing(row: Reconciliation) -> Standing:
    return Standing(**{name: getattr(row, name) for name in Standing.__dataclass_fields__})


def _running(session: Session, tenant_id: int) -> dict[str, int]:
    rows = session.execute(
        select(Reconciliation.resource, Reconciliation.id).where(
            Reconciliation.tenant_id == tenant_id, Reconciliation.state.in_(UNFINISHED)
        )
    )
    return {resource: number for resource, number in rows}  # noqa: C416 - rows are no pairs to a type checker


def _readable(granted: Collection[str], resources: Collection[str]) -> list[str]:
    """Return those of the resources that the app may read."""
    return [name for name in RESOURCES if name in resources and not scopes.missing(granted, [SCOPES[name]])]


def _waiting(session: Session, tenant_id: int, *, asked: bool) -> Collection[str]:
    """Return the resources that are not to be checked just now: their history is being loaded.

    While any history is being loaded, the clock's own checks wait: they would only keep a worker from it.
    """
    loading = select(Backfill.resource).where(Backfill.tenant_id == tenant_id, Backfill.state.in_(LOADING))
    busy = set(session.scalars(loading))
    return busy if asked or not busy else RESOURCES


def _since(session: Session, tenant_id: int, resource: str) -> datetime | None:
    """Return from when on changes may have been missed: the last check's ceiling, or the beginning of the history."""
    checks = (Reconciliation.tenant_id == tenant_id, Reconciliation.resource == resource)
    last = session.scalar(select(func.max(Reconciliation.ceiling)).where(*checks, Reconciliation.state == "done"))
    loads = (Backfill.tenant_id == tenant_id, Backfill.resource == resource, Backfill.state == "done")
    since = last or session.scalar(select(func.max(Backfill.created_at)).where(*loads))
    return since - LOOKBACK if since else None


def _forget(session: Session, tenant_id: int, now: datetime) -> None:
    """Drop checks that ended long ago, unless no later one of their resource went well."""
    later = select(func.max(Reconciliation.id)).where(
        Reconciliation.tenant_id == tenant_id, Reconciliation.state == "done"
    )
    session.execute(
        delete(Reconciliation).where(
            Reconciliation.tenant_id == tenant_id,
            Reconciliation.finished_at < now - KEPT,
            Reconciliation.id.not_in(later.group_by(Reconciliation.resource)),
        ),
        execution_options={"synchronize_session": False},
    )


def _note_plan(session: Session, row: Reconciliation, now: datetime) -> None:
    """Tell the clock when the resource was looked at last; the figures stay those of the check before."""
    planned = {"planned_at": now} if row.mode == "recent" else {"planned_at": now, "full_planned_at": now}
    key = {"tenant_id": row.tenant_id, "resource": row.resource}
    statement = insert(DriftSummary).values(**key, **planned, state=row.state)
    session.execute(statement.on_conflict_do_update(constraint="pk_drift_summaries", set_=planned))
