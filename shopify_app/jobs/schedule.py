"""What the clock starts, and the tick that looks for work nobody rang for: after a crash, a lost Redis, a wait."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from shopify_app import claims, inbox
from shopify_app.database import operations
from shopify_app.jobs.queues import (
    ABANDON,
    ADVANCE,
    CHECK,
    CHECK_ALL,
    DRAIN,
    EXPIRE,
    FULFIL,
    READ_DETAILS,
    RECONCILE_ALL,
    REFRESH,
    RENEW_EXPIRING,
    SETTLE,
    TICK,
)
from shopify_app.runtime import current

if TYPE_CHECKING:
    from shopify_app.claims import Due

MOST_AT_ONCE = 500


@dataclass(frozen=True)
class Entry:
    """A job the clock queues every ``seconds``; ``id`` keeps two clocks from queueing it twice."""

    id: str
    job: str
    seconds: int


SCHEDULE = (
    Entry("tick", TICK, 2),  # with a lease, the time until somebody goes on where a worker was killed
    Entry("renew-expiring-tokens", RENEW_EXPIRING, 24 * 60 * 60),
    Entry("check-what-is-held", CHECK_ALL, 5 * 60),
    Entry("expire-deliveries", EXPIRE, 60 * 60),
    Entry("reconcile-webhooks", RECONCILE_ALL, 24 * 60 * 60),
)


def _of_tenant(due: Due) -> dict[str, int]:
    return {"tenant_id": due.tenant_id}


def _of_backfill(due: Due) -> dict[str, int]:
    return {"tenant_id": due.tenant_id, "backfill_id": due.subject}


def _of_check(due: Due) -> dict[str, int]:
    return {"tenant_id": due.tenant_id, "reconciliation_id": due.subject}


def _of_request(due: Due) -> dict[str, int]:
    return {"tenant_id": due.tenant_id, "request_id": due.subject}


# Kind of claim → the job that takes it, and its arguments.
WORK: dict[str, tuple[str, Callable[[Due], dict[str, int]]]] = {
    claims.BACKFILL: (ADVANCE, _of_backfill),
    claims.PRIVACY: (FULFIL, _of_request),
    claims.RECONCILE: (CHECK, _of_check),
    claims.ORDER_DETAILS: (READ_DETAILS, _of_tenant),
    claims.ROLLUPS: (REFRESH, _of_tenant),
    claims.SETTLE: (SETTLE, _of_tenant),
    claims.ABANDONMENT: (ABANDON, _of_tenant),
}


def tick() -> None:
    """Queue a job for everything that is due. What is queued already, or being worked on, is not queued again."""
    queues = current().queues
    now = datetime.now(UTC)
    with operations() as session:
        waiting = inbox.waiting(session, now)
        due = claims.due(session, tuple(WORK), now, MOST_AT_ONCE)
    if waiting:
        queues.nudge(DRAIN)
    for item in due:
        job, arguments = WORK[item.kind]
        queues.nudge(job, **arguments(item))
