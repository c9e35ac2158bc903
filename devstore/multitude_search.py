"""Which of a store's generated orders a search finds, without looking at each of them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from devstore import search
from devstore.multitude import PERIOD, Multitude

if TYPE_CHECKING:
    from collections.abc import Mapping

    from devstore.model import Order

Bounds = tuple[int, int]
# What differs from order to order of one pattern, beside what a range is found by.
OWN = frozenset({None, "name", "cart_token", "checkout_token"})


@dataclass(frozen=True)
class Chosen:
    """Orders by their index, ascending: those of ``indexes`` whose pattern is among ``patterns``."""

    multitude: Multitude
    indexes: Sequence[int]
    patterns: frozenset[int]

    def __len__(self) -> int:
        """Count the orders."""
        if len(self.patterns) == PERIOD or not isinstance(self.indexes, range):
            return len(self.indexes)
        start, stop = self.indexes.start, self.indexes.stop
        return sum(len(range(start + (place - start) % PERIOD, stop, PERIOD)) for place in self.patterns)

    @property
    def each(self) -> Sequence[int]:
        """Return the index of every order."""
        if len(self.patterns) == PERIOD:
            return self.indexes
        return [index for index in self.indexes if index % PERIOD in self.patterns]

    def page(
        self,
        key: Callable[[Order], Any],
        *,
        size: int,
        after: Any = None,  # noqa: ANN401 (whatever orders are sorted by)
        reverse: bool = False,
    ) -> list[Order]:
        """Return the next ``size`` orders after a key, where keys rise (or with ``reverse`` fall) with the index."""
        each = self.each

        def key_of(index: int) -> Any:  # noqa: ANN401 (whatever orders are sorted by)
            return key(self.multitude.order(index))

        if reverse:
            end = len(each) if after is None else bisect_left(each, after, key=key_of)
            picked = each[max(end - size, 0) : end]
        else:
            start = 0 if after is None else bisect_right(each, after, key=key_of)
            picked = each[start : start + size]
        return [self.multitude.order(index) for index in picked]

    def orders(self) -> list[Order]:
        """Return all of them."""
        return [self.multitude.order(index) for index in self.each]


def choose(
    multitude: Multitude,
    query: str | None,
    fields: Mapping[str, search.Accessor],
    text: search.Accessor,
    oldest: datetime | None,
) -> Chosen:
    """Return the orders a search finds, of those created at ``oldest`` or later.

    Times and ids joined by AND are found by halving; a search with OR, NOT, names or words looks at every order.
    """
    series = multitude.series
    start = series.index_at(oldest, series.placed_at) if oldest else 0
    terms = search.conjunction(query)
    if terms is None or any(search.read_term(term)[0] in OWN for term in terms):
        matches = search.parse(query, fields, text).matches
        found = [index for index in range(start, series.orders) if matches(multitude.order(index))]
        return Chosen(multitude, found, frozenset(range(PERIOD)))
    stop, rest = series.orders, []
    for term in terms:
        bounds = _bounds(multitude, *search.read_term(term))
        if bounds is None:
            rest.append(term)
        else:
            start, stop = max(start, bounds[0]), min(stop, bounds[1])
    matches = search.parse(" ".join(rest), fields, text).matches
    patterns = frozenset(place for place, pattern in enumerate(multitude.patterns) if matches(pattern))
    return Chosen(multitude, range(start, max(start, stop)), patterns)


def _bounds(multitude: Multitude, name: str | None, comparison: str | None, value: str) -> Bounds | None:
    """Return the range of orders a term on a time or an id lets through; None for any other term."""
    series = multitude.series
    if name == "id":
        number = search.number_of(value)
        index = None if number is None else int(number) - series.first_id
        return None if index is None else _between(index, index + 1, comparison, series.orders)
    times = {"created_at": series.placed_at, "processed_at": series.placed_at, "updated_at": series.updated_at}
    period = search.instant_of(value)
    if name not in times or period is None:
        return None
    first, last = (series.index_at(moment, times[name]) for moment in period)
    return _between(first, last, comparison, series.orders)


def _between(first: int, last: int, comparison: str | None, count: int) -> Bounds:
    """Return the range of a comparison with [first, last)."""
    bounds = {None: (first, last), "<": (0, first), "<=": (0, last), ">": (last, count), ">=": (first, count)}
    start, stop = bounds[comparison]
    return max(start, 0), min(stop, count)
