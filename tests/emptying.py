"""A database emptied for the next test, in the time of a few statements."""

from __future__ import annotations

import time
from typing import Any

import psycopg

SMALL = 1_000_000  # bytes; what a table keeps of deleted rows slows down who reads it
GONE_WITHIN = 20.0  # seconds

# For a login that is no superuser, and after a test that wrote much: a tenth of the time of a new copy of the template.
EMPTY = """
DO $$
DECLARE
    name text;
    filled text[] := '{}';
    found boolean;
BEGIN
    PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid();
    FOR name IN SELECT format('%I', tablename) FROM pg_tables
                WHERE schemaname = 'public' AND tablename <> 'alembic_version' LOOP
        EXECUTE 'SELECT EXISTS (SELECT FROM ' || name || ')' INTO found;
        IF found THEN filled := filled || name; END IF;
    END LOOP;
    IF filled <> '{}' THEN EXECUTE 'TRUNCATE ' || array_to_string(filled, ', ') || ' CASCADE'; END IF;
    PERFORM setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false)
    FROM pg_sequences WHERE last_value IS NOT NULL;
END $$
"""
_TABLES = """
SELECT format('%I', tablename) FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'
"""
_OTHERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_SEQUENCES = """
SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false)
FROM pg_sequences WHERE last_value IS NOT NULL
"""


class Emptying:
    """Empties one database again and again, over one connection; its tables stay the same meanwhile.

    A superuser deletes the few rows that a test wrote, without the foreign keys' triggers: TRUNCATE makes new files for
    a table, its indexes and all that refers to it, and that is fifty tables wherever one row is a tenant's.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.Connection[Any] | None = None
        self._filled = ""

    def __call__(self) -> None:
        """Leave no row, and every sequence at its beginning; whoever else is connected is disconnected."""
        connection = self._connected()
        if not self._filled:
            connection.execute(EMPTY.encode())
            return
        self._disconnect_others(connection)
        found = connection.execute(self._filled.encode()).fetchall()
        if any(size > SMALL for _, size in found):
            connection.execute(EMPTY.encode())
            return
        statements = [f"DELETE FROM {name}" for name, _ in found]  # noqa: S608 - names of our own tables
        connection.execute("; ".join([*statements, _SEQUENCES]).encode())

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()

    def _connected(self) -> psycopg.Connection[Any]:
        if self._connection is None or self._broken(self._connection):
            self._connection = psycopg.connect(self._url, autocommit=True)
            if self._connection.info.parameter_status("is_superuser") == "on":
                self._connection.execute("SET session_replication_role = replica")
                self._filled = " UNION ALL ".join(
                    f"SELECT '{name}', pg_relation_size('{name}') WHERE EXISTS (SELECT FROM {name})"  # noqa: S608
                    for (name,) in self._connection.execute(_TABLES)
                )
        return self._connection

    @staticmethod
    def _disconnect_others(connection: psycopg.Connection[Any]) -> None:
        """Wait until nobody else is connected: who commits after we have looked leaves rows to the next test."""
        give_up_at = time.monotonic() + GONE_WITHIN
        while connection.execute(_OTHERS).fetchall():
            assert time.monotonic() < give_up_at, "somebody stays connected"
            time.sleep(0.001)  # PostgreSQL's own wait for it looks every 100 ms

    @staticmethod
    def _broken(connection: psycopg.Connection[Any]) -> bool:
        try:
            connection.execute("SELECT 1")
        except psycopg.OperationalError:
            return True
        return False
