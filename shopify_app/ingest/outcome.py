"""What goes into ingest and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True)
class WebhookBody:
    """A delivery as ingest sees it: ``id`` is the inbox's, ``topic`` Shopify's (``orders/create``)."""

    id: int
    topic: str
    payload: bytes
    triggered_at: datetime | None
    received_at: datetime
    event_id: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What a batch did.

    ``rows_written`` counts rows of customers, products, orders, carts and checkouts and of what hangs on them;
    ``stale`` the entities that were no newer than what is held. ``days`` are the days of the shop's calendar whose
    totals follow no longer, marked for ``rollups`` unless the caller sees to them. ``details_wanted`` names orders
    whose refund lines or edit amounts are only with Shopify. ``told_of_erased`` names deliveries whose bodies speak of
    customers who were erased, and must not be kept; ``repeats`` those that told of an event as another one had before.
    """

    rows_written: int = 0
    stale: int = 0
    days: frozenset[date] = frozenset()
    details_wanted: frozenset[int] = frozenset()
    told_of_erased: frozenset[int] = frozenset()
    repeats: frozenset[int] = frozenset()
    lines: int = 0

    def __add__(self, other: Outcome) -> Outcome:
        """Return the outcome of both."""
        return Outcome(
            self.rows_written + other.rows_written,
            self.stale + other.stale,
            self.days | other.days,
            self.details_wanted | other.details_wanted,
            self.told_of_erased | other.told_of_erased,
            self.repeats | other.repeats,
            self.lines + other.lines,
        )


class PayloadRejected(Exception):
    """A body that cannot be mapped: which delivery (None: a bulk line), why, and where in it.

    ``pointer`` is a JSON path such as ``$.line_items[0].price``.
    """

    def __init__(self, delivery_id: int | None, pointer: str, reason: str) -> None:
        super().__init__(f"{pointer}: {reason}")
        self.delivery_id = delivery_id
        self.pointer = pointer
        self.reason = reason
