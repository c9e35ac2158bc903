"""The operators' door: their login, a page of how the tenants are doing, and the dead letters."""

import re
from datetime import UTC, datetime, timedelta
from functools import partial

import pyotp
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert, text

from shopify_app import inbox, logins, operators
from shopify_app.database import directory, operations
from shopify_app.models import Delivery
from shopify_app.runtime import current
from tests.web.conftest import DOCUMENT, World, csrf_of, log_in

EMAIL = "olga@storelens.example"
SECRET_WORDS = "fourteen letters at least"


@pytest.fixture
def seed(app: Flask) -> operators.Seed:
    made = operators.new_seed(EMAIL)
    with app.app_context(), operations() as session:
        hashed = logins.hash_password(SECRET_WORDS)
        operators.create(session, email=EMAIL, password_hash=hashed, seed=made, vault=current().vault, by="root")
    return made


def code_of(seed: operators.Seed) -> str:
    return pyotp.TOTP(seed.secret).at(datetime.now(UTC))


def enter(client: FlaskClient, seed: operators.Seed, **form: str):
    good = {"email": EMAIL, "password": SECRET_WORDS, "code": code_of(seed)}
    data = good | form | {"csrf_token": csrf_of(client, "/operator/login")}
    return client.post("/operator/login", data=data, headers=DOCUMENT)


def actions(app: Flask) -> list[str]:
    with app.app_context(), operations() as session:
        return list(session.scalars(text("SELECT action FROM audit_entries ORDER BY id")))


def test_an_operator_logs_in_and_sees_the_tenants(
    client: FlaskClient, app: Flask, world: World, seed: operators.Seed
) -> None:
    response = enter(client, seed)

    page = client.get(response.location, headers=DOCUMENT)

    assert response.status_code == 303
    assert page.status_code == 200
    assert "alpha.myshopify.com" in page.text
    assert "beta.myshopify.com" in page.text
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    assert actions(app)[1:] == ["login attempted", "logged in", "looked at the tenants"]


def test_the_page_tells_of_no_person(client: FlaskClient, world: World, seed: operators.Seed) -> None:
    enter(client, seed)

    page = client.get("/operator", headers=DOCUMENT).text

    assert "alice@example.com" not in page
    assert "owner@" not in page


def test_the_page_says_when_there_are_no_tenants(client: FlaskClient, seed: operators.Seed) -> None:
    enter(client, seed)

    assert "No store has installed Storelens yet." in client.get("/operator", headers=DOCUMENT).text


def test_the_operators_cookie_is_their_own_and_stays_on_our_pages(client: FlaskClient, seed: operators.Seed) -> None:
    enter(client, seed)

    cookie = client.get_cookie("storelens-operator")

    assert cookie.http_only
    assert cookie.same_site == "Strict"
    assert cookie.max_age == 8 * 3600
    assert client.get_cookie("storelens") is None


def test_whatever_is_wrong_the_answer_is_the_same(client: FlaskClient, seed: operators.Seed) -> None:
    wrong = [
        {"email": "nobody@storelens.example"},
        {"password": "another password, long enough"},
        {"code": "000000" if code_of(seed) != "000000" else "111111"},
        {"code": ""},
    ]

    answers = [enter(client, seed, **form) for form in wrong]

    assert {answer.status_code for answer in answers} == {422}
    assert all("That did not work." in answer.text for answer in answers)
    assert client.get_cookie("storelens-operator") is None


def test_a_code_opens_one_login(app: Flask, client: FlaskClient, seed: operators.Seed) -> None:
    code = code_of(seed)

    first, second = enter(client, seed, code=code), enter(app.test_client(), seed, code=code)

    assert (first.status_code, second.status_code) == (303, 422)


def test_after_five_failures_the_right_password_has_to_wait_too(client: FlaskClient, seed: operators.Seed) -> None:
    for _ in range(5):
        enter(client, seed, password="a guess that is long enough")

    assert enter(client, seed).status_code == 422


def test_a_login_form_from_elsewhere_is_refused(client: FlaskClient, seed: operators.Seed) -> None:
    form = {"email": EMAIL, "password": SECRET_WORDS, "code": code_of(seed)}

    assert client.post("/operator/login", data=form, headers=DOCUMENT).status_code == 400


def test_logging_out_ends_the_session_on_the_server_too(client: FlaskClient, app: Flask, seed: operators.Seed) -> None:
    enter(client, seed)
    token = client.get_cookie("storelens-operator").value
    csrf = csrf_of(client, "/operator")

    response = client.post("/operator/logout", data={"csrf_token": csrf}, headers=DOCUMENT)
    client.set_cookie("storelens-operator", token)

    assert response.location == "/operator/login"
    assert client.get("/operator", headers=DOCUMENT).location == "/operator/login"
    assert actions(app)[-1] == "logged out"


def test_a_logout_from_elsewhere_is_refused(client: FlaskClient, seed: operators.Seed) -> None:
    enter(client, seed)

    assert client.post("/operator/logout", headers=DOCUMENT).status_code == 400
    assert client.get("/operator", headers=DOCUMENT).status_code == 200


def test_a_tenants_owner_is_no_operator(client: FlaskClient, world: World, seed: operators.Seed) -> None:
    log_in(client, "alice@example.com")
    client.set_cookie("storelens-operator", client.get_cookie("storelens").value)

    assert client.get("/operator", headers=DOCUMENT).location == "/operator/login"
    assert client.post("/operator/logout", headers=DOCUMENT).status_code == 401


def test_an_operator_is_nobodys_member(client: FlaskClient, world: World, seed: operators.Seed) -> None:
    enter(client, seed)
    client.set_cookie("storelens", client.get_cookie("storelens-operator").value)

    assert client.get("/settings", headers=DOCUMENT).location.startswith("/login")


def test_a_disabled_operator_is_out_at_once(client: FlaskClient, app: Flask, seed: operators.Seed) -> None:
    enter(client, seed)
    with app.app_context(), operations() as session:
        operators.disable(session, email=EMAIL, by="root", now=datetime.now(UTC))

    assert client.get("/operator", headers=DOCUMENT).location == "/operator/login"


# ── dead letters ──

LETTERS = "/operator/dead-letters"
BODY = b'{"id": 1, "email": "ada@example.com"}'


@pytest.fixture
def put(app: Flask):
    """Keeps a delivery that was given up, unless the columns say otherwise, and returns its number."""
    numbers = iter(range(1, 10_000))

    def make(tenant_id: int | None, shop: str = "alpha", **columns: object) -> int:
        row = {
            "tenant_id": tenant_id,
            "shop_domain": f"{shop}.myshopify.com",
            "topic": "orders/create",
            "webhook_id": f"w-{next(numbers)}",
            "payload": BODY,
            "received_at": datetime.now(UTC) - timedelta(hours=3),
            "dead_at": datetime.now(UTC),
            "attempts": 8,
            "error": "$.total_price: <b>not</b> a number",
            "traceback": "Traceback (most recent call last): …",
            **columns,
        }
        with app.app_context(), directory() as session:
            return session.scalars(insert(Delivery).values(row).returning(Delivery.id)).one()

    return make


@pytest.fixture
def olga(client: FlaskClient, seed: operators.Seed) -> FlaskClient:
    """A client with an operator's login."""
    enter(client, seed)
    return client


def shown(client: FlaskClient, **query: str) -> list[int]:
    page = client.get(LETTERS, query_string=query, headers=DOCUMENT).text
    return [int(number) for number in re.findall(r'<th scope="row"><a href="/operator/dead-letters/([0-9]+)">', page)]


def post(client: FlaskClient, path: str, **form: str):
    data = form | {"csrf_token": csrf_of(client, "/operator")}
    return client.post(f"{LETTERS}{path}", data=data, headers=DOCUMENT)


def states(app: Flask, *numbers: int) -> list[str]:
    with app.app_context(), directory() as session:
        return [inbox.one(session, number).state for number in numbers]


def test_dead_letters_are_listed_with_store_topic_and_error(olga: FlaskClient, app: Flask, world: World, put) -> None:
    number = put(world.alpha)

    page = olga.get(LETTERS, headers=DOCUMENT).text

    for said in ("alpha.myshopify.com", "orders/create", "$.total_price: &lt;b&gt;not&lt;/b&gt; a number", "3 hours"):
        assert said in page
    assert "ada@example.com" not in page
    assert f"/operator/dead-letters/{number}" in page
    assert actions(app)[-1] == "looked at the dead letters"


def test_the_list_can_be_of_one_store_or_topic(olga: FlaskClient, world: World, put) -> None:
    first, second = put(world.alpha), put(world.alpha, topic="products/update")
    other = put(world.beta, "beta")

    assert shown(olga) == [other, second, first]
    assert shown(olga, store="alpha.myshopify.com") == [second, first]
    assert shown(olga, topic="products/update") == [second]
    assert shown(olga, store="beta.myshopify.com", topic="products/update") == []


def test_a_store_nobody_knows_is_no_page(olga: FlaskClient) -> None:
    page = olga.get(LETTERS, query_string={"store": "x.myshopify.com"}, headers=DOCUMENT)

    assert page.status_code == 404
    assert "No store x.myshopify.com has installed the app." in page.text


def test_no_dead_letters_are_said_to_be_none(olga: FlaskClient, world: World) -> None:
    assert "Every delivery that came was applied" in olga.get(LETTERS, headers=DOCUMENT).text
    page = olga.get(LETTERS, query_string={"store": "alpha.myshopify.com"}, headers=DOCUMENT).text
    assert "No dead letters of alpha.myshopify.com." in page


def test_one_letter_is_shown_with_its_traceback_and_without_its_body(
    olga: FlaskClient, app: Flask, world: World, put
) -> None:
    page = olga.get(f"{LETTERS}/{put(world.alpha)}", headers=DOCUMENT).text

    assert "Traceback (most recent call last): …" in page
    assert "ada@example.com" not in page
    assert actions(app)[-1] == "looked at a delivery"


def test_a_letter_without_a_traceback_or_a_body_says_so(olga: FlaskClient, world: World, put) -> None:
    page = olga.get(f"{LETTERS}/{put(world.alpha, traceback=None, payload=b'')}", headers=DOCUMENT).text

    assert "None was kept" in page
    assert "The body was forgotten" in page
    assert "/replay" not in page


def test_a_letter_nobody_knows_is_no_page(olga: FlaskClient) -> None:
    assert olga.get(f"{LETTERS}/4711", headers=DOCUMENT).status_code == 404


@pytest.mark.parametrize(
    ("deed", "state", "said"),
    [("replay", "waiting", "will be applied again"), ("discard", "discarded", "will not be applied")],
)
def test_one_letter_is_replayed_or_discarded_and_it_is_on_record(
    olga: FlaskClient, app: Flask, world: World, put, deed: str, state: str, said: str
) -> None:
    number, other = put(world.alpha), put(world.alpha)

    response = post(olga, f"/{number}/{deed}")

    assert (response.status_code, response.location) == (303, LETTERS)
    assert states(app, number, other) == [state, "dead"]
    assert actions(app)[-1] == f"deliveries {deed}ed"
    page = olga.get(LETTERS, headers=DOCUMENT).text
    assert f"Delivery {number} {said}." in page
    assert said not in olga.get(LETTERS, headers=DOCUMENT).text


@pytest.mark.parametrize("deed", ["replay", "discard"])
def test_all_letters_of_the_shown_store_and_topic_are_changed_and_no_others(
    olga: FlaskClient, app: Flask, world: World, put, deed: str
) -> None:
    meant = [put(world.alpha), put(world.alpha)]
    others = [put(world.alpha, topic="products/update"), put(world.beta, "beta")]

    response = post(olga, f"/{deed}", store="alpha.myshopify.com", topic="orders/create")

    assert response.location == f"{LETTERS}?store=alpha.myshopify.com&topic=orders/create"
    assert "dead" not in states(app, *meant)
    assert states(app, *others) == ["dead", "dead"]
    assert "2 deliveries will" in olga.get(LETTERS, headers=DOCUMENT).text


def test_more_than_a_slice_is_said_to_be_left(olga: FlaskClient, world: World, put, monkeypatch) -> None:
    monkeypatch.setattr(inbox, "replay", partial(inbox.replay, limit=1))
    put(world.alpha)
    put(world.alpha)

    post(olga, "/replay")

    assert "1 delivery will be applied again. There are more: do it once more." in olga.get(LETTERS).text


def test_what_cannot_be_replayed_says_why(olga: FlaskClient, app: Flask, world: World, put) -> None:
    forgotten = put(world.alpha, payload=b"")

    post(olga, f"/{forgotten}/replay")
    refused = olga.get(LETTERS, headers=DOCUMENT).text
    post(olga, "/replay")
    passed_over = olga.get(LETTERS, headers=DOCUMENT).text
    post(olga, "/4711/discard")

    assert "its body was forgotten" in refused
    assert "0 deliveries will be applied again. 1 were passed over" in passed_over
    assert "There is no delivery 4711" in olga.get(LETTERS, headers=DOCUMENT).text
    assert states(app, forgotten) == ["dead"]
    assert "deliveries replayed" not in actions(app)


@pytest.mark.parametrize("path", ["/replay", "/discard", "/1/replay", "/1/discard"])
def test_a_deed_from_elsewhere_or_by_nobody_is_refused(
    olga: FlaskClient, app: Flask, world: World, put, path: str
) -> None:
    number = put(world.alpha)

    assert olga.post(f"{LETTERS}{path}", headers=DOCUMENT).status_code == 400
    assert app.test_client().post(f"{LETTERS}{path}", headers=DOCUMENT).status_code == 401
    assert states(app, number) == ["dead"]


def test_the_dead_letters_are_operators_only(client: FlaskClient, world: World, put) -> None:
    log_in(client, "alice@example.com")

    assert client.get(LETTERS, headers=DOCUMENT).location == "/operator/login"
    assert client.get(f"{LETTERS}/{put(world.alpha)}", headers=DOCUMENT).location == "/operator/login"


def test_the_tenants_page_leads_to_a_stores_dead_letters(olga: FlaskClient, world: World, put) -> None:
    put(world.alpha)

    page = olga.get("/operator", headers=DOCUMENT).text

    assert '<a href="/operator/dead-letters?store=alpha.myshopify.com">1</a>' in page
    assert "store=beta" not in page
