"""Logging in and out, invitations, and the people of a store, through the forms."""

import re
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from shopify_app.database import directory
from tests.web.conftest import DOCUMENT, FETCH, PASSWORD, World, csrf_of, join, log_in

pytestmark = pytest.mark.usefixtures("world")

LINK = re.compile(r"http://127\.0\.0\.1:8000(/invitations/[\w-]+)")


@pytest.fixture
def invite(app: Flask, id_token: Callable[..., str]) -> Callable[..., str]:
    """Invites from inside the admin and returns the link's path."""

    def make(email: str, role: str = "viewer") -> str:
        headers = {**FETCH, "Authorization": f"Bearer {id_token()}"}
        page = app.test_client().post("/settings", data={"email": email, "role": role}, headers=headers).text
        return LINK.search(page)[1]

    return make


def accept(client: FlaskClient, path: str, password: str = PASSWORD):
    data = {"password": password, "csrf_token": csrf_of(client, path)}
    return client.post(path, data=data, headers=DOCUMENT)


# ── logging in ──


def test_a_member_logs_in_and_sees_the_store(client: FlaskClient) -> None:
    response = log_in(client, "Alice@Example.com")

    assert response.status_code == 303
    assert response.location == "/"
    assert "Alpha" in client.get("/settings", headers=DOCUMENT).text


def test_the_login_cookie_is_out_of_reach_of_scripts_and_other_sites(client: FlaskClient) -> None:
    log_in(client, "alice@example.com")

    cookie = client.get_cookie("storelens")

    assert cookie.http_only
    assert cookie.same_site == "Lax"
    assert cookie.max_age == 14 * 24 * 3600


def test_only_the_hash_of_a_login_is_kept(client: FlaskClient, app: Flask) -> None:
    log_in(client, "alice@example.com")
    token = client.get_cookie("storelens").value

    with app.app_context(), directory() as session:
        kept = session.scalar(text("SELECT token_hash FROM account_sessions"))

    assert token.encode() not in bytes(kept)


@pytest.mark.parametrize("email", ["alice@example.com", "nobody@example.com"])
def test_a_wrong_password_and_an_unknown_address_get_the_same_answer(client: FlaskClient, email: str) -> None:
    response = log_in(client, email, "a wrong password")

    assert response.status_code == 422
    assert "The email address or the password is not right." in response.text
    assert client.get_cookie("storelens") is None


def test_who_belongs_to_no_store_is_told_so(client: FlaskClient, app: Flask) -> None:
    with app.app_context(), directory() as session:
        session.execute(text("DELETE FROM memberships"))

    response = log_in(client, "alice@example.com")

    assert response.status_code == 422
    assert "no longer belong" in response.text


def test_a_login_form_from_elsewhere_is_refused(client: FlaskClient) -> None:
    response = client.post("/login", data={"email": "alice@example.com", "password": PASSWORD}, headers=DOCUMENT)

    assert response.status_code == 400


def test_a_login_leads_back_to_the_page_that_was_asked_for(client: FlaskClient) -> None:
    response = log_in(client, "alice@example.com", next="/health?range=today")

    assert response.location == "/health?range=today"


@pytest.mark.parametrize(
    "target",
    ["https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil.example", "/\tevil", "javascript:1"],
)
def test_a_login_leads_nowhere_but_to_us(client: FlaskClient, target: str) -> None:
    response = log_in(client, "alice@example.com", next=target)

    assert response.location == "/"


def test_a_logout_ends_the_session_on_the_server_too(client: FlaskClient) -> None:
    log_in(client, "alice@example.com")
    token = client.get_cookie("storelens").value
    csrf = csrf_of(client, "/settings")

    response = client.post("/logout", data={"csrf_token": csrf}, headers=DOCUMENT)
    client.set_cookie("storelens", token)

    assert response.location == "/login"
    assert client.get("/settings", headers=DOCUMENT).location.startswith("/login")


def test_a_logout_asked_for_by_another_site_is_refused(client: FlaskClient) -> None:
    log_in(client, "alice@example.com")

    response = client.post("/logout", headers=DOCUMENT)

    assert response.status_code == 400
    assert client.get("/settings", headers=DOCUMENT).status_code == 200


# ── invitations ──


def test_an_invited_person_sets_a_password_and_is_in(client: FlaskClient, invite: Callable[..., str]) -> None:
    path = invite("Dora@example.com", "analyst")

    response = accept(client, path, "a password of her own")

    assert response.location == "/"
    page = client.get("/settings", headers=DOCUMENT).text
    assert "dora@example.com" in page
    assert "Analyst" in page
    assert log_in(client, "dora@example.com", "a password of her own").status_code == 303


def test_an_invitation_works_once(app: Flask, client: FlaskClient, invite: Callable[..., str]) -> None:
    path = invite("dora@example.com")
    accept(client, path)

    response = app.test_client().get(path, headers=DOCUMENT)

    assert response.status_code == 404
    assert "no longer works" in response.text


def test_two_browsers_cannot_both_accept(app: Flask, invite: Callable[..., str]) -> None:
    path = invite("dora@example.com")
    first, second = app.test_client(), app.test_client()
    late = {"password": PASSWORD, "csrf_token": csrf_of(second, path)}
    accept(first, path)

    response = second.post(path, data=late, headers=DOCUMENT)

    assert response.status_code == 404
    assert second.get_cookie("storelens") is None


def test_an_expired_invitation_no_longer_works(app: Flask, client: FlaskClient, invite: Callable[..., str]) -> None:
    path = invite("dora@example.com")
    with app.app_context(), directory() as session:
        session.execute(text("UPDATE invitations SET expires_at = now() - interval '1 second'"))

    response = client.get(path, headers=DOCUMENT)

    assert response.status_code == 404


def test_a_newer_invitation_replaces_the_older_one(client: FlaskClient, invite: Callable[..., str]) -> None:
    older = invite("dora@example.com", "owner")
    newer = invite("dora@example.com", "viewer")

    assert client.get(older, headers=DOCUMENT).status_code == 404
    assert client.get(newer, headers=DOCUMENT).status_code == 200


def test_a_short_password_is_refused_and_the_invitation_still_works(
    client: FlaskClient, invite: Callable[..., str]
) -> None:
    path = invite("dora@example.com")

    response = accept(client, path, "too short")

    assert response.status_code == 422
    assert "Use at least 10 characters." in response.text
    assert accept(client, path).status_code == 303


def test_an_account_there_is_joins_with_its_own_password_only(client: FlaskClient, invite: Callable[..., str]) -> None:
    path = invite("bob@example.com")

    refused = accept(client, path, "a password somebody else chose")
    accepted = accept(client, path, PASSWORD)

    assert refused.status_code == 422
    assert accepted.status_code == 303
    assert "Alpha" in client.get("/settings", headers=DOCUMENT).text


def test_an_invitation_to_a_member_never_narrows_the_role(
    client: FlaskClient, app: Flask, world: World, invite: Callable[..., str]
) -> None:
    accept(client, invite("alice@example.com", "viewer"))

    with app.app_context(), directory() as session:
        role = session.scalar(text("SELECT role FROM memberships WHERE tenant_id = :id"), {"id": world.alpha})

    assert role == "owner"


@pytest.mark.parametrize(
    "form", [{"email": "no address", "role": "viewer"}, {"email": "dora@example.com", "role": "emperor"}, {}]
)
def test_an_invitation_of_nobody_or_to_nothing_is_refused(
    client: FlaskClient, id_token: Callable[..., str], form: dict[str, str]
) -> None:
    headers = {**FETCH, "Authorization": f"Bearer {id_token()}"}

    response = client.post("/settings", data=form, headers=headers)

    assert response.status_code == 422
    assert "/invitations/" not in response.text


def test_the_people_of_a_store_are_shown_to_that_store_only(
    client: FlaskClient, app: Flask, world: World, invite: Callable[..., str]
) -> None:
    invite("dora@example.com")
    with app.app_context():
        join(world.beta, "carol@example.com", "analyst")
    log_in(client, "bob@example.com")

    page = client.get("/settings", headers=DOCUMENT).text

    assert "carol@example.com" in page
    assert "dora@example.com" not in page
    assert "alice@example.com" not in page
    assert "Invite somebody" not in page
