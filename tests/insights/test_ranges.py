"""Ranges: which days a preset means, and what they are compared with."""

from datetime import date

import pytest

from shopify_app.insights import COMPARISONS, PRESETS, InvalidRange, Range, comparison, custom, resolve

TODAY = date(2026, 11, 22)


@pytest.mark.parametrize(
    ("preset", "start_on", "end_on"),
    [
        ("today", date(2026, 11, 22), TODAY),
        ("yesterday", date(2026, 11, 21), date(2026, 11, 21)),
        ("last_7_days", date(2026, 11, 16), TODAY),
        ("last_30_days", date(2026, 10, 24), TODAY),
        ("last_90_days", date(2026, 8, 25), TODAY),
        ("last_365_days", date(2025, 11, 23), TODAY),
        ("month_to_date", date(2026, 11, 1), TODAY),
        ("quarter_to_date", date(2026, 10, 1), TODAY),
        ("year_to_date", date(2026, 1, 1), TODAY),
    ],
)
def test_a_preset_means_these_days(preset, start_on, end_on):
    assert resolve(preset, TODAY) == Range(preset, start_on, end_on)


def test_every_preset_is_a_range_on_every_day_of_a_leap_year():
    for ordinal in range(date(2028, 1, 1).toordinal(), date(2029, 1, 1).toordinal()):
        today = date.fromordinal(ordinal)
        assert all(resolve(preset, today).days >= 1 for preset in PRESETS)


@pytest.mark.parametrize("mode", COMPARISONS[1:])
@pytest.mark.parametrize("preset", PRESETS)
def test_a_comparison_is_as_long_as_its_range(preset, mode):
    chosen = resolve(preset, TODAY)

    compared = comparison(chosen, mode)

    assert compared.days == chosen.days
    assert compared.end_on < chosen.start_on or mode == "previous_year"


def test_the_previous_period_ends_the_day_before():
    assert comparison(resolve("last_7_days", TODAY), "previous_period") == Range(
        "custom", date(2026, 11, 9), date(2026, 11, 15)
    )


def test_the_previous_year_of_a_leap_day_is_the_last_of_february():
    leap = Range("custom", date(2028, 2, 29), date(2028, 3, 1))

    assert comparison(leap, "previous_year") == Range("custom", date(2027, 2, 28), date(2027, 3, 1))


def test_no_comparison_is_none():
    assert comparison(resolve("today", TODAY), "none") is None


@pytest.mark.parametrize(
    "ask",
    [
        lambda: resolve("fortnight", TODAY),
        lambda: comparison(resolve("today", TODAY), "last_life"),
        lambda: custom(date(2026, 2, 2), date(2026, 2, 1)),
        lambda: custom(date(2000, 1, 1), date(2026, 1, 1)),
    ],
    ids=["unknown range", "unknown comparison", "backwards", "too long"],
)
def test_what_is_no_range_is_refused_in_a_sentence(ask):
    with pytest.raises(InvalidRange, match=r"\.$"):
        ask()


def test_a_custom_range_holds_both_its_ends():
    assert custom(date(2026, 2, 27), date(2026, 3, 1)).dates() == (
        date(2026, 2, 27),
        date(2026, 2, 28),
        date(2026, 3, 1),
    )
