"""What happens when a store speaks of itself or of the app: a table of topics, each with its function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import select

from shopify_app import backfill, claims, privacy, rollups, tenants
from shopify_app.models import Backfill
from shopify_app.models.backfills import UNFINISHED
from shopify_app.shopify import notices
from shopify_app.shopify.notices import NotThisShop, ScopesNotice, ShopNotice

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from shopify_app.inbox import Kept
    from shopify_app.models import Tenant


AboutShop = TypeVar("AboutShop", ShopNotice, ScopesNotice)
NEEDS_TOKEN = (claims.SETTLE, claims.BACKFILL, claims.ORDER_DETAILS)


@dataclass
class Consequences:
    """What has to be started once the transaction is committed. Each is also a claim, so that nothing is lost."""

    rollups: bool = False
    order_details: bool = False
    settle: bool = False
    backfills: set[int] = field(default_factory=set)

    def __add__(self, other: Consequences) -> Consequences:
        """Return the consequences of both."""
        return Consequences(
            rollups=self.rollups or other.rollups,
            order_details=self.order_details or other.order_details,
            settle=self.settle or other.settle,
            backfills=self.backfills | other.backfills,
        )


def _uninstalled(session: Session, tenant: Tenant, notice: Kept, now: datetime, _result: Consequences) -> None:
    """Forget the token and end the work that needs one; the data stays until ``shop/redact``."""
    _naming(tenant, notice, notices.ShopNotice)
    if tenants.uninstall(session, tenant.id, now, triggered_at=_told_at(notice)):
        _stop_work(session, tenant.id, now, "The store has uninstalled the app.")
        claims.put_all(session, claims.PRIVACY, tenant.id, privacy.awaiting_uninstall(session, tenant.id), due_at=now)


def _scopes_updated(session: Session, tenant: Tenant, notice: Kept, now: datetime, result: Consequences) -> None:
    """Take down what is granted; other scopes mean other webhooks and more or less history."""
    granted = _naming(tenant, notice, notices.ScopesNotice).current
    if tenants.update_scopes(session, tenant.id, granted, _told_at(notice)):
        # A history that is under way was asked for with the scopes before, and would leave out what is new.
        _stop_work(session, tenant.id, now, "Other access was granted meanwhile; it is read anew.")
        claims.put(session, claims.SETTLE, tenant.id, due_at=now)
        result.settle = True


def _shop_updated(session: Session, tenant: Tenant, notice: Kept, now: datetime, _result: Consequences) -> None:
    """Take down the shop's facts; another time zone puts every sale on another day."""
    shop = _naming(tenant, notice, notices.ShopNotice)
    if tenants.update_shop(tenant, shop, shop.updated_at or _told_at(notice)):
        session.flush()
        rollups.rebuild(session, tenant, now)


def _bulk_finished(session: Session, tenant: Tenant, notice: Kept, now: datetime, result: Consequences) -> None:
    operation_id = notices.decode(notice.payload, notices.BulkNotice).admin_graphql_api_id
    backfill_id = backfill.by_operation(session, tenant.id, operation_id)
    if backfill_id is not None:
        claims.put(session, claims.BACKFILL, tenant.id, backfill_id, due_at=now)
        result.backfills.add(backfill_id)


def _naming(tenant: Tenant, notice: Kept, kind: type[AboutShop]) -> AboutShop:
    """Read a notice, and make sure that its body, all that is signed, names the shop it was delivered for.

    Raises:
        NoticeRejected: it is not of that kind, or does not name the shop.
    """
    body = notices.decode(notice.payload, kind)
    if not notices.names_shop(body, domain=tenant.store_url, shopify_id=tenant.shopify_id):
        raise NotThisShop
    return body


def _told_at(notice: Kept) -> datetime:
    return notice.triggered_at or notice.received_at


def _stop_work(session: Session, tenant_id: int, now: datetime, reason: str) -> None:
    unfinished = select(Backfill.id).where(Backfill.tenant_id == tenant_id, Backfill.state.in_(UNFINISHED))
    for backfill_id in session.scalars(unfinished).all():
        standing = backfill.read(session, tenant_id, backfill_id)
        if standing is not None:
            backfill.write(session, backfill.cancelled(standing, reason), now)
    # After the backfills: the end of one makes the claim of another due.
    claims.withdraw_all(session, tenant_id, NEEDS_TOKEN)


APP_TOPICS: dict[str, Callable[[Session, Tenant, Kept, datetime, Consequences], None]] = {
    "app/uninstalled": _uninstalled,
    "app/scopes_update": _scopes_updated,
    "shop/update": _shop_updated,
    "bulk_operations/finish": _bulk_finished,
}
