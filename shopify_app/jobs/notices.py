"""What happens when a store speaks of itself or of the app: a table of topics, each with its function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import available_timezones

from shopify_app import backfill, claims, rollups, tenants
from shopify_app.models import OfflineToken
from shopify_app.shopify import notices

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from shopify_app.inbox import Kept
    from shopify_app.models import Tenant


@dataclass
class Consequences:
    """What has to be started once the transaction is committed. Each is also a claim, so that nothing is lost."""

    rollups: bool = False
    order_details: bool = False
    settle: bool = False
    backfills: set[int] = field(default_factory=set)


def _uninstalled(session: Session, tenant: Tenant, notice: Kept, now: datetime, _result: Consequences) -> None:
    tenants.uninstall(session, tenant.id, now, triggered_at=notice.triggered_at or notice.received_at)


def _scopes_updated(session: Session, tenant: Tenant, notice: Kept, now: datetime, result: Consequences) -> None:
    """Take down what is granted; other scopes mean other webhooks and more or less history."""
    scopes = sorted(notices.decode(notice.payload, notices.ScopesNotice).current)
    token = session.get(OfflineToken, tenant.id)
    if token is None or sorted(token.scopes) == scopes:
        return
    token.scopes = scopes
    claims.put(session, claims.SETTLE, tenant.id, due_at=now)
    result.settle = True


def _shop_updated(session: Session, tenant: Tenant, notice: Kept, now: datetime, _result: Consequences) -> None:
    """Take down the shop's facts; another time zone puts every sale on another day."""
    shop = notices.decode(notice.payload, notices.ShopNotice)
    tenant.name = shop.name or tenant.name
    tenant.email = shop.email or tenant.email
    tenant.currency = shop.currency or tenant.currency
    tenant.locale = shop.primary_locale or tenant.locale
    tenant.plan = shop.plan_display_name or tenant.plan
    zone = shop.iana_timezone
    if zone and zone != tenant.time_zone and zone in available_timezones():
        tenant.time_zone = zone
        session.flush()
        rollups.rebuild(session, tenant, now)


def _bulk_finished(session: Session, tenant: Tenant, notice: Kept, now: datetime, result: Consequences) -> None:
    operation_id = notices.decode(notice.payload, notices.BulkNotice).admin_graphql_api_id
    backfill_id = backfill.by_operation(session, tenant.id, operation_id)
    if backfill_id is not None:
        claims.put(session, claims.BACKFILL, tenant.id, backfill_id, due_at=now)
        result.backfills.add(backfill_id)


APP_TOPICS: dict[str, Callable[[Session, Tenant, Kept, datetime, Consequences], None]] = {
    "app/uninstalled": _uninstalled,
    "app/scopes_update": _scopes_updated,
    "shop/update": _shop_updated,
    "bulk_operations/finish": _bulk_finished,
}
