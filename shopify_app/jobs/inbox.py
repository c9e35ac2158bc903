"""Job: drain the inbox. A turn is a batch of one tenant's deliveries, applied in one transaction.

While one turn is written the next one is read and decoded: PostgreSQL works on the one, Python on the other.
"""

from __future__ import annotations

import contextlib
import time
import traceback
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Self

import structlog
from rq.timeouts import JobTimeoutException
from sqlalchemy.exc import DBAPIError, OperationalError

from shopify_app import claims, inbox, ingest, rollups, tenants
from shopify_app.database import commit_soon, connected, operations, tenant_work
from shopify_app.jobs.faults import describe
from shopify_app.jobs.notices import APP_TOPICS, Consequences
from shopify_app.jobs.queues import ADVANCE, DRAIN, READ_DETAILS, SETTLE
from shopify_app.jobs.rollups import Totals
from shopify_app.models import Tenant
from shopify_app.runtime import current
from shopify_app.shopify.notices import NoticeRejected

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection
    from sqlalchemy.orm import Session

    from shopify_app.inbox import Kept

log = structlog.get_logger(__name__)

BATCH = 500  # deliveries of a turn
SMALLER = 8  # how many times fewer for each time that a worker died while it held the tenant
READ_AHEAD_FROM = 100  # deliveries; below, two threads at Python's one lock cost more than they gain
TENANTS = 32  # whose turns a round takes on, so that a store with one delivery waits for no more than these
LEASE = timedelta(seconds=15)
# One for the whole process, which drains once at a time: what it held when PostgreSQL died under it, it takes up again
# at once and without suspecting anybody; a lease of its own for every drain would first have to run out.
HOLDER = uuid.uuid4()
RENEW_EVERY = 5.0  # seconds
SLICE = 30.0  # seconds after which other queues get their turn
ROW_TOO_BIG = "54"
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


def drain() -> None:
    """Apply what waits in the inbox, until nothing does or other work has waited long enough."""
    ends_at = time.monotonic() + SLICE
    totals = Totals()
    with connected() as connection, Turns(ends_at) as turns:
        for turn in turns.ahead():
            at_once = totals.due(turn.tenant_id)
            consequences = _apply(replace(turn, refresh=at_once), connection)
            totals.note(turn.tenant_id, refreshed=at_once, stale=consequences.rollups)
            _start(turn.tenant_id, consequences)
    totals.settle()
    if turns.cut_short:
        current().queues.nudge(DRAIN)


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
        return ingest.read(_bodies(deliveries))
    except Exception:  # noqa: BLE001 - decoded again, and reported, by the one who applies it
        return None


def _bodies(deliveries: Sequence[Kept]) -> list[ingest.WebhookBody]:
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


def _apply(turn: Turn, connection: Connection) -> Consequences:
    """Apply deliveries together; where that fails, halve them until the one at fault stands alone.

    Raises:
        OperationalError: the database is in trouble, which is no delivery's fault.
    """
    try:
        return _apply_together(turn, connection)
    except JobTimeoutException:
        raise
    except Exception as error:
        if _in_trouble(error):
            raise
        if len(turn.deliveries) == 1:
            _set_aside(turn.deliveries[0].id, error)
            return Consequences()
    middle = len(turn.deliveries) // 2
    first = _apply(replace(turn, deliveries=turn.deliveries[:middle], batch=None), connection)
    return first + _apply(replace(turn, deliveries=turn.deliveries[middle:], batch=None), connection)


def _in_trouble(error: Exception) -> bool:
    """Whether it is the database that is in trouble, and not a row that is too much for it (SQLSTATE class 54)."""
    state = getattr(getattr(error, "orig", None), "sqlstate", None) or ""
    return isinstance(error, OperationalError) and not state.startswith(ROW_TOO_BIG)


def _apply_together(turn: Turn, connection: Connection) -> Consequences:
    now, batch = datetime.now(UTC), turn.batch
    with tenant_work(turn.tenant_id, connection) as session:
        commit_soon(session)
        claims.write_alone(session, turn.tenant_id)
        still = inbox.finish(session, turn.tenant_id, [delivery.id for delivery in turn.deliveries], now)
        if not still:
            return Consequences()
        deliveries = [delivery for delivery in turn.deliveries if delivery.id in still]
        if batch is None or len(deliveries) < len(turn.deliveries):
            batch = ingest.read(_bodies(deliveries))
        consequences = _apply_notices(session, turn.tenant_id, deliveries, now)
        tenant = tenants.books(session, turn.tenant_id)
        if batch.deliveries:
            _ingest(session, tenant, batch, now, consequences)
        _follow(session, tenant, now, consequences, at_once=turn.refresh)
    return consequences


def _apply_notices(session: Session, tenant_id: int, deliveries: Sequence[Kept], now: datetime) -> Consequences:
    consequences = Consequences()
    for delivery in deliveries:
        if apply := APP_TOPICS.get(delivery.topic):
            apply(session, session.get_one(Tenant, tenant_id), delivery, now, consequences)
    session.flush()
    return consequences


def _ingest(session: Session, tenant: Tenant, batch: ingest.Batch, now: datetime, consequences: Consequences) -> None:
    outcome = ingest.apply_batch(session, tenant, batch, now, ingest.tombstone_key(current().config.secret_key))
    inbox.mark_repeats(session, tenant.id, outcome.repeats)
    inbox.forget(session, tenant.id, outcome.told_of_erased)
    claims.put_all(session, claims.ORDER_DETAILS, tenant.id, outcome.details_wanted, due_at=now)
    consequences.order_details |= bool(outcome.details_wanted)
    consequences.rollups = bool(outcome.days)


def _follow(session: Session, tenant: Tenant, now: datetime, consequences: Consequences, *, at_once: bool) -> None:
    """Bring the totals up to date, or ask for it where they follow no longer."""
    if at_once:
        rollups.refresh(session, tenant, now)
        consequences.rollups = False
    elif consequences.rollups:
        claims.put(session, claims.ROLLUPS, tenant.id, due_at=now)


def _set_aside(delivery_id: int, error: Exception) -> None:
    reason = describe(error)
    told = isinstance(error, (DBAPIError, ingest.PayloadRejected, NoticeRejected))
    log.error(
        "a delivery could not be applied", delivery_id=delivery_id, reason=reason, exc_info=None if told else error
    )
    # Frames without the error itself, whose text may quote a customer's data.
    frames = "".join(traceback.format_list(traceback.extract_tb(error.__traceback__)))
    with operations() as session:
        inbox.fail(session, delivery_id, error=reason, traceback=frames, now=datetime.now(UTC))


def _start(tenant_id: int, consequences: Consequences) -> None:
    queues = current().queues
    if consequences.order_details:
        queues.nudge(READ_DETAILS, tenant_id=tenant_id)
    if consequences.settle:
        queues.nudge(SETTLE, tenant_id=tenant_id)
    for backfill_id in sorted(consequences.backfills):
        queues.nudge(ADVANCE, tenant_id=tenant_id, backfill_id=backfill_id)
