"""PostgreSQL with nothing in between: what a line says of a server that dies in the middle of a statement."""

import contextlib
import threading
import time

import psycopg
import pytest
from sqlalchemy import NullPool, create_engine
from sqlalchemy.exc import OperationalError

from shopify_app.direct import Line
from shopify_app.statements import run
from supervisor.postgres import embedded_postgres


def test_a_server_killed_in_the_middle_of_a_statement_leaves_a_broken_line(make_directory):
    with embedded_postgres(make_directory(), durable=False) as server:
        made = psycopg.connect(server.url, autocommit=True, application_name="asked")
        line = Line(made)
        killer = threading.Thread(target=_kill_once_busy, args=(server,))
        killer.start()

        with pytest.raises(psycopg.OperationalError, match="the connection to PostgreSQL broke"):
            line.ask("SELECT pg_sleep(60)::text", [])

        killer.join()
        assert line.broken
        _wait_until_recovered(server)


def test_a_server_killed_in_the_middle_of_a_prepared_statement_is_the_databases_trouble(make_directory):
    with embedded_postgres(make_directory(), durable=False) as server:
        address = "postgresql+psycopg://" + server.url.partition("://")[2]
        engine = create_engine(address, poolclass=NullPool, connect_args={"application_name": "asked"})
        killer = threading.Thread(target=_kill_once_busy, args=(server,))
        killer.start()

        with pytest.raises(OperationalError, match="the connection to PostgreSQL broke"), engine.connect() as asked:
            run(asked.execution_options(isolation_level="AUTOCOMMIT"), "SELECT CAST(pg_sleep(60) AS text)", {})

        killer.join()
        _wait_until_recovered(server)


def test_what_the_server_has_against_a_statement_breaks_nothing(make_directory):
    with embedded_postgres(make_directory(), durable=False) as server:
        line = Line(psycopg.connect(server.url, autocommit=True))

        with pytest.raises(psycopg.errors.DivisionByZero):
            line.ask("SELECT 1 / $1::int", ["0"])

        assert line.ask("SELECT 1", []) == [(b"1",)]
        line.close()


def _kill_once_busy(server):
    ends_at = time.monotonic() + 20
    busy = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'asked' AND wait_event = 'PgSleep'"
    with psycopg.connect(server.url, autocommit=True) as connection:
        while connection.execute(busy).fetchone() is None and time.monotonic() < ends_at:
            time.sleep(0.05)
    server.kill_backend("asked")


def _wait_until_recovered(server):
    """PostgreSQL 18 misses a request to stop that comes while it starts anew after the death of a backend."""
    ends_at = time.monotonic() + 20
    while time.monotonic() < ends_at:
        with contextlib.suppress(psycopg.OperationalError), psycopg.connect(server.url, connect_timeout=2):
            return
        time.sleep(0.05)
    pytest.fail("the server does not answer again")
