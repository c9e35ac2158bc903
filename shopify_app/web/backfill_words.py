"""What a merchant is told of backfills: how far each has come and how long it still takes, or what came of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shopify_app.backfill import Progress
    from shopify_app.web.formats import Formats

NOUNS = MappingProxyType(
    {
        "customers": "Customers",
        "products": "Products",
        "orders": "Orders",
        "refunds": "Refunds and edits",
        "checkouts": "Abandoned checkouts",
    }
)
RESULTS = MappingProxyType({"done": "Loaded", "failed": "Failed", "cancelled": "Cancelled"})
# Who asked for it, in a merchant's words; whoever else it was works for those who run the app.
ASKED_BY = MappingProxyType(
    {"": "", "install": "at the installation", "merchant": "by the store", "api": "by a program of the store"}
)
UNDER_WAY = MappingProxyType(
    {
        "requested": "Shopify has been asked",
        "running": "Shopify is preparing it",
        "loading": "{read} loaded so far",
        "verifying": "{read} loaded, being checked",
    }
)
MINUTE, HOUR, DAY = 60, 3600, 86400
SOON = 50  # seconds; less than that is not told to the second
MOMENTS = ((MINUTE, "a minute", "minutes", 50 * MINUTE), (HOUR, "an hour", "hours", 22 * HOUR))


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One backfill in words. ``value`` of ``most`` is its bar, or None where only that something happens is known.

    ``deeds`` are what may be done about it: again, retry, cancel.
    """

    id: int
    resource: str
    noun: str
    state: str
    finished: bool
    amount: str
    speed: str | None
    value: int | None
    most: int
    error: str | None
    note: str | None
    deeds: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of one backfill that ended."""

    id: int
    noun: str
    state: str
    result: str
    amount: str
    ended: str
    asked: str
    remark: str | None


def shown(found: Iterable[Progress], fmt: Formats) -> tuple[Shown, ...]:
    """Return what is said of the latest backfills, in their order."""
    return tuple(_shown(one, fmt) for one in found)


def results(found: Iterable[Progress], fmt: Formats) -> tuple[Result, ...]:
    """Return what came of the backfills that have ended, in their order."""
    return tuple(
        Result(
            id=one.id,
            noun=NOUNS[one.resource],
            state=one.state,
            result=RESULTS[one.state],
            amount=fmt.number(one.objects_read),
            ended=fmt.moment(one.finished_at),
            asked=_asked(one, fmt),
            remark=one.error or one.note,
        )
        for one in found
        if one.finished
    )


def left(seconds: int) -> str:
    """Return an estimate as people give one: ``about 3 minutes left``."""
    if seconds < SOON:
        return "less than a minute left"
    for unit, single, plural, limit in MOMENTS:
        if seconds < limit:
            count = round(seconds / unit)
            return f"about {single} left" if count <= 1 else f"about {count} {plural} left"
    days = math.ceil(seconds / DAY)
    return "about a day left" if days == 1 else f"about {days} days left"


def _shown(one: Progress, fmt: Formats) -> Shown:
    value, most = _bar(one)
    return Shown(
        id=one.id,
        resource=one.resource,
        noun=NOUNS[one.resource],
        state=one.state,
        finished=one.finished,
        amount=_amount(one, fmt),
        speed=_speed(one, fmt),
        value=value,
        most=most,
        error=one.error,
        note=one.note,
        deeds=_deeds(one),
    )


def _bar(one: Progress) -> tuple[int | None, int]:
    if one.state == "done":
        return 1, 1
    if one.state in {"requested", "running"}:
        return None, 1
    if not one.objects_total:
        return 0, 1
    return min(one.objects_read, one.objects_total), one.objects_total


def _amount(one: Progress, fmt: Formats) -> str:
    read = _records(one.objects_read, fmt)
    if one.finished:
        return _ended(one, fmt)
    if one.stopping:
        return f"Being cancelled, {read} loaded"
    if one.state == "running" and one.prepared:
        return f"Shopify is preparing it: {_records(one.prepared, fmt)} so far"
    if one.state == "loading" and one.objects_total:
        return f"{fmt.number(one.objects_read)} of {_records(one.objects_total, fmt)} loaded"
    return UNDER_WAY.get(one.state, "").format(read=read) or _waiting(one, read)


def _waiting(one: Progress, read: str) -> str:
    if one.objects_read:
        return f"{read} loaded, the next part follows"
    return "Trying again" if one.error else "Waiting for its turn"


def _ended(one: Progress, fmt: Formats) -> str:
    read, ended = _records(one.objects_read, fmt), fmt.moment(one.finished_at)
    if one.state == "done":
        return f"{read} loaded, {ended}"
    return f"{RESULTS[one.state]} after {read}, {ended}"


def _records(count: int, fmt: Formats) -> str:
    return f"{fmt.number(count)} {'record' if count == 1 else 'records'}"


def _speed(one: Progress, fmt: Formats) -> str | None:
    if one.rate is None or one.stopping:
        return None
    rate = "less than one record a second" if one.rate < 1 else f"about {_records(_rough(one.rate), fmt)} a second"
    sentence = f"{rate}, {left(one.seconds_left)}" if one.seconds_left is not None else rate
    return sentence[0].upper() + sentence[1:] + "."


def _rough(rate: float) -> int:
    """Return a rate in two digits: more would tell of chance."""
    size = 10.0 ** max(math.floor(math.log10(rate)) - 1, 0)
    return round(round(rate / size) * size)


def _deeds(one: Progress) -> tuple[str, ...]:
    if not one.finished:
        return () if one.stopping else ("cancel",)
    if one.state != "done":
        return ("retry",)
    # Refunds follow the orders they belong to.
    return () if one.resource == "refunds" else ("again",)


def _asked(one: Progress, fmt: Formats) -> str:
    by = ASKED_BY.get(one.asked_by, "by Storelens’ support")
    return f"{by}, changed since {fmt.moment(one.since)}".lstrip(", ") if one.since else by
