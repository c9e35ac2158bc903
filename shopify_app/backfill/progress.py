"""How far backfills have come, as people see it: so many objects of so many, how fast, and how long it still takes.

A rate is what was read over the last half minute or so, and an estimate is given only where the whole is known and
something moves: a number that is made up is worse than none.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, case, func, null, select

from shopify_app.models import Backfill, BackfillSummary
from shopify_app.models.backfills import RESOURCES, UNFINISHED

if TYPE_CHECKING:
    from sqlalchemy import Select
    from sqlalchemy.orm import Session

SHORTEST_MEASURE = timedelta(seconds=3)  # over less than this a rate is chance
STANDSTILL = timedelta(seconds=30)  # without news for so long, nothing is said about the speed


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Two points of a backfill's way: from ``anchor_at`` on, ``moved`` objects more by ``noted_at``."""

    anchor_at: datetime
    noted_at: datetime
    moved: int


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far the backfill of one resource has come.

    ``objects_read`` are those that arrived, over all parts of the history; ``objects_total`` is None until all that
    there will be is known, and ``prepared`` what Shopify has written of it so far while it still writes. ``since`` is
    None where everything was asked for. ``rate`` is in objects a second, ``seconds_left`` an estimate; both are None
    where they are not known.
    """

    id: int
    tenant_id: int
    run_id: uuid.UUID
    resource: str
    state: str
    asked_by: str
    since: datetime | None
    objects_read: int
    objects_total: int | None
    prepared: int | None
    error: str | None
    note: str | None
    cancel_asked_at: datetime | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    rate: float | None = None
    seconds_left: int | None = None

    @property
    def finished(self) -> bool:
        """Whether nothing more will come, for better or worse."""
        return self.state not in UNFINISHED

    @property
    def stopping(self) -> bool:
        """Whether somebody has asked for its end, which has not come yet."""
        return self.cancel_asked_at is not None and not self.finished


# ── decisions ───────────────────────────────────────────────────────────────────────────────────────────────────────


def rate(pace: Pace | None, now: datetime | None) -> float | None:
    """Return objects a second, or None where too little was seen, or nothing for too long."""
    if pace is None or now is None or now - pace.noted_at > STANDSTILL:
        return None
    measured = pace.noted_at - pace.anchor_at
    if measured < SHORTEST_MEASURE or pace.moved <= 0:
        return None
    return pace.moved / measured.total_seconds()


def seconds_left(*, objects_read: int, objects_total: int | None, rate: float | None) -> int | None:
    """Return how long the rest takes at this rate, or None where the rest or the rate is not known."""
    if objects_total is None or rate is None:
        return None
    return max(round((objects_total - objects_read) / rate), 0)


# ── rows ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def progress(session: Session, now: datetime | None = None) -> tuple[Progress, ...]:
    """Return the latest backfill of each resource of the transaction's tenant; empty when there was none.

    Without ``now`` nothing is said of how fast they are.
    """
    newest = select(func.max(Backfill.id)).group_by(Backfill.resource)
    found = _read(session, _query().where(Backfill.id.in_(newest)), now)
    return tuple(sorted(found, key=lambda one: RESOURCES.index(one.resource)))


def history(session: Session, now: datetime, *, limit: int) -> list[Progress]:
    """Return the backfills of the transaction's tenant, newest first, at most ``limit``."""
    return _read(session, _query().order_by(Backfill.id.desc()).limit(limit), now)


def of_run(session: Session, run_id: uuid.UUID, now: datetime) -> list[Progress]:
    """Return the backfills of one run of the transaction's tenant, in the order they were planned."""
    return _read(session, _query().where(Backfill.run_id == run_id).order_by(Backfill.id), now)


def one(session: Session, backfill_id: int, now: datetime) -> Progress | None:
    """Return one backfill of the transaction's tenant, or None."""
    found = _read(session, _query().where(Backfill.id == backfill_id), now)
    return found[0] if found else None


def told(row: Mapping[Any, Any], now: datetime | None) -> Progress:
    """Return what is said of a row with the columns of a summary."""
    names = Progress.__dataclass_fields__.keys() - {"rate", "seconds_left"}
    values = {name: row[name] for name in names}
    speed = rate(_pace(row), now) if row["state"] in UNFINISHED else None
    left = seconds_left(objects_read=row["objects_read"], objects_total=row["objects_total"], rate=speed)
    return Progress(**values, rate=speed, seconds_left=left)


def _pace(row: Mapping[Any, Any]) -> Pace | None:
    if row["noted_at"] is None:
        return None
    return Pace(anchor_at=row["anchor_at"], noted_at=row["noted_at"], moved=row["moved"] - row["anchor_moved"])


def _query() -> Select[*tuple[Any, ...]]:
    """Select a backfill as its own table has it now, with the pace that its summary keeps."""
    columns = ("id", "tenant_id", "run_id", "resource", "state", "asked_by", "since", "error", "note")
    times = ("cancel_asked_at", "created_at", "started_at", "finished_at")
    paces = ("noted_at", "anchor_at", "anchor_moved", "moved")
    joined = (BackfillSummary.tenant_id == Backfill.tenant_id) & (BackfillSummary.backfill_id == Backfill.id)
    return select(
        *(getattr(Backfill, name) for name in (*columns, *times)),
        *(getattr(BackfillSummary, name) for name in paces),
        (Backfill.objects_before + Backfill.objects_read).label("objects_read"),
        expected().label("objects_total"),
        prepared().label("prepared"),
    ).outerjoin(BackfillSummary, joined)


def _read(session: Session, query: Select[*tuple[Any, ...]], now: datetime | None) -> list[Progress]:
    return [told(row, now) for row in session.execute(query).mappings()]


def expected() -> ColumnElement[int | None]:
    """Return how many objects there will be, null until it is known: an export of several parts ends with its last."""
    last = func.jsonb_array_length(Backfill.windows_left) == 0
    known = Backfill.state.in_(("loading", "verifying", "done")) & last
    return case((known, Backfill.objects_before + Backfill.objects_total), else_=null())


def prepared() -> ColumnElement[int | None]:
    """Return how many objects Shopify has written so far, null once it has ended, or before it has begun."""
    writing = Backfill.state.in_(("requested", "running"))
    return case((writing, Backfill.objects_before + Backfill.objects_total), else_=null())
