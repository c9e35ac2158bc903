"""The operators' door: their login, and a page of how the tenants are doing."""

from datetime import UTC, datetime

import pyotp
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from shopify_app import logins, operators
from shopify_app.database import operations
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
