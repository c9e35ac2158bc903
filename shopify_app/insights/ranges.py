"""Ranges of days of the shop's calendar, and what a range is compared with."""

from __future__ import annotations

import calendar
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType

ONE_DAY = timedelta(days=1)
MOST_DAYS = 366 * 10
CUSTOM = "custom"
COMPARISONS = ("none", "previous_period", "previous_year")


class InvalidRange(ValueError):
    """A range that cannot be shown; the message says why."""


@dataclass(frozen=True)
class Range:
    """Days from ``start_on`` to ``end_on``, both included; ``preset`` is one of ``PRESETS`` or ``custom``."""

    preset: str
    start_on: date
    end_on: date

    @property
    def days(self) -> int:
        """How many days there are."""
        return (self.end_on - self.start_on).days + 1

    def dates(self) -> tuple[date, ...]:
        """Return every day of the range."""
        return tuple(self.start_on + timedelta(days=offset) for offset in range(self.days))


def resolve(preset: str, today: date) -> Range:
    """Return a preset's range on a day of the shop's calendar; raises InvalidRange for an unknown preset."""
    bounds = PRESETS.get(preset)
    if bounds is None:
        raise InvalidRange(f"There is no range called {preset!r}.")
    start_on, end_on = bounds(today)
    return Range(preset, start_on, end_on)


def custom(start_on: date, end_on: date) -> Range:
    """Return a range of the merchant's own; raises InvalidRange when it is backwards or longer than ten years."""
    chosen = Range(CUSTOM, start_on, end_on)
    if chosen.days < 1:
        raise InvalidRange("The range ends before it starts.")
    if chosen.days > MOST_DAYS:
        raise InvalidRange("The range is longer than ten years.")
    return chosen


def comparison(chosen: Range, mode: str) -> Range | None:
    """Return what a range is compared with: nothing, the same number of days before it, or its days a year earlier.

    February 29 is compared with February 28. Raises InvalidRange for an unknown mode.
    """
    if mode == "none":
        return None
    if mode == "previous_period":
        end_on = chosen.start_on - ONE_DAY
        return Range(CUSTOM, end_on - (chosen.days - 1) * ONE_DAY, end_on)
    if mode == "previous_year":
        return Range(CUSTOM, _year_before(chosen.start_on), _year_before(chosen.end_on))
    raise InvalidRange(f"There is no comparison called {mode!r}.")


def _year_before(day: date) -> date:
    last = calendar.monthrange(day.year - 1, day.month)[1]
    return date(day.year - 1, day.month, min(day.day, last))


def _last(days: int) -> Callable[[date], tuple[date, date]]:
    return lambda today: (today - (days - 1) * ONE_DAY, today)


# Ranges end today, so that a sale shows as it is made; Shopify's admin draws them the same.
PRESETS: MappingProxyType[str, Callable[[date], tuple[date, date]]] = MappingProxyType(
    {
        "today": lambda today: (today, today),
        "yesterday": lambda today: (today - ONE_DAY, today - ONE_DAY),
        "last_7_days": _last(7),
        "last_30_days": _last(30),
        "last_90_days": _last(90),
        "last_365_days": _last(365),
        "month_to_date": lambda today: (today.replace(day=1), today),
        "quarter_to_date": lambda today: (date(today.year, today.month - (today.month - 1) % 3, 1), today),
        "year_to_date": lambda today: (date(today.year, 1, 1), today),
    }
)
