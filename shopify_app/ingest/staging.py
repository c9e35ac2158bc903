"""Rows into tables, a batch at a time: COPY into a temporary table, then one guarded upsert.

A table under row-level security refuses COPY, a temporary table does not; it takes its types from the real one, so
PostgreSQL parses amounts and times itself. Unchanged rows are kept out of the upsert: they cost no write-ahead log.
A temporary table lives as long as its connection and is emptied by every commit: made anew for each batch it would
cost a millisecond, the plans of the statements over it, and rows in the catalogue that vacuum has to clear away.
"""

# ruff: noqa: S608 - names of tables and columns come from Target constants; values are copied or bound

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any
from zlib import crc32

import msgspec
from sqlalchemy import Connection, Engine, event
from sqlalchemy.orm import Session

from shopify_app.database import clause
from shopify_app.ingest.freshness import current_sql, newer_sql
from shopify_app.statements import column, copy, run

Row = Sequence[Any]

VERSION_COLUMNS = ("created_at", "updated_at", "triggered_at", "deleted_at", "backfill_id")
# Columns that tell about the telling: a row that differs in nothing else is not written again.
_BOOKKEEPING = frozenset(
    {"triggered_at", "lines_read_at", "tags_at", "email_consent_at", "sms_consent_at", "purchases_at"}
)
_SPECIAL = re.compile(r"[\\\n\r]").search
_JSON_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")
# Which temporary tables a connection has, and into which of them a transaction has copied rows.
_MADE, _FILLED = "storelens.temporary_tables", "storelens.filled"
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


def numbers(ids: Iterable[int]) -> str:
    """Return a bigint[] literal: a list as a parameter would be converted number by number, at ten times the time."""
    return "{" + ",".join(map(str, ids)) + "}"


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
    """Copy ``rows`` into the target's temporary table, which holds nothing else then."""
    stage_text(session, target, copy_text(rows))


def copy_text(rows: Iterable[Row]) -> str:
    """Return rows in COPY's text format."""
    return "".join([_line(row) for row in rows])


def stage_text(session: Session, target: Target, lines: str) -> None:
    """Copy rows that are text already into the target's temporary table, which holds nothing else then."""
    _make_room(session, target)
    copy(session, target.staged, lines)


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
        run(session, f"DELETE FROM {target.staged}", {})
    filled.add(target.staged)


@event.listens_for(Engine, "rollback")
def _forget_tables(connection: Connection) -> None:
    """Take it that the temporary tables made by the transaction are gone with it; a lost connection took all along."""
    if not connection.invalidated:
        connection.info.pop(_MADE, None)


def merge(
    session: Session, tenant_id: int, target: Target, now: datetime, *, joined: str = "", **values: int
) -> list[int | str]:
    """Upsert what was staged and return the first key column of every row that was written.

    ``joined`` is SQL after ``FROM … AS incoming``: a join that keeps rows out, with ``values`` for its parameters.
    """
    statement = f"{_merge_sql(target, joined)} RETURNING held.{target.key[0]}"
    return column(session, statement, {"tenant": tenant_id, "now": now, **values})


def merge_marked(session: Session, tenant_id: int, target: Target, now: datetime) -> list[tuple[int | str, bool]]:
    """Upsert what was staged; return the first key column of every row that was written, and whether it is new."""
    # A row nobody had before has no earlier version to be locked or deleted by this transaction.
    statement = f"{_merge_sql(target)} RETURNING held.{target.key[0]}, held.xmax = 0"
    return [(key, new) for key, new in run(session, statement, {"tenant": tenant_id, "now": now})]


def merge_children(session: Session, tenant_id: int, target: Target, now: datetime, parent: str) -> list[int]:
    """Upsert what was staged; return the parent, which the column ``parent`` names, of every row that was written."""
    statement = f"""
        WITH written AS ({_merge_sql(target)} RETURNING held.{parent} AS parent)
        SELECT array_agg(parent) FROM written
    """
    (parents,) = column(session, statement, {"tenant": tenant_id, "now": now})
    return parents or []


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
def _merge_sql(target: Target, joined: str = "") -> str:
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
    """


def _guard(target: Target, updated: Sequence[str]) -> str:
    telling = [column for column in updated if column not in _BOOKKEEPING]
    values = ", ".join(target.value(column) for column in telling)
    differs = f"ROW({_list('held', telling)}) IS DISTINCT FROM ROW({values})"
    return f"{newer_sql('excluded', 'held')} AND {differs}" if target.versioned else differs


def _list(alias: str, columns: Iterable[str]) -> str:
    return ", ".join(f"{alias}.{column}" for column in columns)


def _line(row: Row) -> str:
    """Return a row in COPY's text format; PostgreSQL reads ``True`` and an ISO time as they print."""
    # Nearly no row holds a character that has to be escaped, and asking the whole row once is twice as fast.
    fields = ["\0" if value is None else value if value.__class__ is str else str(value) for value in row]
    line = "\t".join(fields)
    if _SPECIAL(line) or line.count("\t") != len(fields) - 1 or line.count("\0") != row.count(None):
        return "\t".join([_field(value) for value in row]) + "\n"
    return line.replace("\0", "\\N") + "\n"


def _field(value: object) -> str:
    return "\\N" if value is None else str(value).translate(_ESCAPES)
