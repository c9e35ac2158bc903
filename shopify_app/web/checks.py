"""What a merchant is told of the comparisons with Shopify: a sentence for each resource."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from shopify_app.reconcile import Standing
    from shopify_app.web.formats import Formats

NOUNS = {
    "customers": "customers",
    "products": "products",
    "orders": "orders",
    "checkouts": "recently changed abandoned checkouts",
}
A_MOMENT = timedelta(seconds=90)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Check:
    """The last check of a resource. ``state`` is right, repaired, open (something is not found yet) or stopped."""

    resource: str
    state: str
    sentence: str


def told(found: Iterable[Standing], fmt: Formats, now: datetime) -> tuple[Check, ...]:
    """Return what is said of the last checks that ended, in their order."""
    return tuple(
        Check(resource=check.resource, state=_state(check), sentence=_sentence(check, fmt, now)) for check in found
    )


def first(running: Collection[str], found: Iterable[Standing]) -> tuple[str, ...]:
    """Return the nouns of what is being checked and never was before."""
    return tuple(NOUNS[resource] for resource in sorted(set(running).difference(check.resource for check in found)))


def _state(check: Standing) -> str:
    if check.state != "done":
        return "stopped"
    if check.unexplained:
        return "open"
    return "repaired" if check.missing or check.stale or check.deleted else "right"


def _sentence(check: Standing, fmt: Formats, now: datetime) -> str:
    noun, ago = NOUNS[check.resource], _ago(now - (check.finished_at or now))
    if check.state != "done":
        reason = (check.error or "it was stopped").rstrip(".")
        return f"The check of {noun} ended {ago} without a result: {reason}. It is tried again within the hour."
    begun = f"Checked {fmt.number(check.compared)} {noun} {ago}"
    wrong = _wrong(check, fmt)
    if check.unexplained:
        return f"{begun}. {f'{wrong}; repaired. ' if wrong else ''}{_open(check.unexplained, fmt)}"
    return f"{begun}: {wrong}; all repaired." if wrong else f"{begun}: all match."


def _wrong(check: Standing, fmt: Formats) -> str:
    counts = ((check.missing, "missing"), (check.stale, "outdated"), (check.deleted, "deleted in Shopify"))
    parts = [f"{fmt.number(count)} {'was' if count == 1 else 'were'} {what}" for count, what in counts if count]
    return " and ".join((", ".join(parts[:-1]), parts[-1])) if len(parts) > 1 else "".join(parts)


def _open(unexplained: int, fmt: Formats) -> str:
    more = "more" if unexplained > 0 else "fewer"
    return f"Shopify counts {fmt.number(abs(unexplained))} {more} than Storelens; the next full check looks into it."


def _ago(age: timedelta) -> str:
    if age < A_MOMENT:
        return "a moment ago"
    for unit, name, limit in ((MINUTE, "minute", HOUR), (HOUR, "hour", 2 * DAY)):
        if age < limit:
            return f"{age // unit} {name}{'' if age // unit == 1 else 's'} ago"
    return f"{age // DAY} days ago"
