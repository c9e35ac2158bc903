"""Rows into tables, a batch at a time: COPY into a temporary table, then one guarded upsert.

A table under row-level security refuses COPY, a temporary table does not; it takes its types from the real one, so
PostgreSQL parses amounts and times itself. Unchanged rows are kept out of the upsert: they cost no write-ahead log.
A temporary table lives as long as its connection and is emptied by every commit: made anew for each batch it would
cost a millisecond, the plans of the statements over it, and rows in the catalogue that vacuum has to clear away.
"""

# ruff: noqa: S608 - names of tables and columns come from Target constants; values are copied or bound

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any
from zlib import crc32

from sqlalchemy import Connection, Dialect, Engine, event
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from shopify_app.database import Model, clause
from shopify_app.ingest.freshness import PLACEHOLDER, current_sql, newer_sql
from shopify_app.ingest.texts import copy_text
from shopify_app.statements import column, copy, put_off, run

Row = Sequence[Any]

VERSION_COLUMNS = ("created_at", "updated_at", "triggered_at", "deleted_at", "backfill_id")
# Columns that tell about the telling: a row that differs in nothing else is not written again.
_BOOKKEEPING = frozenset(
    {"triggered_at", "lines_read_at", "tags_at", "email_consent_at", "sms_consent_at", "purchases_at"}
)
_FEW = 50_000  # characters of rows
_DIALECT: Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy left it out
# Which temporary tables a connection has, and into which of them a transaction has copied rows.
_MADE, _FILLED = "storelens.temporary_tables", "storelens.filled"


@dataclass(frozen=True)
class Target:
    """A table, the columns one source knows of it, and how they merge with what is held.

    ``key`` follows ``tenant_id`` in the primary key. A column of ``merges`` takes that SQL expression over ``held``
    and ``excluded`` instead of the incoming value. A ``versioned`` target is guarded by ``freshness``.
    """

    table: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    versioned: bool = False
    merges: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), hash=False)

    @functools.cached_property
    def all_columns(self) -> tuple[str, ...]:
        """Every column of an incoming row, in order."""
        return self.key + (VERSION_COLUMNS if self.versioned else ()) + self.columns

    @functools.cached_property
    def staged(self) -> str:
        """The name of the temporary table, which is another one for other columns."""
        return f"incoming_{self.table}_{crc32(','.join(self.all_columns).encode()):08x}"

    def value(self, column: str) -> str:
        """Return the SQL of a column's new value."""
        return self.merges.get(column, f"excluded.{column}")


def stage(session: Session, target: Target, rows: Iterable[Row]) -> None:
    """Copy ``rows`` into the target's temporary table, which holds nothing else then."""
    stage_text(session, target, copy_text(rows))


def stage_text(session: Session, target: Target, lines: str) -> None:
    """Put rows that are text already into the target's temporary table, which holds nothing else then.

    A few rows go along with the statement that needs them, where COPY would take two round trips of its own.
    """
    _make_room(session, target)
    if len(lines) <= _FEW and "\\" not in lines.replace("\\N", ""):
        put_off(session, _insert_sql(target), {"lines": lines.removesuffix("\n")})
    else:
        copy(session, target.staged, lines)


@functools.cache
def _insert_sql(target: Target) -> str:
    """Return SQL that does what COPY does, of text without escapes; the types are the real table's."""
    columns = Model.metadata.tables[target.table].columns
    types = [columns[name].type.compile(_DIALECT) for name in target.all_columns]
    fields = ", ".join(f"CAST(fields[{place}] AS {kind})" for place, kind in enumerate(types, start=1))
    # OFFSET keeps the planner from splitting the line anew for every field of it.
    return rf"""
        INSERT INTO {target.staged} ({", ".join(target.all_columns)}) SELECT {fields} FROM (
            SELECT string_to_array(line, E'\t', '\N') AS fields
            FROM string_to_table(CAST(:lines AS text), E'\n') AS line OFFSET 0
        ) AS split
    """


def _make_room(session: Session, target: Target) -> None:
    """Have the target's temporary table, empty."""
    made = session.connection().info.setdefault(_MADE, set())
    filled = session.info.setdefault(_FILLED, set())
    if target.staged not in made:
        # Typed by the real table: the columns of an empty SELECT.
        empty = f"SELECT {', '.join(target.all_columns)} FROM {target.table} WITH NO DATA"
        table = f"CREATE TEMPORARY TABLE IF NOT EXISTS {target.staged} ON COMMIT DELETE ROWS"
        session.execute(clause(f"{table} AS {empty}"))
        made.add(target.staged)
    elif target.staged in filled:
        put_off(session, f"DELETE FROM {target.staged}", {})
    filled.add(target.staged)


@event.listens_for(Engine, "rollback")
@event.listens_for(Engine, "rollback_savepoint")
def _forget_tables(connection: Connection, *_savepoint: object) -> None:
    """Take it that the temporary tables made by the transaction are gone with it; a lost connection took all along."""
    if not connection.invalidated:
        connection.info.pop(_MADE, None)


def merge(session: Session, tenant_id: int, target: Target, now: datetime) -> list[int | str]:
    """Upsert what was staged and return the first key column of every row that was written."""
    statement = f"{_merge_sql(target)} RETURNING held.{target.key[0]}"
    return column(session, statement, {"tenant": tenant_id, "now": now})


def put_off_merge(session: Session, tenant_id: int, target: Target, now: datetime) -> None:
    """Upsert what was staged along with the next statement; nobody asks what was written."""
    put_off(session, _merge_sql(target), {"tenant": tenant_id, "now": now})


def merge_marked(session: Session, tenant_id: int, target: Target, now: datetime) -> list[tuple[int | str, bool]]:
    """Upsert what was staged; return the first key column of every row that was written, and whether it is new."""
    # A row nobody had before has no earlier version to be locked or deleted by this transaction.
    statement = f"{_merge_sql(target)} RETURNING held.{target.key[0]}, held.xmax = 0"
    return [(key, new) for key, new in run(session, statement, {"tenant": tenant_id, "now": now})]


def merge_children(
    session: Session,
    tenant_id: int,
    target: Target,
    now: datetime,
    parent: str,
    *,
    where: str = "true",
    values: Mapping[str, int | str] = MappingProxyType({}),
) -> list[int]:
    """Upsert what was staged; return the parent, which the column ``parent`` names, of every row that was written.

    ``where`` is SQL over ``incoming`` that keeps rows out, with ``values`` for its parameters.
    """
    statement = f"""
        WITH written AS ({_merge_sql(target, where)} RETURNING held.{parent} AS parent)
        SELECT array_agg(parent) FROM written
    """
    (parents,) = column(session, statement, {"tenant": tenant_id, "now": now, **values})
    return parents or []


def insert_children(session: Session, tenant_id: int, target: Target, parent: str, new: str) -> int:
    """Insert the staged rows of parents that nobody had before, who can have none yet; returns how many those are.

    ``new`` is a bigint[] literal of what the column ``parent`` names.
    """
    statement = f"""
        WITH written AS (
            INSERT INTO {target.table} (tenant_id, {", ".join(target.all_columns)})
            SELECT CAST(:tenant AS bigint), {_list("incoming", target.all_columns)} FROM {target.staged} AS incoming
            JOIN unnest(CAST(:new AS bigint[])) AS fresh (number) ON fresh.number = incoming.{parent}
            ORDER BY {_list("incoming", target.key)}
            RETURNING 1
        ) SELECT count(*) FROM written
    """
    (count,) = column(session, statement, {"tenant": tenant_id, "new": new})
    return int(count)


def accepted(session: Session, tenant_id: int, target: Target) -> set[int | str]:
    """Return the keys of staged entities that are not older than what is now held, and lock those rows.

    Asked after the merge, it tells whose children may be written: those of a row that was written, and of one that
    said the same already.
    """
    key = target.key[0]
    statement = clause(
        f"SELECT held.{key} FROM {target.table} AS held JOIN {target.staged} AS incoming USING ({key})"
        f" WHERE held.tenant_id = :tenant AND {current_sql('incoming', 'held')}"
        f" ORDER BY held.{key} FOR UPDATE OF held"
    )
    return set(session.execute(statement, {"tenant": tenant_id}).scalars())


def put(session: Session, tenant_id: int, target: Target, rows: Iterable[Row], now: datetime) -> list[int | str]:
    """Stage and merge ``rows``; returns the first key column of every row that was written."""
    rows = list(rows)
    if not rows:
        return []
    stage(session, target, rows)
    return merge(session, tenant_id, target, now)


def bury(session: Session, tenant_id: int, target: Target, deleted: Mapping[int | str, datetime], now: datetime) -> int:
    """Mark entities as deleted, known or not, by key; returns how many were not marked before."""
    if not deleted:
        return 0
    key = target.key[0]
    kind = "text" if isinstance(next(iter(deleted)), str) else "bigint"
    statement = clause(f"""
        INSERT INTO {target.table} AS held (tenant_id, {key}, deleted_at, ingested_at)
        SELECT CAST(:tenant AS bigint), key, deleted_at, CAST(:now AS timestamptz)
        FROM unnest(CAST(:keys AS {kind}[]), CAST(:instants AS timestamptz[])) AS gone (key, deleted_at)
        ORDER BY key
        ON CONFLICT (tenant_id, {key}) DO UPDATE
        SET deleted_at = excluded.deleted_at, ingested_at = excluded.ingested_at
        WHERE held.deleted_at IS NULL
        RETURNING 1
    """)
    values = {"tenant": tenant_id, "now": now, "keys": list(deleted), "instants": list(deleted.values())}
    return len(session.execute(statement, values).all())


@functools.cache
def _merge_sql(target: Target, where: str = "true") -> str:
    columns = target.all_columns
    stamp = "ingested_at, " if target.versioned else ""
    updated = [column for column in columns if column not in target.key]
    changes = ", ".join(f"{column} = {target.value(column)}" for column in updated)
    if target.versioned:
        changes += ", ingested_at = excluded.ingested_at"
    return f"""
        INSERT INTO {target.table} AS held (tenant_id, {stamp}{", ".join(columns)})
        SELECT CAST(:tenant AS bigint), {"CAST(:now AS timestamptz), " if stamp else ""}{_list("incoming", columns)}
        FROM {target.staged} AS incoming WHERE {where}
        ORDER BY {_list("incoming", target.key)}
        ON CONFLICT (tenant_id, {", ".join(target.key)}) DO UPDATE SET {changes}
        WHERE {_guard(target, updated)}
    """


def _guard(target: Target, updated: Sequence[str]) -> str:
    telling = [column for column in updated if column not in _BOOKKEEPING]
    held = [_told(column, f"held.{column}") for column in telling]
    values = [_told(column, target.value(column)) for column in telling]
    differs = f"ROW({', '.join(held)}) IS DISTINCT FROM ROW({', '.join(values)})"
    return f"{newer_sql('excluded', 'held')} AND {differs}" if target.versioned else differs


def _told(column: str, value: str) -> str:
    """Return the SQL of what a column tells: of a backfill's number that there was one, and not which."""
    return f"{value} > {PLACEHOLDER}" if column == "backfill_id" else value


def _list(alias: str, columns: Iterable[str]) -> str:
    return ", ".join(f"{alias}.{column}" for column in columns)
