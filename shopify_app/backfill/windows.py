"""Windows of time: which of a resource's objects are asked for at once, by when they were last changed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MOST_SPLITS = 8  # 256 slices of a history; ten years become two weeks
SHORTEST = timedelta(hours=1)
MOMENT = "%Y-%m-%d %H:%M"


@dataclass(frozen=True)
class Window:
    """What was last changed from ``since`` to just before ``until``; None is open. ``splits`` made it this small."""

    since: datetime | None = None
    until: datetime | None = None
    splits: int = 0

    def halves(self, first: datetime, now: datetime) -> tuple[Window, Window] | None:
        """Return both halves of the time in which anything can lie, or None when it is not to be split further.

        Nothing was changed before ``first``. What is open stays open, so that nothing falls out at the ends.
        """
        begins, ends = self.since or first, min(self.until or now, now)
        if self.splits >= MOST_SPLITS or ends - begins < 2 * SHORTEST:
            return None
        middle = (begins + (ends - begins) / 2).replace(microsecond=0)
        smaller = replace(self, splits=self.splits + 1)
        return replace(smaller, until=middle), replace(smaller, since=middle)

    def __str__(self) -> str:
        """Say which changes are meant."""
        if self.since is None and self.until is None:
            return "of all time"
        since = f"from {_told(self.since)}" if self.since else "from the beginning"
        return f"{since} to {_told(self.until)}" if self.until else f"{since} on"


EVERYTHING = Window()


def packed(windows: Iterable[Window]) -> list[list[str | int | None]]:
    """Return windows as they are kept in a row: lists of ISO texts and a number."""
    return [[_text(window.since), _text(window.until), window.splits] for window in windows]


def unpacked(rows: Sequence[Sequence[str | int | None]]) -> tuple[Window, ...]:
    """Return the windows that :func:`packed` made into rows."""
    return tuple(Window(_instant(since), _instant(until), int(splits or 0)) for since, until, splits in rows)


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat()


def _instant(text: str | int | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(str(text))


def _told(at: datetime) -> str:
    return at.astimezone(UTC).strftime(MOMENT) + " UTC"
