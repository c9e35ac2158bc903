"""Having deliveries applied again, or given up for good, by an operator.

Applying a delivery again changes nothing where it was applied before: what is newer than it stays. A request about
people's data is no delivery in this sense: it is kept in the inbox, and worked off by ``privacy``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import ColumnElement, Row, and_, func, or_, select, update

from shopify_app.inbox import letters
from shopify_app.inbox.letters import DISCARDED, SUPERSEDED, Choice, Letter
from shopify_app.models import Delivery, Tenant
from shopify_app.shopify import notices
from shopify_app.shopify.topics import COMPLIANCE, TOPICS

if TYPE_CHECKING:
    from sqlalchemy import CursorResult, Select
    from sqlalchemy.orm import Session

# Deliveries changed in one transaction: it holds their stores' rows, which an installation waits for.
SLICE = 1_000
REPLAYED = "replayed"
REQUESTS = tuple(name for name, topic in TOPICS.items() if topic.resource == COMPLIANCE)
# What a store says of itself bears no version, so that an old one, applied again, would undo what it has said since.
NOTICES = tuple(name for name, topic in TOPICS.items() if topic.resource == "app")
APPLIED = ("applied", "repeat")
# What applying a delivery afresh takes back.
AFRESH: dict[str, Any] = {
    "processed_at": None,
    "dead_at": None,
    "retry_at": None,
    "outcome": None,
    "error": None,
    "traceback": None,
    "attempts": 0,
}


class Refused(Exception):
    """A delivery cannot be replayed or discarded; the message says why."""

    def __init__(self, delivery_id: int, deed: str, reason: str) -> None:
        super().__init__(f"Delivery {delivery_id} cannot be {deed}: {reason}.")


@dataclass(frozen=True, kw_only=True)
class Slice:
    """What was done to the next deliveries of a choice; ``last_id`` is None when there were no more."""

    changed: int
    forgotten: int
    last_id: int | None


def count(session: Session, choice: Choice, *, most: int) -> int:
    """Return how many deliveries of a choice could be replayed, and ``most`` where there are more than that."""
    found = _replayable(session, choice).limit(most).subquery()
    return session.scalar(select(func.count()).select_from(found)) or 0


def replay(session: Session, choice: Choice, *, now: datetime, after: int = 0, limit: int = SLICE) -> Slice:
    """Let the next deliveries of a choice wait again, as if they had never been tried; those above ``after``.

    What arrives later than ``now`` is not meant. Passed over are claims that have ended, bodies that were forgotten,
    and what a store said of itself.
    """
    meant = replace(choice, until=min(choice.until or now, now))
    found = session.execute(
        _replayable(session, meant)
        .where(Delivery.id > after)
        .order_by(Delivery.id)
        .limit(limit)
        .with_for_update(read=True, of=Tenant)
    ).all()
    ids = [row.id for row in found if not row.forgotten]
    changed = _change(session, and_(Delivery.id.in_(ids), _tried()), AFRESH)
    return _slice(found, changed=changed, forgotten=len(found) - len(ids))


def replay_one(session: Session, delivery_id: int) -> None:
    """Let one delivery wait again; out of quarantine too, if the store it names has installed the app since.

    Raises:
        UnknownLetter: there is none of that number.
        Refused: its claim has ended, its body is gone, or nothing says whose it is.
    """
    # Before it is looked at: a claim that ends at this moment takes its deliveries along.
    owner = select(Delivery.tenant_id).where(Delivery.id == delivery_id).scalar_subquery()
    session.execute(select(Tenant.id).where(Tenant.id == owner).with_for_update(read=True))
    letter = letters.one(session, delivery_id)
    if reason := _refusal(letter):
        raise Refused(delivery_id, REPLAYED, reason)
    tenant_id = letter.tenant_id or _owner(session, letter)
    _change(session, Delivery.id == delivery_id, {**AFRESH, "tenant_id": tenant_id})


def discard(session: Session, choice: Choice, *, now: datetime, after: int = 0, limit: int = SLICE) -> Slice:
    """Give up the next dead letters of a choice for good; :func:`replay` takes it back."""
    query = select(Delivery.id, letters.forgotten()).where(
        letters.is_dead(), *letters.chosen(session, choice), Delivery.id > after
    )
    found = session.execute(query.order_by(Delivery.id).limit(limit)).all()
    gone = {"processed_at": now, "outcome": DISCARDED}
    changed = _change(session, and_(Delivery.id.in_([row.id for row in found]), letters.is_dead()), gone)
    return _slice(found, changed=changed, forgotten=0)


def discard_one(session: Session, delivery_id: int, *, now: datetime) -> None:
    """Give up one delivery that is not applied, in quarantine or not.

    Raises:
        UnknownLetter: there is none of that number.
        Refused: it has been applied, or discarded before.
    """
    letter = letters.one(session, delivery_id)
    unsettled = and_(Delivery.id == delivery_id, Delivery.processed_at.is_(None))
    if not _change(session, unsettled, {"processed_at": now, "outcome": DISCARDED}):
        raise Refused(delivery_id, DISCARDED, f"it is {letter.state} already")


def _replayable(session: Session, choice: Choice) -> Select[*tuple[Any, ...]]:
    states = {None: _tried(), "dead": letters.is_dead(), DISCARDED: Delivery.outcome == DISCARDED}
    query = select(Delivery.id, letters.forgotten()).join(Tenant, Tenant.id == Delivery.tenant_id)
    query = query.where(states[choice.state], *letters.chosen(session, choice))
    if choice.state is None:
        query = query.where(Delivery.outcome.is_distinct_from(DISCARDED))
    return query.where(
        Tenant.superseded_at.is_(None),
        Delivery.outcome.is_distinct_from(SUPERSEDED),
        Delivery.topic.not_in(REQUESTS),
        or_(Delivery.topic.not_in(NOTICES), func.coalesce(Delivery.outcome, "").not_in(APPLIED)),
    )


def _tried() -> ColumnElement[bool]:
    tried = (Delivery.processed_at, Delivery.dead_at, Delivery.retry_at)
    return or_(*(moment.is_not(None) for moment in tried))


def _refusal(letter: Letter) -> str | None:
    heard = letter.topic in NOTICES and letter.outcome in APPLIED
    reasons = (
        (letter.superseded, "its registration ended when the store itself installed the app"),
        (letter.topic in REQUESTS, "it is a request about people's data, which `flask privacy due` follows"),
        (heard, "it would undo what the store has said of itself since"),
        (letter.forgotten, "its body was forgotten, because it told of somebody who was erased"),
    )
    return next((reason for holds, reason in reasons if holds), None)


def _owner(session: Session, letter: Letter) -> int:
    """Return the store a delivery in quarantine belongs to by now.

    Raises:
        Refused: the store has not installed the app, or the body proves nothing.
    """
    if not notices.is_object(letters.body(session, letter.id)):
        raise Refused(letter.id, REPLAYED, "its body is not a JSON object, so that it proves nothing about any store")
    installed = select(Tenant.id).where(Tenant.store_url == letter.shop_domain, Tenant.installed_at.is_not(None))
    tenant_id = session.scalar(installed.with_for_update(read=True))
    if tenant_id is None:
        raise Refused(letter.id, REPLAYED, f"{letter.shop_domain} has not installed the app")
    return tenant_id


def _slice(found: Sequence[Row[*tuple[Any, ...]]], *, changed: int, forgotten: int) -> Slice:
    return Slice(changed=changed, forgotten=forgotten, last_id=found[-1].id if found else None)


def _change(session: Session, which: ColumnElement[bool], values: dict[str, Any]) -> int:
    statement = update(Delivery).where(which).values(**values)
    result = session.execute(statement, execution_options={"synchronize_session": False})
    return cast("CursorResult[Any]", result).rowcount
