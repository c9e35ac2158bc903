"""The range of days a page shows, as its address says it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import TYPE_CHECKING

from shopify_app.insights import InvalidRange, Range, comparison, custom, resolve
from shopify_app.insights.ranges import CUSTOM

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_PRESET = "last_30_days"
DEFAULT_COMPARISON = "previous_period"
PRESETS = MappingProxyType(
    {
        "today": "Today",
        "yesterday": "Yesterday",
        "last_7_days": "Last 7 days",
        "last_30_days": "Last 30 days",
        "last_90_days": "Last 90 days",
        "last_365_days": "Last 365 days",
        "month_to_date": "Month to date",
        "quarter_to_date": "Quarter to date",
        "year_to_date": "Year to date",
        CUSTOM: "Custom",
    }
)
COMPARISONS = MappingProxyType(
    {"previous_period": "Previous period", "previous_year": "Previous year", "none": "No comparison"}
)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What is shown: a range, what it is compared with, and what was wrong with what the address asked for."""

    range: Range
    mode: str
    compared: Range | None
    today: date
    problem: str | None = None

    @property
    def query(self) -> dict[str, str]:
        """The parameters that say this choice."""
        if self.range.preset != CUSTOM:
            return {"range": self.range.preset, "compare": self.mode}
        dates = {"from": self.range.start_on.isoformat(), "to": self.range.end_on.isoformat()}
        return {"range": CUSTOM, **dates, "compare": self.mode}


def choose(query: Mapping[str, str], today: date) -> Choice:
    """Return what the query asks for: the last 30 days beside the 30 before them where it asks for nothing.

    What cannot be shown is replaced by that too, and ``problem`` says why.
    """
    mode = query.get("compare", DEFAULT_COMPARISON)
    try:
        chosen = _range(query, today)
        return Choice(range=chosen, mode=mode, compared=comparison(chosen, mode), today=today)
    except InvalidRange as error:
        problem = str(error)
    except (ValueError, OverflowError):
        problem = "The dates are not days of the calendar."
    chosen = resolve(DEFAULT_PRESET, today)
    compared = comparison(chosen, DEFAULT_COMPARISON)
    return Choice(range=chosen, mode=DEFAULT_COMPARISON, compared=compared, today=today, problem=problem)


def _range(query: Mapping[str, str], today: date) -> Range:
    preset = query.get("range") or (CUSTOM if "from" in query else DEFAULT_PRESET)
    if preset == CUSTOM:
        return custom(date.fromisoformat(query.get("from", "")), date.fromisoformat(query.get("to", "")))
    return resolve(preset, today)
