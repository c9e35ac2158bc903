"""The scalars of Shopify's JSON, typed so that a wrong one is refused by the decoder and named by its path."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Annotated, TypeVar

from msgspec import Meta

Item = TypeVar("Item")

MAX_ID = 2**63 - 1
MAX_AMOUNT = 10**15

ShopifyId = Annotated[int, Meta(ge=0, le=MAX_ID)]
# Amounts stay the text they came as, for PostgreSQL to read; some of Shopify's samples hold bare numbers.
Amount = (
    Annotated[str, Meta(pattern=r"^-?[0-9]{1,18}(\.[0-9]{1,12})?\Z")]
    | Annotated[int, Meta(ge=-MAX_AMOUNT, le=MAX_AMOUNT)]
    | Annotated[float, Meta(ge=-MAX_AMOUNT, le=MAX_AMOUNT)]
)
Instant = Annotated[datetime, Meta(tz=True)]
Count = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
Gid = Annotated[str, Meta(pattern=r"/[0-9]{1,19}(\?.*)?\Z")]


def number_of(gid: str) -> int:
    """Return the number at the end of a global id, ``gid://shopify/Order/1`` → 1; raises ValueError without one."""
    return int(gid.rpartition("/")[2].partition("?")[0])


def optional_number(gid: str | None) -> int | None:
    """Return the number of a global id, or None without an id."""
    return None if gid is None else number_of(gid)


def present(items: Iterable[Item | None] | None) -> Iterator[Item]:
    """Yield the items of a list that may be null and may hold nulls."""
    return (item for item in items or () if item is not None)


def added(amounts: Iterable[Amount | None]) -> str:
    """Return the sum of amounts as text, exactly; nulls count as nothing."""
    found = [str(amount) for amount in amounts if amount is not None]
    if len(found) == 1:
        return found[0]
    return str(sum(map(Decimal, found), Decimal(0)))
