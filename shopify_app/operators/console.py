"""What operators see of the tenants: how each is doing, and nothing of its customers, nor of its people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, literal, select

from shopify_app.models import Delivery, OfflineToken, Tenant

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

MOST_TENANTS = 500


@dataclass(frozen=True, kw_only=True)
class TenantState:
    """How a tenant is doing."""

    tenant_id: int
    name: str
    store_url: str
    state: str
    token: str
    waiting: int
    dead: int


def tenant_states(session: Session) -> tuple[TenantState, ...]:
    """Return how the tenants are doing, by name; five hundred at most."""
    counts = (
        select(
            Delivery.tenant_id,
            func.count().filter(Delivery.dead_at.is_(None)).label("waiting"),
            func.count().filter(Delivery.dead_at.is_not(None)).label("dead"),
        )
        .where(Delivery.processed_at.is_(None), Delivery.tenant_id.is_not(None))
        .group_by(Delivery.tenant_id)
        .subquery()
    )
    query = (
        select(
            Tenant.id,
            Tenant.name,
            Tenant.store_url,
            Tenant.installed_at,
            Tenant.uninstalled_at,
            Tenant.disabled_at,
            Tenant.superseded_at,
            OfflineToken.tenant_id.label("holds_token"),
            OfflineToken.failed_at,
            func.coalesce(counts.c.waiting, literal(0)).label("waiting"),
            func.coalesce(counts.c.dead, literal(0)).label("dead"),
        )
        .outerjoin(OfflineToken, OfflineToken.tenant_id == Tenant.id)
        .outerjoin(counts, counts.c.tenant_id == Tenant.id)
        .order_by(func.lower(Tenant.name), Tenant.id)
        .limit(MOST_TENANTS)
    )
    return tuple(_state(row) for row in session.execute(query))


def _state(row: Any) -> TenantState:  # noqa: ANN401 - a row of the query above, whose type SQLAlchemy cannot spell
    return TenantState(
        tenant_id=row.id,
        name=row.name,
        store_url=row.store_url,
        state=_word(row),
        token=_token_word(row),
        waiting=row.waiting,
        dead=row.dead,
    )


def _token_word(row: Any) -> str:  # noqa: ANN401 - likewise
    if row.holds_token is None:
        return "none"
    return "refused" if row.failed_at else "alive"


def _word(row: Any) -> str:  # noqa: ANN401 - likewise
    """Return the tenant's state in a word: what weighs most comes first."""
    states = (
        (row.disabled_at is not None, "disabled"),
        (row.superseded_at is not None, "superseded"),
        (row.installed_at is None, "claimed"),
        (row.uninstalled_at is not None, "uninstalled"),
    )
    return next((word for holds, word in states if holds), "installed")
