"""Statements that ingest runs by the thousand, prepared once per connection, inside a session's transaction.

SQLAlchemy and psycopg's cursor take some 300 µs of processor time for a statement, the driver's call below them a
tenth of that. A store's turn at the inbox is two dozen statements, and with a few deliveries in each turn that is
most of what it costs (docs/decisions/0012-turns.md). What fails here fails as SQLAlchemy's errors, without the values.
"""

from __future__ import annotations

import contextlib
import functools
import re
import select
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

import psycopg
from psycopg.pq import ConnStatus, ExecStatus
from sqlalchemy import Connection, Engine, event, exc

from shopify_app.database import BROKE, line_of, raise_complaint

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from psycopg.pq.abc import PGconn, PGresult
    from sqlalchemy.orm import Session

Row = tuple[Any, ...]

_PREPARED, _PUT_OFF = "storelens.prepared", "storelens.put_off"
# Many more than we have: a statement with a number written into it would fill the server's memory with plans.
_MOST = 200
_PARAMETER = re.compile(r"(?<![:\w]):([a-z_]+)")


class TooManyStatements(Exception):
    """More different statements were prepared than there are: one of them is never the same twice."""


@dataclass(frozen=True)
class _Call:
    """A prepared statement with its values as they go out; ``statement`` is its text, for what it complains of."""

    statement: str
    name: bytes
    values: list[bytes]
    binary: bool = False


def run(session: Session | Connection, statement: str, values: Mapping[str, Any], *, binary: bool = False) -> list[Row]:
    """Run one of our own statements with its ``:names`` bound, and return its rows.

    On a session it is part of its transaction; on a connection in autocommit it is one of its own. Binds None, text,
    numbers, booleans, instants, days, and lists of text, numbers or days. Rows hold what their columns are: numbers,
    text, booleans, days, instants, amounts and lists of numbers; read as ``binary``, bigints, text, instants and bytes.

    Raises:
        sqlalchemy.exc.DBAPIError: what PostgreSQL or the connection complains of, also about what was put off.
    """
    connection = session if isinstance(session, Connection) else session.connection()
    call = _call(connection, statement, values, binary=binary)
    if waiting := _put_off(connection):
        result = _together(connection, [*waiting, call])
    else:
        result = line_of(connection).exec_prepared(call.name, call.values, result_format=int(binary))
        raise_complaint(result, statement)
    known = _BINARY_READERS if binary else _READERS
    readers = [known.get(result.ftype(column), bytes.decode) for column in range(result.nfields)]
    return [
        tuple(_read(result, row, column, reader) for column, reader in enumerate(readers))
        for row in range(result.ntuples)
    ]


def column(session: Session, statement: str, values: Mapping[str, Any]) -> list[Any]:
    """Run a statement and return its first column."""
    return [row[0] for row in run(session, statement, values)]


def put_off(session: Session, statement: str, values: Mapping[str, Any]) -> None:
    """Have a statement whose rows nobody asks for run right before whatever the transaction does next.

    It costs no round trip of its own then, and what it complains of is raised there.
    """
    connection = session.connection()
    connection.info.setdefault(_PUT_OFF, []).append(_call(connection, statement, values))


def copy(session: Session, table: str, lines: str) -> None:
    """Copy lines in COPY's text format into a table of ours.

    Raises:
        sqlalchemy.exc.DBAPIError: a line does not fit the table.
    """
    connection = session.connection()
    _catch_up(connection)
    line = line_of(connection)
    statement = f"COPY {table} FROM STDIN"
    raise_complaint(line.exec_(statement.encode()), statement)
    with _read_to_the_end(connection):
        line.put_copy_data(lines.encode())
        line.put_copy_end()
        results = list(iter(lambda: _next_result(line), None))  # the protocol ends a command with an empty one
    for result in results:
        raise_complaint(result, statement)


@event.listens_for(Engine, "before_cursor_execute")
def _catch_up(connection: Connection, *_statement: object) -> None:
    """Run what was put off before what comes next."""
    if waiting := _put_off(connection):
        _together(connection, waiting)


@event.listens_for(Engine, "commit")
def _commit_with(connection: Connection) -> None:
    """Commit in the same round trip as what was put off; the driver finds nothing left to commit."""
    if waiting := _put_off(connection):
        _together(connection, [*waiting, _call(connection, "COMMIT", {})])


@event.listens_for(Engine, "rollback")
def _forget(connection: Connection) -> None:
    """Leave undone what was put off; with a lost connection it is forgotten anyway."""
    if not connection.invalidated:
        connection.info.pop(_PUT_OFF, None)


def _put_off(connection: Connection) -> list[_Call]:
    """Return what was put off, which is then no longer: what fails is not tried again by whoever comes next."""
    return cast("list[_Call]", connection.info.pop(_PUT_OFF, []))


def _call(connection: Connection, statement: str, values: Mapping[str, Any], *, binary: bool = False) -> _Call:
    sql, names = _numbered(statement)
    written = cast("list[bytes]", [_written(values[each]) for each in names])  # psycopg's annotation forgets NULL
    return _Call(statement, _name(connection, line_of(connection), sql), written, binary)


def _together(connection: Connection, calls: Sequence[_Call]) -> PGresult:
    """Run statements in one round trip, in order, and return the result of the last.

    After one that fails PostgreSQL runs none of the others.
    """
    line = line_of(connection)
    line.enter_pipeline_mode()
    with _read_to_the_end(connection):
        for call in calls:
            line.send_query_prepared(call.name, call.values, result_format=int(call.binary))
        line.pipeline_sync()
        results = list(_results(line))
    if line.status == ConnStatus.OK:
        line.exit_pipeline_mode()
    for call, result in zip(calls, results, strict=False):
        raise_complaint(result, call.statement)
    if len(results) < len(calls):
        raise exc.OperationalError(calls[-1].statement, {}, psycopg.OperationalError(BROKE), hide_parameters=True)
    return results[-1]


@contextlib.contextmanager
def _read_to_the_end(connection: Connection) -> Iterator[None]:
    """Give the connection up when the block is left early: its unread answers nobody else must take for theirs."""
    try:
        yield
    except BaseException:
        connection.invalidate()
        raise


def _results(line: PGconn) -> Iterator[PGresult]:
    """Yield a result for each statement of a pipeline; fewer where the connection broke."""
    while line.status == ConnStatus.OK:
        result = _next_result(line)
        if result is not None and result.status == ExecStatus.PIPELINE_SYNC:
            return
        if result is not None:  # an empty one ends each statement's
            yield result


def _next_result(line: PGconn) -> PGresult | None:
    """Wait for a result where other threads may run meanwhile: the driver's own wait would stop them all."""
    poll = select.poll()
    poll.register(line.socket, select.POLLIN)
    while line.is_busy():
        poll.poll()
        line.consume_input()
    return line.get_result()


@functools.lru_cache(maxsize=_MOST)
def _numbered(statement: str) -> tuple[bytes, tuple[str, ...]]:
    """Return a statement with ``$1``, ``$2``, … for its ``:names``, and those names in order."""
    names = tuple(dict.fromkeys(_PARAMETER.findall(statement)))
    places = {name: f"${place}" for place, name in enumerate(names, start=1)}
    return _PARAMETER.sub(lambda found: places[found[1]], statement).encode(), names


def _name(connection: Connection, pgconn: PGconn, sql: bytes) -> bytes:
    prepared: dict[bytes, bytes] = connection.info.setdefault(_PREPARED, {})
    if sql not in prepared:
        if len(prepared) >= _MOST:
            raise TooManyStatements
        name = b"storelens_%d" % len(prepared)
        raise_complaint(pgconn.prepare(name, sql), sql.decode())
        prepared[sql] = name
    return prepared[sql]


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
