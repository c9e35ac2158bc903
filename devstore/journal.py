"""The SQLite file under the stores: every change is written here before the action that made it answers.

Rows are msgpack. Nothing queries this file but the start, which reads all of it once.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

SCHEMA = """
CREATE TABLE IF NOT EXISTS rows (
    shop TEXT NOT NULL, area TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (shop, area, kind, key)
);
CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
"""

# An upsert keeps the row's place, which REPLACE would not.
UPSERT = """
INSERT INTO rows VALUES (?, ?, ?, ?, ?) ON CONFLICT (shop, area, kind, key) DO UPDATE SET body = excluded.body
"""

RECORDS = "records"  # what the merchant has: customers, orders …
TOMBSTONES = "tombstones"  # what the merchant deleted, and when
DOCUMENTS = "documents"  # what Shopify keeps beside it: installations, tokens, deliveries …

Row = tuple[str, str, str, str, bytes]


class Journal:
    """One connection, one writer at a time, shared by all threads. Raises ``sqlite3.Error`` when it cannot write."""

    def __init__(self, path: Path) -> None:
        """Open the file at ``path``, creating it where it is missing."""
        self.lock = threading.RLock()
        self._depth = 0
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.executescript(SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make the writes inside all or nothing; an inner transaction joins the outer one."""
        with self.lock:
            outermost = self._depth == 0
            if outermost:
                self._connection.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
            except BaseException:
                self._end("ROLLBACK" if outermost else None)
                raise
            self._end("COMMIT" if outermost else None)

    def _end(self, statement: str | None) -> None:
        self._depth -= 1
        if statement:
            self._connection.execute(statement)

    def write(self, rows: Iterable[Row]) -> None:
        """Insert rows of (shop, area, kind, key, body), or change the body of those that are there."""
        with self.transaction():
            self._connection.executemany(UPSERT, rows)

    def erase(self, shop: str, area: str, kind: str, key: str) -> None:
        """Delete one row; a row that is not there is no error."""
        with self.lock:
            self._connection.execute(
                "DELETE FROM rows WHERE shop = ? AND area = ? AND kind = ? AND key = ?", (shop, area, kind, key)
            )

    def read(self, shop: str, area: str) -> Iterator[tuple[str, str, bytes]]:
        """Yield (kind, key, body) of a shop's rows in one area, in the order they were first written."""
        with self.lock:
            return iter(
                self._connection.execute(
                    "SELECT kind, key, body FROM rows WHERE shop = ? AND area = ? ORDER BY rowid", (shop, area)
                ).fetchall()
            )

    def reserve(self, name: str, count: int, at_least: int) -> int:
        """Reserve ``count`` numbers of the counter ``name`` from ``at_least`` on and return the first of them."""
        with self.transaction():
            row = self._connection.execute("SELECT value FROM counter WHERE name = ?", (name,)).fetchone()
            start = max(int(row[0]), at_least) if row else at_least
            self._connection.execute("INSERT OR REPLACE INTO counter VALUES (?, ?)", (name, start + count))
        return start

    def close(self) -> None:
        """Close the file; further use raises ``sqlite3.ProgrammingError``."""
        with self.lock:
            self._connection.close()
