"""Totals per day of the shop's calendar, kept from the ledger: days are marked dirty, and refreshed a little later."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shopify_app.models import DirtyDay, RollupState, Tenant
from shopify_app.statements import column, put_off, run


@dataclass(frozen=True)
class Freshness:
    """``version`` rises with every refresh, zero before the first; ``waiting`` counts days still to be refreshed."""

    version: int
    refreshed_at: datetime | None
    waiting: int


def mark(session: Session, tenant_id: int, days: Iterable[date]) -> None:
    """Mark days whose totals no longer follow from the ledger.

    A day that is marked already is written all the same: its row stays locked until the caller commits, so that no
    refresh takes the mark away before it can see what the caller wrote.
    """
    wanted = sorted(set(days))
    if wanted:
        put_off(session, _MARK, {"tenant": tenant_id, "days": wanted})


def refresh(session: Session, tenant: Tenant, now: datetime, days: Collection[date] = ()) -> int:
    """Compute the dirty days anew, and ``days``, which need not be marked: what made them dirty commits with this.

    Returns how many there were. One refresh of a tenant runs at a time.
    """
    _enter(session, tenant.id, now)
    dirty = sorted({*column(session, _TAKE, {"tenant": tenant.id}), *days})
    if dirty:
        _compute(session, tenant, dirty, now)
    return len(dirty)


def rebuild(session: Session, tenant: Tenant, now: datetime) -> int:
    """Compute every day anew from the ledger, in the tenant's present time zone; returns how many there are."""
    _enter(session, tenant.id, now)
    values = {"tenant": tenant.id, "zone": tenant.time_zone}
    run(session, _MOVE, values)
    run(session, _TAKE, values)
    days = column(session, _ALL_DAYS, values)
    _compute(session, tenant, days, now)
    return len(days)


def state(session: Session) -> Freshness:
    """Return how fresh the totals of the transaction's tenant are."""
    waiting = select(func.count()).select_from(DirtyDay).scalar_subquery()
    row = session.execute(select(RollupState.version, RollupState.refreshed_at, waiting)).one_or_none()
    if row is None or not row.version:
        return Freshness(0, None, session.execute(select(waiting)).scalar_one())
    return Freshness(row.version, row.refreshed_at, row[2])


def _enter(session: Session, tenant_id: int, now: datetime) -> None:
    """Wait for the tenant's other refreshes to end."""
    put_off(session, _LOCK_STATE, {"tenant": tenant_id, "now": now})


def _compute(session: Session, tenant: Tenant, days: list[date], now: datetime) -> None:
    values = {"tenant": tenant.id, "zone": tenant.time_zone, "days": days, "now": now}
    put_off(session, _COMPUTE, values)


_MARK = """
    INSERT INTO dirty_days (tenant_id, day_on)
    SELECT CAST(:tenant AS bigint), day FROM unnest(CAST(:days AS date[])) AS day ORDER BY day
    ON CONFLICT (tenant_id, day_on) DO UPDATE SET marked_at = now()
"""
_LOCK_STATE = """
    INSERT INTO rollup_states (tenant_id, version, refreshed_at) VALUES (:tenant, 0, :now)
    ON CONFLICT (tenant_id) DO UPDATE SET version = rollup_states.version
"""
# Rows are locked in the order in which `mark` locks them.
_TAKE = """
    WITH taken AS MATERIALIZED (
        SELECT day_on FROM dirty_days WHERE tenant_id = :tenant ORDER BY day_on FOR UPDATE
    )
    DELETE FROM dirty_days USING taken
    WHERE dirty_days.tenant_id = :tenant AND dirty_days.day_on = taken.day_on
    RETURNING dirty_days.day_on
"""
_MOVE = """
    UPDATE sales SET day_on = CAST(happened_at AT TIME ZONE :zone AS date)
    WHERE tenant_id = :tenant AND day_on <> CAST(happened_at AT TIME ZONE :zone AS date)
"""
_ALL_DAYS = """
    SELECT day_on FROM sales WHERE tenant_id = :tenant
    UNION SELECT day_on FROM day_totals WHERE tenant_id = :tenant
    UNION SELECT CAST(processed_at AT TIME ZONE :zone AS date) FROM orders
          WHERE tenant_id = :tenant AND processed_at IS NOT NULL AND NOT test AND deleted_at IS NULL
"""
# A day with neither a sale nor an order keeps no row: readers fill it with zeros. A day's sales and orders are looked
# up by the day: a join would read all there are while a history is loaded, when PostgreSQL cannot know better.
_COMPUTE = """
    WITH sold AS (
        SELECT sums.* FROM unnest(CAST(:days AS date[])) AS day CROSS JOIN LATERAL (
            SELECT day AS day_on, sum(quantity) FILTER (WHERE kind = 'order') AS units,
                   sum(gross) AS gross, sum(discounts) AS discounts, sum(returns) AS returns,
                   sum(shipping) AS shipping, sum(taxes) AS taxes,
                   sum(gross) FILTER (WHERE kind = 'order') AS ordered_gross,
                   sum(discounts) FILTER (WHERE kind = 'order') AS ordered_discounts
            FROM sales WHERE tenant_id = :tenant AND day_on = day HAVING count(*) > 0
        ) AS sums
    ), placed AS (
        SELECT day AS day_on, orders FROM unnest(CAST(:days AS date[])) AS day CROSS JOIN LATERAL (
            SELECT count(*) AS orders FROM orders
            WHERE tenant_id = :tenant AND NOT test AND deleted_at IS NULL
              AND processed_at >= CAST(day AS timestamp) AT TIME ZONE :zone
              AND processed_at < CAST(day + 1 AS timestamp) AT TIME ZONE :zone
            HAVING count(*) > 0
        ) AS counted
    ), totals AS (
        SELECT day_on, coalesce(orders, 0) AS orders, coalesce(units, 0) AS units, coalesce(gross, 0) AS gross,
               coalesce(discounts, 0) AS discounts, coalesce(returns, 0) AS returns,
               coalesce(shipping, 0) AS shipping, coalesce(taxes, 0) AS taxes,
               coalesce(ordered_gross, 0) AS ordered_gross, coalesce(ordered_discounts, 0) AS ordered_discounts
        FROM sold FULL JOIN placed USING (day_on)
    ), counted AS (
        UPDATE rollup_states SET version = version + 1, refreshed_at = :now WHERE tenant_id = :tenant
    ), forgotten AS (
        DELETE FROM day_totals AS held WHERE tenant_id = :tenant AND day_on = ANY (:days)
           AND NOT EXISTS (SELECT FROM totals WHERE totals.day_on = held.day_on)
    )
    INSERT INTO day_totals (tenant_id, day_on, orders, units, gross, discounts, returns, shipping, taxes,
                            ordered_gross, ordered_discounts)
    SELECT CAST(:tenant AS bigint), day_on, orders, units, gross, discounts, returns, shipping, taxes,
           ordered_gross, ordered_discounts
    FROM totals ORDER BY day_on
    ON CONFLICT (tenant_id, day_on) DO UPDATE
    SET orders = excluded.orders, units = excluded.units, gross = excluded.gross, discounts = excluded.discounts,
        returns = excluded.returns, shipping = excluded.shipping, taxes = excluded.taxes,
        ordered_gross = excluded.ordered_gross, ordered_discounts = excluded.ordered_discounts
"""
