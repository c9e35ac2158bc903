"""What those who run the app see of all stores' backfills: a copy of each that names its store and holds no rows.

The tables of tenants are closed to operators, so whoever changes a backfill notes here what became of it, in the same
transaction; at most once a second while only its numbers change.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import BindParameter, ColumnElement, DateTime, bindparam, case, func, literal, or_, select
from sqlalchemy.dialects.postgresql import insert

from shopify_app.backfill.progress import Progress, expected, prepared, told
from shopify_app.models import Backfill, BackfillSummary, Tenant
from shopify_app.models.backfills import UNFINISHED

if TYPE_CHECKING:
    from sqlalchemy import Select, Table
    from sqlalchemy.dialects.postgresql import Insert
    from sqlalchemy.orm import Session

SELDOM = timedelta(seconds=1)  # between two notes of which only the numbers differ
MEASURED = timedelta(seconds=15)  # a rate looks back over this and up to twice as long

# What an operator asks for → the states it means.
FILTERS: dict[str, tuple[str, ...]] = {
    "unfinished": UNFINISHED,
    "failed": ("failed",),
    "cancelled": ("cancelled",),
    "done": ("done",),
}
_TELLING = ("state", "error", "note", "cancel_asked_at")  # what is noted at once
_TOLD = ("run_id", "resource", "asked_by", "since", "created_at", "started_at", "finished_at", *_TELLING)
_COPIED = (*_TOLD, "objects_read", "objects_total", "prepared")
_POINTS = ("noted_at", "moved", "next_at", "next_moved", "anchor_at", "anchor_moved")


@dataclass(frozen=True, kw_only=True)
class Summary:
    """A backfill and whose it is."""

    store_url: str
    progress: Progress


def note(session: Session, tenant_id: int, backfill_ids: Collection[int], now: datetime) -> None:
    """Note what became of backfills of the transaction's tenant; belongs behind every change of their rows."""
    values = {"of_tenant": tenant_id, "numbers": list(backfill_ids), "now": now}
    session.execute(_NOTE, values)


def listed(
    session: Session,
    now: datetime,
    *,
    limit: int,
    states: Collection[str] = (),
    store_url: str | None = None,
    every: bool = False,
) -> list[Summary]:
    """Return backfills, newest first: the last of each store and resource, or every one.

    They are those in some of the states and of one store, where these are given.
    """
    query = _query() if every else _query().where(BackfillSummary.backfill_id.in_(_newest()))
    if states:
        query = query.where(BackfillSummary.state.in_(states))
    if store_url is not None:
        query = query.where(Tenant.store_url == store_url)
    return _read(session, query.limit(limit), now)


def find(session: Session, backfill_ids: Collection[int], now: datetime) -> dict[int, Summary]:
    """Return backfills by their numbers; what nobody knows is not in it."""
    found = _read(session, _query().where(BackfillSummary.backfill_id.in_(backfill_ids)), now)
    return {summary.progress.id: summary for summary in found}


def counts(session: Session) -> dict[str, int]:
    """Return how many stores' resources stand how, by the newest backfill of each, by state."""
    query = select(BackfillSummary.state, func.count()).where(BackfillSummary.backfill_id.in_(_newest()))
    return {state: count for state, count in session.execute(query.group_by(BackfillSummary.state))}  # noqa: C416 - rows are no pairs to a type checker


def _query() -> Select[*tuple[Any, ...]]:
    columns = [column for column in BackfillSummary.__table__.columns if column.name != "backfill_id"]
    owned = Tenant.id == BackfillSummary.tenant_id
    query = select(Tenant.store_url, BackfillSummary.backfill_id.label("id"), *columns)
    return query.join(Tenant, owned).order_by(BackfillSummary.backfill_id.desc())


def _newest() -> Select[int]:
    return select(func.max(BackfillSummary.backfill_id)).group_by(BackfillSummary.tenant_id, BackfillSummary.resource)


def _read(session: Session, query: Select[*tuple[Any, ...]], now: datetime) -> list[Summary]:
    return [Summary(store_url=row["store_url"], progress=told(row, now)) for row in session.execute(query).mappings()]


def _statement() -> Insert:
    """Copy rows into their summaries; a copy of which only the numbers differ waits for its second to be over."""
    statement = insert(_TABLE).from_select(["tenant_id", "backfill_id", *_COPIED, *_POINTS], _copied())
    new, held = statement.excluded, _TABLE.c
    differs = [held[name].is_distinct_from(new[name]) for name in _TELLING]
    copied = {name: new[name] for name in (*_COPIED, "noted_at", "moved")}
    return statement.on_conflict_do_update(
        constraint="pk_backfill_summaries",
        set_={**copied, **_points(new)},
        where=or_(*differs, new.noted_at - held.noted_at >= literal(SELDOM)),
    )


def _copied() -> Select[*tuple[Any, ...]]:
    now: BindParameter[datetime] = bindparam("now", type_=DateTime(timezone=True))
    counted = (Backfill.objects_before + Backfill.objects_read, expected(), prepared())
    held = [getattr(Backfill, name) for name in _TOLD]
    mine = (Backfill.tenant_id == bindparam("of_tenant"), Backfill.id == func.any(bindparam("numbers")))
    return select(Backfill.tenant_id, Backfill.id, *held, *counted, *(now, _moved()) * 3).where(*mine)


def _points(new: Any) -> dict[str, ColumnElement[Any]]:  # noqa: ANN401 - the row that was to be inserted
    """Move on the points between which the rate is measured; what counts something else begins at a new one."""
    held = _TABLE.c
    fresh, far = held.state != new.state, new.noted_at - held.next_at >= literal(MEASURED)
    points: dict[str, ColumnElement[Any]] = {}
    for name in ("at", "moved"):
        following = held[f"next_{name}"]
        points[f"next_{name}"] = case((or_(fresh, far), new[f"next_{name}"]), else_=following)
        points[f"anchor_{name}"] = case((fresh, new[f"anchor_{name}"]), (far, following), else_=held[f"anchor_{name}"])
    return points


def _moved() -> ColumnElement[int]:
    """Return what the rate counts: what Shopify writes while it prepares an export, then what is loaded of it."""
    return func.coalesce(prepared(), Backfill.objects_before + Backfill.objects_read)


_TABLE = cast("Table", BackfillSummary.__table__)  # without the mapper, which has ideas of its own about inserts
_NOTE = _statement()
