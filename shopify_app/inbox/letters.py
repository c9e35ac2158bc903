"""Deliveries after the fact: what became of each, for those who run the app to read."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, and_, func, literal_column, or_, select

from shopify_app.inbox.counts import SKEW, first_since
from shopify_app.models import Delivery, Tenant

if TYPE_CHECKING:
    from sqlalchemy import Select
    from sqlalchemy.orm import Session

DISCARDED, SUPERSEDED = "discarded", "superseded"


class UnknownLetter(Exception):
    """There is no delivery of that number, or it is not kept any more."""

    def __init__(self, delivery_id: int) -> None:
        super().__init__(f"There is no delivery {delivery_id}: none was, or it is not kept any more.")


@dataclass(frozen=True, kw_only=True)
class Letter:
    """A delivery without its body. ``forgotten``: the body is gone, because it told of somebody who was erased."""

    id: int
    tenant_id: int | None
    shop_domain: str
    topic: str
    webhook_id: str
    event_id: str | None
    api_version: str | None
    received_at: datetime
    triggered_at: datetime | None
    attempts: int
    retry_at: datetime | None
    processed_at: datetime | None
    dead_at: datetime | None
    outcome: str | None
    error: str | None
    traceback: str | None = field(repr=False)
    forgotten: bool
    superseded: bool

    @property
    def state(self) -> str:
        """One word: where it stands."""
        states = (
            (self.superseded, SUPERSEDED),
            (self.processed_at is not None, self.outcome or "settled"),
            (self.tenant_id is None, "quarantined"),
            (self.dead_at is not None, "dead"),
            (self.retry_at is not None, "retrying"),
        )
        return next((word for holds, word in states if holds), "waiting")


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Which deliveries are meant: all there are, less what is said here. Times are those of arrival, both included.

    ``state`` is ``dead``, ``discarded``, or None: whatever was tried, less what was discarded.
    """

    tenant_ids: tuple[int, ...] | None = None
    topic: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    state: str | None = None


def one(session: Session, delivery_id: int) -> Letter:
    """Return a delivery.

    Raises:
        UnknownLetter: there is none of that number.
    """
    row = session.execute(_letters().where(Delivery.id == delivery_id)).mappings().one_or_none()
    if row is None:
        raise UnknownLetter(delivery_id)
    return Letter(**row)


def body(session: Session, delivery_id: int) -> bytes:
    """Return a delivery's body, the bytes as they came; empty where it was forgotten."""
    return session.scalars(select(Delivery.payload).where(Delivery.id == delivery_id)).one()


def dead(session: Session, choice: Choice, *, limit: int) -> list[Letter]:
    """Return the dead letters of a choice, the latest first."""
    query = _letters().where(is_dead(), *chosen(session, choice)).order_by(Delivery.id.desc()).limit(limit)
    return [Letter(**row) for row in session.execute(query).mappings()]


def quarantined(session: Session, *, shop_domain: str | None, limit: int) -> list[Letter]:
    """Return the deliveries that belong to no store, the latest first."""
    query = _letters().where(Delivery.tenant_id.is_(None), Delivery.processed_at.is_(None))
    if shop_domain is not None:
        query = query.where(Delivery.shop_domain == shop_domain)
    rows = session.execute(query.order_by(Delivery.id.desc()).limit(limit)).mappings()
    return [Letter(**row) for row in rows]


def _letters() -> Select[*tuple[Any, ...]]:
    """Select what a :class:`Letter` holds."""
    ended = or_(Tenant.superseded_at.is_not(None), func.coalesce(Delivery.outcome, "") == SUPERSEDED)
    return select(
        Delivery.id,
        Delivery.tenant_id,
        Delivery.shop_domain,
        Delivery.topic,
        Delivery.webhook_id,
        Delivery.event_id,
        Delivery.api_version,
        Delivery.received_at,
        Delivery.triggered_at,
        Delivery.attempts,
        Delivery.retry_at,
        Delivery.processed_at,
        Delivery.dead_at,
        Delivery.outcome,
        Delivery.error,
        Delivery.traceback,
        forgotten(),
        ended.label("superseded"),
    ).outerjoin(Tenant, Tenant.id == Delivery.tenant_id)


def chosen(session: Session, choice: Choice) -> list[ColumnElement[bool]]:
    """Return what is true of the deliveries of a choice, its ``state`` apart."""
    found: list[ColumnElement[bool]] = [Delivery.tenant_id.is_not(None)]
    if choice.tenant_ids is not None:
        found.append(Delivery.tenant_id.in_(choice.tenant_ids))
    if choice.topic is not None:
        found.append(Delivery.topic == choice.topic)
    if choice.since is not None:
        found += [Delivery.received_at >= choice.since, Delivery.id >= first_since(session, choice.since)]
    if choice.until is not None:
        end = first_since(session, choice.until + 2 * SKEW)
        found += [Delivery.received_at <= choice.until, Delivery.id <= end]
    return found


def is_dead() -> ColumnElement[bool]:
    """Return what is true of dead letters, in the words of their index."""
    return and_(Delivery.dead_at.is_not(None), Delivery.processed_at.is_(None))


def forgotten() -> ColumnElement[bool]:
    """Return whether a body is gone; lengths are compared first, so that no body is read for it."""
    return (Delivery.payload == literal_column("''::bytea")).label("forgotten")
