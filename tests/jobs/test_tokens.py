"""Tokens among real processes and a real local Shopify: refreshed once, recovered after a kill, given up at the end."""

import io
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import msgspec
import psycopg
import pytest
from flask import Flask
from sqlalchemy import text

from devstore import installs
from devstore import tokens as granted
from devstore.state import Store
from shopify_app import claims, tenants
from shopify_app.database import directory, operations
from shopify_app.jobs import tokens
from shopify_app.runtime import current
from shopify_app.shopify import errors
from shopify_app.shopify.oauth import TokenGrant
from shopify_app.shopify.shop import ShopFacts, fetch_shop
from supervisor.ports import free_port
from tests.devstore import serving

ROOT = Path(__file__).resolve().parents[2]
ASK = """
import sys
from config import Config
from shopify_app.app import create_app
from shopify_app.jobs.tokens import client_for
with create_app(Config.from_env()).app_context():
    client_for(int(sys.argv[1]))
"""

pytestmark = pytest.mark.usefixtures("app_context")


@dataclass
class Shopify:
    """A devstore with the app installed, and what its token door was asked."""

    app: Flask
    store: Store
    origin: str
    asked: list[dict[str, str]] = field(default_factory=list)
    answered: list[int] = field(default_factory=list)
    pause: float = 0.0
    before: list = field(default_factory=list)

    def refreshes(self) -> list[str]:
        """The refresh tokens that were used, in order."""
        return [one["refresh_token"] for one in self.asked if one["grant_type"] == "refresh_token"]

    def pair(self) -> granted.Pair:
        with self.app.app_context():
            return granted.acquire(self.store, list(installs.installation(self.store).scopes))

    def permanent(self) -> str:
        with self.app.app_context():
            return granted.issue_permanent(self.store, list(installs.installation(self.store).scopes)).token


@pytest.fixture
def shopify(tmp_path):
    port = free_port()
    with serving.made_devstore(serving.small_options(tmp_path, port=port)) as app:
        found = Shopify(app, serving.install(app), f"http://localhost:{port}")
        app.wsgi_app = _watched(app.wsgi_app, found)
        with serving.running(app, "localhost", port):
            yield found


def _watched(wsgi, shopify):
    def door(environ, start_response):
        if not environ["PATH_INFO"].endswith("/access_token"):
            return wsgi(environ, start_response)
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        environ["wsgi.input"] = io.BytesIO(body)
        shopify.asked.append(msgspec.json.decode(body))
        for act in shopify.before:
            act()
        time.sleep(shopify.pause)

        def answer(status, headers, exc_info=None):
            shopify.answered.append(int(status.split()[0]))
            return start_response(status, headers, exc_info)

        return wsgi(environ, answer)

    return door


@pytest.fixture
def environ(environ, shopify):
    return {**environ, "SHOPIFY_SHOP_ORIGIN": f"{shopify.origin}/stores/{{shop}}"}


def install(**grant):
    facts = ShopFacts(
        store_url=serving.SHOP,
        shopify_id=1,
        name="Aurora",
        email=None,
        currency="USD",
        time_zone="UTC",
        plan=None,
        scopes=frozenset(),
    )
    given = TokenGrant(scopes=frozenset({"read_customers", "read_orders", "read_products"}), **grant)
    with directory() as session:
        now = datetime.now(UTC)
        return tenants.install(session, facts=facts, grant=given, vault=current().vault, now=now).id


def install_with(pair, *, expires_in):
    """A store whose access token has ``expires_in`` seconds to live."""
    return install(
        access_token=pair.access.token,
        expires_in=expires_in,
        refresh_token=pair.refresh.token,
        refresh_expires_in=pair.refresh_expires_in,
    )


def held(tenant_id):
    with directory() as session:
        return tenants.token(session, tenant_id, current().vault)


def eventually(condition, seconds=30):
    ends_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends_at, "it did not happen in time"
        time.sleep(0.02)


@pytest.fixture
def process(environ):
    """Starts Python processes over this test's settings, and leaves none behind."""
    started = []

    def run(*arguments):
        made = subprocess.Popen([sys.executable, *arguments], cwd=ROOT, env={"PATH": os.environ["PATH"], **environ})
        started.append(made)
        return made

    yield run
    for made in started:
        made.kill()
        made.wait()


def test_kill_between_shopifys_answer_and_our_commit_is_made_good_with_the_old_refresh_token(
    shopify, process, database
):
    pair = shopify.pair()
    tenant_id = install_with(pair, expires_in=-60)
    with psycopg.connect(database.owner_url) as blocker:
        # The row is locked while Shopify answers, so that the process waits with the new pair in hand.
        shopify.before = [lambda: blocker.execute("SELECT 1 FROM offline_tokens FOR UPDATE")]
        doomed = process("-c", ASK, str(tenant_id))
        eventually(lambda: shopify.answered == [200] and _waits_for_a_lock(database))
        doomed.send_signal(signal.SIGKILL)
        doomed.wait()
        blocker.rollback()
    shopify.before = []
    eventually(lambda: not _waits_for_a_lock(database))

    assert held(tenant_id).refresh_token == pair.refresh.token
    with directory() as session:
        session.execute(text("UPDATE offline_tokens SET leased_until = now()"))  # the minute of its lease is over
    client = tokens.client_for(tenant_id)

    assert shopify.refreshes() == [pair.refresh.token] * 2
    assert held(tenant_id).access_token == client.access_token
    with shopify.app.app_context():
        assert granted.find(shopify.store, client.access_token) is not None


def _waits_for_a_lock(database):
    with psycopg.connect(database.owner_url) as connection:
        query = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        return connection.execute(query).fetchone()[0] > 0


@pytest.mark.long
def test_two_workers_that_meet_an_expired_token_refresh_it_once(shopify, process):
    pair = shopify.pair()
    tenant_id = install_with(pair, expires_in=-60)
    shopify.pause = 3.0
    with operations() as session:
        claims.put(session, claims.SETTLE, tenant_id, due_at=datetime.now(UTC))
        claims.put(session, claims.ORDER_DETAILS, tenant_id, 1, due_at=datetime.now(UTC))
    current().queues.nudge("shopify_app.jobs.tenants.settle", tenant_id=tenant_id)
    current().queues.nudge("shopify_app.jobs.details.read", tenant_id=tenant_id)

    process("-m", "shopify_app.worker")
    process("-m", "shopify_app.worker")
    eventually(lambda: _claims(tenant_id) == {claims.BACKFILL}, 40)

    assert shopify.refreshes() == [pair.refresh.token]
    assert held(tenant_id).failure is None


def _claims(tenant_id):
    with operations() as session:
        kinds = session.scalars(text("SELECT kind FROM claims WHERE tenant_id = :id").bindparams(id=tenant_id))
        return set(kinds)


def test_threads_that_meet_an_expired_token_refresh_it_once(app, shopify):
    pair = shopify.pair()
    tenant_id = install_with(pair, expires_in=-60)
    shopify.pause = 0.3
    found = []

    def ask():
        with app.app_context():
            found.append(tokens.client_for(tenant_id).access_token)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert shopify.refreshes() == [pair.refresh.token]
    assert set(found) == {held(tenant_id).access_token}


def test_shopifys_last_word_ends_the_attempts_at_once(shopify):
    tenant_id = install_with(shopify.pair(), expires_in=-60)
    with shopify.app.app_context():
        granted.revoke_all(shopify.store)

    for _ in range(3):
        with pytest.raises(errors.RefreshRefused, match="active refresh_token"):
            tokens.client_for(tenant_id)

    assert shopify.answered == [401]
    with operations() as session:
        assert tenants.connected(session) == []


def test_token_that_never_expires_is_exchanged_for_a_pair_when_it_is_met(shopify):
    old = shopify.permanent()
    tenant_id = install(access_token=old)

    client = tokens.client_for(tenant_id)

    token = held(tenant_id)
    assert (token.access_token, token.is_permanent) == (client.access_token, False)
    assert token.refresh_token is not None
    assert token.expires_at < datetime.now(UTC) + timedelta(hours=1, minutes=1)
    with shopify.app.app_context():
        assert granted.find(shopify.store, old) is None
    tokens.client_for(tenant_id)
    assert len(shopify.asked) == 1


def test_token_that_never_expires_is_exchanged_on_the_clock(shopify, monkeypatch):
    tenant_id = install(access_token=shopify.permanent())
    queued = []
    monkeypatch.setattr(current().queues, "enqueue", lambda job, **arguments: queued.append((job, arguments)))

    tokens.renew_expiring()
    for job, arguments in queued:
        job(**arguments)

    assert queued == [(tokens.renew, {"tenant_id": tenant_id})]
    assert not held(tenant_id).is_permanent


def test_token_that_shopify_no_longer_knows_asks_for_the_merchant(shopify):
    tenant_id = install(access_token="shpat_0123456789abcdef")

    for _ in range(2):
        with pytest.raises(errors.RefreshRefused, match="no longer knows the token"):
            tokens.client_for(tenant_id)

    assert shopify.answered == [400]


def test_token_whose_exchange_fails_for_now_is_used_as_it_is(shopify, monkeypatch):
    old = shopify.permanent()
    tenant_id = install(access_token=old)

    def away(*_arguments):
        raise errors.Unavailable("Shopify is away.")

    monkeypatch.setattr(current().oauth, "migrate", away)

    assert tokens.client_for(tenant_id).access_token == old
    assert held(tenant_id).failure is None


def go_wrong(shopify, **api):
    answer = httpx.post(f"{shopify.origin}/_dev/stores/{serving.SHOP}/faults", json={"seed": 1, "api": api})
    answer.raise_for_status()


def test_token_that_shopify_refuses_once_is_renewed_and_nothing_else_is_noticed(shopify):
    pair = shopify.pair()
    tenant_id = install_with(pair, expires_in=3600)
    go_wrong(shopify, status=401, times=1)

    facts = fetch_shop(tokens.client_for(tenant_id))

    assert facts.store_url == serving.SHOP
    assert shopify.refreshes() == [pair.refresh.token]
    assert held(tenant_id).failure is None


def test_token_of_a_store_that_took_the_app_out_asks_for_the_merchant(shopify):
    tenant_id = install_with(shopify.pair(), expires_in=3600)
    client = tokens.client_for(tenant_id)
    with shopify.app.app_context():
        granted.revoke_all(shopify.store)

    with pytest.raises(errors.RefreshRefused, match="active refresh_token"):
        fetch_shop(client)

    with operations() as session:
        assert tenants.connected(session) == []


def test_another_source_of_tokens_can_take_the_place(app, monkeypatch):
    class Keyed:
        store_url, access_token = "some-shop.myshopify.com", "shpat_of_the_app"

        def access(self, _tenant_id):
            return self

    monkeypatch.setattr(tokens, "SOURCE", Keyed())

    assert tokens.client_for(1).access_token == "shpat_of_the_app"
