"""PostgreSQL with nothing in between, for the one statement that somebody waits for: keeping a webhook.

Each line is one connection in autocommit, so what a statement wrote is on disk when :meth:`Line.ask` returns.
SQLAlchemy's pool, compiler and transaction cost more than everything else that accepting a webhook takes; psycopg's
cursor, which waits for the socket in Python, costs three times the driver's blocking call, which lets other threads
run meanwhile (docs/decisions/0010-accepting.md).
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar, cast

import psycopg
from psycopg.pq import ConnStatus, ExecStatus

from shopify_app.database import APP_ROLE, complaint

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from psycopg.pq.abc import PGresult

# A commit is durable whatever the server's default is; and Shopify, which waits for five seconds, gets an answer.
OPTIONS = f"-c role={APP_ROLE} -c timezone=UTC -c synchronous_commit=on -c statement_timeout=3000"
CONNECT_TIMEOUT = 2  # seconds; less than two counts as two
SILENCE = 3000  # milliseconds without a sign of the server after which a connection is given up
DONE = (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK)
# The server takes no writes: it was demoted, or never was the one to write to.
READ_ONLY = psycopg.errors.ReadOnlySqlTransaction
TEXT, BINARY = 0, 1

Answer = TypeVar("Answer")
Value = str | bytes | None


class Line:
    """One connection, and the statements that were prepared on it."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        """Take over a connection in autocommit."""
        self._connection = connection
        self._names: dict[str, bytes] = {}

    @property
    def broken(self) -> bool:
        """Whether nothing more can be asked here."""
        return self._connection.pgconn.status != ConnStatus.OK

    def ask(self, statement: str, values: Sequence[Value]) -> list[tuple[bytes | None, ...]]:
        """Run a statement with ``$1``, ``$2``, … in it and return its rows, as the text PostgreSQL writes.

        Text goes as text, bytes as they are; the types are the statement's to name.

        Raises:
            psycopg.Error: what PostgreSQL or the connection complains of.
        """
        name = self._names.get(statement) or self._prepare(statement)
        formats = [BINARY if isinstance(value, bytes) else TEXT for value in values]
        encoded = cast("list[bytes]", [_encoded(value) for value in values])  # psycopg's annotation forgets NULL
        result = self._connection.pgconn.exec_prepared(name, encoded, formats, TEXT)
        self._check(result)
        return [tuple(result.get_value(row, n) for n in range(result.nfields)) for row in range(result.ntuples)]

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def _prepare(self, statement: str) -> bytes:
        name = b"direct_%d" % len(self._names)
        self._check(self._connection.pgconn.prepare(name, statement.encode()))
        self._names[statement] = name
        return name

    def _check(self, result: PGresult) -> None:
        if result.status in DONE:
            return
        error = complaint(result)
        if self.broken or error.sqlstate is None:
            self.close()
            raise psycopg.OperationalError("the connection to PostgreSQL broke")
        raise error


class Direct:
    """The lines of a process: as many as its threads use at one moment, opened when they are first needed."""

    def __init__(self, url: str) -> None:
        """Prepare to connect to ``url``; nothing is connected yet."""
        self._url = url
        self._idle: deque[Line] = deque()

    def run(self, work: Callable[[Line], Answer]) -> Answer:
        """Return what ``work`` returns for a line. On a line that broke while it was idle, it is done once more.

        So ``work`` has to be something that may be done twice.

        Raises:
            psycopg.Error: PostgreSQL does not answer, or has something against it.
        """
        line = self._take()
        if line is not None:
            try:
                return self._use(line, work)
            except psycopg.OperationalError:
                if not line.broken:
                    raise
                self.close()  # the others were idle for as long
        return self._use(self._open(), work)

    def close(self) -> None:
        """Hang up every line that is idle."""
        while (line := self._take()) is not None:
            line.close()

    def _take(self) -> Line | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _use(self, line: Line, work: Callable[[Line], Answer]) -> Answer:
        try:
            answer = work(line)
        except BaseException as error:
            if line.broken or isinstance(error, READ_ONLY):
                line.close()
            else:
                self._idle.append(line)
            raise
        self._idle.append(line)
        return answer

    def _open(self) -> Line:
        return Line(
            psycopg.connect(
                self._url,
                autocommit=True,
                options=OPTIONS,
                connect_timeout=CONNECT_TIMEOUT,
                tcp_user_timeout=SILENCE,
                application_name="storelens webhooks",
            )
        )


def _encoded(value: Value) -> bytes | None:
    """Return a value as the driver takes it.

    Raises:
        psycopg.DataError: the text holds a NUL, which would end it here and which PostgreSQL does not take either.
    """
    if isinstance(value, str):
        if "\0" in value:
            raise psycopg.DataError("PostgreSQL's text holds no NUL")
        return value.encode("utf-8", "surrogateescape")
    return value
