"""A store's backfills over HTTP: the bars and buttons of its people, and the API of its programs."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from shopify_app import backfill
from shopify_app.backfill import Progress
from shopify_app.backfill.windows import Window
from shopify_app.database import tenant_work
from shopify_app.models import Tenant
from shopify_app.web import backfill_words
from shopify_app.web.formats import Formats
from tests.web.conftest import DOCUMENT, OTHER_STORE, STORE, World, csrf_of, join, log_in

FMT = Formats("en-US", "USD", "America/New_York")
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture
def start(app: Flask) -> Callable[..., dict[str, int]]:
    """Plans backfills and returns their ids by resource."""

    def make(tenant_id: int, *resources: str, **asked: object) -> dict[str, int]:
        with app.app_context(), tenant_work(tenant_id) as session:
            backfill.start(session, session.get_one(Tenant, tenant_id), resources, datetime.now(UTC), **asked)
            return {one.resource: one.id for one in backfill.progress(session)}

    return make


@pytest.fixture
def move(app: Flask) -> Callable[..., None]:
    """Writes what a worker found out."""

    def write(tenant_id: int, number: int, *, at: datetime | None = None, **changes: object) -> None:
        with app.app_context(), tenant_work(tenant_id) as session:
            standing = backfill.read(session, tenant_id, number)
            backfill.write(session, replace(standing, **changes), at or datetime.now(UTC))

    return write


@pytest.fixture
def held(app: Flask) -> Callable[[int], list[Progress]]:
    """Returns a store's backfills, oldest first."""

    def read(tenant_id: int) -> list[Progress]:
        with app.app_context(), tenant_work(tenant_id) as session:
            return backfill.history(session, datetime.now(UTC), limit=100)[::-1]

    return read


def press(client: FlaskClient, path: str, **form: str):
    data = {"csrf_token": csrf_of(client, "/settings"), **form}
    return client.post(f"/health/backfills{path}", data=data, headers=DOCUMENT)


def row_of(page: str, resource: str) -> str:
    found = re.search(rf'<li data-resource="{resource}".*?</li>', page, re.DOTALL)
    assert found is not None
    return found[0]


# ── what is said ──


def one(**changes: object) -> Progress:
    plain = Progress(
        id=1,
        tenant_id=1,
        run_id=None,
        resource="orders",
        state="loading",
        asked_by="merchant",
        since=None,
        objects_read=0,
        objects_total=None,
        prepared=None,
        error=None,
        note=None,
        cancel_asked_at=None,
        created_at=NOW,
        started_at=NOW,
        finished_at=None,
    )
    return replace(plain, **changes)


@pytest.mark.parametrize(
    ("progress", "amount"),
    [
        (one(state="planned"), "Waiting for its turn"),
        (one(state="planned", error="Shopify answered 502."), "Trying again"),
        (one(state="planned", objects_read=5000), "5,000 records loaded, the next part follows"),
        (one(state="requested"), "Shopify has been asked"),
        (one(state="running"), "Shopify is preparing it"),
        (one(state="running", prepared=1200), "Shopify is preparing it: 1,200 records so far"),
        (one(objects_read=40, objects_total=100), "40 of 100 records loaded"),
        (one(objects_read=40), "40 records loaded so far"),
        (one(state="verifying", objects_read=100, objects_total=100), "100 records loaded, being checked"),
        (one(objects_read=40, objects_total=100, cancel_asked_at=NOW), "Being cancelled, 40 records loaded"),
        (one(state="done", objects_read=1000, finished_at=NOW), "1,000 records loaded, Nov 22, 2026, 7:00:00\u202fAM"),
        (
            one(state="failed", objects_read=10, finished_at=NOW),
            "Failed after 10 records, Nov 22, 2026, 7:00:00\u202fAM",
        ),
        (one(state="failed", objects_read=1, finished_at=NOW), "Failed after 1 record, Nov 22, 2026, 7:00:00\u202fAM"),
        (one(state="cancelled", finished_at=NOW), "Cancelled after 0 records, Nov 22, 2026, 7:00:00\u202fAM"),
    ],
)
def test_every_state_is_told_in_words(progress: Progress, amount: str) -> None:
    assert backfill_words.shown([progress], FMT)[0].amount == amount


@pytest.mark.parametrize(
    ("rate", "seconds", "speed"),
    [
        (None, None, None),
        (812.0, None, "About 810 records a second."),
        (12345.6, 200, "About 12,000 records a second, about 3 minutes left."),
        (7.4, 40, "About 7 records a second, less than a minute left."),
        (1.2, None, "About 1 record a second."),
        (0.3, 4000, "Less than one record a second, about an hour left."),
    ],
)
def test_how_fast_it_is_and_how_long_it_takes_is_told_roughly(rate: float, seconds: int, speed: str | None) -> None:
    told = backfill_words.shown([one(rate=rate, seconds_left=seconds)], FMT)[0]

    assert told.speed == speed


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "less than a minute left"),
        (49, "less than a minute left"),
        (60, "about a minute left"),
        (170, "about 3 minutes left"),
        (2990, "about 50 minutes left"),
        (3600, "about an hour left"),
        (3 * 3600, "about 3 hours left"),
        (23 * 3600, "about a day left"),
        (40 * 3600, "about 2 days left"),
    ],
)
def test_an_estimate_is_said_as_people_say_it(seconds: int, words: str) -> None:
    assert backfill_words.left(seconds) == words


@pytest.mark.parametrize(
    ("by", "since", "asked"),
    [
        ("install", None, "at the installation"),
        ("merchant", None, "by the store"),
        ("api", NOW, "by a program of the store, changed since Nov 22, 2026, 7:00:00\u202fAM"),
        ("olga@storelens.example", None, "by Storelens’ support"),
        ("", None, ""),
    ],
)
def test_who_asked_is_said_without_naming_who_runs_storelens(by: str, since: datetime | None, asked: str) -> None:
    ended = one(state="done", asked_by=by, since=since, finished_at=NOW)

    assert backfill_words.results([ended, one()], FMT)[0].asked == asked
    assert len(backfill_words.results([ended, one()], FMT)) == 1


# ── the health page ──


def test_the_page_shows_a_bar_for_each_resource_and_looks_again_often(
    client: FlaskClient, world: World, start, move
) -> None:
    numbers = start(world.alpha, "customers", "orders", by="install")
    move(world.alpha, numbers["customers"], state="loading", objects_total=500, objects_read=200)
    move(world.alpha, numbers["orders"], state="running", objects_total=900)
    log_in(client, "alice@example.com")

    page = client.get("/health", headers=DOCUMENT).text

    assert '<progress max="500" value="200" aria-label="Customers">' in row_of(page, "customers")
    assert "200 of 500 records loaded" in row_of(page, "customers")
    assert "Shopify is preparing it: 900 records so far" in row_of(page, "orders")
    assert '<progress class="somewhere" aria-label="Orders">' in row_of(page, "orders")
    assert 'data-every="2000"' in page
    assert '<noscript><meta http-equiv="refresh" content="10"></noscript>' in page
    assert "Sync everything again" not in page


def test_how_fast_it_goes_is_shown_while_it_goes(client: FlaskClient, world: World, start, move) -> None:
    number = start(world.alpha, "customers")["customers"]
    begun = datetime.now(UTC) - timedelta(seconds=10)
    for second in range(11):
        move(
            world.alpha,
            number,
            state="loading",
            objects_total=7000,
            objects_read=second * 100,
            at=begun + timedelta(seconds=second),
        )
    log_in(client, "alice@example.com")

    page = client.get("/health", headers=DOCUMENT).text

    assert "About 100 records a second, about a minute left." in row_of(page, "customers")
    assert "About 100 records a second, about a minute left." in client.get("/", headers=DOCUMENT).text


def test_once_all_is_loaded_the_page_says_when_and_how_much(client: FlaskClient, world: World, start, move) -> None:
    number = start(world.alpha, "customers", by="install")["customers"]
    move(world.alpha, number, state="done", objects_total=500, objects_read=500)
    log_in(client, "alice@example.com")

    page = client.get("/health", headers=DOCUMENT).text

    assert re.search(r"500 records loaded, \w+ \d+, \d{4}", row_of(page, "customers"))
    assert "Sync customers again" in row_of(page, "customers")
    assert "Sync everything again" in page
    assert f'data-result="{number}"' in page
    assert "At the installation" in page
    assert "http-equiv" not in page


def test_what_shopify_holds_back_is_said_beside_what_was_loaded(client: FlaskClient, world: World, start, move) -> None:
    numbers = start(world.alpha, "orders")
    move(world.alpha, numbers["orders"], state="done", objects_total=5, objects_read=5, note=backfill.SIXTY_DAYS)
    log_in(client, "alice@example.com")

    page = client.get("/health", headers=DOCUMENT).text

    assert "Shopify gives the last 60 days of orders." in row_of(page, "orders")
    assert "read_all_orders" in row_of(page, "orders")


def test_what_failed_says_why_and_can_be_tried_again(client: FlaskClient, world: World, start, move, held) -> None:
    number = start(world.alpha, "customers", since=NOW - timedelta(days=9))["customers"]
    move(world.alpha, number, state="failed", error="Grant <read_customers> first.")
    log_in(client, "alice@example.com")

    page = client.get("/health", headers=DOCUMENT).text
    response = press(client, f"/{number}/retry")

    assert "Grant &lt;read_customers&gt; first." in row_of(page, "customers")
    assert (response.status_code, response.location) == (303, "/health")
    old, new = held(world.alpha)
    assert (old.state, new.state, new.since, new.asked_by) == ("failed", "planned", old.since, "merchant")


def test_all_that_failed_can_be_tried_again_at_once(client: FlaskClient, world: World, start, move, held) -> None:
    numbers = start(world.alpha, "customers", "products")
    for number in numbers.values():
        move(world.alpha, number, state="failed", error="Shopify answered 403.")
    log_in(client, "alice@example.com")
    assert "Try all that failed again" in client.get("/health", headers=DOCUMENT).text

    press(client, "/retry")
    press(client, "/retry")

    assert [one.state for one in held(world.alpha)] == ["failed", "failed", "planned", "planned"]
    assert "Try all that failed again" not in client.get("/health", headers=DOCUMENT).text


def test_one_resource_or_all_are_synced_again_and_a_second_press_adds_nothing(
    client: FlaskClient, world: World, start, move, held
) -> None:
    number = start(world.alpha, "customers")["customers"]
    move(world.alpha, number, state="done", objects_total=5, objects_read=5)
    log_in(client, "alice@example.com")

    press(client, "", resource="customers")
    press(client, "", resource="customers")
    one_more = [(one.resource, one.state) for one in held(world.alpha)]
    press(client, "")
    press(client, "")

    assert one_more == [("customers", "done"), ("customers", "planned")]
    assert sorted(one.resource for one in held(world.alpha)[1:]) == [
        "checkouts",
        "customers",
        "orders",
        "products",
        "refunds",
    ]


def test_a_resource_nobody_knows_starts_nothing(client: FlaskClient, world: World, held) -> None:
    log_in(client, "alice@example.com")

    response = press(client, "", resource="carts")

    assert response.location == "/health"
    assert held(world.alpha) == []


def test_what_is_under_way_is_cancelled_once(client: FlaskClient, world: World, start, move, held) -> None:
    number = start(world.alpha, "customers")["customers"]
    log_in(client, "alice@example.com")
    assert "Cancel customers" in row_of(client.get("/health", headers=DOCUMENT).text, "customers")

    first, second = press(client, f"/{number}/cancel"), press(client, f"/{number}/cancel")

    assert (first.status_code, second.status_code) == (303, 303)
    assert held(world.alpha)[0].stopping
    row = row_of(client.get("/health", headers=DOCUMENT).text, "customers")
    assert "Being cancelled" in row
    assert "<button" not in row


def test_a_backfill_under_way_is_not_repeated_by_a_stale_button(client: FlaskClient, world: World, start, held) -> None:
    number = start(world.alpha, "customers")["customers"]
    log_in(client, "alice@example.com")

    press(client, f"/{number}/retry")

    assert len(held(world.alpha)) == 1


@pytest.mark.parametrize("path", ["", "/retry", "/{}/retry", "/{}/cancel"])
def test_a_viewer_sees_it_and_may_change_nothing(
    client: FlaskClient, app: Flask, world: World, start, held, path: str
) -> None:
    number = start(world.beta, "customers")["customers"]
    log_in(client, "bob@example.com")

    response = press(client, path.format(number))

    assert response.status_code == 403
    assert [(one.state, one.stopping) for one in held(world.beta)] == [("planned", False)]
    page = client.get("/health", headers=DOCUMENT).text
    assert "<button" not in row_of(page, "customers")
    assert "An owner of the store can load it again." in page


@pytest.mark.parametrize("path", ["", "/retry", "/{}/retry", "/{}/cancel"])
def test_a_form_from_elsewhere_changes_nothing(client: FlaskClient, world: World, start, held, path: str) -> None:
    number = start(world.alpha, "customers")["customers"]
    log_in(client, "alice@example.com")

    response = client.post(f"/health/backfills{path.format(number)}", headers=DOCUMENT)

    assert response.status_code == 400
    assert [(one.state, one.stopping) for one in held(world.alpha)] == [("planned", False)]


@pytest.mark.parametrize("deed", ["cancel", "retry"])
def test_another_stores_backfill_is_out_of_reach(client: FlaskClient, world: World, start, held, deed: str) -> None:
    number = start(world.beta, "customers")["customers"]
    log_in(client, "alice@example.com")

    press(client, f"/{number}/{deed}")

    assert [(one.state, one.stopping) for one in held(world.beta)] == [("planned", False)]
    assert held(world.alpha) == []


# ── the API ──

API = "/api/backfills"


@pytest.fixture
def program(client: FlaskClient, world: World, id_token: Callable[..., str]) -> Callable[..., object]:
    """Asks the API as an owner's program does, with the session token of the store."""

    def ask(method: str, path: str = API, *, store: str = STORE, **sent: object):
        return client.open(path, method=method, headers={"Authorization": f"Bearer {id_token(store)}"}, **sent)

    return ask


def test_a_program_starts_backfills_and_is_told_where_to_look(program, world: World, held) -> None:
    begun = program("POST", json={"resources": ["orders", "customers"], "since": "2026-11-01"})
    listed = program("GET", begun.location)
    single = program("GET", begun.json["backfills"][0]["url"])

    assert begun.status_code == 202
    assert [(one["resource"], one["state"]) for one in begun.json["backfills"]] == [
        ("customers", "planned"),
        ("orders", "planned"),
        ("refunds", "planned"),
    ]
    assert {one["id"] for one in listed.json["backfills"]} == {one["id"] for one in begun.json["backfills"]}
    assert single.json == begun.json["backfills"][0]
    assert single.json["since"] == "2026-11-01T00:00:00+00:00"
    assert single.json["asked_by"] == "api"
    assert {one.asked_by for one in held(world.alpha)} == {"api"}


def test_nothing_said_means_everything(program) -> None:
    begun = program("POST", json={})

    assert len(begun.json["backfills"]) == 5
    assert {one["since"] for one in begun.json["backfills"]} == {None}


def test_asking_twice_starts_one(program, world: World, held) -> None:
    first, second = (program("POST", json={"resources": ["products"]}) for _ in range(2))

    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json == second.json
    assert len(held(world.alpha)) == 1


def test_how_far_it_is_can_be_read(program, world: World, start, move) -> None:
    number = start(world.alpha, "customers", by="olga@storelens.example")["customers"]
    later = (Window(NOW, None, 1),)
    move(world.alpha, number, state="loading", objects_total=50, objects_read=20, objects_before=7, windows_left=later)
    partly = program("GET", f"{API}/{number}").json
    move(world.alpha, number, state="failed", error="It could not be read.", note="A note.")
    ended = program("GET", f"{API}/{number}").json

    assert (partly["objects_read"], partly["objects_total"], partly["state"]) == (27, None, "loading")
    assert partly["asked_by"] == "operator"
    assert (ended["state"], ended["error"], ended["note"]) == ("failed", "It could not be read.", "A note.")
    assert ended["finished_at"] is not None


@pytest.mark.parametrize(
    ("sent", "field", "words"),
    [
        (
            {"json": {"resources": ["carts"]}},
            "/resources",
            "'carts' is not one of customers, products, orders, checkouts.",
        ),
        ({"json": {"resources": ["refunds"]}}, "/resources", "They come with orders."),
        ({"json": {"resources": []}}, "/resources", "Give a list of one or more of"),
        ({"json": {"resources": "orders"}}, "/resources", "Give a list of one or more of"),
        ({"json": {"resources": [{}]}}, "/resources", "{} is not one of"),
        ({"json": {"since": "yesterday"}}, "/since", "'yesterday' is not a time such as"),
        ({"json": {"since": 7}}, "/since", "7 is not a time such as"),
        ({"json": {"since": "2999-01-01"}}, "/since", "'2999-01-01' has not come yet."),
        ({"json": {"resource": "orders"}}, "/resource", "There is no field 'resource'"),
        ({"json": ["orders"]}, "", "Send a JSON object."),
        ({"data": b"{", "content_type": "application/json"}, "", "This is not JSON."),
    ],
)
def test_what_cannot_be_taken_is_named(program, world: World, held, sent, field: str, words: str) -> None:
    refused = program("POST", **sent)

    assert (refused.status_code, refused.mimetype) == (422, "application/problem+json")
    (error,) = refused.json["errors"]
    assert error["pointer"] == field
    assert words in error["detail"]
    assert held(world.alpha) == []


def test_a_program_ends_a_backfill(program, world: World, start, held) -> None:
    number = start(world.alpha, "customers")["customers"]

    ended, again = program("DELETE", f"{API}/{number}"), program("DELETE", f"{API}/{number}")

    assert (ended.status_code, ended.location) == (202, f"{API}/{number}")
    assert ended.json["cancel_asked_at"] is not None
    assert again.json["cancel_asked_at"] == ended.json["cancel_asked_at"]
    assert held(world.alpha)[0].stopping


def test_ending_what_has_ended_is_a_conflict(program, world: World, start, move) -> None:
    number = start(world.alpha, "customers")["customers"]
    move(world.alpha, number, state="done", objects_total=0)

    refused = program("DELETE", f"{API}/{number}")

    assert (refused.status_code, refused.mimetype) == (409, "application/problem+json")
    assert refused.json["detail"] == f"Backfill {number} is done; it cannot be cancelled."


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_another_stores_backfill_is_not_there(program, world: World, start, held, method: str) -> None:
    number = start(world.beta, "customers")["customers"]

    refused = program(method, f"{API}/{number}")

    assert (refused.status_code, refused.mimetype) == (404, "application/problem+json")
    assert refused.json["detail"] == f"This store has no backfill {number}."
    assert program("GET").json == {"backfills": []}
    run = held(world.beta)[0].run_id
    assert program("GET", f"{API}?run={run}").json == {"backfills": []}
    assert not held(world.beta)[0].stopping


def test_a_run_that_cannot_be_one_is_refused(program) -> None:
    refused = program("GET", f"{API}?run=7")

    assert (refused.status_code, refused.json["detail"]) == (422, "run: '7' is no UUID.")


def test_a_viewers_program_may_look_and_change_nothing(client: FlaskClient, app: Flask, world: World, start) -> None:
    number = start(world.beta, "customers")["customers"]
    log_in(client, "bob@example.com")
    token = {"X-CSRFToken": csrf_of(client, "/settings")}

    looked = client.get(f"{API}/{number}")
    refused = [client.post(API, json={}, headers=token), client.delete(f"{API}/{number}", headers=token)]

    assert looked.status_code == 200
    assert [(one.status_code, one.mimetype) for one in refused] == [(403, "application/problem+json")] * 2
    assert refused[0].json["detail"] == "Only an owner of the store may start and end backfills."


def test_a_login_works_too_with_its_token_against_forged_requests(
    client: FlaskClient, app: Flask, world: World, held
) -> None:
    log_in(client, "alice@example.com")

    forged = client.post(API, json={})
    own = client.post(API, json={}, headers={"X-CSRFToken": csrf_of(client, "/settings")})

    assert (forged.status_code, own.status_code) == (400, 202)
    assert len(held(world.alpha)) == 5


@pytest.mark.parametrize("headers", [{}, DOCUMENT, {"Authorization": "Bearer nonsense"}])
def test_nobody_is_told_so_and_sent_nowhere(client: FlaskClient, world: World, headers: dict[str, str]) -> None:
    refused = client.get(API, headers=headers)

    assert (refused.status_code, refused.mimetype) == (401, "application/problem+json")
    assert "Location" not in refused.headers


def test_a_form_is_not_json(program) -> None:
    refused = program("POST", data={"resources": "orders"})

    assert (refused.status_code, refused.mimetype) == (415, "application/problem+json")


def test_an_address_that_is_none_is_a_problem_in_json(program) -> None:
    refused = program("GET", "/api/nothing")

    assert (refused.status_code, refused.mimetype) == (404, "application/problem+json")


def test_the_stores_do_not_mix(client: FlaskClient, app: Flask, world: World, program) -> None:
    with app.app_context():
        join(world.beta, "eve@example.com", "owner")
    theirs = program("POST", store=OTHER_STORE, json={"resources": ["products"]})

    assert theirs.status_code == 202
    assert program("GET").json == {"backfills": []}
    assert len(program("GET", store=OTHER_STORE).json["backfills"]) == 1
