"""Deliveries on their way to the rows: whose turn it is, what is applied in it, and what becomes of it.

A turn belongs to a tenant, and a lease keeps it to one worker (a claim, see ``claims``). The deliveries themselves
are not leased: they are read and marked in the transaction that applies them, one transaction of a tenant at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import case, func, null, or_, select, update

from shopify_app.models import Delivery
from shopify_app.statements import column, run

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from sqlalchemy import Connection
    from sqlalchemy.orm import Session

# A delivery that fails alone is tried eight times over about an hour and a half, and then left for an operator.
MOST_ATTEMPTS = 8
FIRST_WAIT = timedelta(seconds=5)
WAITS_GROW = 3
# That a store has left, and what is owed to its customers, is applied also while an operator has disabled the store.
EVEN_IF_DISABLED = ("app/uninstalled", "customers/data_request", "customers/redact", "shop/redact")


@dataclass(frozen=True)
class Kept:
    """A delivery as it was kept."""

    id: int
    topic: str
    event_id: str | None
    payload: bytes
    triggered_at: datetime | None
    received_at: datetime


@dataclass(frozen=True)
class Waiting:
    """Tenants with deliveries that could be applied, by number; ``after`` is where to go on from, None at the end."""

    tenant_ids: tuple[int, ...]
    after: int | None


def waiting(session: Session, now: datetime) -> bool:
    """Return whether any delivery could be applied."""
    after: int | None = 0
    while after is not None:
        found = waiting_tenants(session, now, limit=100, after=after)
        if found.tenant_ids:
            return True
        after = found.after
    return False


def waiting_tenants(session: Session, now: datetime, *, limit: int, after: int = 0) -> Waiting:
    """Look at up to ``limit`` tenants with something in the inbox, from the first one after ``after``.

    One look into the index for each tenant, however many deliveries wait.
    """
    values = {"now": now, "after": after, "limit": limit, "always": list(EVEN_IF_DISABLED)}
    found = run(session, _TENANTS, values)
    tenant_ids = tuple(tenant_id for tenant_id, ready in found if ready)
    return Waiting(tenant_ids, found[-1][0] if len(found) == limit else None)


def read(
    connection: Session | Connection, tenant_id: int, *, now: datetime, limit: int, except_for: Iterable[int] = ()
) -> list[Kept]:
    """Return a tenant's oldest deliveries that could be applied, at most ``limit``, except those being applied now."""
    values = {
        "tenant": tenant_id,
        "now": now,
        "limit": limit,
        "always": list(EVEN_IF_DISABLED),
        "in_hand": list(except_for),
    }
    # As text a body would come hexadecimal, at twice the length and four times the time.
    return [Kept(*row) for row in run(connection, _READ, values, binary=True)]


def first(session: Session, tenant_id: int, now: datetime) -> int | None:
    """Return the oldest of a tenant's deliveries that could be applied."""
    due = or_(Delivery.retry_at.is_(None), Delivery.retry_at <= now)
    open_ = select(Delivery.id).where(
        Delivery.tenant_id == tenant_id, Delivery.processed_at.is_(None), Delivery.dead_at.is_(None), due
    )
    return session.scalar(open_.order_by(Delivery.id).limit(1))


def finish(session: Session, tenant_id: int, ids: Iterable[int], now: datetime) -> set[int]:
    """Mark deliveries processed; returns those that were still to be applied. What they say goes into the same
    transaction, which begins with this: nobody else can apply them from here on.
    """
    values = {"tenant": tenant_id, "ids": list(ids), "now": now}
    return set(column(session, _FINISH, values))


def mark_repeats(session: Session, tenant_id: int, ids: Collection[int]) -> None:
    """Note of deliveries just finished that they told of an event as another one had before."""
    if ids:
        session.execute(
            update(Delivery).where(Delivery.tenant_id == tenant_id, Delivery.id.in_(ids)).values(outcome="repeat"),
            execution_options={"synchronize_session": False},
        )


def forget(session: Session, tenant_id: int, ids: Collection[int]) -> None:
    """Drop the bodies of deliveries, which tell of somebody who was erased; that they came stays known."""
    if ids:
        session.execute(
            update(Delivery).where(Delivery.tenant_id == tenant_id, Delivery.id.in_(ids)).values(payload=b""),
            execution_options={"synchronize_session": False},
        )


def fail(session: Session, delivery_id: int, *, error: str, now: datetime, traceback: str | None = None) -> None:
    """Note why a delivery could not be applied; it waits longer after each attempt, and is dead after the last."""
    wait = func.make_interval(0, 0, 0, 0, 0, 0, FIRST_WAIT.total_seconds() * func.power(WAITS_GROW, Delivery.attempts))
    dead = Delivery.attempts + 1 >= MOST_ATTEMPTS
    session.execute(
        update(Delivery)
        .where(Delivery.id == delivery_id, Delivery.processed_at.is_(None), Delivery.dead_at.is_(None))
        .values(
            error=error,
            traceback=traceback,
            attempts=Delivery.attempts + 1,
            retry_at=case((dead, null()), else_=now + wait),
            dead_at=case((dead, now), else_=null()),
        ),
        execution_options={"synchronize_session": False},
    )


_OPEN = "processed_at IS NULL AND dead_at IS NULL AND tenant_id IS NOT NULL"
# A loose scan of the index of what waits: PostgreSQL does not skip from one tenant to the next by itself.
_TENANTS = f"""
    WITH RECURSIVE found (tenant_id, place) AS (
        (SELECT tenant_id, 1 FROM inbox WHERE {_OPEN} AND tenant_id > :after ORDER BY tenant_id LIMIT 1)
        UNION ALL
        SELECT next.tenant_id, place + 1 FROM found CROSS JOIN LATERAL (
            SELECT tenant_id FROM inbox WHERE {_OPEN} AND tenant_id > found.tenant_id ORDER BY tenant_id LIMIT 1
        ) AS next WHERE place < :limit
    )
    SELECT found.tenant_id, EXISTS (
        SELECT FROM inbox JOIN tenants ON tenants.id = inbox.tenant_id
        WHERE {_OPEN} AND inbox.tenant_id = found.tenant_id
          AND (retry_at IS NULL OR retry_at <= CAST(:now AS timestamptz))
          AND (tenants.disabled_at IS NULL OR topic = ANY (CAST(:always AS text[])))) AS ready
    FROM found ORDER BY found.tenant_id
"""  # noqa: S608 - a constant of this module
_READ = f"""
    SELECT inbox.id, topic, event_id, payload, triggered_at, received_at
    FROM inbox JOIN tenants ON tenants.id = inbox.tenant_id
    WHERE {_OPEN} AND inbox.tenant_id = :tenant
      AND (retry_at IS NULL OR retry_at <= :now)
      AND (tenants.disabled_at IS NULL OR topic = ANY (:always))
      AND inbox.id <> ALL (CAST(:in_hand AS bigint[]))
    ORDER BY inbox.id LIMIT :limit
"""  # noqa: S608 - likewise
_FINISH = f"""
    UPDATE inbox SET processed_at = :now, outcome = 'applied', error = NULL, traceback = NULL
    WHERE tenant_id = :tenant AND id = ANY (CAST(:ids AS bigint[])) AND {_OPEN}
    RETURNING id
"""  # noqa: S608 - likewise
