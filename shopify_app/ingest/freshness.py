"""Is what arrives newer than what is held? Decided here and nowhere else, in Python and, by the same rank, in SQL.

Versions are ranked by four things, the first that differs deciding:

1. ``updated_at``, Shopify's own time of the entity; unknown ranks before every time;
2. the source: at the same ``updated_at`` a webhook ranks before nothing and over a bulk line, which is a snapshot
   that may have been taken before the webhook's event in the same second;
3. ``triggered_at``, the time of the webhook's event;
4. the backfill's number: what a later backfill says is newer. Where it says the same the row is left as it is.

Only a strictly higher rank is newer, so the same delivery or line twice changes nothing, and every order of arrival
ends in the same state. A deletion ranks over everything, and nothing is newer than a deletion: Shopify never uses an
id again. ``updated_at`` and ``triggered_at`` together are what Shopify's webhook guide says to order events by.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple, TypeVar

Key = TypeVar("Key")
Entity = TypeVar("Entity")

# The `backfill_id` of a row that stands for an entity nobody has told us anything about. No backfill has this number,
# and as it is not null the row ranks below the first webhook, even one without any time.
PLACEHOLDER = 0

_BEFORE_ALL = datetime.min.replace(tzinfo=UTC)


class Version(NamedTuple):
    """What decides freshness. Times of bulk lines stay the text they came as until two versions have to be compared."""

    updated_at: datetime | str | None = None
    triggered_at: datetime | None = None
    deleted_at: datetime | None = None
    backfill_id: int | None = None


def is_newer(incoming: Version, held: Version | None) -> bool:
    """Tell whether ``incoming`` replaces ``held`` (None: nothing is held)."""
    if held is None:
        return True
    if held.deleted_at is not None:
        return False
    return incoming.deleted_at is not None or _rank(incoming) > _rank(held)


def newest(entities: Iterable[tuple[Key, Version, Entity]]) -> dict[Key, tuple[Version, Entity]]:
    """Return the newest version of each entity, by key. Of two equal ones the later in the batch is kept."""
    found: dict[Key, tuple[Version, Entity]] = {}
    for key, version, entity in entities:
        held = found.get(key)
        if held is None or not is_newer(held[0], version):
            found[key] = (version, entity)
    return found


def newer_sql(incoming: str, held: str) -> str:
    """Return ``is_newer`` as SQL over two table aliases that have the version columns."""
    return (
        f"({held}.deleted_at IS NULL AND"
        f" ({incoming}.deleted_at IS NOT NULL OR {_rank_sql(incoming)} > {_rank_sql(held)}))"
    )


def current_sql(incoming: str, held: str) -> str:
    """Return SQL that is true where ``held`` holds what ``incoming`` says, or could: it lives and is not newer."""
    return f"({held}.deleted_at IS NULL AND {_rank_sql(incoming)} >= {_rank_sql(held)})"


def _rank(version: Version) -> tuple[datetime, bool, datetime, int]:
    updated_at = version.updated_at
    if isinstance(updated_at, str):
        updated_at = datetime.fromisoformat(updated_at)
    return (
        updated_at or _BEFORE_ALL,
        version.backfill_id is None,
        version.triggered_at or _BEFORE_ALL,
        version.backfill_id or 0,
    )


def _rank_sql(alias: str) -> str:
    return (
        f"ROW(coalesce({alias}.updated_at, '-infinity'), {alias}.backfill_id IS NULL,"
        f" coalesce({alias}.triggered_at, '-infinity'), coalesce({alias}.backfill_id, 0))"
    )
