"""Values as locales write them."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from shopify_app.web.formats import Formats

ENGLISH = Formats("en", "USD", "America/New_York")


@pytest.mark.parametrize(
    ("formats", "written"),
    [
        (ENGLISH, "$1,234.50"),
        (Formats("de", "EUR", "Europe/Berlin"), "1.234,50\xa0€"),
        (Formats("pt-BR", "BRL", "America/Sao_Paulo"), "R$\xa01.234,50"),
        (Formats("en", "JPY", "Asia/Tokyo"), "¥1,234"),
        (Formats("en", "KWD", "Asia/Kuwait"), "KWD1,234.500"),
        (Formats("xx-unknown", "USD", "UTC"), "$1,234.50"),
    ],
)
def test_money_is_written_as_the_locale_and_the_currency_do(formats: Formats, written: str) -> None:
    assert formats.money(Decimal("1234.5")) == written


@pytest.mark.parametrize(
    ("now", "before", "written"),
    [
        (Decimal(110), Decimal(100), "+10.0%"),
        (Decimal(75), Decimal(100), "-25.0%"),
        (Decimal(100), Decimal(100), "0.0%"),
        (Decimal(-50), Decimal(-100), "+50.0%"),
        (2, 1, "+100.0%"),
        (Decimal(5), Decimal(0), None),
        (None, Decimal(1), None),
        (Decimal(1), None, None),
    ],
)
def test_a_change_is_signed_and_left_out_where_it_means_nothing(now, before, written) -> None:
    assert ENGLISH.change(now, before) == written


def test_days_and_moments_are_the_stores_own() -> None:
    at = datetime(2026, 11, 22, 3, 30, tzinfo=UTC)

    assert ENGLISH.day(date(2026, 11, 22)) == "Nov 22, 2026"
    assert ENGLISH.short_day(date(2026, 11, 22)) == "Nov 22"
    assert ENGLISH.moment(at).startswith("Nov 21, 2026, 10:30:00")
    assert ENGLISH.span(date(2026, 11, 1), date(2026, 11, 1)) == "Nov 1, 2026"


def test_a_time_of_day_gets_its_date_once_it_is_a_day_old() -> None:
    at = datetime(2026, 11, 22, 3, 30, tzinfo=UTC)

    assert "2026" not in ENGLISH.clock(at, at + timedelta(hours=1))
    assert "2026" in ENGLISH.clock(at, at + timedelta(days=2))


def test_what_is_not_there_is_a_dash() -> None:
    assert (ENGLISH.money(None), ENGLISH.percent(None), ENGLISH.moment(None)) == ("–", "–", "–")


def test_a_share_is_percent() -> None:
    assert ENGLISH.percent(Decimal("0.1234")) == "12.3%"
    assert ENGLISH.short_money(Decimal(12500)) == "$12.5K"
