"""The chart's geometry."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopify_app.web.charts import HEIGHT, WIDTH, line_chart

amounts = st.decimals(min_value=-(10**9), max_value=10**9, places=2)


def decimals(*values: int) -> list[Decimal]:
    return [Decimal(value) for value in values]


def test_the_axis_holds_zero_and_round_steps() -> None:
    chart = line_chart(decimals(120, 380), None)

    assert [int(tick) for tick in chart.ticks] == [400, 300, 200, 100, 0]
    assert chart.zero == HEIGHT


def test_a_day_of_returns_goes_below_zero() -> None:
    chart = line_chart(decimals(100, -50), None)

    assert chart.ticks[-1] < 0 < chart.ticks[0]
    assert 0 < chart.zero < HEIGHT


def test_days_without_sales_lie_on_the_zero_line() -> None:
    chart = line_chart(decimals(0, 0), None)

    assert chart.line == f"M250.00,{HEIGHT}L750.00,{HEIGHT}"


def test_one_day_is_a_dot() -> None:
    chart = line_chart(decimals(10), None)

    assert chart.line == "M500.00,0h0"
    assert chart.labels == (0,)


def test_a_longer_comparison_is_cut_to_the_days_shown() -> None:
    chart = line_chart(decimals(1, 2), decimals(3, 4, 5))

    assert chart.compared is not None
    assert chart.compared.count("L") == 1


def test_a_chart_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a value"):
        line_chart([], None)


@given(st.lists(amounts, min_size=1, max_size=400), st.lists(amounts, max_size=400))
def test_everything_drawn_is_inside_the_drawing(values: list[Decimal], compared: list[Decimal]) -> None:
    chart = line_chart(values, compared)

    assert chart.ticks[0] >= max(*values, 0)
    assert chart.ticks[-1] <= min(*values, 0)
    assert Decimal(0) in chart.ticks
    assert 2 <= len(chart.ticks) <= 7
    assert len(chart.bands) == len(values)
    assert sum(band.width for band in chart.bands) == pytest.approx(WIDTH, abs=0.01 * len(values))
    assert list(chart.labels) == sorted(set(chart.labels))
    assert chart.labels[-1] == len(values) - 1
