"""The operators' console: one store, all backfills, queues and workers, drift and the record; every deed confirmed."""

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from flask import Flask
from flask.testing import FlaskClient
from redis.exceptions import ConnectionError as RedisAway
from rq.serializers import JSONSerializer
from sqlalchemy import insert, text

from shopify_app import backfill, claims, operators
from shopify_app.database import directory, operations, tenant_work
from shopify_app.jobs.queues import ADVANCE, NAMES, JsonJob
from shopify_app.models import DriftSummary, Tenant, WebhookSubscription
from shopify_app.runtime import current
from shopify_app.worker import SteadyWorker
from tests.web.conftest import DOCUMENT, FETCH, World, claims_of, csrf_of, log_in
from tests.web.test_operator import EMAIL, actions, olga, put, seed, states  # noqa: F401 - fixtures

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def start(app: Flask):
    """Plans backfills and returns their ids by resource."""

    def make(tenant_id: int, *resources: str, **asked: object) -> dict[str, int]:
        with app.app_context(), tenant_work(tenant_id) as session:
            backfill.start(session, session.get_one(Tenant, tenant_id), resources, datetime.now(UTC), **asked)
            return {one.resource: one.id for one in backfill.progress(session)}

    return make


@pytest.fixture
def move(app: Flask):
    """Writes what a worker found out."""

    def write(tenant_id: int, number: int, **changes: object) -> None:
        with app.app_context(), tenant_work(tenant_id) as session:
            standing = backfill.read(session, tenant_id, number)
            backfill.write(session, replace(standing, **changes), datetime.now(UTC))

    return write


@pytest.fixture
def held(app: Flask):
    """Returns a store's backfills, oldest first."""

    def read(tenant_id: int) -> list[backfill.Progress]:
        with app.app_context(), tenant_work(tenant_id) as session:
            return backfill.history(session, datetime.now(UTC), limit=100)[::-1]

    return read


def see(client: FlaskClient, path: str, **query: str) -> str:
    page = client.get(f"/operator{path}", query_string=query, headers=DOCUMENT)
    assert page.status_code == 200, page.text
    return page.text


def do(client: FlaskClient, path: str, **form: object):
    data = {"csrf_token": csrf_of(client, "/operator"), **form}
    return client.post(f"/operator{path}", data=data, headers=DOCUMENT)


def last_entry(app: Flask) -> tuple[object, ...]:
    """Return the last deed on record: who, what, whose, why, and details."""
    with app.app_context(), operations() as session:
        columns = "operator, action, tenant_id, reason, details"
        return tuple(session.execute(text(f"SELECT {columns} FROM audit_entries ORDER BY id DESC LIMIT 1")).one())  # noqa: S608 - constants


def checks(app: Flask) -> list[int]:
    """Return whose checks are to be done, one for each."""
    return [tenant_id for kind, tenant_id in claims_of(app) if kind == "reconcile"]


def states_of(page: str) -> list[tuple[str, str]]:
    return re.findall(r'data-backfill="(\d+)" data-state="(\w+)"', page)


# ── one store ──


def test_a_stores_page_tells_how_it_stands(
    olga: FlaskClient,  # noqa: F811
    app: Flask,
    world: World,
    start,
    move,
    put,  # noqa: F811
) -> None:
    number = start(world.alpha, "customers", by="install")["customers"]
    move(world.alpha, number, state="loading", objects_total=9000, objects_read=4500)
    put(world.alpha)
    with app.app_context():
        with directory() as session:
            row = {"tenant_id": world.alpha, "resource": "orders", "state": "done", "checked": 41, "missing": 7}
            session.execute(insert(DriftSummary), {**row, "planned_at": NOW, "finished_at": NOW})
        with tenant_work(world.alpha) as session:
            topics = [("orders/create", None), ("customers/merge", "The store has not granted read_customer_merge.")]
            rows = [{"tenant_id": world.alpha, "topic": topic, "uri": "/", "error": error} for topic, error in topics]
            session.execute(insert(WebhookSubscription), rows)

    page = see(olga, f"/tenants/{world.alpha}")

    for said in (
        "alpha.myshopify.com",
        "Installed",
        "<dt>Token</dt><dd>Works</dd>",
        "read_customers, read_orders, read_products",
        '<a href="/operator/dead-letters?store=alpha.myshopify.com">1 given up</a>',
        "4,500 of 9,000",
        '<td class="amount">41</td>',
        "1 of 2 topics are registered.",
        "customers/merge: The store has not granted read_customer_merge.",
    ):
        assert said in page
    assert states_of(page) == [(str(number), "loading")]
    assert "@alpha" not in page
    assert last_entry(app) == (EMAIL, "looked at a tenant", world.alpha, None, None)


def test_an_open_page_that_asks_for_news_is_one_look(olga: FlaskClient, app: Flask, world: World) -> None:  # noqa: F811
    see(olga, f"/tenants/{world.alpha}")
    see(olga, "/backfills")

    for path in (f"/tenants/{world.alpha}", "/backfills"):
        assert olga.get(f"/operator{path}", headers=FETCH).status_code == 200

    assert actions(app)[-2:] == ["looked at a tenant", "looked at the backfills"]


@pytest.mark.parametrize("path", ["/tenants/{}", "/backfills?state=unfinished"])
def test_an_open_page_is_made_anew_only_when_something_changed(
    olga: FlaskClient,  # noqa: F811
    world: World,
    start,
    move,
    path: str,
) -> None:
    address = f"/operator{path.format(world.alpha)}"
    number = start(world.alpha, "customers")["customers"]
    tag = olga.get(address, headers=DOCUMENT).headers["ETag"]

    same = olga.get(address, headers={**FETCH, "If-None-Match": tag})
    move(world.alpha, number, state="running", objects_total=5)
    changed = olga.get(address, headers={**FETCH, "If-None-Match": tag})

    assert (same.status_code, same.text) == (304, "")
    assert (changed.status_code, "5 prepared" in changed.text) == (200, True)


@pytest.mark.parametrize("path", ["", "/backfill", "/check"])
def test_a_store_nobody_knows_is_no_page(olga: FlaskClient, path: str) -> None:  # noqa: F811
    page = olga.get(f"/operator/tenants/4711{path}", headers=DOCUMENT)

    assert page.status_code == 404
    assert "There is no store 4711." in page.text


def test_a_backfill_is_started_once_it_is_confirmed(olga: FlaskClient, app: Flask, world: World, held) -> None:  # noqa: F811
    query = {"resources": ["orders"], "since": "2026-11-01T08:00"}
    page = olga.get(f"/operator/tenants/{world.alpha}/backfill", query_string=query, headers=DOCUMENT).text
    asked_first = held(world.alpha)
    fields = dict(re.findall(r'<input type="hidden" name="(resources|since)" value="([^"]+)">', page))

    response = do(olga, f"/tenants/{world.alpha}/backfill", **fields, reason="ticket 12")

    assert "Start a backfill of alpha.myshopify.com?" in page
    assert asked_first == []
    assert response.location == f"/operator/tenants/{world.alpha}"
    assert {(one.resource, one.since, one.asked_by) for one in held(world.alpha)} == {
        (name, datetime(2026, 11, 1, 8, tzinfo=UTC), EMAIL) for name in ("orders", "refunds")
    }
    details = {"resources": ["orders"], "since": "2026-11-01 08:00:00 UTC", "run": str(held(world.alpha)[0].run_id)}
    assert last_entry(app) == (EMAIL, "backfill started", world.alpha, "ticket 12", details)
    assert "The backfill of orders is under way." in see(olga, f"/tenants/{world.alpha}")


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({}, "Give a list of one or more of"),
        ({"resources": "carts"}, "is not one of"),
        ({"resources": "orders", "since": "soon"}, "is not a time such as"),
        ({"resources": "orders", "since": "2999-01-01"}, "has not come yet"),
    ],
)
def test_what_cannot_be_asked_for_is_said_and_starts_nothing(
    olga: FlaskClient,  # noqa: F811
    app: Flask,
    world: World,
    held,
    form: dict[str, str],
    words: str,
) -> None:
    path = f"/tenants/{world.alpha}/backfill"

    shown = olga.get(f"/operator{path}", query_string=form, headers=DOCUMENT)
    done = do(olga, path, **form)

    assert {shown.location, done.location} == {f"/operator/tenants/{world.alpha}"}
    assert words in see(olga, f"/tenants/{world.alpha}")
    assert held(world.alpha) == []
    assert "backfill started" not in actions(app)


def test_a_store_that_left_is_not_asked_for_anything(
    olga: FlaskClient,  # noqa: F811
    app: Flask,
    world: World,
    start,
    held,
) -> None:
    number = start(world.alpha, "customers")["customers"]
    with app.app_context(), directory() as session:
        session.execute(text("UPDATE tenants SET uninstalled_at = now() WHERE id = :id"), {"id": world.alpha})

    for path in (f"/tenants/{world.alpha}/backfill", f"/tenants/{world.alpha}/check", f"/backfills/{number}/retry"):
        followed = olga.get(do(olga, path, resources="orders").location, headers=DOCUMENT).text
        assert "alpha.myshopify.com has uninstalled the app." in followed, path

    assert len(held(world.alpha)) == 1
    assert {"backfill started", "check started", "backfill retried"}.isdisjoint(actions(app))


def test_a_check_is_started_once_it_is_confirmed(olga: FlaskClient, app: Flask, world: World) -> None:  # noqa: F811
    page = see(olga, f"/tenants/{world.alpha}/check")
    before = checks(app)

    do(olga, f"/tenants/{world.alpha}/check", reason="they doubt a figure")

    assert "Check alpha.myshopify.com now?" in page
    assert before == []
    assert checks(app) == [world.alpha] * 4
    details = {"resources": ["checkouts", "customers", "orders", "products"]}
    assert last_entry(app) == (EMAIL, "check started", world.alpha, "they doubt a figure", details)
    assert "The check of checkouts, customers, orders, products is under way." in see(olga, f"/tenants/{world.alpha}")


def test_where_nothing_can_be_checked_it_says_so(olga: FlaskClient, app: Flask, world: World, start) -> None:  # noqa: F811
    start(world.alpha, "customers", "products", "orders", "checkouts")

    do(olga, f"/tenants/{world.alpha}/check")

    assert "Nothing can be checked" in see(olga, f"/tenants/{world.alpha}")
    assert "check started" not in actions(app)


# ── backfills ──


def test_backfills_of_all_stores_are_listed_by_state_and_store(
    olga: FlaskClient,  # noqa: F811
    world: World,
    start,
    move,
) -> None:
    ours = start(world.alpha, "customers")["customers"]
    theirs = start(world.beta, "products")["products"]
    move(world.beta, theirs, state="failed", error="Shopify answered <403>.")

    everything = see(olga, "/backfills")

    assert states_of(everything) == [(str(theirs), "failed"), (str(ours), "planned")]
    assert "Shopify answered &lt;403&gt;." in everything
    assert "Failed 1</a>" in everything
    assert states_of(see(olga, "/backfills", state="failed")) == [(str(theirs), "failed")]
    assert states_of(see(olga, "/backfills", state="unfinished")) == [(str(ours), "planned")]
    assert states_of(see(olga, "/backfills", store="alpha.myshopify.com")) == [(str(ours), "planned")]
    assert "None of alpha.myshopify.com." in see(olga, "/backfills", store="alpha.myshopify.com", state="done")
    assert olga.get("/operator/backfills?state=odd", headers=DOCUMENT).status_code == 404


def test_a_backfill_is_cancelled_once_it_is_confirmed(
    olga: FlaskClient,  # noqa: F811
    app: Flask,
    world: World,
    start,
    held,
) -> None:
    number = start(world.alpha, "customers")["customers"]
    page = see(olga, f"/backfills/{number}/cancel")
    untouched = held(world.alpha)[0].stopping

    response = do(olga, f"/backfills/{number}/cancel", reason="in the way")

    assert f"Cancel backfill {number}?" in page
    assert "alpha.myshopify.com" in page
    assert (untouched, held(world.alpha)[0].stopping) == (False, True)
    assert response.location == "/operator/backfills"
    entry = (EMAIL, "backfill cancelled", world.alpha, "in the way", {"backfill": number, "resource": "customers"})
    assert last_entry(app) == entry
    shown = see(olga, "/backfills")
    assert f"Backfill {number} is being cancelled." in shown
    assert "Being cancelled</span>" in shown
    assert f"/operator/backfills/{number}/cancel" not in shown


def test_what_has_ended_is_not_cancelled_and_no_deed_is_on_record(
    olga: FlaskClient,  # noqa: F811
    app: Flask,
    world: World,
    start,
    move,
) -> None:
    number = start(world.alpha, "customers")["customers"]
    move(world.alpha, number, state="done", objects_total=0)

    shown = olga.get(f"/operator/backfills/{number}/cancel", headers=DOCUMENT)
    do(olga, f"/backfills/{number}/cancel")

    assert shown.location == "/operator/backfills"
    assert f"Backfill {number} has ended already" in see(olga, "/backfills")
    assert "backfill cancelled" not in actions(app)


def test_a_backfill_is_repeated_once_it_is_confirmed(
    olga: FlaskClient,  # noqa: F811
    app: Flask,
    world: World,
    start,
    move,
    held,
) -> None:
    number = start(world.alpha, "customers")["customers"]
    move(world.alpha, number, state="failed", error="Shopify answered 403.", objects_total=10, objects_read=4)
    page = see(olga, f"/backfills/{number}/retry")

    do(olga, f"/backfills/{number}/retry")

    assert f"Repeat backfill {number}?" in page
    assert "Shopify answered 403." in page
    assert [(one.state, one.asked_by) for one in held(world.alpha)] == [("failed", ""), ("planned", EMAIL)]
    details = {"backfill": number, "resource": "customers"}
    assert last_entry(app) == (EMAIL, "backfill retried", world.alpha, None, details)
    assert "The backfill of customers of alpha.myshopify.com is under way again." in see(olga, "/backfills")


@pytest.mark.parametrize("deed", ["cancel", "retry"])
def test_a_backfill_nobody_knows_is_no_page(olga: FlaskClient, deed: str) -> None:  # noqa: F811
    assert olga.get(f"/operator/backfills/4711/{deed}", headers=DOCUMENT).status_code == 404
    assert do(olga, f"/backfills/4711/{deed}").status_code == 404


def test_a_deed_and_its_record_are_one(
    olga: FlaskClient,  # noqa: F811
    app: Flask,
    world: World,
    start,
    held,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    number = start(world.alpha, "customers")["customers"]

    def fail(*_args: object, **_kwargs: object) -> None:
        raise RuntimeError("the record is full")

    token = csrf_of(olga, "/operator")
    monkeypatch.setattr(operators, "audit", fail)
    app.testing = False  # so that the failure is answered as it would be

    response = olga.post(f"/operator/backfills/{number}/cancel", data={"csrf_token": token}, headers=DOCUMENT)

    assert response.status_code == 500
    assert not held(world.alpha)[0].stopping


@pytest.mark.parametrize(
    "path", ["/backfills/{}/cancel", "/backfills/{}/retry", "/tenants/1/backfill", "/tenants/1/check"]
)
def test_a_deed_from_elsewhere_or_by_a_tenants_owner_is_refused(
    olga: FlaskClient,  # noqa: F811
    app: Flask,
    world: World,
    start,
    held,
    path: str,
) -> None:
    number = start(world.alpha, "customers")["customers"]
    owner = app.test_client()
    log_in(owner, "alice@example.com")
    form = {"csrf_token": csrf_of(owner, "/settings"), "resources": "orders"}

    assert olga.post(f"/operator{path.format(number)}", headers=DOCUMENT).status_code == 400
    assert owner.post(f"/operator{path.format(number)}", data=form, headers=DOCUMENT).status_code == 401
    assert [(one.state, one.stopping) for one in held(world.alpha)] == [("planned", False)]


# ── queues and workers ──


def test_queues_workers_and_work_are_shown(olga: FlaskClient, app: Flask, world: World) -> None:  # noqa: F811
    with app.app_context():
        queues = current().queues
        queues.enqueue(ADVANCE, tenant_id=world.alpha, backfill_id=1)
        with operations() as session:
            claims.put(session, claims.BACKFILL, world.alpha, 1, due_at=NOW)
            claims.put(session, claims.ROLLUPS, world.beta, due_at=datetime(2999, 1, 1, tzinfo=UTC))
        worker = SteadyWorker(NAMES, connection=queues.redis, serializer=JSONSerializer, job_class=JsonJob, name="w1")
        worker.register_birth()
        idle = see(olga, "/queues")
        job, queue = worker.dequeue_job_and_maintain_ttl(timeout=None)
        worker.execution = worker.prepare_execution(job)
        worker.prepare_job_execution(job)
        busy = see(olga, "/queues")
        worker.register_death()
    gone = see(olga, "/queues")

    assert "Nothing: it waits" in idle
    assert re.search(r'>Backfill</th>\s*<td class="amount">1</td>\s*<td class="amount">0 seconds</td>', idle)
    assert f'backfill.advance of <a href="/operator/tenants/{world.alpha}">alpha.myshopify.com</a>' in busy
    assert re.search(r">Backfill</th>\s*" + cells("1", "0", "0", "0"), idle)
    assert re.search(r">Rollups</th>\s*" + cells("0", "0", "1", "0"), idle)
    assert "No worker is running" in gone
    assert queue.name == "backfill"


def cells(*values: str) -> str:
    return r"\s*".join(f'<td class="amount">{value}</td>' for value in values)


def test_the_page_says_when_redis_is_away(
    olga: FlaskClient,  # noqa: F811
    app: Flask,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def away(_queues: object) -> None:
        raise RedisAway

    with app.app_context():
        monkeypatch.setattr(type(current().queues), "lengths", away)

    page = see(olga, "/queues")

    assert "Redis does not answer." in page
    assert "Nothing is due." in page


# ── the record ──


def test_the_record_is_shown_newest_first_and_can_be_narrowed(
    olga: FlaskClient,  # noqa: F811
    app: Flask,
    world: World,
) -> None:
    do(olga, f"/tenants/{world.alpha}/check", reason="<b>why</b>")
    do(olga, f"/tenants/{world.beta}/check")

    everything = see(olga, "/audit")
    of_one = see(olga, "/audit", action="check started", store="alpha.myshopify.com")

    shown = re.findall(r'data-action="([^"]+)"', everything)
    assert shown[0] == "check started"
    assert shown[-1] == "operator created"
    assert re.findall(r'data-action="([^"]+)"', of_one) == ["check started"]
    assert "&lt;b&gt;why&lt;/b&gt;" in of_one
    assert "resources checkouts, customers, orders, products" in of_one
    assert re.findall(r'data-action="([^"]+)"', see(olga, "/audit", operator="root")) == ["operator created"]
    assert "Nothing of that kind is on record." in see(olga, "/audit", operator="nobody")


def test_the_record_goes_on_where_a_page_ends(olga: FlaskClient, app: Flask) -> None:  # noqa: F811
    with app.app_context(), operations() as session:
        for number in range(120):
            operators.audit(session, operator="x", action="test", details={"number": number})

    first = see(olga, "/audit", operator="x")
    address = re.search(r'<a href="/operator/audit\?([^"]+)">Older</a>', first)[1].replace("&amp;", "&")
    second = olga.get(f"/operator/audit?{address}", headers=DOCUMENT).text

    assert re.findall(r"number (\d+)", first) == [str(number) for number in range(119, 19, -1)]
    assert re.findall(r"number (\d+)", second) == [str(number) for number in range(19, -1, -1)]
    assert "Older" not in second


def test_a_store_that_is_gone_stays_on_record_by_its_number(olga: FlaskClient, app: Flask) -> None:  # noqa: F811
    with app.app_context(), operations() as session:
        operators.audit(session, operator="x", action="store disabled", tenant_id=4711)

    assert "No. 4711, gone" in see(olga, "/audit")


@pytest.mark.parametrize("path", ["/tenants/1", "/backfills", "/queues", "/drift", "/audit"])
def test_the_console_is_operators_only(client: FlaskClient, world: World, path: str) -> None:
    log_in(client, "alice@example.com")

    assert client.get(f"/operator{path}", headers=DOCUMENT).location == "/operator/login"


# ── many dead letters at once ──


@pytest.mark.parametrize(("deed", "word"), [("replay", "Replay 2 deliveries?"), ("discard", "Discard 2 deliveries?")])
def test_many_letters_are_changed_once_it_is_confirmed(
    olga: FlaskClient,  # noqa: F811
    app: Flask,
    world: World,
    put,  # noqa: F811
    deed: str,
    word: str,
) -> None:
    numbers = [put(world.alpha), put(world.alpha), put(world.beta, "beta")]
    query = {"store": "alpha.myshopify.com", "topic": "orders/create"}

    page = see(olga, f"/dead-letters/{deed}", **query)
    untouched = states(app, *numbers)
    do(olga, f"/dead-letters/{deed}", **query, reason="the bug is mended")

    assert word in page
    assert untouched == ["dead"] * 3
    assert states(app, numbers[2]) == ["dead"]
    assert "dead" not in states(app, *numbers[:2])
    _, _, tenant_id, reason, details = last_entry(app)
    assert (tenant_id, reason, details["changed"]) == (world.alpha, "the bug is mended", 2)
