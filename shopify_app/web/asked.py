"""What somebody asks a backfill for, as a form or a program says it: which resources, and changed since when."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from shopify_app.models.backfills import RESOURCES

if TYPE_CHECKING:
    from collections.abc import Sequence

# What may be asked for. Refunds come with their orders: no export holds them.
NAMED = tuple(resource for resource in RESOURCES if resource != "refunds")


class Rejected(Exception):
    """A value that cannot be taken. ``field`` is whose it is, the message what would do."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def resources(given: object) -> tuple[str, ...]:
    """Return the resources meant, in our order; nothing given means all of them.

    Raises:
        Rejected: it is not a list, or one of them is no resource.
    """
    if given is None:
        return NAMED
    names = ", ".join(NAMED)
    if not isinstance(given, list) or not given:
        raise Rejected("resources", f"Give a list of one or more of {names}, or leave it out for all of them.")
    for one in given:
        if one not in NAMED:
            raise Rejected("resources", f"{one!r} is not one of {names}.{_instead(one)}")
    return in_order(given)


def since(given: object, now: datetime) -> datetime | None:
    """Return from when on changes are meant; None: everything.

    Raises:
        Rejected: it is no time, or has not come yet.
    """
    if given is None or given == "":
        return None
    try:
        moment = datetime.fromisoformat(str(given))
    except ValueError as error:
        raise Rejected("since", f"{given!r} is not a time such as 2026-11-01 or 2026-11-01T12:00:00Z.") from error
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if moment > now:
        raise Rejected("since", f"{given!r} has not come yet.")
    return moment


def in_order(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names, each once, in the order of the resources."""
    return tuple(resource for resource in NAMED if resource in names)


def _instead(one: object) -> str:
    return " They come with orders." if one == "refunds" else ""
