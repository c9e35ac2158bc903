"""What long jobs share: a claim whose lease lives as long as its worker does, worked on for a slice at a time.

A lease is short, so that somebody goes on within seconds when a worker is killed, and a thread renews it while the
worker lives, whatever it waits for: a slow download, the rate limit, a large batch.
"""

from __future__ import annotations

import contextlib
import threading
import time
from contextvars import copy_context
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import structlog
from sqlalchemy.exc import DBAPIError

from shopify_app import claims
from shopify_app.database import operations
from shopify_app.jobs.faults import describe
from shopify_app.models import Tenant
from shopify_app.runtime import current

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

    from shopify_app.claims import Taken

LEASE = timedelta(seconds=4)  # how long a killed worker keeps others away
RENEW_EVERY = 1.0  # seconds
GIVEN_UP = 1.7  # seconds of a slice that are left to whoever waits; in the rest there is a step forward at least
WAIT = timedelta(seconds=20)  # after a mistake of our own

log = structlog.get_logger(__name__)


@dataclass
class Work:
    """A claim that is ours for now; ``ends_at`` is the end of the slice on the monotonic clock."""

    taken: Taken
    ends_at: float

    @property
    def over(self) -> bool:
        """Whether the slice is: its time is up, or somebody waits and it has had its least."""
        left = self.ends_at - time.monotonic()
        return left <= 0 or (left <= GIVEN_UP and current().queues.anything_waits())


def take(kind: str, tenant_id: int, subject: int) -> Taken | None:
    """Take one claim, or return None where somebody else has it or it is not due."""
    with operations() as session:
        taken = claims.take(session, (kind,), 1, datetime.now(UTC), LEASE, tenant_id=tenant_id, subject=subject)
    return taken[0] if taken else None


@contextlib.contextmanager
def kept(taken: Taken) -> Iterator[None]:
    """Renew the lease from a thread for as long as the block lasts; a claim that was given back stays so."""
    over = threading.Event()
    # The thread finds the databases through the application, as everybody does.
    arguments = (_renew, taken, over)
    thread = threading.Thread(target=copy_context().run, args=arguments, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def enter(session: Session, taken: Taken, now: datetime) -> Tenant:
    """Begin a transaction that writes: take turns with other writers, and renew the lease or stop here.

    Raises:
        LeaseLost: somebody else has the claim.
    """
    claims.write_alone(session, taken.tenant_id)
    claims.hold(session, taken, now=now, lease_for=LEASE)
    return session.get_one(Tenant, taken.tenant_id)


def put_off(taken: Taken, error: Exception) -> None:
    """Try again later after a mistake of our own; the claim counts how often."""
    reason = describe(error)
    trace = None if isinstance(error, DBAPIError) else error
    log.error("a step failed", kind=taken.kind, subject=taken.subject, reason=reason, exc_info=trace)
    with operations() as session:
        claims.postpone(session, taken, due_at=datetime.now(UTC) + WAIT, error=reason)


def _renew(taken: Taken, over: threading.Event) -> None:
    while not over.wait(RENEW_EVERY):
        try:
            with operations() as session:
                claims.extend(session, taken.kind, taken.lease, now=datetime.now(UTC), lease_for=LEASE)
        except DBAPIError as error:
            # The next renewal may come in time; if none does, the worker stops at its next batch.
            log.warning("a lease could not be renewed", kind=taken.kind, reason=describe(error))
