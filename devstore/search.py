"""Shopify's search syntax (https://shopify.dev/docs/api/usage/search-syntax), for lists, counts and webhook filters.

``field:value``, ``field:>=value``, quoted values, comma-separated values, AND (also implied), OR, NOT and ``-``,
parentheses, ``*`` at the end of a text. A field the resource cannot be searched by is left out with a warning.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

Predicate = Callable[[Any], bool]
Accessor = Callable[[Any], Any]

TOKEN = re.compile(r"""\s*(?:(?P<paren>[()])|(?P<term>-?(?:[^\s()"':]+:)?(?:[<>]=?)?(?:"[^"]*"|'[^']*'|[^\s()]+)))""")
TERM = re.compile(r"""(?:(?P<field>[^\s"':]+):)?(?P<op>[<>]=?)?(?P<value>.*)""", re.DOTALL)
COMPARISONS: dict[str | None, Callable[[Decimal, Decimal], bool]] = {
    None: operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
INSTANT = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?")


@dataclass
class Search:
    """A parsed search: ``matches`` decides on one record; ``warnings`` are (field, message) of what was left out."""

    matches: Predicate
    warnings: list[tuple[str, str]] = field(default_factory=list)


def parse(query: str | None, fields: Mapping[str, Accessor], text: Accessor) -> Search:
    """Read ``query`` over ``fields`` (name → value of a record; a list matches by any); bare words search ``text``."""
    reader = _Search(query or "", fields, text)
    matches = reader.disjunction()
    return Search(matches, reader.warnings)


def _tokens(query: str) -> list[str]:
    """Split a query into terms and parentheses."""
    return [match["paren"] or match["term"] for match in TOKEN.finditer(query.strip())]


def conjunction(query: str | None) -> list[str] | None:
    """Return the terms of a query that only joins them by AND; None for any other."""
    terms = [token for token in _tokens(query or "") if token != "AND"]  # noqa: S105 (a connective)
    plain = all(term not in {"OR", "NOT", "(", ")"} and not term.startswith("-") for term in terms)
    return terms if plain else None


def everything(_record: object) -> bool:
    """Match every record: what is left of a term that had to be ignored."""
    return True


class Reader:
    """A recursive-descent reader of one query; what a single term means is for the class that extends it."""

    def __init__(self, query: str) -> None:
        """Start at the first token."""
        self._tokens = _tokens(query)
        self._at = 0

    def term(self, token: str) -> Predicate:
        """Return what ``field:>=value`` or a bare word, without its ``-``, asks of a record."""
        raise NotImplementedError

    def _peek(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _take(self) -> str:
        self._at += 1
        return self._tokens[self._at - 1]

    def disjunction(self) -> Predicate:
        """``a OR b``."""
        parts = [self._conjunction()]
        while self._peek() == "OR":
            self._take()
            parts.append(self._conjunction())
        return parts[0] if len(parts) == 1 else lambda record: any(part(record) for part in parts)

    def _conjunction(self) -> Predicate:
        """``a AND b``, ``a b``."""
        parts: list[Predicate] = []
        while (token := self._peek()) not in {None, ")", "OR"}:
            if token == "AND":  # noqa: S105 (a connective)
                self._take()
            else:
                parts.append(self._factor())
        return lambda record: all(part(record) for part in parts)

    def _factor(self) -> Predicate:
        """``NOT a``, ``(…)`` or a term."""
        token = self._take()
        if token == "NOT":  # noqa: S105 (a connective)
            part = self._factor() if self._peek() else everything
            return lambda record: not part(record)
        if token == "(":  # noqa: S105 (a parenthesis)
            inside = self.disjunction()
            if self._peek() == ")":
                self._take()
            return inside
        if token.startswith("-") and len(token) > 1:
            part = self.term(token[1:])
            return part if part is everything else lambda record: not part(record)
        return self.term(token)


class _Search(Reader):
    """A search over records: a term that cannot be understood is left out, with a warning."""

    def __init__(self, query: str, fields: Mapping[str, Accessor], text: Accessor) -> None:
        """Search ``fields``, and ``text`` for bare words."""
        super().__init__(query)
        self._fields = fields
        self._text = text
        self.warnings: list[tuple[str, str]] = []

    def term(self, token: str) -> Predicate:
        """``field:>=value`` or a bare word."""
        name, comparison, value = read_term(token)
        if name is None:
            return _matcher(self._text, f"*{value}*", None) or everything
        accessor = self._fields.get(name)
        if accessor is None:
            self.warnings.append((name, "Invalid search field for this query."))
            return everything
        predicate = _matcher(accessor, value, comparison)
        if predicate is None:
            self.warnings.append((name, f"Input `{value}` is not an accepted value."))
            return everything
        return predicate


def read_term(token: str) -> tuple[str | None, str | None, str]:
    """Split a term into field, comparison (each None when there is none) and unquoted value."""
    match = TERM.fullmatch(token)
    name, comparison, value = match.group("field", "op", "value") if match else (None, None, token)
    return name, comparison, value.strip("\"'")


def _matcher(accessor: Accessor, value: str, comparison: str | None) -> Predicate | None:
    """Return a predicate that reads each record's own type, or None when no record could ever compare."""
    if value == "any":
        return everything
    instant = instant_of(value)
    number = number_of(value)

    def matches(record: object) -> bool:
        held = accessor(record)
        values = held if isinstance(held, list) else [held]
        return any(_compare(one, comparison, value, instant, number) for one in values)

    return None if comparison and instant is None and number is None else matches


def _compare(
    held: object, comparison: str | None, value: str, instant: tuple[datetime, datetime] | None, number: Decimal | None
) -> bool:
    """Compare one value of a record with the value of the term."""
    if isinstance(held, datetime):
        return instant is not None and compare_times(held, comparison, *instant)
    if isinstance(held, bool):
        return value == str(held).lower()
    if isinstance(held, (int, Decimal)):
        return number is not None and COMPARISONS[comparison](Decimal(held), number)
    return isinstance(held, str) and comparison is None and any(_like(held, part) for part in value.split(","))


def compare_times(held: datetime, comparison: str | None, start: datetime, end: datetime) -> bool:
    """Compare a time with a period [start, end): an instant, a day, a month or a year."""
    if comparison is None:
        return start <= held < end
    return {"<": held < start, "<=": held < end, ">": held >= end, ">=": held >= start}[comparison]


def _like(held: str, pattern: str) -> bool:
    """Compare text without case; ``*`` stands for any beginning or end."""
    words, wanted = held.lower(), pattern.strip().lower()
    if wanted.startswith("*"):
        return wanted.strip("*") in words
    if wanted.endswith("*"):
        return words.startswith(wanted[:-1])
    return words == wanted


def number_of(value: str) -> Decimal | None:
    """Read a number or the number of a global id."""
    try:
        return Decimal(value.rpartition("/")[2])
    except InvalidOperation:
        return None


def instant_of(value: str) -> tuple[datetime, datetime] | None:
    """Read a time as the period it names; dates are days in UTC, ``now`` is now."""
    if value == "now":
        now = datetime.now(UTC)
        return now, now + timedelta(seconds=1)
    period = INSTANT.fullmatch(value)
    try:
        if period:
            return _period(*(int(part) if part else None for part in period.groups()))
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    # Records are kept to the second, so that nothing lies between a moment and the next whole second.
    return moment, moment.replace(microsecond=0) + timedelta(seconds=1)


def _period(year: int | None, month: int | None, day: int | None) -> tuple[datetime, datetime]:
    """Return the beginning and the end of a year, a month or a day; raises ValueError for no such date."""
    start = datetime(year or 1, month or 1, day or 1, tzinfo=UTC)
    if day:
        return start, start + timedelta(days=1)
    if month:
        return start, (start + timedelta(days=32)).replace(day=1)
    return start, start.replace(year=start.year + 1)


def warned(search: Search, path: str, query: str | None) -> Iterable[dict[str, Any]]:
    """Yield the entry of ``extensions.search`` that reports what was left out of a query."""
    if search.warnings:
        yield {
            "path": [path],
            "query": query,
            "warnings": [{"field": name, "message": message} for name, message in search.warnings],
        }
