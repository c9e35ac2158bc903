"""Rows into tables, a batch at a time: COPY into a temporary table, then one guarded upsert.

A table under row-level security refuses COPY, a temporary table does not; it takes its types from the real one, so
PostgreSQL parses amounts and times itself. Unchanged rows are kept out of the upsert: they cost no write-ahead log.
"""

# ruff: noqa: S608 - names of tables and columns come from Target constants; values are copied or bound

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, cast

import msgspec
import psycopg
from psycopg import sql
from sqlalchemy import text
from sqlalchemy.orm import Session

from shopify_app.ingest.freshness import current_sql, newer_sql

Row = Sequence[Any]

VERSION_COLUMNS = ("created_at", "updated_at", "triggered_at", "deleted_at", "backfill_id")
# Columns that tell about the telling: a row that differs in nothing else is not written again.
_BOOKKEEPING = frozenset(
    {"triggered_at", "lines_read_at", "tags_at", "email_consent_at", "sms_consent_at", "purchases_at"}
)
_SPECIAL = re.compile(r"[\\\t\n\r\0]").search
_JSON_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")
# PostgreSQL's text knows no NUL; JSON does. It becomes the character that stands for one that could not be shown.
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\N{REPLACEMENT CHARACTER}"})


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
    merges: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def all_columns(self) -> tuple[str, ...]:
        """Every column of an incoming row, in order."""
        return self.key + (VERSION_COLUMNS if self.versioned else ()) + self.columns

    @property
    def staged(self) -> str:
        """The name of the temporary table."""
        return f"incoming_{self.table}"

    def value(self, column: str) -> str:
        """Return the SQL of a column's new value."""
        return self.merges.get(column, f"excluded.{column}")


def array(items: Iterable[str | None] | None) -> str | None:
    """Return a text[] literal; nulls among the items are dropped."""
    if items is None:
        return None
    quoted = ('"' + item.replace("\\", "\\\\").replace('"', '\\"') + '"' for item in items if item is not None)
    return "{" + ",".join(quoted) + "}"


def json(value: object) -> str:
    """Return a jsonb literal. JSON's own escape of NUL, which jsonb refuses, becomes a replacement character."""
    return _JSON_NUL.sub("\\1\N{REPLACEMENT CHARACTER}", msgspec.json.encode(value).decode())


def stage(session: Session, target: Target, rows: Iterable[Row]) -> None:
    """Create the target's temporary table, empty, and copy ``rows`` into it."""
    columns = ", ".join(target.all_columns)
    session.execute(text(f"DROP TABLE IF EXISTS pg_temp.{target.staged}"))
    empty = f"SELECT {columns} FROM {target.table} WITH NO DATA"
    session.execute(text(f"CREATE TEMPORARY TABLE {target.staged} ON COMMIT DROP AS {empty}"))
    lines = "".join([_line(row) for row in rows])
    driver = cast("psycopg.Connection[Any]", session.connection().connection.driver_connection)
    statement = sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(target.staged))
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(lines)


def merge(session: Session, tenant_id: int, target: Target, now: datetime, *, joined: str = "") -> list[int | str]:
    """Upsert what was staged and return the first key column of every row that was written.

    ``joined`` is SQL after ``FROM … AS incoming``: a join that keeps rows out.
    """
    written = session.execute(text(_merge_sql(target, joined)), {"tenant": tenant_id, "now": now})
    return list(written.scalars())


def accepted(session: Session, tenant_id: int, target: Target) -> set[int | str]:
    """Return the keys of staged entities that are not older than what is now held, and lock those rows.

    Asked after the merge, it tells whose children may be written: those of a row that was written, and of one that
    said the same already.
    """
    key = target.key[0]
    statement = text(
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
    statement = text(f"""
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


def _merge_sql(target: Target, joined: str) -> str:
    columns = target.all_columns
    stamp = "ingested_at, " if target.versioned else ""
    updated = [column for column in columns if column not in target.key]
    changes = ", ".join(f"{column} = {target.value(column)}" for column in updated)
    if target.versioned:
        changes += ", ingested_at = excluded.ingested_at"
    return f"""
        INSERT INTO {target.table} AS held (tenant_id, {stamp}{", ".join(columns)})
        SELECT CAST(:tenant AS bigint), {"CAST(:now AS timestamptz), " if stamp else ""}{_list("incoming", columns)}
        FROM {target.staged} AS incoming {joined}
        ORDER BY {_list("incoming", target.key)}
        ON CONFLICT (tenant_id, {", ".join(target.key)}) DO UPDATE SET {changes}
        WHERE {_guard(target, updated)}
        RETURNING held.{target.key[0]}
    """


def _guard(target: Target, updated: Sequence[str]) -> str:
    telling = [column for column in updated if column not in _BOOKKEEPING]
    values = ", ".join(target.value(column) for column in telling)
    differs = f"ROW({_list('held', telling)}) IS DISTINCT FROM ROW({values})"
    return f"{newer_sql('excluded', 'held')} AND {differs}" if target.versioned else differs


def _list(alias: str, columns: Iterable[str]) -> str:
    return ", ".join(f"{alias}.{column}" for column in columns)


def _line(row: Row) -> str:
    return "\t".join([_field(value) for value in row]) + "\n"


def _field(value: object) -> str:
    """Return a value in COPY's text format; PostgreSQL reads ``True`` and an ISO time as they print."""
    if value is None:
        return "\\N"
    written = value if type(value) is str else str(value)
    return written.translate(_ESCAPES) if _SPECIAL(written) else written
