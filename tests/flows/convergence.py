"""A store, the app that holds it, and all that may go wrong between them, driven by lists of steps.

A step is a word and four small numbers, which choose among whatever there is when its turn comes: every list of steps
means something, so a generator may draw any and a failing one can be made shorter. Times are made up: the store's
clock is the app's, and moves with the steps.
"""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import httpx
import msgspec
import psycopg
from flask import Flask

from devstore import graphql
from devstore.bulk import Runner
from devstore.generate import Generated, Plan, generate
from devstore.journal import Journal
from devstore.options import AppRegistration, Options
from devstore.outbox import Outbox
from devstore.state import FIRST_ID, Devstore, Numbers, Store
from shopify_app.database import db
from shopify_app.models.base import TENANT
from shopify_app.runtime import EXTENSION
from tests.flows.convergence_hands import BEGINS, MadeUpTime
from tests.flows.convergence_world import SCOPES, World

SECRET = "client-secret-of-the-tests"
SEED = 7
NUMBERS_USED = 100_000
# From the next thousandth of a second to the next day, with what leases, waits and the cut-off lie between.
WAITS = tuple(
    timedelta(milliseconds=number)
    for number in (2, 2, 300, 1_000, 1_000, 7_000, 20_000, 61_000, 300_000, 3_700_000, 90_000_000)
)


class Step(NamedTuple):
    """A word of ``STEPS``, how long after the step before it is taken, and three dice."""

    word: str
    wait: int = 0
    one: int = 0
    two: int = 0
    three: int = 0


class Shelf:
    """The stores of a devstore: one after the other, each alone."""

    def __init__(self) -> None:
        self.store: Store | None = None

    def __getitem__(self, domain: str) -> Store:
        if self.store is None or self.store.domain != domain:
            raise KeyError(domain)
        return self.store

    def __iter__(self) -> Iterator[Store]:
        return iter([self.store] if self.store else [])


class Deck:
    """What stays from one store to the next: the app, its client, and a devstore that it reaches without a socket."""

    def __init__(self, app: Flask, superuser: psycopg.Connection, path: Path) -> None:
        self.app, self.client = app, app.test_client()
        self.superuser = superuser
        self.shelf = Shelf()
        registered = AppRegistration(client_secret=SECRET, url="http://127.0.0.1:1", scopes=SCOPES)
        self.options = Options(data=path, app=registered)
        self.shopify = Flask("devstore")
        self.shopify.register_blueprint(graphql.blueprint)
        self.numbers = iter(range(1, 10**9))
        self.content = _content()
        self.first: int | None = None
        plain = app.extensions[EXTENSION]
        reached = httpx.Client(transport=httpx.WSGITransport(self.shopify))
        app.extensions[EXTENSION] = dataclasses.replace(plain, http=reached)

    @contextmanager
    def world(self) -> Iterator[World]:
        """A new store of the same content as the last one, with the app installed, which holds all of it."""
        if self.first is None:
            with self._world() as world:
                world.check("asked")
                world.settle()
            self.first = world.tenant_id
        with self._world() as world:
            self._copy(self.first, world.tenant_id)
            yield world

    def _copy(self, held: int, tenant_id: int) -> None:
        """Let a store hold what another one of the same content holds."""
        for table in db.metadata.sorted_tables:
            if table.info == TENANT:
                self.superuser.execute(_COPY.format(table=table.name).encode(), [tenant_id, held])

    @contextmanager
    def _world(self) -> Iterator[World]:
        """A new store of the same content as the last one, with the app installed, which holds nothing of it."""
        journal = Journal(Path(":memory:"))
        store = Store(f"store-{next(self.numbers)}.myshopify.com", journal, _numbers_after(journal))
        content = msgspec.msgpack.decode(self.content, type=Generated)
        content.shop.domain = store.domain
        store.fill(content)
        MadeUpTime.at, store.clock = BEGINS, MadeUpTime.now
        self.shelf.store = store
        outbox = Outbox(self.shelf, self.options)
        made = Devstore(options=self.options, stores=self.shelf, deliveries=outbox)
        self.shopify.extensions |= {"devstore": made, graphql.BULK: Runner(made)}
        try:
            yield World(self, store, outbox)
        finally:
            self._clear_away()
            journal.close()

    def _clear_away(self) -> None:
        """Leave nothing for the next store's worker to do, whatever became of this one."""
        self.superuser.execute("DELETE FROM claims")
        self.superuser.execute("DELETE FROM inbox")


def _content() -> bytes:
    """Return a small store with a past, without baskets: of what nobody was told there is nothing to compare."""
    journal = Journal(Path(":memory:"))
    plan = Plan(
        domain="store.myshopify.com",
        seed=SEED,
        customers=5,
        products=3,
        orders=6,
        start=BEGINS - timedelta(days=20),
        end=BEGINS - timedelta(days=1),
        abroad=False,
    )
    made = generate(plan, Numbers(journal).next)
    made.carts, made.checkouts = [], []
    return msgspec.msgpack.encode(made)


def _numbers_after(journal: Journal) -> Numbers:
    """Return numbers that no store's past has used."""
    journal.reserve("id", NUMBERS_USED, FIRST_ID)
    return Numbers(journal)


_COPY = """
    INSERT INTO {table}
    SELECT (jsonb_populate_record(NULL::{table}, to_jsonb(held) || jsonb_build_object('tenant_id', %s::bigint))).*
    FROM {table} AS held WHERE tenant_id = %s
"""
