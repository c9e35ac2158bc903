"""Jobs on a store: one refresh at a time, and everything that follows an install, against a Shopify on real sockets."""

import itertools
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from rq import Queue
from rq.serializers import JSONSerializer
from sqlalchemy import select

from shopify_app import claims, subscriptions, tenants
from shopify_app.database import directory, operations, tenant_work
from shopify_app.jobs import queues, tokens
from shopify_app.jobs import tenants as jobs
from shopify_app.models import Backfill, Claim
from shopify_app.runtime import current
from shopify_app.shopify import errors
from shopify_app.shopify.oauth import TokenGrant
from shopify_app.shopify.shop import ShopFacts
from shopify_app.shopify.topics import TOPICS
from tests.shopify.scripted import Asked, Reply, Scripted, scripted_server

STORE = "some-shop.myshopify.com"
APP = "http://127.0.0.1:8000"
EVERYTHING = frozenset({"read_orders", "read_all_orders", "read_customers", "read_products", "read_customer_merge"})
SUBSCRIBABLE = {topic.name for topic in TOPICS.values() if topic.subscribable}
DEAD = {"error": "invalid_request", "error_description": "This request requires an active refresh_token"}
SOON = timedelta(minutes=2)  # of life left: due for a refresh, but usable

pytestmark = pytest.mark.usefixtures("app_context")


class Store:
    """The token endpoint and the webhook subscriptions of one store."""

    def __init__(self, script: Scripted) -> None:
        self.script = script
        self.subscriptions: dict[str, dict[str, Any]] = {}
        self.refused: dict[str, str] = {}
        self.numbers = itertools.count(1)
        self.pairs = itertools.count(2)
        script.otherwise = self.answer

    def answer(self, asked: Asked) -> Reply:
        if asked.path.endswith("/admin/oauth/access_token"):
            return Reply(self.pair())
        query, variables = asked.json["query"], asked.json["variables"]
        name = re.sub(r"\B([A-Z])", r"_\1", query.split("(")[0].split()[1]).lower()
        return Reply({"data": getattr(self, name)(variables)})

    def pair(self) -> dict[str, Any]:
        number = next(self.pairs)
        return {
            "access_token": f"shpat_{number}",
            "scope": ",".join(EVERYTHING),
            "expires_in": 3600,
            "refresh_token": f"shprt_{number}",
            "refresh_token_expires_in": 7776000,
        }

    def webhook_subscriptions(self, variables: dict[str, Any]) -> dict[str, Any]:
        """In pages of ten, so that there are several."""
        start = int(variables["after"] or 0)
        nodes = list(self.subscriptions.values())
        info = {"hasNextPage": start + 10 < len(nodes), "endCursor": str(start + 10)}
        return {"webhookSubscriptions": {"nodes": nodes[start : start + 10], "pageInfo": info}}

    def create_webhook_subscription(self, variables: dict[str, Any]) -> dict[str, Any]:
        topic, uri = variables["topic"], variables["subscription"]["uri"]
        refusal = self.refused.get(topic)
        if any((held["topic"], held["uri"]) == (topic, uri) for held in self.subscriptions.values()):
            refusal = "Address for this topic has already been taken"
        node = None if refusal else self.hold(topic, uri)
        return {"webhookSubscriptionCreate": {"webhookSubscription": node, "userErrors": reasons(refusal)}}

    def update_webhook_subscription(self, variables: dict[str, Any]) -> dict[str, Any]:
        node = self.subscriptions[variables["id"]]
        node["uri"] = variables["subscription"]["uri"]
        return {"webhookSubscriptionUpdate": {"webhookSubscription": node, "userErrors": []}}

    def delete_webhook_subscription(self, variables: dict[str, Any]) -> dict[str, Any]:
        del self.subscriptions[variables["id"]]
        return {"webhookSubscriptionDelete": {"deletedWebhookSubscriptionId": variables["id"], "userErrors": []}}

    def hold(self, topic: str, uri: str) -> dict[str, Any]:
        shopify_id = f"gid://shopify/WebhookSubscription/{next(self.numbers)}"
        node = {"id": shopify_id, "topic": topic, "uri": uri, "format": "JSON", "filter": None, "includeFields": []}
        self.subscriptions[shopify_id] = node
        return node

    def refreshes(self) -> list[str]:
        """The refresh tokens that were used, in order."""
        return [one.json["refresh_token"] for one in self.script.asked if one.path.endswith("/access_token")]

    def mutations(self) -> int:
        return sum(b"mutation" in asked.body for asked in self.script.asked)


def reasons(message: str | None) -> list[dict[str, Any]]:
    return [{"field": ["webhookSubscription"], "message": message}] if message else []


@pytest.fixture
def store() -> Iterator[Store]:
    with scripted_server() as script:
        yield Store(script)


@pytest.fixture
def environ(environ, store):
    return {**environ, "SHOPIFY_SHOP_ORIGIN": store.script.url + "/{shop}"}


@pytest.fixture(autouse=True)
def _short_patience(monkeypatch):
    monkeypatch.setattr(tokens, "POLL_EVERY", 0.02)


def install(*, life=timedelta(hours=1), scopes=EVERYTHING, number=1, **changes):
    facts = ShopFacts(
        store_url=STORE,
        shopify_id=1,
        name="Some Shop",
        email=None,
        currency="EUR",
        time_zone="Europe/Berlin",
        plan=None,
        scopes=frozenset(),
    )
    known = {
        "access_token": f"shpat_{number}",
        "scopes": scopes,
        "expires_in": 3600,
        "refresh_token": f"shprt_{number}",
        "refresh_expires_in": 7776000,
    }
    obtained_at = datetime.now(UTC) - timedelta(hours=1) + life
    grant = TokenGrant(**(known | changes))
    with directory() as session:
        return tenants.install(session, facts=facts, grant=grant, vault=current().vault, now=obtained_at).id


def held(tenant_id):
    with directory() as session:
        return tenants.token(session, tenant_id, current().vault)


def registrations(tenant_id):
    with tenant_work(tenant_id) as session:
        return {one.topic: one for one in subscriptions.registrations(session)}


def planned(tenant_id):
    with tenant_work(tenant_id) as session:
        return sorted(session.execute(select(Backfill.run_id, Backfill.resource)).all())


def settle_claim():
    with operations() as session:
        return session.execute(select(Claim.due_at, Claim.error).where(Claim.kind == claims.SETTLE)).one_or_none()


def ask_again(tenant_id):
    with operations() as session:
        claims.put(session, claims.SETTLE, tenant_id, due_at=datetime.now(UTC))


def queued(name=queues.DEFAULT):
    waiting = Queue(name, connection=current().queues.redis, serializer=JSONSerializer)
    return [(job.func_name, job.kwargs) for job in waiting.jobs]


# ── a working token ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_fresh_token_is_used_as_it_is(store):
    client = tokens.client_for(install())

    assert client.access_token == "shpat_1"
    assert client.origin == f"{store.script.url}/{STORE}"
    assert store.script.asked == []


def test_token_near_its_end_is_refreshed_and_the_pair_is_kept(store):
    tenant_id = install(life=SOON)

    client = tokens.client_for(tenant_id)

    token = held(tenant_id)
    assert client.access_token == token.access_token == "shpat_2"
    assert token.refresh_token == "shprt_2"
    assert token.expires_at > datetime.now(UTC) + timedelta(minutes=58)
    assert store.refreshes() == ["shprt_1"]


def test_processes_that_ask_together_refresh_once(app, store):
    tenant_id = install(life=-SOON)
    store.script.replies = [Reply(store.pair(), delay=0.5)]
    barrier, found, lock = threading.Barrier(5), [], threading.Lock()

    def run():
        with app.app_context():
            barrier.wait()
            client = tokens.client_for(tenant_id)
        with lock:
            found.append(client.access_token)

    threads = [threading.Thread(target=run) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == ["shpat_2"] * 5
    assert store.refreshes() == ["shprt_1"]


def test_no_transaction_is_open_while_shopify_is_asked(store, database):
    tenant_id = install(life=SOON)
    seen = []

    def look(_asked: Asked) -> Reply:
        with psycopg.connect(database.login_url) as connection:
            states = """SELECT state FROM pg_stat_activity
                WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()"""
            seen.extend(state for (state,) in connection.execute(states))
        return Reply(store.pair())

    store.script.otherwise = look

    tokens.client_for(tenant_id)

    assert seen
    assert set(seen) == {"idle"}


def test_dead_refresh_token_is_noted_and_not_tried_again(store):
    tenant_id = install(life=SOON)
    store.script.replies = [Reply(DEAD, 401)]

    for _ in range(2):
        with pytest.raises(errors.RefreshRefused, match="active refresh_token"):
            tokens.client_for(tenant_id)

    assert store.refreshes() == ["shprt_1"]
    with directory() as session:
        assert not tenants.has_live_token(session, tenant_id, datetime.now(UTC))


def test_lost_answer_is_made_good_with_the_same_refresh_token(store):
    tenant_id = install(life=-SOON)
    store.script.replies = [Reply(store.pair(), cut_after=10)]

    with pytest.raises(errors.Unavailable):
        tokens.client_for(tenant_id)
    client = tokens.client_for(tenant_id)

    assert client.access_token == "shpat_3"
    assert store.refreshes() == ["shprt_1", "shprt_1"]


def test_token_that_cannot_be_renewed_now_is_used_while_it_lives(store):
    tenant_id = install(life=SOON)
    store.script.replies = [Reply(status=503)]

    assert tokens.client_for(tenant_id).access_token == "shpat_1"
    assert tokens.client_for(tenant_id).access_token == "shpat_2"


@pytest.mark.parametrize("life", [SOON, -SOON])
def test_lease_of_a_process_that_died_is_waited_for_no_longer_than_the_bound(store, monkeypatch, life):
    monkeypatch.setattr(tokens, "LONGEST_WAIT", 0.2)
    tenant_id = install(life=life)
    now = datetime.now(UTC)
    with directory() as session:
        tenants.lease_refresh(session, tenant_id, now=now, until=now + timedelta(minutes=1))

    if life > timedelta(0):
        assert tokens.client_for(tenant_id).access_token == "shpat_1"
    else:
        with pytest.raises(errors.Unavailable) as caught:
            tokens.client_for(tenant_id)
        assert caught.value.retryable
    assert store.refreshes() == []


@pytest.mark.parametrize("reply", [Reply(DEAD, 401), Reply({"access_token": "shpat_late", "expires_in": 3600})])
def test_newer_token_of_the_merchants_visit_wins_over_a_refresh_under_way(app, store, reply):
    tenant_id = install(life=-SOON)

    def visited(_asked: Asked) -> Reply:
        with app.app_context():
            install(number=7)
        return reply

    store.script.otherwise = visited

    assert tokens.client_for(tenant_id).access_token == "shpat_7"
    assert held(tenant_id).refresh_token == "shprt_7"


def test_expired_token_without_a_refresh_token_asks_for_the_merchant(store):
    tenant_id = install(life=-SOON, refresh_token=None, refresh_expires_in=None)

    with pytest.raises(errors.Unauthorized, match="has expired"):
        tokens.client_for(tenant_id)


def test_store_that_uninstalled_has_no_client(store):
    tenant_id = install()
    with directory() as session:
        tenants.uninstall(session, tenant_id, datetime.now(UTC))

    with pytest.raises(errors.Unauthorized, match="uninstalled"):
        tokens.client_for(tenant_id)


def test_renewing_refreshes_a_fresh_token_too(store):
    tenant_id = install()

    tokens.renew(tenant_id=tenant_id)

    assert held(tenant_id).access_token == "shpat_2"


def test_renewing_leaves_a_refresh_under_way_alone(store):
    tenant_id = install()
    now = datetime.now(UTC)
    with directory() as session:
        tenants.lease_refresh(session, tenant_id, now=now, until=now + timedelta(minutes=1), even_if_fresh=True)

    tokens.renew(tenant_id=tenant_id)

    assert store.refreshes() == []


def test_stores_whose_refresh_token_dies_soon_are_queued_for_renewal(store):
    tenant_id = install(refresh_expires_in=86400)

    tokens.renew_expiring()

    assert queued() == [("shopify_app.jobs.tokens.renew", {"tenant_id": tenant_id})]


# ── a token that Shopify refuses before its time ────────────────────────────────────────────────────────────────────


class Doorkeeper:
    """An Admin API that lets in whoever holds one of `taken`, and runs `meet` when it turns somebody away."""

    def __init__(self, store, *taken):
        self.store, self.taken, self.meet = store, taken, None
        self.seen = []
        store.script.otherwise = self.answer

    def answer(self, asked):
        if asked.path.endswith("/access_token"):
            return self.store.answer(asked)
        token = asked.headers["X-Shopify-Access-Token"]
        self.seen.append(token)
        if token in self.taken:
            return Reply({"data": {"token": token}})
        if self.meet:
            self.meet()
        return Reply({"errors": "[API] Invalid API key or access token"}, 401)


ANY = "{ shop { name } }"


def test_refused_token_is_renewed_once_for_all_calls_of_a_client(store):
    door = Doorkeeper(store, "shpat_2")
    tenant_id = install()
    client = tokens.client_for(tenant_id)

    for _ in range(2):
        assert client.execute(ANY) == {"token": "shpat_2"}

    assert door.seen == ["shpat_1", "shpat_2", "shpat_2"]
    assert store.refreshes() == ["shprt_1"]
    assert held(tenant_id).access_token == "shpat_2"
    assert tokens.client_for(tenant_id).access_token == "shpat_2"


def test_token_that_is_refused_renewed_as_well_is_disowned(store):
    door = Doorkeeper(store)
    tenant_id = install()

    with pytest.raises(errors.Unauthorized, match="Open the app once"):
        tokens.client_for(tenant_id).execute(ANY)

    assert door.seen == ["shpat_1", "shpat_2"]
    assert "Shopify answered 401" in held(tenant_id).failure
    with directory() as session:
        assert not tenants.has_live_token(session, tenant_id, datetime.now(UTC))


def test_refused_token_that_another_process_has_renewed_meanwhile_is_not_renewed_again(app, store):
    door = Doorkeeper(store, "shpat_7")
    tenant_id = install()
    client = tokens.client_for(tenant_id)

    def visited():
        with app.app_context():
            install(number=7)

    door.meet = visited

    assert client.execute(ANY) == {"token": "shpat_7"}
    assert store.refreshes() == []


def test_renewal_under_way_elsewhere_is_waited_for(app, store):
    door = Doorkeeper(store, "shpat_2")
    tenant_id = install()
    store.script.replies = []
    barrier, found = threading.Barrier(4), []

    def run():
        with app.app_context():
            client = tokens.client_for(tenant_id)
            barrier.wait()
            found.append(client.execute(ANY))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [{"token": "shpat_2"}] * 4
    assert store.refreshes() == ["shprt_1"]
    assert door.seen.count("shpat_2") == 4


def test_lease_taken_just_after_somebody_elses_renewal_is_given_back(store):
    tenant_id = install(number=7)
    lease = tokens._lease(tenant_id, even_if_fresh=True)

    token = tokens._replaced(tenant_id, "shpat_1", lease)

    assert token.access_token == "shpat_7"
    assert store.refreshes() == []
    assert tokens._lease(tenant_id, even_if_fresh=True) is not None


def test_refused_token_that_cannot_be_renewed_is_disowned(store):
    Doorkeeper(store)
    tenant_id = install(refresh_token=None, refresh_expires_in=None)

    with pytest.raises(errors.Unauthorized, match="gave none to renew it with"):
        tokens.client_for(tenant_id).execute(ANY)

    assert held(tenant_id).failure is not None


def test_refused_token_whose_refresh_token_is_dead_asks_for_the_merchant(store):
    Doorkeeper(store)
    tenant_id = install()
    client = tokens.client_for(tenant_id)
    store.script.replies = [Reply(status=401), Reply(DEAD, 401)]

    with pytest.raises(errors.RefreshRefused, match="active refresh_token"):
        client.execute(ANY)

    assert "active refresh_token" in held(tenant_id).failure


@pytest.mark.parametrize("trouble", [Reply(status=503), Reply({}, cut_after=1)])
def test_refused_token_that_cannot_be_renewed_now_is_left_for_later(store, trouble):
    Doorkeeper(store, "shpat_2")
    tenant_id = install()
    client = tokens.client_for(tenant_id)
    store.script.replies = [Reply(status=401), trouble]

    with pytest.raises(errors.Unavailable, match="did not renew it now") as caught:
        client.execute(ANY)

    assert caught.value.retryable
    assert held(tenant_id).failure is None
    assert client.execute(ANY) == {"token": "shpat_2"}


def test_refused_token_whose_renewal_hangs_elsewhere_is_left_for_later(store, monkeypatch):
    monkeypatch.setattr(tokens, "LONGEST_WAIT", 0.2)
    Doorkeeper(store, "shpat_2")
    tenant_id = install()
    client = tokens.client_for(tenant_id)
    tokens._lease(tenant_id, even_if_fresh=True)

    with pytest.raises(errors.Unavailable, match="another process has not renewed it"):
        client.execute(ANY)

    assert store.refreshes() == []


def test_store_that_uninstalled_during_the_call_says_so(app, store):
    door = Doorkeeper(store)
    tenant_id = install()
    client = tokens.client_for(tenant_id)

    def leave():
        with app.app_context(), directory() as session:
            tenants.uninstall(session, tenant_id, datetime.now(UTC))

    door.meet = leave

    with pytest.raises(errors.Unauthorized, match="uninstalled"):
        client.execute(ANY)


def test_clients_of_one_process_share_what_is_known_of_shopifys_limits(store):
    tenant_id = install()

    assert tokens.client_for(tenant_id).traffic is tokens.client_for(tenant_id).traffic is current().traffic


# ── after an install ────────────────────────────────────────────────────────────────────────────────────────────────


def test_settling_registers_every_topic_and_plans_the_history(store):
    tenant_id = install()

    jobs.settle(tenant_id=tenant_id)

    found = registrations(tenant_id)
    assert found.keys() == SUBSCRIBABLE
    assert all(one.error is None and one.shopify_id in store.subscriptions for one in found.values())
    assert {node["uri"] for node in store.subscriptions.values()} == {one.uri for one in found.values()}
    assert [resource for _run, resource in planned(tenant_id)] == [
        "checkouts",
        "customers",
        "orders",
        "products",
        "refunds",
    ]
    assert settle_claim() is None
    assert [(job, arguments["tenant_id"]) for job, arguments in queued(queues.BACKFILL)] == [
        (queues.ADVANCE, tenant_id)
    ] * 5


def test_settling_twice_changes_nothing_the_second_time(store):
    tenant_id = install()
    jobs.settle(tenant_id=tenant_id)
    before = (dict(store.subscriptions), registrations(tenant_id), planned(tenant_id), store.mutations())
    ask_again(tenant_id)

    jobs.settle(tenant_id=tenant_id)

    after = (dict(store.subscriptions), registrations(tenant_id), planned(tenant_id), store.mutations())
    assert after == before
    assert settle_claim() is None


def test_settling_without_a_claim_asks_nobody(store):
    tenant_id = install()
    jobs.settle(tenant_id=tenant_id)
    asked = len(store.script.asked)

    jobs.settle(tenant_id=tenant_id)

    assert len(store.script.asked) == asked


def test_settling_moves_and_removes_what_is_in_the_way(store):
    tenant_id = install()
    moved = store.hold("ORDERS_CREATE", "https://old.example.com/webhooks/orders")["id"]
    strange = store.hold("THEMES_UPDATE", f"{APP}/webhooks/themes")["id"]
    theirs = store.hold("THEMES_UPDATE", "pubsub://project:topic")["id"]

    jobs.settle(tenant_id=tenant_id)

    assert store.subscriptions[moved]["uri"] == f"{APP}/webhooks/orders"
    assert strange not in store.subscriptions
    assert theirs in store.subscriptions
    assert registrations(tenant_id)["orders/create"].shopify_id == moved


def test_settling_with_fewer_scopes_takes_what_they_allow_and_says_the_rest(store):
    tenant_id = install(scopes=frozenset({"read_products"}))

    jobs.settle(tenant_id=tenant_id)

    found = registrations(tenant_id)
    assert found.keys() == SUBSCRIBABLE
    assert found["products/create"].error is None
    assert "read_orders" in found["orders/create"].error
    assert [resource for _run, resource in planned(tenant_id)] == ["products"]


def test_refused_topic_is_recorded_and_keeps_no_other_back(store):
    tenant_id = install()
    store.refused["CARTS_CREATE"] = "You cannot create a webhook subscription with the specified topic"

    jobs.settle(tenant_id=tenant_id)

    found = registrations(tenant_id)
    assert found["carts/create"].error == "You cannot create a webhook subscription with the specified topic"
    assert {topic for topic, one in found.items() if one.error} == {"carts/create"}
    assert len(planned(tenant_id)) == 5


def test_topic_refused_as_a_whole_query_is_recorded_too(store):
    tenant_id = install()
    denied = {"message": "This app is not approved to subscribe to carts", "extensions": {"code": "ACCESS_DENIED"}}
    usual = store.answer

    def answer(asked: Asked) -> Reply:
        return Reply({"data": None, "errors": [denied]}) if b'"CARTS_CREATE"' in asked.body else usual(asked)

    store.script.otherwise = answer

    jobs.settle(tenant_id=tenant_id)

    assert denied["message"] in registrations(tenant_id)["carts/create"].error
    assert registrations(tenant_id)["orders/create"].error is None


def test_subscription_made_by_another_process_meanwhile_is_adopted(store):
    tenant_id = install()
    usual, others = store.answer, []

    def answer(asked: Asked) -> Reply:
        if b'"ORDERS_CREATE"' in asked.body and not others:
            others.append(store.hold("ORDERS_CREATE", f"{APP}/webhooks/orders")["id"])
        return usual(asked)

    store.script.otherwise = answer

    jobs.settle(tenant_id=tenant_id)

    found = registrations(tenant_id)
    assert found["orders/create"].shopify_id == others[0]
    assert all(one.error is None for one in found.values())


def test_settling_is_put_off_while_shopify_is_away_and_then_goes_on(store):
    tenant_id = install()
    store.script.replies = [Reply(status=429, headers={"Retry-After": "60"})]

    jobs.settle(tenant_id=tenant_id)

    due_at, error = settle_claim()
    assert due_at > datetime.now(UTC) + timedelta(seconds=50)
    assert "429" in error
    assert planned(tenant_id) == []
    with operations() as session:
        session.execute(Claim.__table__.update().values(due_at=datetime.now(UTC)))
    jobs.settle(tenant_id=tenant_id)
    assert registrations(tenant_id).keys() == SUBSCRIBABLE
    assert settle_claim() is None


def test_settling_that_fails_again_and_again_is_put_off_ever_longer(store):
    tenant_id = install()
    waits = []
    for _ in range(4):
        store.script.replies = [Reply(status=423)]
        jobs.settle(tenant_id=tenant_id)
        waits.append(settle_claim().due_at - datetime.now(UTC))
        with operations() as session:
            session.execute(Claim.__table__.update().values(due_at=datetime.now(UTC)))

    assert [round(wait.total_seconds()) for wait in waits] == [5, 10, 20, 40]


def test_token_refused_by_the_api_is_disowned_and_settling_waits_for_the_merchant(store):
    tenant_id = install()
    refused = Reply({"errors": "[API] Invalid API key or access token"}, 401)
    store.script.replies = [refused, Reply(store.pair()), refused]

    jobs.settle(tenant_id=tenant_id)

    assert "401" in held(tenant_id).failure
    assert settle_claim() is None
    with directory() as session:
        assert not tenants.has_live_token(session, tenant_id, datetime.now(UTC))


def test_settling_a_store_that_uninstalled_meanwhile_ends_quietly(store):
    tenant_id = install()
    with directory() as session:
        tenants.uninstall(session, tenant_id, datetime.now(UTC))

    jobs.settle(tenant_id=tenant_id)

    assert store.script.asked == []
    assert settle_claim() is None
    assert planned(tenant_id) == []


def test_settling_that_outlived_its_lease_leaves_the_claim_to_whoever_took_it(app, store, monkeypatch):
    monkeypatch.setattr(jobs, "SETTLE_LEASE", timedelta(0))
    tenant_id = install()
    usual, taken = store.answer, []

    def answer(asked: Asked) -> Reply:
        if not taken:
            with app.app_context(), operations() as session:
                now = datetime.now(UTC)
                taken.extend(claims.take(session, [claims.SETTLE], 1, now, timedelta(minutes=1), tenant_id=tenant_id))
        return usual(asked)

    store.script.otherwise = answer

    jobs.settle(tenant_id=tenant_id)

    with operations() as session:
        assert session.scalar(select(Claim.lease).where(Claim.kind == claims.SETTLE)) == taken[0].lease
    assert registrations(tenant_id).keys() == SUBSCRIBABLE
