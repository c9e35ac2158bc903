"""The lines of generated orders in a bulk file, made as they are read: any part of millions of them, none kept.

The query's selection is read once over the patterns, with marks in the places of what differs from order to order;
what comes out becomes a template for ``PERIOD`` orders at a time. All orders of a pattern being equally wide, the place
of each in the file follows from counting. A formula holds all it needs: the file stays the same whatever becomes of
the store.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import msgspec

from devstore import bulk_rows
from devstore.multitude import FIRST_NUMBER, OWN_IDS, PERIOD, UPDATED_AFTER, Identity, Series, with_identity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from devstore.faults_bulk import BulkFaults
    from devstore.graphql.context import Context
    from devstore.graphql.walker import Row, Selection
    from devstore.model import Order
    from devstore.multitude_search import Chosen

# Slots: what order `place` of a block puts where. Ids and numbers first, then times, then the ids of its lines.
ID, NUMBER, TRANSACTION, SHIPPING, PLACED, UPDATED = (kind * PERIOD for kind in range(6))
LINES = 6 * PERIOD
MARK = 9_100_000_000_000_000  # stands for slot 0, the next number for slot 1 …
PLACED_MARK, UPDATED_MARK = datetime(9001, 1, 1, tzinfo=UTC), datetime(9002, 1, 1, tzinfo=UTC)
MARKS = re.compile(
    rb"(?<!\d)(?:91(?P<number>\d{14})(?!\d)|(?P<year>900[12])-01-01T00:(?P<minute>\d\d):(?P<second>\d\d)Z)"
)
DAY = 86_400
DAYS_REMEMBERED = 4096


class NoRangeError(Exception):
    """A search whose orders are no range of generated orders."""


class Template(msgspec.Struct, frozen=True, dict=True):
    """The lines of some orders of a block, with ``%d`` and ``%b`` where ``slots`` go; ``roots`` orders, ``lines``."""

    text: bytes
    slots: list[int]
    roots: int
    lines: int

    @cached_property
    def fill(self) -> Any:  # noqa: ANN401 (operator.itemgetter, or what stands for it where there is one slot)
        """Return the function that picks a block's values in the order they stand in the text."""
        if len(self.slots) > 1:
            return itemgetter(*self.slots)
        return lambda values: tuple(values[slot] for slot in self.slots)


class Part(msgspec.Struct, frozen=True):
    """So many blocks in a row of one template; each is ``size`` bytes."""

    template: Template
    first: int
    blocks: int
    size: int

    @property
    def lines(self) -> int:
        """How many lines there are in it."""
        return self.blocks * self.template.lines


class Formula(msgspec.Struct, frozen=True):
    """The lines of a range of orders; ``limit`` is where the file was cut off, in bytes."""

    series: Series
    parts: list[Part]
    limit: int | None = None

    @property
    def orders(self) -> int:
        """How many orders there are, cut off or not."""
        return sum(part.blocks * part.template.roots for part in self.parts)

    @property
    def lines(self) -> int:
        """How many lines there are, cut off or not."""
        return sum(part.lines for part in self.parts)

    @property
    def size(self) -> int:
        """How many bytes there are."""
        whole = sum(part.blocks * part.size for part in self.parts)
        return whole if self.limit is None else min(whole, self.limit)

    def cut(self, lines: int, *, torn: bool = False) -> Formula:
        """Return the first ``lines`` lines; of the last one only half when ``torn``."""
        at, left = 0, lines
        for part in self.parts:
            if left <= part.lines:
                break
            at, left = at + part.blocks * part.size, left - part.lines
        else:
            return self
        whole, rest = divmod(left, part.template.lines)
        ends = _line_ends(self._block(part.template, part.first + whole))
        end = ends[rest - 1] if rest else 0
        half = (end - (ends[rest - 2] if rest > 1 else 0)) // 2 if torn and rest else 0
        return msgspec.structs.replace(self, limit=at + whole * part.size + end - half)

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the bytes from ``start`` to before ``stop``, a block at a time."""
        at = 0
        for part in self.parts:
            length = part.blocks * part.size
            for block in range(max(start - at, 0) // part.size, part.blocks if at < stop else 0):
                begin = at + block * part.size
                if begin >= stop:
                    return
                yield self._block(part.template, part.first + block)[max(start - begin, 0) : stop - begin]
            at += length

    def _block(self, template: Template, block: int) -> bytes:
        filled: bytes = template.text % template.fill(self._values(block * PERIOD))
        return filled

    def _values(self, index: int) -> list[int | bytes]:
        """Return what fills the slots for the orders from ``index`` on."""
        series, number = self.series, self.series.first_id + index
        line = series.first_line_id(index)
        seconds = [series.placed(order) for order in range(index, index + PERIOD)]
        return [
            *range(number, number + PERIOD),
            *range(FIRST_NUMBER + index, FIRST_NUMBER + index + PERIOD),
            *range(number + series.orders, number + series.orders + PERIOD),
            *range(number + (OWN_IDS - 1) * series.orders, number + (OWN_IDS - 1) * series.orders + PERIOD),
            *map(_written, seconds),
            *(_written(second + UPDATED_AFTER) for second in seconds),
            *range(line, line + PERIOD * series.lines),
        ]


def formula(chosen: Chosen, nodes: Selection, context: Context, faults: BulkFaults, *, grouped: bool) -> Formula:
    """Return the formula of the orders a search found, as a query selects them.

    Raises ``NoRangeError``.
    """
    if not isinstance(chosen.indexes, range):
        raise NoRangeError
    families = [
        bulk_rows.family(nodes, _marked(pattern, place, len(pattern.lines)), context)
        for place, pattern in enumerate(chosen.multitude.patterns)
    ]
    empty = Formula(chosen.multitude.series, [])
    parts = [
        _part(empty, _template([families[place] for place in places], faults, grouped=grouped), first, blocks)
        for places, first, blocks in _blocks(chosen.indexes, chosen.patterns)
        if places and blocks
    ]
    return msgspec.structs.replace(empty, parts=parts)


def _part(empty: Formula, template: Template, first: int, blocks: int) -> Part:
    return Part(template, first, blocks, len(empty._block(template, first)))  # noqa: SLF001 (a formula's own module)


def _blocks(indexes: range, patterns: frozenset[int]) -> Iterator[tuple[list[int], int, int]]:
    """Cut a range of orders into (places in the block, first block, blocks): its beginning, whole blocks, the rest."""
    start, stop = indexes.start, indexes.stop
    first, last = -(-start // PERIOD), stop // PERIOD
    if first > last:
        yield [place for place in range(start % PERIOD, stop % PERIOD) if place in patterns], last, 1
        return
    yield [place for place in range(start % PERIOD or PERIOD, PERIOD) if place in patterns], first - 1, 1
    yield sorted(patterns), first, last - first
    yield [place for place in range(stop % PERIOD) if place in patterns], last, 1


def _marked(pattern: Order, place: int, lines: int) -> Order:
    """Return a pattern with the marks of its slots for what is its own."""
    numbers = [MARK + kind + place for kind in (ID, NUMBER, TRANSACTION, SHIPPING)]
    times = [mark + timedelta(seconds=place) for mark in (PLACED_MARK, UPDATED_MARK)]
    line_ids = [MARK + LINES + place * lines + line for line in range(lines)]
    return with_identity(pattern, Identity._make([*numbers, *times, line_ids]))


def _template(families: list[list[Row]], faults: BulkFaults, *, grouped: bool) -> Template:
    encode = msgspec.json.Encoder().encode
    rows = [row for group in bulk_rows.ordered(families, faults, grouped=grouped) for row in group]
    slots: list[int] = []

    def directive(mark: re.Match[bytes]) -> bytes:
        if mark["number"]:
            slots.append(int(mark["number"]))
            return b"%d"
        slots.append((PLACED if mark["year"] == b"9001" else UPDATED) + int(mark["minute"]) * 60 + int(mark["second"]))
        return b"%b"

    text = b"".join(encode(row) + b"\n" for row in rows).replace(b"%", b"%%")
    return Template(MARKS.sub(directive, text), slots, len(families), len(rows))


def _line_ends(block: bytes) -> Sequence[int]:
    return [match.end() for match in re.finditer(rb"\n", block)]


def _written(second: int) -> bytes:
    """Write a time as ``2026-11-22T10:00:00Z``."""
    day, rest = divmod(second, DAY)
    minutes, seconds = divmod(rest, 60)
    return _day(day) + _minute(minutes) + SECONDS[seconds]


@lru_cache(DAYS_REMEMBERED)
def _day(day: int) -> bytes:
    return datetime.fromtimestamp(day * DAY, UTC).strftime("%Y-%m-%dT").encode()


@lru_cache(DAY // 60)
def _minute(minute: int) -> bytes:
    return b"%02d:%02d:" % divmod(minute, 60)


SECONDS = [b"%02dZ" % second for second in range(60)]
