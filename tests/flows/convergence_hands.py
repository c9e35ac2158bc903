"""The hands of the made-up clock, of death, and of haste."""

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache

import pytest
from psycopg.pq.abc import PGconn
from sqlalchemy import Connection, event
from sqlalchemy.exc import PendingRollbackError

from devstore.graphql import endpoint
from shopify_app import jobs
from shopify_app import statements as prepared
from shopify_app.database import CLOCK_BIND, db

BEGINS = datetime(2027, 3, 10, 4, 30, tzinfo=UTC)  # later than the database's own clock, which dates arrivals


class Killed(BaseException):
    """The worker is gone: nothing of it, not even what tidies up, runs any further."""


class _Instants(type):
    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, datetime)


class MadeUpTime(datetime, metaclass=_Instants):
    """``datetime`` with a hand that tests move."""

    at = BEGINS

    @classmethod
    def now(cls, tz: object = None) -> datetime:  # noqa: ARG003 - the store and the app only ever ask for UTC
        """Return the moment the steps have come to."""
        return cls.at


@contextmanager
def made_up_time() -> Iterator[None]:
    """Let the app's jobs tell the time by the steps."""
    with pytest.MonkeyPatch.context() as patch:
        for found in pkgutil.iter_modules(jobs.__path__, f"{jobs.__name__}."):
            module = importlib.import_module(found.name)
            if getattr(module, "datetime", None) is datetime:
                patch.setattr(module, "datetime", MadeUpTime)
        yield


@contextmanager
def read_once() -> Iterator[None]:
    """Let devstore read and check each query it is asked once: it takes longer than answering it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(endpoint, "parse", lru_cache(endpoint.parse))
        patch.setattr(endpoint, "validate", lru_cache(endpoint.validate))
        yield


@contextmanager
def dying(statements: int) -> Iterator[list[None]]:
    """Let nothing reach PostgreSQL after so many statements; yields a list that is empty unless it came to that.

    Raises:
        AssertionError: it came to that, and the worker went on as if it had not.
    """
    died: list[None] = []
    asked = 0

    def count(*_: object) -> None:
        nonlocal asked
        asked += 1
        if asked > statements:
            died.append(None)
            raise Killed

    with _asked_before_each_statement(count):
        try:
            yield died
        except Killed:
            return
        except PendingRollbackError:  # from what would have tidied up
            if not died:
                raise
            return
    assert not died, "the worker outlived its death"


@contextmanager
def _asked_before_each_statement(ask: Callable[..., None]) -> Iterator[None]:
    """Call ``ask`` before every statement: SQLAlchemy's, and those that go to the connection below it."""
    engines = (db.engine, db.engines[CLOCK_BIND])
    below = prepared.line_of

    def asked(connection: Connection) -> PGconn:
        ask()
        return below(connection)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prepared, "line_of", asked)
        for engine in engines:
            event.listen(engine, "before_cursor_execute", ask)
        try:
            yield
        finally:
            for engine in engines:
                event.remove(engine, "before_cursor_execute", ask)
