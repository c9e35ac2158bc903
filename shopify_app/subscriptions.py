"""The webhook subscriptions a store should have, what to change to get there, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import case, delete, select
from sqlalchemy.dialects.postgresql import insert

from shopify_app.models import WebhookSubscription
from shopify_app.shopify import scopes, topics

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from sqlalchemy.dialects.postgresql import Insert
    from sqlalchemy.orm import Session

    from shopify_app.shopify.subscriptions import Held


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A subscription the store should have. ``lacks`` names the access scope without which Shopify refuses it."""

    topic: str
    enum: str
    uri: str
    lacks: str | None = None


@dataclass(frozen=True)
class Plan:
    """What turns the subscriptions held into those wanted. ``move`` pairs a subscription with its new address."""

    keep: tuple[tuple[Wanted, str], ...]
    move: tuple[tuple[Wanted, str], ...]
    create: tuple[Wanted, ...]
    delete: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Registration:
    """What came of one topic: Shopify's id of the subscription, or the reason there is none."""

    topic: str
    uri: str
    shopify_id: str | None = None
    error: str | None = None


def wanted(granted: Iterable[str], app_url: str) -> list[Wanted]:
    """Return every subscription the app wants at ``app_url``, given the access scopes the store granted."""
    held = frozenset(granted)
    found = []
    for topic in topics.TOPICS.values():
        if topic.subscribable:
            lacking = scopes.missing(held, [topic.scope] if topic.scope else [])
            uri = f"{app_url}/webhooks/{topic.resource}"
            found.append(Wanted(topic=topic.name, enum=topic.enum, uri=uri, lacks=next(iter(lacking), None)))
    return found


def plan(wanted: Sequence[Wanted], held: Sequence[Held], app_url: str) -> Plan:
    """Decide, without asking anybody, what has to change.

    A subscription for a wanted topic is moved rather than made again, and one that filters events or leaves fields
    out is replaced. What else points to ``app_url`` is removed; what points elsewhere and is not needed is left.
    """
    by_topic = {want.enum: want for want in wanted if want.lacks is None}
    kept: dict[str, str] = {}
    for have in held:
        if have.whole and have.topic in by_topic and have.uri == by_topic[have.topic].uri:
            kept.setdefault(have.topic, have.id)
    moved: dict[str, str] = {}
    for have in held:
        if have.whole and have.topic in by_topic.keys() - kept.keys() and have.uri.startswith(("http://", "https://")):
            moved.setdefault(have.topic, have.id)
    used = {*kept.values(), *moved.values()}
    return Plan(
        keep=tuple((by_topic[enum], shopify_id) for enum, shopify_id in kept.items()),
        move=tuple((by_topic[enum], shopify_id) for enum, shopify_id in moved.items()),
        create=tuple(want for enum, want in by_topic.items() if enum not in kept and enum not in moved),
        delete=tuple(have.id for have in held if have.id not in used and _is_ours(have, app_url)),
    )


def skipped(wanted: Sequence[Wanted]) -> list[Registration]:
    """Return, for the record, the topics that the store's access scopes rule out."""
    reason = "The store has not granted the access scope {}, which this topic needs."
    return [
        Registration(topic=want.topic, uri=want.uri, error=reason.format(want.lacks)) for want in wanted if want.lacks
    ]


def record(session: Session, tenant_id: int, registrations: Sequence[Registration], now: datetime) -> None:
    """Replace what is known of the store's subscriptions by ``registrations``, one for each topic wanted."""
    for registration in registrations:
        session.execute(_upsert(tenant_id, registration, now))
    gone = WebhookSubscription.topic.not_in([registration.topic for registration in registrations])
    session.execute(delete(WebhookSubscription).where(WebhookSubscription.tenant_id == tenant_id, gone))


def registrations(session: Session) -> list[Registration]:
    """Return what is known of the subscriptions of the transaction's tenant, in order of topic."""
    rows = session.scalars(select(WebhookSubscription).order_by(WebhookSubscription.topic))
    return [Registration(topic=row.topic, uri=row.uri, shopify_id=row.shopify_id, error=row.error) for row in rows]


def _is_ours(have: Held, app_url: str) -> bool:
    return have.uri.startswith(f"{app_url}/")


def _upsert(tenant_id: int, registration: Registration, now: datetime) -> Insert:
    """Keep a registration; ``registered_at`` moves only when Shopify's subscription is another one."""
    values = {
        "shopify_id": registration.shopify_id,
        "uri": registration.uri,
        "error": registration.error,
        "registered_at": None if registration.shopify_id is None else now,
    }
    statement = insert(WebhookSubscription).values(tenant_id=tenant_id, topic=registration.topic, **values)
    same = WebhookSubscription.shopify_id == statement.excluded.shopify_id
    since = case((same, WebhookSubscription.registered_at), else_=statement.excluded.registered_at)
    return statement.on_conflict_do_update(
        index_elements=["tenant_id", "topic"], set_=values | {"registered_at": since}
    )
