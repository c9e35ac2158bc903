"""The two ways into PostgreSQL, and the transactions that name what they may see.

``tenant_work`` and ``directory`` run as the role of web requests and tenant work, ``operations`` as the role
that claims, schedules and watches. Neither role owns a table, so row-level security binds both.
"""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING, Any, cast

import psycopg
from flask_sqlalchemy import SQLAlchemy
from psycopg.errors import error_from_result
from psycopg.pq import DiagnosticField, ExecStatus, TransactionStatus
from sqlalchemy import MetaData, exc, text
from sqlalchemy.orm import DeclarativeBase, Session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg.pq.abc import PGconn, PGresult
    from sqlalchemy import Connection, TextClause

APP_ROLE = "storelens_app"
CLOCK_ROLE = "storelens_clock"
CLOCK_BIND = "clock"
BROKE = "the connection to PostgreSQL broke"

NAMING_CONVENTION = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}


class Base(DeclarativeBase):
    """The declarative base of every table."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)


db = SQLAlchemy(model_class=Base)

if TYPE_CHECKING:
    Model = Base
else:
    Model = db.Model


def engine_settings(url: str, *, pool_size: int, pool_timeout: float = 0.8) -> dict[str, Any]:
    """Return Flask's configuration for both engines.

    A full pool fails within ``pool_timeout`` seconds: Shopify waits five for an answer, and a quick refusal is
    retried while a slow one is counted against the app.
    """
    address = "postgresql+psycopg://" + url.partition("://")[2]
    return {
        "SQLALCHEMY_DATABASE_URI": address,
        "SQLALCHEMY_ENGINE_OPTIONS": _engine(APP_ROLE, pool_size, pool_timeout),
        "SQLALCHEMY_BINDS": {CLOCK_BIND: {"url": address, **_engine(CLOCK_ROLE, 4, pool_timeout)}},
    }


def _engine(role: str, pool_size: int, pool_timeout: float) -> dict[str, Any]:
    return {
        "pool_size": pool_size,
        "max_overflow": 2,
        "pool_timeout": pool_timeout,
        "pool_pre_ping": True,
        # An error's text goes to logs; the rows it is about are people's data.
        "hide_parameters": True,
        # The role is set as the connection starts, so that no transaction can run without it. The driver prepares
        # nothing by itself: with a rollback it would have PostgreSQL forget all that is prepared, ours too. Compiling a
        # plan whose cost was guessed too high takes longer than running it.
        "connect_args": {
            "options": f"-c role={role} -c timezone=UTC -c jit=off",
            "connect_timeout": 2,
            "prepare_threshold": None,
        },
    }


def complaint(result: PGresult) -> psycopg.Error:
    """Return what a failed result complains of.

    A server killed outright says nothing: the complaint is the driver's own and has no code, and the connection is
    gone whatever the driver's class of it says.
    """
    if result.error_field(DiagnosticField.SQLSTATE) is None:
        return psycopg.OperationalError(BROKE)
    return error_from_result(result)


def line_of(connection: Connection) -> PGconn:
    """Return the driver's own connection, below all that waits and counts."""
    driver = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
    return driver.pgconn


def raise_complaint(result: PGresult, statement: str) -> None:
    """Raise what a result of the driver's own complains of as SQLAlchemy's error, without the values."""
    if result.status in {ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK, ExecStatus.COPY_IN}:
        return
    error = complaint(result)
    names = [parent.__name__ for parent in type(error).__mro__]  # such as UniqueViolation, IntegrityError, …
    kind = next((getattr(exc, name) for name in names if hasattr(exc, name)), exc.DBAPIError)
    raise kind(statement, {}, error, hide_parameters=True)


@functools.lru_cache(maxsize=512)
def clause(statement: str) -> TextClause:
    """Return one of our own SQL statements, its parameters found once per process and not at every use."""
    return text(statement)


@contextlib.contextmanager
def connected(*, autocommit: bool = False) -> Iterator[Connection]:
    """Keep a connection for as long as a piece of work takes; its transactions need not ask for one each."""
    with db.engine.connect() as connection:
        yield connection.execution_options(isolation_level="AUTOCOMMIT") if autocommit else connection


@contextlib.contextmanager
def tenant_work(tenant_id: int, on: Connection | None = None, *, soon: bool = False) -> Iterator[Session]:
    """Open a transaction that sees one tenant's rows, on a connection of its own or on this one, and commit it.

    ``soon`` lets the commit return before it is on disk: for work that is done again if a crash undoes it. What such
    work leaves, and the mark that it was done, are lost together or not at all.
    """
    with Session(db.engine if on is None else on) as session, session.begin():
        enter_tenant(session, tenant_id, soon=soon)
        yield session


@contextlib.contextmanager
def directory() -> Iterator[Session]:
    """Open a transaction without a tenant: it sees the directory and no tenant's rows. Commits."""
    with Session(db.engine) as session, session.begin():
        yield session


@contextlib.contextmanager
def operations() -> Iterator[Session]:
    """Open a transaction that claims and schedules work over all tenants and reads no tenant's rows. Commits."""
    with Session(db.engines[CLOCK_BIND]) as session, session.begin():
        yield session


def enter_tenant(session: Session, tenant_id: int, *, soon: bool = False) -> None:
    """Name the tenant of the running transaction, or begin one.

    ``SET`` takes no parameters, and only a literal ``SET LOCAL`` reaches the shards of a distributed database,
    so the number is written into the statement; ``int`` is what makes that safe. All of it is one round trip: the
    transactions of webhooks are many and short.
    """
    line = line_of(session.connection())
    begin = "BEGIN; " if line.transaction_status == TransactionStatus.IDLE else ""
    commit = "; SET LOCAL synchronous_commit TO off" if soon else ""
    statement = f"{begin}SET LOCAL app.tenant_id = '{int(tenant_id)}'{commit}"
    raise_complaint(line.exec_(statement.encode()), statement)
