"""The ``filter`` of a webhook subscription: Shopify's search syntax over the body that would be sent.

https://shopify.dev/docs/apps/build/webhooks/customize/filters: case-sensitive; a field is a dotted path, searched in
every element of a list; ``field:*`` asks only that it is there. A field that the body does not have silently lets
nothing through, and neither does a bare word. Only ``NOT`` and ``-`` turn that round.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from devstore import search

if TYPE_CHECKING:
    from collections.abc import Iterator


def passes(filter_: str | None, body: dict[str, Any]) -> bool:
    """Tell whether a subscription with this filter gets ``body``; no filter lets everything through."""
    return not filter_ or _Filter(filter_).disjunction()(body)


class _Filter(search.Reader):
    """Reads a filter; its terms look into JSON-like bodies."""

    def term(self, token: str) -> search.Predicate:
        """``path.to.field:>=value``."""
        name, comparison, wanted = search.read_term(token)
        path = name.split(".") if name else None
        return lambda body: path is not None and any(_holds(held, comparison, wanted) for held in _found(body, path))


def _found(value: object, path: list[str]) -> Iterator[object]:
    """Yield the values at a path."""
    if isinstance(value, list):
        for element in value:
            yield from _found(element, path)
    elif not path:
        yield value
    elif isinstance(value, dict) and path[0] in value:
        yield from _found(value[path[0]], path[1:])


def _holds(held: object, comparison: str | None, wanted: str) -> bool:
    """Compare one value of a body with a term's; amounts and times are text there."""
    if held is None:
        return False
    if comparison is None:
        return wanted == "*" or _equals(held, wanted)
    number, own_number = search.number_of(wanted), search.number_of(str(held))
    if number is not None and own_number is not None:
        return search.COMPARISONS[comparison](own_number, number)
    period, moment = search.instant_of(wanted), _moment(held)
    return period is not None and moment is not None and search.compare_times(moment, comparison, *period)


def _equals(held: object, wanted: str) -> bool:
    if isinstance(held, bool):
        return wanted == str(held).lower()
    if isinstance(held, (int, Decimal)):
        return search.number_of(wanted) == held
    if wanted.endswith("*"):
        return str(held).startswith(wanted[:-1])
    return held == wanted


def _moment(held: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(held))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
