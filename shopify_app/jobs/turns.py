"""Whose turn it is at the inbox: tenants under a lease, one after the other, and their deliveries read ahead.

While one turn is written the next one is read and decoded: PostgreSQL works on the one, Python on the other.
"""

from __future__ import annotations

import contextlib
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Self

import structlog
from sqlalchemy.exc import OperationalError

from shopify_app import claims, inbox, ingest
from shopify_app.database import connected, operations
from shopify_app.jobs.notices import APP_TOPICS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy.orm import Session

    from shopify_app.inbox import Kept

log = structlog.get_logger(__name__)

BATCH = 500  # deliveries of a turn
SMALLER = 8  # how many times fewer for each time that a worker died while it held the tenant
READ_AHEAD_FROM = 10  # deliveries; below, handing turns over between two threads costs more than it gains
TENANTS = 32  # whose turns a round takes on, so that a store with one delivery waits for no more than these
LEASE = timedelta(seconds=15)
# One for the whole process, which drains once at a time: what it held when PostgreSQL died under it, it takes up again
# at once and without suspecting anybody; a lease of its own for every drain would first have to run out.
HOLDER = uuid.uuid4()
RENEW_EVERY = 5.0  # seconds
DIED = "The worker died each time it came to this delivery."


@dataclass(frozen=True)
class Turn:
    """A tenant's deliveries, and what they say, decoded; None where one of them could not be read.

    ``refresh`` says that the tenant's totals follow in the same transaction.
    """

    tenant_id: int
    deliveries: Sequence[Kept]
    batch: ingest.Batch | None = None
    refresh: bool = False


class Turns:
    """Whose turn it is, round after round, under one lease; and the thread that reads a turn ahead.

    ``cut_short`` tells whether they ended before everybody had one.
    """

    def __init__(self, ends_at: float) -> None:
        self.cut_short = False
        self._ends_at = ends_at
        self._limits: dict[int, int] = {}
        self._suspects: dict[int, int] = {}  # how many more deliveries may be what a worker died of
        self._in_hand: Sequence[Kept] = ()
        self._renewed_at = time.monotonic()
        self._reader = ThreadPoolExecutor(1, "inbox")
        self._held = contextlib.ExitStack()

    def __enter__(self) -> Self:
        """Begin."""
        self._connection = self._held.enter_context(connected(autocommit=True))
        return self

    def __exit__(self, *_error: object) -> None:
        """Give back all tenants; where PostgreSQL does not answer the lease runs out by itself."""
        with self._held, contextlib.suppress(OperationalError):
            self._reader.shutdown()
            with operations() as session:
                claims.let_go(session, claims.TURN, HOLDER)

    def ahead(self) -> Iterator[Turn]:
        """Yield turns; the next one is read while the caller works on the one it has."""
        turns = self._rounds()
        # The thread needs the app's context, which is where sessions find their engines.
        context = copy_context()

        def read() -> Turn | None:
            return context.run(lambda: next(turns, None))

        coming = self._reader.submit(read)
        while (turn := coming.result()) is not None:
            large = len(turn.deliveries) >= READ_AHEAD_FROM
            if large:
                self._in_hand = turn.deliveries
                coming = self._reader.submit(read)
            yield turn
            self._survived(turn)
            if not large:
                self._in_hand = ()
                coming = self._reader.submit(read)

    def _rounds(self) -> Iterator[Turn]:
        """Yield a turn of each tenant in a round, until a round finds nothing; who comes meanwhile rings again."""
        found = True
        while found:
            found = False
            for tenant_id in self._round():
                self._renew()
                if deliveries := self._read(tenant_id):
                    found = True
                    yield Turn(tenant_id, deliveries, _decoded(deliveries))
                if found and time.monotonic() >= self._ends_at:
                    self.cut_short = True
                    return
        self.cut_short = bool(self._suspects)  # others were left waiting for the end of it

    def _round(self) -> Iterator[int]:
        """Yield the tenants that have deliveries waiting and that no other worker holds."""
        after: int | None = 0
        while after is not None:
            with operations() as session:
                waiting = inbox.waiting_tenants(session, datetime.now(UTC), limit=TENANTS, after=after)
                self._hold(session, waiting.tenant_ids)
            yield from (tenant_id for tenant_id in waiting.tenant_ids if tenant_id in self._limits)
            after = waiting.after

    def _hold(self, session: Session, tenant_ids: Sequence[int]) -> None:
        """Take on tenants that nobody holds; one that a worker may have died of comes alone.

        Nobody else's deaths are counted with its, then, and in the end nobody else's delivery is blamed.
        """
        if self._suspects:
            return
        now = datetime.now(UTC)
        free = [tenant_id for tenant_id in tenant_ids if tenant_id not in self._limits]
        taken = claims.seize(session, claims.TURN, free, HOLDER, now=now, lease_for=LEASE)
        suspect = min((tenant_id for tenant_id, attempts in taken.items() if attempts > 1), default=None)
        if suspect is not None:
            claims.give_back(session, claims.TURN, taken.keys() - {suspect}, HOLDER)
            taken = {suspect: taken[suspect]}
        for tenant_id, attempts in taken.items():
            self._limits[tenant_id] = _limit(attempts)
            if attempts > 1:
                self._suspects[tenant_id] = 2 * _limit(attempts - 1)  # what it applied, and what it read ahead
                log.warning("a worker died in this tenant's turn", tenant_id=tenant_id, attempts=attempts)
                _blame(session, tenant_id, attempts, now)

    def _renew(self) -> None:
        """Keep the tenants that are ours."""
        if time.monotonic() - self._renewed_at > RENEW_EVERY:
            with operations() as session:
                claims.extend(session, claims.TURN, HOLDER, now=datetime.now(UTC), lease_for=LEASE)
            self._renewed_at = time.monotonic()

    def _survived(self, turn: Turn) -> None:
        """Give a tenant whole turns again once all that a worker may have died of went well.

        Were this left to the drain's end, a few deaths in a row, whatever their cause, would make turns so small that
        a busy store's deliveries come faster than they are applied.
        """
        left = self._suspects.pop(turn.tenant_id, 0)
        if left > len(turn.deliveries):
            self._suspects[turn.tenant_id] = left - len(turn.deliveries)
        elif left:
            with operations() as session:
                claims.forgive(session, claims.TURN, turn.tenant_id, HOLDER)
            self._limits[turn.tenant_id] = BATCH

    def _read(self, tenant_id: int) -> list[Kept]:
        in_hand = [delivery.id for delivery in self._in_hand]
        now, limit = datetime.now(UTC), self._limits[tenant_id]
        return inbox.read(self._connection, tenant_id, now=now, limit=limit, except_for=in_hand)


def _limit(attempts: int) -> int:
    """Return how many deliveries a turn has, by the number of takes since the work last went well."""
    fewer: int = SMALLER ** (attempts - 1)
    return max(BATCH // fewer, 1)


def _blame(session: Session, tenant_id: int, attempts: int, now: datetime) -> None:
    """Set the oldest delivery aside when the last worker died with no other in its turn."""
    alone = SMALLER ** (attempts - 2) > BATCH
    first = inbox.first(session, tenant_id, now) if alone else None
    if first is not None:
        inbox.fail(session, first, error=DIED, now=now)


def _decoded(deliveries: Sequence[Kept]) -> ingest.Batch | None:
    """Return what deliveries say, or None where one cannot be read: which one, is found out when it is applied."""
    try:
        return ingest.read(bodies(deliveries))
    except Exception:  # noqa: BLE001 - decoded again, and reported, by the one who applies it
        return None


def bodies(deliveries: Sequence[Kept]) -> list[ingest.WebhookBody]:
    """Return deliveries as ingest sees them, but for those that tell of the app and not of the store's data."""
    return [
        ingest.WebhookBody(
            id=delivery.id,
            topic=delivery.topic,
            payload=delivery.payload,
            triggered_at=delivery.triggered_at,
            received_at=delivery.received_at,
            event_id=delivery.event_id,
        )
        for delivery in deliveries
        if delivery.topic not in APP_TOPICS
    ]
