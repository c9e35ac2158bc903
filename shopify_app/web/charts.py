"""The geometry of a line chart over days: plain numbers that a template draws as SVG."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# The drawing's own units; it is stretched to the space there is, with strokes and labels left as they are.
WIDTH = 1000
HEIGHT = 240
MOST_STEPS = 5
LABELS = 5
STEPS = (Decimal(1), Decimal(2), Decimal("2.5"), Decimal(5), Decimal(10))


@dataclass(frozen=True, kw_only=True)
class Band:
    """The strip of the drawing that belongs to one day: left edge, width, and the middle where its point is."""

    left: float
    width: float
    middle: float


@dataclass(frozen=True, kw_only=True)
class Chart:
    """What to draw. ``ticks`` are values from the top down, evenly apart; ``labels`` are indexes of days, likewise."""

    line: str
    area: str
    compared: str | None
    bands: tuple[Band, ...]
    ticks: tuple[Decimal, ...]
    zero: float
    labels: tuple[int, ...]


def line_chart(values: Sequence[Decimal], compared: Sequence[Decimal] | None) -> Chart:
    """Lay out one value a day and, day beside day, the values they are compared with.

    Raises:
        ValueError: there are no values.
    """
    low, high, step = _scale([*values, *(compared or [])])
    band = WIDTH / len(values)
    middles = [band * (index + 0.5) for index in range(len(values))]

    def height(value: Decimal) -> float:
        return round(float((high - value) / (high - low)) * HEIGHT, 2)

    zero = height(Decimal(0))
    line = _path(middles, [height(value) for value in values])
    return Chart(
        line=line,
        area=f"{line}V{zero:g}H{middles[0]:g}Z",
        compared=_path(middles, [height(value) for value in compared][: len(values)]) if compared else None,
        bands=tuple(
            Band(left=round(middle - band / 2, 2), width=round(band, 2), middle=round(middle, 2)) for middle in middles
        ),
        ticks=tuple(high - step * index for index in range(int((high - low) / step) + 1)),
        zero=zero,
        labels=_evenly(len(values)),
    )


def _scale(values: Sequence[Decimal]) -> tuple[Decimal, Decimal, Decimal]:
    """Return the lowest and highest value of the axis and the step between its ticks; zero is always on it."""
    if not values:
        raise ValueError("a chart needs a value")
    least, most = min(Decimal(0), *values), max(Decimal(0), *values)
    if least == most:
        return Decimal(0), Decimal(1), Decimal(1)
    step = _step((most - least) / (MOST_STEPS - 1))
    low = (least / step).to_integral_value("ROUND_FLOOR") * step
    high = (most / step).to_integral_value("ROUND_CEILING") * step
    return low, high, step


def _step(least: Decimal) -> Decimal:
    """Return the smallest round number that is not below ``least``."""
    magnitude = Decimal(10) ** math.floor(least.log10())
    return next(step * magnitude for step in STEPS if step * magnitude >= least)


def _path(xs: Sequence[float], ys: Sequence[float]) -> str:
    """Return the path through the points. A point alone becomes a line of no length, which round caps show as a dot."""
    points = [f"{x:.2f},{y:g}" for x, y in zip(xs, ys, strict=False)]
    return f"M{points[0]}" + ("".join(f"L{point}" for point in points[1:]) or "h0")


def _evenly(days: int) -> tuple[int, ...]:
    """Return up to five indexes of days from the first to the last, as evenly apart as whole days allow."""
    count = min(days, LABELS)
    if count == 1:
        return (0,)
    return tuple(round(index * (days - 1) / (count - 1)) for index in range(count))
