"""A store on both sides, with what is on its way between them, what was lost there, and the worker that may die."""

from __future__ import annotations

import importlib
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from devstore import installs, tokens
from devstore.outbox import Outbox
from devstore.parcels import Parcel
from devstore.state import Store
from shopify_app import claims, inbox
from shopify_app.claims import Due
from shopify_app.database import directory, operations
from shopify_app.jobs import inbox as inbox_jobs
from shopify_app.jobs import reconcile, schedule, turns
from shopify_app.models import OfflineToken, Tenant
from shopify_app.runtime import current
from shopify_app.shopify.topics import TOPICS
from tests.flows.convergence_hands import MadeUpTime, dying

if TYPE_CHECKING:
    from tests.flows.convergence import Deck

SCOPES = ("read_all_orders", "read_customers", "read_orders", "read_products")
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
FAR_OFF = datetime(2100, 1, 1, tzinfo=UTC)
MOST_DEATHS = 4  # a worker that dies in the same turn again and again is another test's matter
A_BIT = timedelta(minutes=2)
ENDLESS = 2_000  # rounds of work in one go


class World:
    """One store on both sides, with what is on its way between them and what was lost there."""

    def __init__(self, deck: Deck, store: Store, outbox: Outbox) -> None:
        self.deck, self.store, self.outbox = deck, store, outbox
        self.client: FlaskClient = deck.client
        self.delivered: list[Parcel] = []
        self.carts_begun: set[str] = set()
        self.merged_into: set[int] = set()
        self.checkouts_deleted: set[str | None] = set()
        self.lost: dict[str, Parcel] = {}
        self.deaths = 0
        self.tenant_id = self._install()

    def _install(self) -> int:
        with self.deck.shopify.app_context():
            granted = installs.grant(self.store, SCOPES).scopes
            token = tokens.acquire(self.store, granted).access
            token.expires_at = FAR_OFF  # renewing tokens is another test's matter
            self.store.save(tokens.ACCESS, token.token, token)
        for topic in TOPICS.values():
            if topic.subscribable and topic.resource not in {"app", "bulk"}:
                uri = f"http://127.0.0.1:1/webhooks/{topic.resource}"
                installs.subscribe(self.store, topic=topic.name, uri=uri, api_version="2026-10")
        with self.deck.app.app_context(), directory() as session:
            return _keep_tenant(session, self.store, granted, token.token)

    # ── time ────────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def now(self) -> datetime:
        """The moment it is, on both sides."""
        return MadeUpTime.at

    def wait(self, how_long: timedelta) -> None:
        """Let time go by."""
        MadeUpTime.at += how_long

    # ── the network ─────────────────────────────────────────────────────────────────────────────────────────────────

    def on_its_way(self) -> list[Parcel]:
        """Return what could arrive now."""
        return [parcel for parcel in self.outbox.pending(self.store) if parcel.delivery.key not in self.lost]

    def hand_over(self, parcel: Parcel) -> None:
        """Let a parcel arrive."""
        self.outbox.hand_over(parcel, self.post)
        self.delivered.append(parcel)

    def post(self, parcel: Parcel) -> int:
        """Post a parcel to the app and return the status it is answered with."""
        return self.client.post(parcel.path, data=parcel.body, headers=parcel.headers).status_code

    def lose(self, parcel: Parcel) -> None:
        """Let a parcel never arrive."""
        self.lost[parcel.delivery.key] = parcel

    # ── the worker ──────────────────────────────────────────────────────────────────────────────────────────────────

    def work(self) -> bool:
        """Do everything that is due, as a worker would; return whether there was anything."""
        rounds = 0
        while calls := self._due():
            rounds += 1
            assert rounds < ENDLESS, f"nobody does what is due: {calls}"
            for job, arguments in calls:
                with self.deck.app.app_context():
                    job(**arguments)
        return rounds > 0

    def idle(self) -> bool:
        """Whether nothing waits for its time but baskets that may be abandoned."""
        return not self.unfinished()

    def unfinished(self) -> list[tuple[str, str | None]]:
        """Return what waits, or is dead: kinds of work, and topics of deliveries with what is wrong with them."""
        return self.deck.superuser.execute(_UNFINISHED).fetchall()

    def _due(self) -> list[tuple[Callable[..., None], dict[str, int]]]:
        """Return what a tick would find, one piece of each kind; asked in one go, for it is asked often."""
        if self.deck.superuser.execute(_WAITING, [self.now, self.now]).fetchone() is not None:
            return [(inbox_jobs.drain, {})]
        kinds = list(schedule.WORK)
        found = self.deck.superuser.execute(_DUE, [self.now, self.now, kinds]).fetchall()
        return [(_function(schedule.WORK[kind][0]), schedule.WORK[kind][1](Due(kind, *of))) for kind, *of in found]

    def dies_after(self, statements: int) -> None:
        """Do what is due, as a worker that is killed when it has asked PostgreSQL so many times."""
        if self.deaths >= MOST_DEATHS:
            return
        with self.deck.app.app_context(), dying(statements) as died:
            self.work()
        self.deaths += bool(died)

    def hold_turn(self) -> None:
        """Let somebody take the store's turn and never be heard of again."""
        with self.deck.app.app_context(), operations() as session:
            lease = uuid.uuid4()
            taken = claims.seize(session, claims.TURN, [self.tenant_id], lease, now=self.now, lease_for=turns.LEASE)
        self.deaths += bool(taken)

    def check(self, mode: str) -> None:
        """Plan a check of everything."""
        with self.deck.app.app_context():
            reconcile.begin(self.tenant_id, mode=mode)

    def replay(self, but_for: int) -> None:
        """Let what was kept be applied again, from the delivery on that came after so many others."""
        first = self.deck.superuser.execute(_ARRIVED, [self.tenant_id, but_for]).fetchone()
        choice = inbox.Choice(tenant_ids=(self.tenant_id,), since=first[0] if first else None)
        with self.deck.app.app_context(), directory() as session:
            inbox.replay(session, choice, now=self.now)

    def settle(self) -> None:
        """Let time go by until nothing waits any more."""
        for _ in range(60):
            self.work()
            if self.idle():
                return
            self.wait(A_BIT)
        raise AssertionError("there is always something left to do")

    def arrive(self) -> None:
        """Let everything arrive that is on its way; what was signed wrongly is sent again until it is not."""
        while parcels := self.on_its_way():
            for parcel in parcels:
                self.hand_over(parcel)


def _keep_tenant(session: Session, store: Store, granted: Sequence[str], token: str) -> int:
    tenant = Tenant(
        store_url=store.domain,
        name=store.shop.name,
        time_zone=store.shop.timezone,
        currency=store.shop.currency,
        installed_at=LONG_AGO,
    )
    session.add(tenant)
    session.flush()
    session.add(
        OfflineToken(
            tenant_id=tenant.id,
            access_token=current().vault.encrypt(token),
            access_expires_at=FAR_OFF,
            scopes=list(granted),
            obtained_at=LONG_AGO,
        )
    )
    return tenant.id


_WAITING = """
    SELECT FROM inbox WHERE processed_at IS NULL AND dead_at IS NULL AND (retry_at IS NULL OR retry_at <= %s)
      AND NOT EXISTS (SELECT FROM claims WHERE kind = 'turn' AND leased_until > %s)
    LIMIT 1
"""
_DUE = """
    SELECT DISTINCT ON (kind) kind, tenant_id, subject FROM claims
    WHERE due_at <= %s AND (leased_until IS NULL OR leased_until <= %s) AND kind = ANY (%s)
    ORDER BY kind, due_at
"""
_ARRIVED = "SELECT received_at FROM inbox WHERE tenant_id = %s ORDER BY received_at OFFSET %s LIMIT 1"
_UNFINISHED = """
    SELECT kind, error FROM claims WHERE kind NOT IN ('abandonment', 'turn')
    UNION ALL SELECT topic, error FROM inbox WHERE processed_at IS NULL OR dead_at IS NOT NULL
"""


def _function(name: str) -> Callable[..., None]:
    module, _, attribute = name.rpartition(".")
    found: Callable[..., None] = getattr(importlib.import_module(module), attribute)
    return found
