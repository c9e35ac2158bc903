"""Which deliveries repeat an event: Shopify sends one through every subscription that asks for it.

One event id covers several topics and several entities (an order paid is orders/updated and orders/paid, and a
customer's update), so an event is told apart by its id, the topic and the entity together. A delivery without an
event id repeats nothing, and neither does one that tells of another version of the entity.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from sqlalchemy.orm import Session

from shopify_app.ingest.texts import numbers
from shopify_app.statements import column


class Told(NamedTuple):
    """What a delivery, by its id in the inbox, told of: an entity's key, such as an order's number."""

    delivery_id: int
    event_id: str
    topic: str
    entity: int | str
    version: datetime | None

    @property
    def digest(self) -> str:
        """The event in 128 bits, as hexadecimal digits."""
        # None of the parts can hold a NUL, so that no parts read like others.
        whole = f"{self.event_id}\0{self.topic}\0{self.entity}\0{self.version}"
        return hashlib.blake2b(whole.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def repeats(session: Session, tenant_id: int, told: Iterable[Told]) -> set[int]:
    """Take down what is told and return the deliveries that told nothing new, by their ids.

    The delivery that was first to be applied holds the event: applied again, it is no repeat of itself.
    """
    first: dict[str, int] = {}
    again: set[int] = set()
    for one in told:
        if first.setdefault(one.digest, one.delivery_id) != one.delivery_id:
            again.add(one.delivery_id)
    return again | _applied_by_others(session, tenant_id, first) if first else again


def _applied_by_others(session: Session, tenant_id: int, first: Mapping[str, int]) -> set[int]:
    values = {"tenant": tenant_id, "digests": "{" + ",".join(first) + "}", "ids": numbers(first.values())}
    return set(column(session, _TAKE_DOWN, values))


# An event that is held already is written as it was, which is how its delivery comes to be returned.
_TAKE_DOWN = """
    WITH told AS MATERIALIZED (
        SELECT digest, inbox_id FROM unnest(CAST(:digests AS uuid[]), CAST(:ids AS bigint[])) AS new (digest, inbox_id)
    ), kept AS (
        INSERT INTO applied_events AS held (tenant_id, digest, inbox_id)
        SELECT CAST(:tenant AS bigint), digest, inbox_id FROM told ORDER BY digest
        ON CONFLICT (tenant_id, digest) DO UPDATE SET inbox_id = held.inbox_id
        RETURNING digest, inbox_id
    )
    SELECT told.inbox_id FROM told JOIN kept ON kept.digest = told.digest WHERE kept.inbox_id <> told.inbox_id
"""
