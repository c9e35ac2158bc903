"""When is a cart or a checkout abandoned, and when recovered? Decided here, in Python and, by the same rule, in SQL.

A basket is seen at the moments its bodies name, whichever arrives first and however often: the moments are a set, so
no order of arrival, no repetition and no late clock changes what follows from them. At a moment something is at stake
(a cart had lines, a checkout's customer had left an address) or nothing is.

1. A basket that something was at stake in, and that was not seen again within the cut-off, is abandoned at that
   moment plus the cut-off, whenever anybody looks: the time of looking decides only about a basket nothing came of
   yet. Being seen again ends it; it may be abandoned again, which moves ``abandoned_at`` and makes no second one.
2. It ends with its order, with what it goes on to (a cart with its checkout, a checkout with its completion) or with
   its deletion; nothing is abandoned after that.
3. It is recovered when an order carries its token and it had been abandoned before: ``recovered_at`` is the time of
   the first such order. Customers come back to what they abandoned before they buy it, so an abandonment that was
   ended by a visit counts.
"""

# ruff: noqa: S608 - names of tables and columns come from the constants of this module; values are bound

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from sqlalchemy.orm import Session

from shopify_app.database import clause

SHORTEST = timedelta(minutes=5)
LONGEST = timedelta(days=30)


class Sighting(NamedTuple):
    """A basket's key, and when it was seen (None: the body does not say), with something at stake or without."""

    key: str
    at: datetime | str | None
    at_stake: bool


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known of a basket. ``at_stake`` is whether there is anything to abandon in it as it is now."""

    seen: frozenset[datetime] = frozenset()
    seen_bare: frozenset[datetime] = frozenset()
    at_stake: bool = True
    went_on_at: datetime | None = None
    ordered_at: datetime | None = None
    deleted_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Fate:
    """What follows. ``idle_since`` is set while the basket waits to be abandoned, ``abandoned`` while it is."""

    idle_since: datetime | None
    abandoned: bool
    abandoned_at: datetime | None
    recovered_at: datetime | None


@dataclass(frozen=True)
class Kind:
    """A table of baskets, by which column of orders they are found, and what their states are called.

    ``at_stake`` and ``went_on`` are SQL over ``held``: what ``Facts`` calls so.
    """

    table: str
    key: str
    order_key: str
    at_stake: str
    went_on: str
    waiting: str
    gone_on: str


@dataclass(frozen=True)
class Settled:
    """How many baskets changed their state, and the earliest moment at which one of those written is abandoned."""

    changed: int = 0
    due_at: datetime | None = None

    def __add__(self, other: Settled) -> Settled:
        """Return what both did."""
        return Settled(self.changed + other.changed, _earliest(self.due_at, other.due_at))


CARTS = Kind(
    "carts",
    "shopify_id",
    "cart_token",
    at_stake="coalesce(held.units, 0) > 0",
    went_on="""(SELECT min(coalesce(begun.created_at, begun.updated_at, begun.ingested_at)) FROM checkouts AS begun
                WHERE begun.tenant_id = :tenant AND begun.cart_token = held.shopify_id AND begun.deleted_at IS NULL)""",
    waiting="active",
    gone_on="checked_out",
)
CHECKOUTS = Kind(
    "checkouts",
    "token",
    "checkout_token",
    at_stake="true",
    went_on="held.completed_at",
    waiting="open",
    gone_on="completed",
)
KINDS = (CARTS, CHECKOUTS)


def decide(facts: Facts, cut_off: timedelta, now: datetime) -> Fate:
    """Return what follows from the facts; ``cut_off`` lies between ``SHORTEST`` and ``LONGEST``."""
    moments = sorted({(at, False) for at in facts.seen_bare} | {(at, True) for at in facts.seen})
    ended_at = _earliest(facts.went_on_at, facts.ordered_at, facts.deleted_at)
    last, at_stake = moments[-1] if moments else (None, False)
    waiting = last if at_stake and facts.at_stake and ended_at is None else None
    gaps = [(at, _earliest(then, ended_at)) for (at, staked), (then, _) in pairwise(moments) if staked]
    if last is not None and at_stake and facts.at_stake:
        gaps.append((last, ended_at))
    left = [at + cut_off for at, until in gaps if at + cut_off <= (until or now)]
    abandoned_at = max(left, default=None)
    return Fate(
        idle_since=waiting if waiting and waiting + cut_off > now else None,
        abandoned=waiting is not None and waiting + cut_off <= now,
        abandoned_at=abandoned_at,
        recovered_at=facts.ordered_at if abandoned_at else None,
    )


def settle(  # noqa: PLR0917 - who, which, when and what, in this order, as everywhere in ingest
    session: Session,
    tenant_id: int,
    kind: Kind,
    keys: Collection[str | None],
    now: datetime,
    told: Sequence[Sighting] = (),
) -> Settled:
    """Keep what was seen and write what follows for the baskets of these keys, by the tenant's cut-off.

    The keys of what is told are among them. A key of no basket we hold is passed over, and so is None.
    """
    asked = {key for key in keys if key is not None}
    if not asked:
        return Settled()
    values = {
        "tenant": tenant_id,
        "now": now,
        "asked": sorted(asked),
        "keys": [sighting.key for sighting in told],
        "instants": [sighting.at for sighting in told],
        "stakes": [sighting.at_stake for sighting in told],
    }
    settled = Settled()
    for changed, due_at in session.execute(clause(_SETTLE[kind.table]), values):
        settled += Settled(int(changed), due_at)
    return settled


def _earliest(*moments: datetime | None) -> datetime | None:
    return min((moment for moment in moments if moment is not None), default=None)


def _settle_sql(kind: Kind) -> str:
    """Return ``decide`` as one statement over many baskets.

    Of the moments within five minutes, which no cut-off is shorter than, the first and the last are kept: no gap that
    counts lies between them, and a cart that is changed all day stays small.
    """
    return f"""
    WITH told AS (
        SELECT * FROM unnest(CAST(:keys AS text[]), CAST(:instants AS timestamptz[]), CAST(:stakes AS boolean[]))
                   AS told (key, at, at_stake)
    ), asked AS MATERIALIZED (
        SELECT held.{kind.key} AS key, held.seen_at, held.seen_bare_at, held.ingested_at, held.status,
               held.deleted_at, {kind.at_stake} AS at_stake, {kind.went_on} AS went_on_at,
               (SELECT min(coalesce(o.processed_at, o.created_at, o.ingested_at)) FROM orders AS o
                WHERE o.tenant_id = :tenant AND o.{kind.order_key} = held.{kind.key} AND o.deleted_at IS NULL)
                 AS ordered_at,
               store.abandonment_minutes AS minutes, make_interval(mins => store.abandonment_minutes) AS cut_off
        FROM {kind.table} AS held JOIN tenants AS store ON store.id = :tenant
        WHERE held.tenant_id = :tenant AND held.{kind.key} = ANY (CAST(:asked AS text[]))
        ORDER BY held.{kind.key} FOR UPDATE OF held
    ), moments AS (
        SELECT key, at, true AS staked FROM asked CROSS JOIN unnest(seen_at) AS at
        UNION SELECT key, at, false FROM asked CROSS JOIN unnest(seen_bare_at) AS at
        UNION SELECT key, coalesce(told.at, asked.ingested_at), told.at_stake FROM told JOIN asked USING (key)
    ), binned AS (
        SELECT key, at, staked, min(at) OVER bin AS first_at, max(at) OVER bin AS last_at FROM moments
        WINDOW bin AS (PARTITION BY key, staked, date_bin('5 minutes', at, TIMESTAMPTZ '2000-01-01 00:00:00Z'))
    ), kept AS (
        SELECT key, at, staked, lead(at) OVER (PARTITION BY key ORDER BY at, staked) AS next_at
        FROM binned WHERE at IN (first_at, last_at)
    ), ends AS (
        SELECT *, least(went_on_at, ordered_at, deleted_at) AS ended_at FROM asked
    ), gaps AS (
        SELECT ends.key, coalesce(array_agg(at ORDER BY at) FILTER (WHERE staked), '{{}}') AS seen_at,
               coalesce(array_agg(at ORDER BY at) FILTER (WHERE NOT staked), '{{}}') AS seen_bare_at,
               max(at + cut_off) FILTER (WHERE staked AND (next_at IS NOT NULL OR at_stake)
                                           AND at + cut_off <= coalesce(least(next_at, ended_at), :now))
                 AS abandoned_at,
               max(at) FILTER (WHERE staked AND at_stake AND next_at IS NULL AND ended_at IS NULL) AS waiting_since
        FROM ends LEFT JOIN kept ON kept.key = ends.key GROUP BY ends.key
    ), fates AS (
        SELECT key, gaps.seen_at, gaps.seen_bare_at, ordered_at, abandoned_at, minutes, cut_off,
               status AS before, CASE WHEN abandoned_at IS NOT NULL THEN ordered_at END AS recovered_at,
               CASE WHEN waiting_since + cut_off > :now THEN waiting_since END AS idle_since,
               CASE WHEN ordered_at IS NOT NULL THEN 'completed' WHEN went_on_at IS NOT NULL THEN '{kind.gone_on}'
                    WHEN waiting_since + cut_off <= :now THEN 'abandoned' ELSE '{kind.waiting}' END AS status
        FROM gaps JOIN ends USING (key)
    )
    UPDATE {kind.table} AS held
    SET seen_at = fate.seen_at, seen_bare_at = fate.seen_bare_at, ordered_at = fate.ordered_at, status = fate.status,
        idle_since = fate.idle_since, abandoned_at = fate.abandoned_at, recovered_at = fate.recovered_at,
        judged_by = fate.minutes
    FROM fates AS fate
    WHERE held.tenant_id = :tenant AND held.{kind.key} = fate.key
      AND ROW(held.seen_at, held.seen_bare_at, held.ordered_at, held.status, held.idle_since, held.abandoned_at,
              held.recovered_at, held.judged_by)
          IS DISTINCT FROM
          ROW(fate.seen_at, fate.seen_bare_at, fate.ordered_at, fate.status, fate.idle_since, fate.abandoned_at,
              fate.recovered_at, fate.minutes)
    RETURNING fate.before <> held.status AS changed, held.idle_since + fate.cut_off AS due_at
    """


_SETTLE = {kind.table: _settle_sql(kind) for kind in KINDS}
