"""Money, numbers and times as the merchant's locale writes them, in the shop's currency and time zone (by Babel)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime, format_time
from babel.numbers import format_compact_currency, format_currency, format_decimal, format_percent

NOTHING = "–"
WITHIN_A_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Formats:
    """How one store writes values. ``locale`` is a BCP 47 tag; English where Babel does not know it."""

    locale: str
    currency: str
    time_zone: str

    def money(self, amount: Decimal | None) -> str:
        """Return the amount with its currency, to the currency's own precision."""
        return NOTHING if amount is None else format_currency(amount, self.currency, locale=self._babel)

    def short_money(self, amount: Decimal) -> str:
        """Return the amount for a chart's axis: ``$12.5K``."""
        return format_compact_currency(amount, self.currency, locale=self._babel, fraction_digits=1)

    def number(self, value: int | Decimal) -> str:
        """Return the number with the locale's separators."""
        return format_decimal(value, locale=self._babel)

    def percent(self, share: Decimal | None) -> str:
        """Return a share between 0 and 1 as percent with one decimal."""
        return NOTHING if share is None else format_percent(share, format="#,##0.0%", locale=self._babel)

    def change(self, now: Decimal | int | None, before: Decimal | int | None) -> str | None:
        """Return by how many percent ``now`` is above or below ``before``, signed; None where that means nothing."""
        if now is None or not before:
            return None
        change = (Decimal(now) - before) / abs(Decimal(before))
        pattern = "+#,##0.0%;-#,##0.0%" if change else "#,##0.0%"
        return format_percent(change, format=pattern, locale=self._babel)

    def day(self, day: date) -> str:
        """Return the day with its year: ``Nov 22, 2026``."""
        return format_date(day, "medium", locale=self._babel)

    def short_day(self, day: date) -> str:
        """Return the day for a chart's axis, without its year: ``Nov 22``."""
        skeleton = {"en": "MMM d"}.get(self._babel.language, "d MMM")
        return format_date(day, skeleton, locale=self._babel)

    def span(self, start_on: date, end_on: date) -> str:
        """Return a range of days, or the one day it is."""
        return self.day(start_on) if start_on == end_on else f"{self.day(start_on)} – {self.day(end_on)}"

    def moment(self, at: datetime | None) -> str:
        """Return the date and time of day in the shop's zone."""
        if at is None:
            return NOTHING
        return format_datetime(at, "medium", tzinfo=self._zone, locale=self._babel)

    def clock(self, at: datetime, now: datetime) -> str:
        """Return the time of day in the shop's zone, with the date when it was not within the last day."""
        if now - at > WITHIN_A_DAY:
            return self.moment(at)
        return format_time(at, "medium", tzinfo=self._zone, locale=self._babel)

    @cached_property
    def _babel(self) -> Locale:
        try:
            return Locale.parse(self.locale, sep="-" if "-" in self.locale else "_")
        except (ValueError, UnknownLocaleError):
            return Locale("en")

    @cached_property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)
