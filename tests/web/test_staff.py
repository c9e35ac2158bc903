"""Staff inside the admin: asked about once, owners and viewers, and roles an owner changes on Settings."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from shopify_app.database import directory
from tests.shopify.scripted import Reply, Scripted
from tests.web.conftest import DOCUMENT, FETCH, OTHER_STORE, World, csrf_of, log_in, online_token

pytestmark = pytest.mark.usefixtures("world")

Tokens = Callable[..., str]


@pytest.fixture
def inside(client: FlaskClient, id_token: Tokens) -> Callable[..., object]:
    """Asks for an address, or sends a form, as a member of the store's staff."""

    def ask(path: str, user: str = "42", /, *, store: str = "alpha.myshopify.com", **form: str):
        headers = {**FETCH, "Authorization": f"Bearer {id_token(store, sub=user)}"}
        if form or path.startswith("/settings/"):
            return client.post(path, data=form, headers=headers)
        return client.get(path, headers=headers)

    return ask


def kept(app: Flask) -> list[tuple[str, str, bool]]:
    query = text("SELECT shopify_user_id, role, account_owner FROM staff_members ORDER BY 1")
    with app.app_context(), directory() as session:
        return [tuple(row) for row in session.execute(query)]


def test_shopify_is_asked_once_who_a_staff_member_is(app: Flask, inside, shopify: Scripted) -> None:
    pages = [inside("/settings"), inside("/settings")]

    assert all("Invite somebody" in page.text for page in pages)
    assert len(shopify.asked) == 1
    assert shopify.asked[0].json["requested_token_type"].endswith(":online-access-token")
    assert "expiring" not in shopify.asked[0].json
    assert kept(app) == [("42", "owner", True)]


def test_nothing_personal_of_staff_is_kept(app: Flask, inside, database) -> None:
    inside("/settings")

    with app.app_context(), directory() as session:
        row = str(session.execute(text("SELECT * FROM staff_members")).one())
    assert "olive" not in row.lower()


def test_staff_are_viewers_until_an_owner_says_otherwise(inside, shopify: Scripted) -> None:
    shopify.replies = [online_token(7, account_owner=False)]

    page = inside("/settings", "7")
    refused = inside("/settings", "7", email="dora@example.com", role="owner")

    assert "Invite somebody" not in page.text
    assert refused.status_code == 403


@pytest.mark.parametrize(
    "reply",
    [
        Reply({"error": "invalid_subject_token"}, status=400),
        Reply(status=503),
        Reply({"access_token": "shpua_1", "expires_in": 86399}),
        online_token(43, account_owner=True),
    ],
    ids=["refused", "away", "nobody", "somebody else"],
)
def test_whom_shopify_does_not_vouch_for_is_a_viewer_and_asked_about_again(
    app: Flask, inside, shopify: Scripted, reply: Reply
) -> None:
    shopify.replies = [reply]

    first, second = inside("/settings"), inside("/settings")

    assert first.status_code == 200
    assert "Invite somebody" not in first.text
    assert "Invite somebody" in second.text
    assert kept(app) == [("42", "owner", True)]


def test_a_token_without_a_user_is_a_viewers(inside, app: Flask, shopify: Scripted) -> None:
    page = inside("/settings", "")

    assert "Invite somebody" not in page.text
    assert shopify.asked == []
    assert kept(app) == []


def test_an_owner_changes_the_role_of_staff(app: Flask, inside, shopify: Scripted) -> None:
    inside("/settings")
    shopify.replies = [online_token(7, account_owner=False)]
    inside("/settings", "7")

    response = inside("/settings/staff", user="7", role="owner")

    assert response.status_code == 303
    assert response.location == "/settings"
    assert kept(app) == [("42", "owner", True), ("7", "owner", False)]
    assert "Invite somebody" in inside("/settings", "7").text


def test_a_viewer_changes_no_role(app: Flask, inside, shopify: Scripted) -> None:
    shopify.replies = [online_token(7, account_owner=False)]
    inside("/settings", "7")

    response = inside("/settings/staff", "7", user="7", role="owner")

    assert response.status_code == 403
    assert kept(app) == [("7", "viewer", False)]


@pytest.mark.parametrize("form", [{"user": "42", "role": "viewer"}, {"user": "7", "role": "emperor"}, {}])
def test_the_account_owner_and_what_does_not_exist_cannot_be_changed(app: Flask, inside, form: dict[str, str]) -> None:
    inside("/settings")

    response = inside("/settings/staff", **form)

    assert response.status_code == 422
    assert "The account owner stays owner." in response.text
    assert kept(app) == [("42", "owner", True)]


def test_staff_of_another_store_are_out_of_reach(app: Flask, inside, shopify: Scripted) -> None:
    inside("/settings")
    shopify.replies = [online_token(7, account_owner=False)]
    inside("/settings", "7", store=OTHER_STORE)

    response = inside("/settings/staff", user="7", role="owner")

    assert response.status_code == 422
    assert ("7", "viewer", False) in kept(app)
    assert ">7<" not in inside("/settings").text


def test_a_member_who_is_owner_changes_roles_by_login(
    app: Flask, client: FlaskClient, inside, shopify: Scripted
) -> None:
    shopify.replies = [online_token(7, account_owner=False)]
    inside("/settings", "7")
    log_in(client, "alice@example.com")
    csrf = csrf_of(client, "/settings")

    refused = client.post("/settings/staff", data={"user": "7", "role": "analyst"}, headers=DOCUMENT)
    done = client.post("/settings/staff", data={"user": "7", "role": "analyst", "csrf_token": csrf}, headers=DOCUMENT)

    assert (refused.status_code, done.status_code) == (400, 303)
    assert kept(app) == [("7", "analyst", False)]


def test_who_has_become_account_owner_asks_again_and_is_owner(app: Flask, inside, shopify: Scripted) -> None:
    inside("/settings")
    shopify.replies = [online_token(7, account_owner=False), online_token(7, account_owner=True)]
    before = inside("/settings", "7")

    response = inside("/settings/staff/me", "7")

    assert "Check again" in before.text
    assert response.status_code == 303
    assert kept(app) == [("42", "owner", False), ("7", "owner", True)]


def test_who_came_by_login_is_nobody_shopify_could_be_asked_about(client: FlaskClient, shopify: Scripted) -> None:
    log_in(client, "bob@example.com")
    csrf = csrf_of(client, "/settings")

    response = client.post("/settings/staff/me", data={"csrf_token": csrf}, headers=DOCUMENT)

    assert response.status_code == 403
    assert shopify.asked == []


def test_members_keep_the_role_they_were_invited_with(client: FlaskClient, world: World) -> None:
    log_in(client, "alice@example.com")

    assert "Invite somebody" in client.get("/settings", headers=DOCUMENT).text
