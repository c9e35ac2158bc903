"""The hands of the made-up clock, of death, and of haste."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache

import pytest
from sqlalchemy import event
from sqlalchemy.exc import PendingRollbackError

from devstore.graphql import endpoint
from shopify_app.database import CLOCK_BIND, db
from shopify_app.jobs import abandonment, details, inbox, reconcile, repairs, rollups, schedule, tokens

BEGINS = datetime(2027, 3, 10, 4, 30, tzinfo=UTC)  # later than the database's own clock, which dates arrivals
TIMED = (abandonment, details, inbox, reconcile, repairs, rollups, schedule, tokens)


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
        for module in TIMED:
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
    """Let nothing reach PostgreSQL after so many statements; yields a list that is empty unless it came to that."""
    died: list[None] = []
    asked = 0

    def count(*_: object) -> None:
        nonlocal asked
        asked += 1
        if asked > statements:
            died.append(None)
            raise Killed

    engines = (db.engine, db.engines[CLOCK_BIND])
    for engine in engines:
        event.listen(engine, "before_cursor_execute", count)
    try:
        yield died
    except (Killed, PendingRollbackError):  # the latter from what would have tidied up
        pass
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", count)
