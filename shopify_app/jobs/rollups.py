"""Job: bring a tenant's totals up to date with its ledger."""

from __future__ import annotations

from datetime import UTC, datetime

from shopify_app import claims, rollups
from shopify_app.database import tenant_work
from shopify_app.models import Tenant


def refresh(*, tenant_id: int) -> None:
    """Recompute the days that changed. The claim goes first: what is marked from here on brings its own."""
    with tenant_work(tenant_id) as session:
        claims.write_alone(session, tenant_id)
        claims.withdraw(session, claims.ROLLUPS, tenant_id)
        rollups.refresh(session, session.get_one(Tenant, tenant_id), datetime.now(UTC))
