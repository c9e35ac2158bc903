"""The scalars of Shopify's JSON, typed so that a wrong one is refused by the decoder and named by its path."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, TypeVar

from msgspec import Meta, Struct

Item = TypeVar("Item")

MAX_ID = 2**63 - 1
MAX_AMOUNT = 10**15
# What is added up or multiplied is held smaller, so that ten thousand of them still fit a column of amounts.
MAX_SHARE = 10**14
MAX_ITEMS = 10_000
MAX_QUANTITY = 10**8
# PostgreSQL and Python's calendar both end beyond these years, in every time zone.
FIRST_YEAR, LAST_YEAR = 1800, 2199
FARTHEST_OFFSET = timedelta(hours=15)  # PostgreSQL reads no farther one than 15:59:59; no place on earth has one

ShopifyId = Annotated[int, Meta(ge=0, le=MAX_ID)]
# Amounts stay the text they came as, for PostgreSQL to read; some of Shopify's samples hold bare numbers.
Amount = (
    Annotated[str, Meta(pattern=r"^-?[0-9]{1,18}(\.[0-9]{1,12})?\Z")]
    | Annotated[int, Meta(ge=-MAX_AMOUNT, le=MAX_AMOUNT)]
    | Annotated[float, Meta(ge=-MAX_AMOUNT, le=MAX_AMOUNT)]
)
Share = (
    Annotated[str, Meta(pattern=r"^-?[0-9]{1,14}(\.[0-9]{1,12})?\Z")]
    | Annotated[int, Meta(gt=-MAX_SHARE, lt=MAX_SHARE)]
    | Annotated[float, Meta(gt=-MAX_SHARE, lt=MAX_SHARE)]
)
_NOTHING = frozenset({"0", "0.0", "0.00"})
Instant = Annotated[datetime, Meta(tz=True)]
Count = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
Quantity = Annotated[int, Meta(ge=-MAX_QUANTITY, le=MAX_QUANTITY)]
Stock = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
# A global id, up to a number that a bigint holds.
Gid = Annotated[str, Meta(pattern=r"/0*([0-9]{1,18}|[1-8][0-9]{18})(\?[^/]*)?\Z", max_length=500)]
# Text that is a key or is looked up by: PostgreSQL has no NUL, and an index no entry over 2,704 bytes.
Token = Annotated[str, Meta(min_length=1, max_length=500, pattern=r"^[^\0]*\Z")]
Plain = Annotated[str, Meta(pattern=r"^[^\0]*\Z")]


class OutOfRange(ValueError):
    """A value has the right type and cannot be true; ``field`` is its place below the body that holds it."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field


class Dated(Struct):
    """A body whose fields called ``*_at`` are times that can be kept; raises OutOfRange for another one.

    Year 1 or an offset of 23 hours is a well-formed time and none that PostgreSQL or a page could read back.
    """

    def __post_init__(self) -> None:
        for name, written in _times(type(self)):
            moment = getattr(self, name)
            if moment is not None and not keepable(moment):
                raise OutOfRange(written, f"Expected a time of the years {FIRST_YEAR} to {LAST_YEAR}")


@functools.cache
def _times(shape: type[Struct]) -> tuple[tuple[str, str], ...]:
    """Return the fields that are times, each with its name in JSON."""
    names = zip(shape.__struct_fields__, shape.__struct_encode_fields__, strict=True)
    return tuple(pair for pair in names if pair[0].endswith("_at"))


def keepable(moment: datetime) -> bool:
    """Tell whether PostgreSQL can keep a time and give it back, and a page can show it in any time zone."""
    offset = moment.utcoffset()
    return FIRST_YEAR <= moment.year <= LAST_YEAR and offset is not None and abs(offset) <= FARTHEST_OFFSET


def check_price(price: Amount | None, quantity: int | None) -> None:
    """Raise OutOfRange where ``quantity`` units at ``price`` come to more than an amount can be."""
    if price is not None and quantity is not None and abs(Decimal(str(price)) * quantity) >= MAX_SHARE:
        raise OutOfRange("price", f"Expected less than {MAX_SHARE} for {quantity} units")


def number_of(gid: str) -> int:
    """Return the number at the end of a global id, ``gid://shopify/Order/1`` → 1; raises ValueError without one."""
    number = gid[gid.rfind("/") + 1 :]
    return int(number.partition("?")[0] if "?" in number else number)


def optional_number(gid: str | None) -> int | None:
    """Return the number of a global id, or None without an id."""
    return None if gid is None else number_of(gid)


def instant(at: datetime) -> str:
    """Return a time as Shopify's search reads it; it knows whole seconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def present(items: Iterable[Item | None] | None) -> Iterator[Item]:
    """Yield the items of a list that may be null and may hold nulls."""
    return (item for item in items or () if item is not None)


def added(amounts: Iterable[Amount | None]) -> str:
    """Return the sum of amounts as text, exactly; nulls count as nothing."""
    found = [amount for amount in amounts if amount is not None and amount not in _NOTHING]
    if len(found) < 2:  # noqa: PLR2004 - nearly always there is nothing to add
        return str(found[0]) if found else "0"
    return str(sum(map(Decimal, map(str, found)), Decimal(0)))
