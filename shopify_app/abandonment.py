"""Room: carts and checkouts that were left behind, found when their time has come, and a store's own cut-off for it.

What abandonment is, is decided in ``ingest.abandonment``, where most baskets are judged as they arrive. Here are those
that nothing arrives for any more, and all of them once a store has changed its cut-off.
"""

# ruff: noqa: S608 - names of tables and columns come from the constants of ingest.abandonment; values are bound

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import select, text, update

from shopify_app import claims
from shopify_app.ingest.abandonment import KINDS, LONGEST, SHORTEST, Kind, settle
from shopify_app.models import Tenant

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

MINUTE = timedelta(minutes=1)
BOUNDS = (SHORTEST // MINUTE, LONGEST // MINUTE)
MOST_DIGITS = 9


class CutOffRejected(Exception):
    """The cut-off is no whole number of minutes within the bounds; the message says which they are."""

    def __init__(self) -> None:
        shortest, longest = BOUNDS
        days = LONGEST // timedelta(days=1)
        super().__init__(f"Enter a whole number of minutes, from {shortest} to {longest} ({days} days).")


@dataclass(frozen=True)
class Swept:
    """How many baskets were judged, and when there is something to judge again (None: when something arrives)."""

    judged: int
    due_at: datetime | None


def cut_off(session: Session, tenant_id: int) -> int:
    """Return after how many minutes without a sign of life the store counts a basket as abandoned."""
    return session.execute(select(Tenant.abandonment_minutes).where(Tenant.id == tenant_id)).scalar_one()


def change_cut_off(session: Session, tenant_id: int, minutes: str, now: datetime) -> bool:
    """Set the store's cut-off to what somebody typed, and claim judging every basket anew; returns whether it is new.

    Raises:
        CutOffRejected: it is no cut-off.
    """
    wanted = _minutes(minutes)
    guard = (Tenant.id == tenant_id, Tenant.abandonment_minutes != wanted)
    changed = session.scalar(update(Tenant).where(*guard).values(abandonment_minutes=wanted).returning(Tenant.id))
    if changed is not None:
        claims.put(session, claims.ABANDONMENT, tenant_id, due_at=now)
    return changed is not None


def sweep(session: Session, tenant_id: int, now: datetime, limit: int) -> Swept:
    """Judge up to ``limit`` carts and as many checkouts.

    Those are due whose time has come, and those that were last judged by another cut-off than the present one.
    """
    judged, more = 0, False
    for kind in KINDS:
        keys = _due(session, tenant_id, kind, now, limit)
        settle(session, tenant_id, kind, keys, now)
        judged += len(keys)
        more |= len(keys) == limit
    return Swept(judged, now if more else _next_due(session, tenant_id))


def _minutes(typed: str) -> int:
    """Return a cut-off in minutes.

    Raises:
        CutOffRejected: it is none.
    """
    digits = typed.strip()
    # isdecimal alone lets other scripts' digits in, and int() refuses thousands of digits.
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= MOST_DIGITS):
        raise CutOffRejected
    shortest, longest = BOUNDS
    if not shortest <= int(digits) <= longest:
        raise CutOffRejected
    return int(digits)


def _due(session: Session, tenant_id: int, kind: Kind, now: datetime, limit: int) -> list[str]:
    """Return keys of baskets to judge; each part of the query reads an index from its beginning."""
    values = {"tenant": tenant_id, "now": now, "limit": limit}
    return list(session.execute(text(_DUE.format(table=kind.table, key=kind.key)), values).scalars())


def _next_due(session: Session, tenant_id: int) -> datetime | None:
    """Return when the next basket's time comes."""
    moments = session.execute(text(_NEXT), {"tenant": tenant_id}).scalars()
    return min((moment for moment in moments if moment is not None), default=None)


# The orders are those of the indexes: without them a planner that expects many rows to be due reads a whole table.
_CUT_OFF = "(SELECT abandonment_minutes FROM tenants WHERE id = :tenant)"
_DUE = f"""
    SELECT key FROM (
        (SELECT {{key}} AS key FROM {{table}}
         WHERE tenant_id = :tenant AND idle_since <= CAST(:now AS timestamptz) - make_interval(mins => {_CUT_OFF})
         ORDER BY tenant_id, idle_since LIMIT :limit)
        UNION
        (SELECT {{key}} FROM {{table}} WHERE tenant_id = :tenant AND judged_by < {_CUT_OFF}
         ORDER BY tenant_id, judged_by LIMIT :limit)
        UNION
        (SELECT {{key}} FROM {{table}} WHERE tenant_id = :tenant AND judged_by > {_CUT_OFF}
         ORDER BY tenant_id, judged_by LIMIT :limit)
    ) AS due LIMIT :limit
"""
_NEXT = " UNION ALL ".join(
    f"SELECT min(idle_since) + make_interval(mins => {_CUT_OFF}) FROM {kind.table}"
    " WHERE tenant_id = :tenant AND idle_since IS NOT NULL"
    for kind in KINDS
)
