"""Statements that ingest runs by the thousand, prepared once per connection, inside a session's transaction.

SQLAlchemy and psycopg's cursor take some 300 µs of processor time for a statement, the driver's call below them a
tenth of that. A store's turn at the inbox is two dozen statements, and with a few deliveries in each turn that is
most of what it costs (docs/decisions/0012-turns.md). What fails here fails as SQLAlchemy's errors, without the values.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

import psycopg
from psycopg.pq import ExecStatus
from sqlalchemy import Connection, exc

from shopify_app.database import complaint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg.pq.abc import PGconn, PGresult
    from sqlalchemy.orm import Session

Row = tuple[Any, ...]

_PREPARED = "storelens.prepared"
# Many more than we have: a statement with a number written into it would fill the server's memory with plans.
_MOST = 200
_PARAMETER = re.compile(r"(?<![:\w]):([a-z_]+)")


class TooManyStatements(Exception):
    """More different statements were prepared than there are: one of them is never the same twice."""


def run(session: Session | Connection, statement: str, values: Mapping[str, Any], *, binary: bool = False) -> list[Row]:
    """Run one of our own statements with its ``:names`` bound, and return its rows.

    On a session it is part of its transaction; on a connection in autocommit it is one of its own. Binds None, text,
    numbers, booleans, instants, days, and lists of text, numbers or days. Rows hold what their columns are: numbers,
    text, booleans, days, instants, amounts and lists of numbers; read as ``binary``, bigints, text, instants and bytes.

    Raises:
        sqlalchemy.exc.DBAPIError: what PostgreSQL or the connection complains of.
    """
    connection = session if isinstance(session, Connection) else session.connection()
    sql, names = _numbered(statement)
    pgconn = _pgconn(connection)
    name = _name(connection, pgconn, sql)
    written = cast("list[bytes]", [_written(values[each]) for each in names])  # psycopg's annotation forgets NULL
    result = pgconn.exec_prepared(name, written, result_format=int(binary))
    _check(result, statement)
    known = _BINARY_READERS if binary else _READERS
    readers = [known.get(result.ftype(column), bytes.decode) for column in range(result.nfields)]
    return [
        tuple(_read(result, row, column, reader) for column, reader in enumerate(readers))
        for row in range(result.ntuples)
    ]


def column(session: Session, statement: str, values: Mapping[str, Any]) -> list[Any]:
    """Run a statement and return its first column."""
    return [row[0] for row in run(session, statement, values)]


def copy(session: Session, table: str, lines: str) -> None:
    """Copy lines in COPY's text format into a table of ours.

    Raises:
        sqlalchemy.exc.DBAPIError: a line does not fit the table.
    """
    pgconn = _pgconn(session.connection())
    statement = f"COPY {table} FROM STDIN"
    _check(pgconn.exec_(statement.encode()), statement)
    pgconn.put_copy_data(lines.encode())
    pgconn.put_copy_end()
    _check(cast("PGresult", pgconn.get_result()), statement)
    while (result := pgconn.get_result()) is not None:  # the protocol ends a command with an empty result
        _check(result, statement)


@functools.lru_cache(maxsize=_MOST)
def _numbered(statement: str) -> tuple[bytes, tuple[str, ...]]:
    """Return a statement with ``$1``, ``$2``, … for its ``:names``, and those names in order."""
    names = tuple(dict.fromkeys(_PARAMETER.findall(statement)))
    places = {name: f"${place}" for place, name in enumerate(names, start=1)}
    return _PARAMETER.sub(lambda found: places[found[1]], statement).encode(), names


def _pgconn(connection: Connection) -> PGconn:
    driver = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
    return driver.pgconn


def _name(connection: Connection, pgconn: PGconn, sql: bytes) -> bytes:
    prepared: dict[bytes, bytes] = connection.info.setdefault(_PREPARED, {})
    if sql not in prepared:
        if len(prepared) >= _MOST:
            raise TooManyStatements
        name = b"storelens_%d" % len(prepared)
        _check(pgconn.prepare(name, sql), sql.decode())
        prepared[sql] = name
    return prepared[sql]


def _check(result: PGresult, statement: str) -> None:
    if result.status in {ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK, ExecStatus.COPY_IN}:
        return
    error = complaint(result)
    names = [parent.__name__ for parent in type(error).__mro__]  # such as UniqueViolation, IntegrityError, …
    kind = next((getattr(exc, name) for name in names if hasattr(exc, name)), exc.DBAPIError)
    raise kind(statement, {}, error, hide_parameters=True)


def _read(result: PGresult, row: int, column: int, reader: Callable[[bytes], Any]) -> Any:  # noqa: ANN401 - a value
    value = result.get_value(row, column)
    return None if value is None else reader(value)


def _written(value: object) -> bytes | None:
    if value is None:
        return None
    if isinstance(value, (datetime, date)):
        return value.isoformat().encode()
    if isinstance(value, (list, tuple)):
        return _array(value).encode()
    return str(value).encode()


def _array(items: Sequence[object]) -> str:
    quoted = (str(item).replace("\\", "\\\\").replace('"', '\\"') for item in items)
    return "{" + ",".join(f'"{item}"' for item in quoted) + "}"


def _numbers(value: bytes) -> list[int]:
    return [int(number) for number in value[1:-1].split(b",")] if len(value) > 2 else []  # noqa: PLR2004 - the braces


# By the types' numbers, which are the same on every server: https://www.postgresql.org/docs/current/catalog-pg-type.html
_READERS: Mapping[int, Callable[[bytes], Any]] = MappingProxyType(
    {
        16: lambda value: value == b"t",
        20: int,
        21: int,
        23: int,
        1016: _numbers,
        1082: lambda value: date.fromisoformat(value.decode()),
        1184: lambda value: datetime.fromisoformat(value.decode()),
        1700: lambda value: Decimal(value.decode()),
    }
)
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)  # PostgreSQL's
_BINARY_READERS: Mapping[int, Callable[[bytes], Any]] = MappingProxyType(
    {
        17: bytes,
        20: lambda value: int.from_bytes(value, "big", signed=True),
        1184: lambda value: _EPOCH + timedelta(microseconds=int.from_bytes(value, "big", signed=True)),
    }
)
