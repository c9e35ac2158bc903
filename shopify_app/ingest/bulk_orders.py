"""Lines of an orders export as COPY's text: of ten million nearly all are plain, and are not looked at one by one.

Of plain lines the amounts and times are looked at together, for characters that none of them has; what is wrong with
them otherwise PostgreSQL says when they are copied. Whatever is not plain is read again line by line (``lines``),
which names what it cannot read.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from types import MappingProxyType

import msgspec

from shopify_app.ingest import orders, refunds
from shopify_app.ingest.freshness import Version, newest
from shopify_app.ingest.lines import Read
from shopify_app.ingest.staging import Row, Target
from shopify_app.ingest.texts import copy_text, plain_text
from shopify_app.shopify import bulk_lines
from shopify_app.shopify.scalars import number_of

AT_ONCE = 1_000  # lines; so few bodies stay in the processor's cache
_ORDER = (b'{"id":"gid://shopify/Order/', b'{"id":"gid:\\/\\/shopify\\/Order\\/')
_LINE = (b'{"id":"gid://shopify/LineItem/', b'{"id":"gid:\\/\\/shopify\\/LineItem\\/')
_ORDERS = msgspec.json.Decoder(bulk_lines.plain(bulk_lines.Order))
_LINES = msgspec.json.Decoder(bulk_lines.plain(bulk_lines.Line))

# Columns of amounts and of times, and a character that neither has: "NaN" and "tomorrow" are something to PostgreSQL.
_CHECKS = MappingProxyType(
    {
        "orders": (
            (
                ("total_price", "subtotal_price", "total_discounts", "total_tax", "total_shipping",
                 "current_total_price", "presentment_total_price"),
                re.compile(r"[^-0-9.]").search,
            ),
            (
                ("created_at", "updated_at", "processed_at", "cancelled_at", "closed_at"),
                re.compile(r"[^-0-9T:.Z+]").search,
            ),
        ),
        "order_lines": ((("price", "discount", "tax"), re.compile(r"[^-0-9.]").search),),
    }
)  # fmt: skip


class _Unusual(Exception):
    """A line has to be read on its own."""


@dataclass(kw_only=True)
class OrderTexts:
    """An export's lines as rows of ``orders.FROM_BULK`` and of ``orders.LINES``, in COPY's text format.

    ``headers`` are rows of ``refunds.HEADERS``; ``detailed`` are orders that were refunded or edited.
    """

    orders: str = ""
    lines: str = ""
    count: int = 0
    headers: list[Row] = field(default_factory=list)
    detailed: set[int] = field(default_factory=set)

    def note(self, number: int, order: bulk_lines.Order) -> None:
        """Keep what an order says of refunds and edits."""
        if order.refunds or order.edited:
            self.detailed.add(number)
            self.headers += refunds.header_rows(number, order.refunds or ())


def read_closely(read: Read, backfill_id: int) -> OrderTexts:
    """Return the rows of lines that were read one by one: of each order the newest, of each line the last."""
    told = ((line.id, Version(line.updated_at, backfill_id=backfill_id), line) for line in read[bulk_lines.Order])
    bodies = {number_of(line.id): (version, line) for version, line in newest(told).values()}
    lines = {row[:2]: row for row in map(orders.bulk_line_row, read[bulk_lines.Line])}
    texts = OrderTexts(
        orders=copy_text(orders.bulk_row(line, version) for version, line in bodies.values()),
        lines=copy_text(lines.values()),
        count=len(bodies),
    )
    for number, (_, line) in bodies.items():
        texts.note(number, line)
    return texts


def read_plainly(lines: Sequence[bytes], backfill_id: int) -> OrderTexts | None:
    """Return the rows of plain lines that name nothing twice; None where there are others among them."""
    texts, keys = OrderTexts(), _Keys()
    try:
        for first in range(0, len(lines), AT_ONCE):
            _read_some(lines[first : first + AT_ONCE], backfill_id, texts, keys)
    except (_Unusual, msgspec.DecodeError, UnicodeDecodeError, ValueError):
        return None
    texts.count = len(keys.orders)
    return texts if keys.differ else None


@dataclass
class _Keys:
    """The numbers of orders, and those of lines with their orders'."""

    orders: list[int] = field(default_factory=list)
    lines: list[Row] = field(default_factory=list)

    @property
    def differ(self) -> bool:
        """Whether none comes twice."""
        return all(len(set(keys)) == len(keys) for keys in (self.orders, self.lines))


def _read_some(lines: Sequence[bytes], backfill_id: int, texts: OrderTexts, keys: _Keys) -> None:
    parents = [line for line in lines if line.startswith(_ORDER)]
    children = [line for line in lines if line.startswith(_LINE)]
    if len(parents) + len(children) < len(lines):
        raise _Unusual
    bodies = list(map(_ORDERS.decode, parents))
    rows = [orders.bulk_row(body, Version(body.updated_at, None, None, backfill_id)) for body in bodies]
    texts.orders += _text(orders.FROM_BULK, rows, parents)
    keys.orders += [row[0] for row in rows]
    for row, body in zip(rows, bodies, strict=True):
        texts.note(row[0], body)
    rows = list(map(orders.bulk_line_row, map(_LINES.decode, children)))
    texts.lines += _text(orders.LINES, rows, children)
    keys.lines += [row[:2] for row in rows]


def _text(target: Target, rows: list[Row], lines: Sequence[bytes]) -> str:
    """Return the rows as COPY's text, those of lines without an escape as they are: JSON has one where COPY has."""
    for columns, odd in _CHECKS[target.table]:
        fields = itertools.chain.from_iterable(map(_getter(target, columns), rows))
        if odd("".join([value for value in fields if value.__class__ is str])):
            raise _Unusual
    escaped = [row for row, line in zip(rows, lines, strict=True) if b"\\" in line]
    if not escaped:
        return plain_text(rows)
    return copy_text(escaped) + plain_text(row for row, line in zip(rows, lines, strict=True) if b"\\" not in line)


def _getter(target: Target, columns: Iterable[str]) -> itemgetter[tuple[object, ...]]:
    return itemgetter(*map(target.all_columns.index, columns))
