"""Job: bring a tenant's totals up to date with its ledger."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import structlog
from sqlalchemy.exc import SQLAlchemyError

from shopify_app import claims, rollups
from shopify_app.database import tenant_work
from shopify_app.jobs.faults import describe
from shopify_app.models import Tenant

log = structlog.get_logger(__name__)

REFRESH_EVERY = 1.0  # seconds between two refreshes of a tenant's totals while its deliveries keep coming


def refresh(*, tenant_id: int) -> None:
    """Recompute the days that changed. The claim goes first: what is marked from here on brings its own."""
    with tenant_work(tenant_id) as session:
        claims.write_alone(session, tenant_id)
        claims.withdraw(session, claims.ROLLUPS, tenant_id)
        rollups.refresh(session, session.get_one(Tenant, tenant_id), datetime.now(UTC))


class Totals:
    """Whose totals follow a turn at once, in its transaction, and whose wait: a tenant's no longer than a second."""

    def __init__(self) -> None:
        self._refreshed_at: dict[int, float] = {}
        self._stale: set[int] = set()

    def due(self, tenant_id: int) -> bool:
        """Whether the tenant's next turn is to bring its totals up to date."""
        refreshed_at = self._refreshed_at.get(tenant_id)
        return refreshed_at is None or time.monotonic() - refreshed_at >= REFRESH_EVERY

    def note(self, tenant_id: int, *, refreshed: bool, stale: bool) -> None:
        """Take down what a turn did that was committed."""
        if refreshed:
            self._refreshed_at[tenant_id] = time.monotonic()
            self._stale.discard(tenant_id)
        if stale:
            self._stale.add(tenant_id)

    def settle(self) -> None:
        """Refresh what was put off, so that a merchant soon sees an order; the claim stays where that fails."""
        for tenant_id in sorted(self._stale):
            try:
                refresh(tenant_id=tenant_id)
            except SQLAlchemyError as error:
                log.error("the totals will be refreshed later", tenant_id=tenant_id, reason=describe(error))  # noqa: TRY400 - a traceback would quote rows
