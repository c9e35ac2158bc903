"""How many deliveries wait, have died or came of late. The partial indexes tell it, however much the inbox holds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from shopify_app.models import Delivery
from shopify_app.models.inbox import DEAD, WAITING

if TYPE_CHECKING:
    from sqlalchemy import Row, Select
    from sqlalchemy.orm import Session

# A delivery gets its number a moment before or after the time it bears; two are never further out of step than this.
SKEW = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True)
class Counts:
    """The deliveries of a store that are not applied. ``waiting`` includes ``retrying``, those that failed before.

    ``oldest_at`` is when the oldest of those that wait arrived: how far the store's figures lag behind.
    """

    waiting: int = 0
    retrying: int = 0
    dead: int = 0
    oldest_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Settled:
    """What became of a store's deliveries that arrived since some moment."""

    applied: int = 0
    repeats: int = 0


@dataclass(frozen=True, kw_only=True)
class DeadTopic:
    """How many deliveries of a topic a store has among the dead letters."""

    tenant_id: int
    topic: str
    dead: int


def counts(session: Session) -> dict[int, Counts]:
    """Return what is not applied, by tenant; a tenant without such deliveries is not in it."""
    found = {row.tenant_id: _waiting(row) for row in session.execute(_open().group_by(Delivery.tenant_id))}
    dead = select(Delivery.tenant_id, func.count().label("dead")).where(DEAD, Delivery.tenant_id.is_not(None))
    for row in session.execute(dead.group_by(Delivery.tenant_id)):
        found[row.tenant_id] = replace(found.get(row.tenant_id, Counts()), dead=row.dead)
    return found


def counts_of(session: Session, tenant_id: int) -> Counts:
    """Return what of one tenant's is not applied."""
    mine = Delivery.tenant_id == tenant_id
    row = session.execute(_open().where(mine).group_by(Delivery.tenant_id)).one_or_none()
    dead = session.scalar(select(func.count()).select_from(Delivery).where(DEAD, mine)) or 0
    return replace(Counts() if row is None else _waiting(row), dead=dead)


def dead_topics(session: Session) -> list[DeadTopic]:
    """Return how many dead letters there are of each store and topic."""
    query = (
        select(Delivery.tenant_id, Delivery.topic, func.count().label("dead"))
        .where(DEAD, Delivery.tenant_id.is_not(None))
        .group_by(Delivery.tenant_id, Delivery.topic)
        .order_by(Delivery.tenant_id, Delivery.topic)
    )
    return [DeadTopic(**row) for row in session.execute(query).mappings()]


def strays(session: Session) -> dict[str, int]:
    """Return how many deliveries are in quarantine, by the store they name."""
    query = (
        select(Delivery.shop_domain, func.count().label("strays"))
        .where(Delivery.tenant_id.is_(None), Delivery.processed_at.is_(None))
        .group_by(Delivery.shop_domain)
        .order_by(Delivery.shop_domain)
    )
    return {row.shop_domain: row.strays for row in session.execute(query)}


def settled_since(session: Session, since: datetime) -> dict[int, Settled]:
    """Return what became of the deliveries that arrived since then, by tenant; costs what arrived since then."""
    applied = func.count().filter(Delivery.outcome == "applied").label("applied")
    repeats = func.count().filter(Delivery.outcome == "repeat").label("repeats")
    query = (
        select(Delivery.tenant_id, applied, repeats)
        .where(Delivery.id >= first_since(session, since), Delivery.received_at >= since)
        .where(Delivery.tenant_id.is_not(None))
        .group_by(Delivery.tenant_id)
    )
    return {row.tenant_id: Settled(applied=row.applied, repeats=row.repeats) for row in session.execute(query)}


def first_since(session: Session, moment: datetime) -> int:
    """Return a number that no delivery received at ``moment`` or later is below.

    Found by halving, a look into the primary key each: times of arrival have no index, and rise with the numbers.
    """
    low = session.scalar(select(func.min(Delivery.id))) or 0
    high = (session.scalar(select(func.max(Delivery.id))) or 0) + 1
    while low < high:
        middle = (low + high) // 2
        at = session.scalar(select(Delivery.received_at).where(Delivery.id >= middle).order_by(Delivery.id).limit(1))
        low, high = (middle + 1, high) if at is not None and at < moment - SKEW else (low, middle)
    return low


def total(several: Iterable[Counts]) -> Counts:
    """Return several stores' counts as those of one."""
    found = list(several)
    times = [one.oldest_at for one in found if one.oldest_at]
    return Counts(
        waiting=sum(one.waiting for one in found),
        retrying=sum(one.retrying for one in found),
        dead=sum(one.dead for one in found),
        oldest_at=min(times, default=None),
    )


def settled(several: Iterable[Settled]) -> Settled:
    """Return what became of several stores' deliveries as if they were one's."""
    found = list(several)
    return Settled(applied=sum(one.applied for one in found), repeats=sum(one.repeats for one in found))


def _open() -> Select[*tuple[Any, ...]]:
    return select(
        Delivery.tenant_id,
        func.count().label("waiting"),
        func.count().filter(Delivery.retry_at.is_not(None)).label("retrying"),
        func.min(Delivery.received_at).label("oldest_at"),
    ).where(WAITING)


def _waiting(row: Row[*tuple[Any, ...]]) -> Counts:
    return Counts(waiting=row.waiting, retrying=row.retrying, oldest_at=row.oldest_at)
