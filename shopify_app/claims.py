"""Room: work that is due, and who may do it. A claim is a row; taking it is a guarded update with a lease.

A worker that dies holds its lease for a few seconds longer, and then somebody else goes on. What is put while a
claim is leased is not lost: the claim survives its holder's :func:`done`.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import ColumnElement, and_, case, delete, exists, func, not_, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from shopify_app.models import Claim, Tenant
from shopify_app.statements import put_off, run

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from sqlalchemy import CursorResult
    from sqlalchemy.orm import Session

# Kinds of work. Their subjects: a backfill's id, an order's Shopify id, a privacy request's id, a reconciliation's id,
# and none for what is a tenant's as a whole.
BACKFILL, ORDER_DETAILS, ROLLUPS, SETTLE = "backfill", "order_details", "rollups", "settle"
PRIVACY = "privacy"
RECONCILE = "reconcile"
ABANDONMENT = "abandonment"
# A tenant's turn at the inbox. Nobody puts this one: what waits in the inbox is the work, and the claim only its lease.
TURN = "turn"

# What is owed by law is done for a store that an operator has disabled, too; everything else waits.
OWED = (PRIVACY,)

TICK = timedelta(microseconds=1)


class LeaseLost(Exception):
    """The lease ran out and somebody else has the claim: what was done under it must not be committed."""


@dataclass(frozen=True)
class Due:
    """A piece of work that waits to be taken."""

    kind: str
    tenant_id: int
    subject: int


@dataclass(frozen=True)
class Taken:
    """A claim that is ours until its lease runs out.

    ``attempts`` counts the takes since the work last went well, this one included; ``error`` is what went wrong the
    last time, if anybody lived to say it; ``due_at`` is as it was taken.
    """

    kind: str
    tenant_id: int
    subject: int
    attempts: int
    lease: uuid.UUID
    due_at: datetime
    error: str | None = None


def put(session: Session, kind: str, tenant_id: int, subject: int = 0, *, due_at: datetime) -> None:
    """Ask for work. A claim that waits already becomes due no later; one that is being worked on will be due again."""
    put_all(session, kind, tenant_id, (subject,), due_at=due_at)


def put_all(session: Session, kind: str, tenant_id: int, subjects: Iterable[int], *, due_at: datetime) -> None:
    """Ask for the same kind of work on several subjects."""
    # One order for everybody, so that two transactions that put the same claims cannot wait for each other.
    rows = [
        {"kind": kind, "tenant_id": tenant_id, "subject": subject, "due_at": due_at}
        for subject in sorted(set(subjects))
    ]
    if not rows:
        return
    statement = insert(Claim).values(rows)
    asked = statement.excluded.due_at
    # Under a lease the time must move, or the holder could not tell that more was asked for since.
    renewed = case(
        (Claim.lease.is_(None), func.least(Claim.due_at, asked)), else_=func.greatest(asked, Claim.due_at + TICK)
    )
    session.execute(statement.on_conflict_do_update(constraint="pk_claims", set_={"due_at": renewed}))


def due(session: Session, kinds: Collection[str], now: datetime, limit: int) -> list[Due]:
    """Return what could be taken now, longest due first."""
    found = session.execute(
        select(Claim.kind, Claim.tenant_id, Claim.subject)
        .where(Claim.kind.in_(kinds), _free(now))
        .order_by(Claim.due_at, Claim.tenant_id, Claim.subject)
        .limit(limit)
    )
    return [Due(kind, tenant_id, subject) for kind, tenant_id, subject in found]


def take(
    session: Session,
    kinds: Collection[str],
    limit: int,
    now: datetime,
    lease_for: timedelta,
    *,
    tenant_id: int | None = None,
    subject: int | None = None,
) -> list[Taken]:
    """Take up to ``limit`` due claims, longest due first; what others are taking at this moment is passed over.

    ``tenant_id`` and ``subject`` narrow the choice.
    """
    lease = uuid.uuid4()
    chosen = (
        select(Claim.kind, Claim.tenant_id, Claim.subject)
        .where(Claim.kind.in_(kinds), _free(now), *_narrowed(tenant_id, subject))
        .order_by(Claim.due_at, Claim.tenant_id, Claim.subject)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("chosen")
    )
    taken = (
        update(Claim)
        .where(tuple_(Claim.kind, Claim.tenant_id, Claim.subject).in_(select(chosen)))
        .values(lease=lease, leased_until=now + lease_for, attempts=Claim.attempts + 1)
        .returning(Claim.kind, Claim.tenant_id, Claim.subject, Claim.attempts, Claim.due_at, Claim.error)
    )
    rows = session.execute(taken, execution_options={"synchronize_session": False})
    return [Taken(kind, owner, of, attempts, lease, at, error) for kind, owner, of, attempts, at, error in rows]


def seize(
    session: Session, kind: str, tenant_ids: Collection[int], lease: uuid.UUID, *, now: datetime, lease_for: timedelta
) -> dict[int, int]:
    """Take claims that nobody had to put: those of these tenants that nobody else holds, made where they are missing.

    Returns the attempts by tenant, this one included: more than one where the last holder let its lease run out.
    What is held under this very lease is taken again, as if for the first time.
    """
    if not tenant_ids:
        return {}
    values = {"kind": kind, "tenants": sorted(tenant_ids), "lease": lease, "now": now, "until": now + lease_for}
    return dict(run(session, _SEIZE, values))


def extend(session: Session, kind: str, lease: uuid.UUID, *, now: datetime, lease_for: timedelta) -> None:
    """Renew the lease of all claims of this kind that were taken under it."""
    _rows(session, update(Claim).where(Claim.kind == kind, Claim.lease == lease).values(leased_until=now + lease_for))


def forgive(session: Session, kind: str, tenant_id: int, lease: uuid.UUID) -> None:
    """Count the attempts at this work anew, as if the one under way were the first."""
    mine = (Claim.kind == kind, Claim.tenant_id == tenant_id, Claim.lease == lease)
    _rows(session, update(Claim).where(*mine).values(attempts=1))


def give_back(session: Session, kind: str, tenant_ids: Collection[int], lease: uuid.UUID) -> None:
    """Let others take these claims, as if they had not been taken under the lease."""
    ours = (Claim.kind == kind, Claim.tenant_id.in_(sorted(tenant_ids)), Claim.lease == lease)
    freed = update(Claim).where(*ours).values(lease=None, leased_until=None, attempts=Claim.attempts - 1)
    _rows(session, freed)


def let_go(session: Session, kind: str, lease: uuid.UUID) -> None:
    """Remove all claims of this kind that were taken under the lease: nobody has to ask for this work."""
    _rows(session, delete(Claim).where(Claim.kind == kind, Claim.lease == lease))


def hold(session: Session, taken: Taken, *, now: datetime, lease_for: timedelta) -> None:
    """Renew the lease, and lock the claim until the transaction ends.

    Raises:
        LeaseLost: somebody else took the claim, or withdrew it.
    """
    _mine(session, update(Claim).where(_held(taken)).values(leased_until=now + lease_for))


def done(session: Session, taken: Taken) -> bool:
    """Remove the claim and return True; return False, and leave it due, where more was asked for since it was taken.

    Raises:
        LeaseLost: somebody else took the claim, or withdrew it.
    """
    if _rows(session, delete(Claim).where(_held(taken), Claim.due_at == taken.due_at)):
        return True
    _mine(session, update(Claim).where(_held(taken)).values(lease=None, leased_until=None, attempts=0, error=None))
    return False


def postpone(session: Session, taken: Taken, *, due_at: datetime, error: str | None = None) -> None:
    """Give the claim back, due at ``due_at`` or when it was asked for since. Without ``error`` the attempts start anew.

    Raises:
        LeaseLost: somebody else took the claim, or withdrew it.
    """
    again = case((Claim.due_at > taken.due_at, func.least(Claim.due_at, due_at)), else_=due_at)
    values: dict[str, Any] = {"lease": None, "leased_until": None, "due_at": again, "error": error}
    if error is None:
        values["attempts"] = 0
    _mine(session, update(Claim).where(_held(taken)).values(values))


def withdraw(session: Session, kind: str, tenant_id: int, subject: int = 0) -> None:
    """Remove a claim whoever holds it: its work is being done in this transaction, or has become pointless.

    Deleting first and working afterwards loses nothing: whoever asks meanwhile waits for this transaction to end.
    """
    _rows(
        session,
        delete(Claim).where(Claim.kind == kind, Claim.tenant_id == tenant_id, Claim.subject == subject),
    )


def withdraw_all(session: Session, tenant_id: int, kinds: Collection[str]) -> None:
    """Remove a tenant's claims of these kinds, whoever holds them: the work has become pointless."""
    _rows(session, delete(Claim).where(Claim.tenant_id == tenant_id, Claim.kind.in_(kinds)))


def write_alone(session: Session, tenant_id: int) -> None:
    """Wait until no other transaction that asked the same writes this tenant's rows; holds until the transaction ends.

    Webhooks and a backfill meet in the same orders. Taking turns, a batch each, costs them milliseconds; row locks
    taken in different orders would cost them deadlocks.
    """
    put_off(session, _LOCK_WRITES, {"tenant": tenant_id})


def _free(now: datetime) -> ColumnElement[bool]:
    unleased = or_(Claim.leased_until.is_(None), Claim.leased_until <= now)
    return and_(Claim.due_at <= now, unleased, or_(Claim.kind.in_(OWED), not_(_stopped())))


def _stopped() -> ColumnElement[bool]:
    """Whether an operator has disabled the store: its work waits."""
    return exists(Tenant.id).where(Tenant.id == Claim.tenant_id, Tenant.disabled_at.is_not(None))


def _narrowed(tenant_id: int | None, subject: int | None) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if tenant_id is not None:
        conditions.append(Claim.tenant_id == tenant_id)
    if subject is not None:
        conditions.append(Claim.subject == subject)
    return conditions


def _held(taken: Taken) -> ColumnElement[bool]:
    return and_(
        Claim.kind == taken.kind,
        Claim.tenant_id == taken.tenant_id,
        Claim.subject == taken.subject,
        Claim.lease == taken.lease,
    )


def _rows(session: Session, statement: Any) -> int:  # noqa: ANN401 - an update or a delete, which share no public type
    result = session.execute(statement, execution_options={"synchronize_session": False})
    return cast("CursorResult[Any]", result).rowcount


def _mine(session: Session, statement: Any) -> None:  # noqa: ANN401 - likewise
    if not _rows(session, statement):
        raise LeaseLost


_SEIZE = """
    INSERT INTO claims AS held (kind, tenant_id, subject, due_at, lease, leased_until, attempts)
    SELECT :kind, tenant, 0, :now, :lease, :until, 1 FROM unnest(CAST(:tenants AS bigint[])) AS tenant ORDER BY tenant
    ON CONFLICT (kind, tenant_id, subject) DO UPDATE
    SET lease = excluded.lease, leased_until = excluded.leased_until,
        attempts = CASE WHEN held.lease = excluded.lease THEN 1 ELSE held.attempts + 1 END
    WHERE held.leased_until IS NULL OR held.leased_until <= CAST(:now AS timestamptz) OR held.lease = excluded.lease
    RETURNING tenant_id, attempts
"""
_LOCK_WRITES = "SELECT pg_advisory_xact_lock(hashtextextended('writes', :tenant))"
