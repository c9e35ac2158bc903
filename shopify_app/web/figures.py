"""The overview's answer as a page shows it: figures as text beside what they are compared with, and a chart."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import zip_longest
from types import MappingProxyType
from typing import TYPE_CHECKING

from shopify_app.insights.definitions import DEFINITIONS
from shopify_app.web.charts import Chart, line_chart
from shopify_app.web.formats import NOTHING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shopify_app.insights import Overview
    from shopify_app.insights.overview import Day, Figure, Value
    from shopify_app.web.formats import Formats

HEADLINES = ("total_sales", "net_sales", "orders", "average_order_value", "returning_customer_rate")
BREAKDOWN = ("gross_sales", "discounts", "returns", "net_sales", "shipping", "taxes", "total_sales")
TAKEN_OFF = frozenset({"discounts", "returns"})
TERMS = MappingProxyType(
    {
        "total_sales": "Total sales",
        "gross_sales": "Gross sales",
        "discounts": "Discounts",
        "returns": "Returns",
        "net_sales": "Net sales",
        "shipping": "Shipping",
        "taxes": "Taxes",
        "orders": "Orders",
        "average_order_value": "Average order value",
        "returning_customer_rate": "Returning customer rate",
    }
)


@dataclass(frozen=True, kw_only=True)
class ShownFigure:
    """A figure in words. ``raw`` is the exact value for machines; ``direction`` is up, down or same."""

    key: str
    term: str
    definition: str
    value: str
    raw: str
    before: str | None
    change: str | None
    direction: str


@dataclass(frozen=True, kw_only=True)
class ShownDay:
    """A day beside the day it is compared with; ``label`` says both."""

    day_on: date
    orders: int
    total_sales: Decimal
    compared_on: date | None
    compared_sales: Decimal | None
    label: str


@dataclass(frozen=True, kw_only=True)
class ShownOverview:
    """Everything the overview draws."""

    figures: tuple[ShownFigure, ...]
    breakdown: tuple[ShownFigure, ...]
    rows: tuple[ShownDay, ...]
    chart: Chart
    chart_about: str


def show(overview: Overview, formats: Formats) -> ShownOverview:
    """Put the answer into the store's way of writing."""
    compared = overview.compared is not None
    rows = _rows(overview, formats)
    return ShownOverview(
        figures=tuple(_figure(overview.figures[name], formats, compared=compared) for name in HEADLINES),
        breakdown=tuple(_figure(overview.figures[name], formats, compared=compared) for name in BREAKDOWN),
        rows=rows,
        chart=line_chart(
            [day.total_sales for day in overview.days], [day.total_sales for day in overview.compared_days]
        ),
        chart_about=_about(overview.days, formats),
    )


def _figure(figure: Figure, formats: Formats, *, compared: bool) -> ShownFigure:
    name = figure.name
    return ShownFigure(
        key=name,
        term=TERMS[name],
        definition=DEFINITIONS[name],
        value=_text(figure, figure.value, formats),
        raw="" if figure.value is None else str(figure.value),
        before=_text(figure, figure.compared, formats) if compared and figure.compared is not None else None,
        change=formats.change(figure.value, figure.compared) if compared else None,
        direction=_direction(figure.value, figure.compared),
    )


def _text(figure: Figure, value: Value, formats: Formats) -> str:
    if value is None:
        return NOTHING
    if figure.unit == "share":
        return formats.percent(Decimal(value))
    if figure.unit == "count":
        return formats.number(value)
    return formats.money(-Decimal(value) if figure.name in TAKEN_OFF else Decimal(value))


def _direction(value: Value, before: Value) -> str:
    if value is None or before is None or value == before:
        return "same"
    return "up" if value > before else "down"


def _rows(overview: Overview, formats: Formats) -> tuple[ShownDay, ...]:
    before: Sequence[Day | None] = overview.compared_days[: len(overview.days)]
    return tuple(
        ShownDay(
            day_on=day.day_on,
            orders=day.orders,
            total_sales=day.total_sales,
            compared_on=then.day_on if then else None,
            compared_sales=then.total_sales if then else None,
            label=_label(day, then, formats),
        )
        for day, then in zip_longest(overview.days, before)
        if day is not None
    )


def _label(day: Day, then: Day | None, formats: Formats) -> str:
    orders = f"{formats.number(day.orders)} {'order' if day.orders == 1 else 'orders'}"
    text = f"{formats.day(day.day_on)}: {formats.money(day.total_sales)}, {orders}"
    return f"{text}; {formats.day(then.day_on)}: {formats.money(then.total_sales)}" if then else text


def _about(days: Sequence[Day], formats: Formats) -> str:
    """Describe the chart to somebody who does not see it."""
    best = max(days, key=lambda day: day.total_sales)
    total = sum((day.total_sales for day in days), Decimal(0))
    return (
        f"{formats.money(total)} in total; the best day was {formats.day(best.day_on)}"
        f" with {formats.money(best.total_sales)}."
    )
