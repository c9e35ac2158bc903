"""A store's cut-off on Settings: an owner changes it, inside the admin and outside; everybody else reads it."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from redis.exceptions import RedisError

from shopify_app import abandonment, claims
from shopify_app.database import directory
from shopify_app.jobs.queues import Queues
from tests.shopify.scripted import Scripted
from tests.web.conftest import (
    DOCUMENT,
    FETCH,
    OTHER_STORE,
    STORE,
    World,
    claims_of,
    csrf_of,
    join,
    log_in,
    online_token,
)

ADDRESS = "/settings/abandonment"
Tokens = Callable[..., str]


def cut_offs(app: Flask, world: World) -> tuple[int, int]:
    """Return both stores' cut-offs."""
    with app.app_context(), directory() as session:
        return abandonment.cut_off(session, world.alpha), abandonment.cut_off(session, world.beta)


@pytest.fixture
def by_login(client: FlaskClient, world: World) -> Callable[..., object]:
    """Sends the form as somebody who logged in."""

    def send(email: str, minutes: str):
        log_in(client, email)
        form = {"minutes": minutes, "csrf_token": csrf_of(client, "/settings")}
        return client.post(ADDRESS, data=form, headers=DOCUMENT)

    return send


@pytest.fixture
def inside(client: FlaskClient, id_token: Tokens, world: World) -> Callable[..., object]:
    """Asks for Settings, or sends the form, as a member of the store's staff."""

    def ask(minutes: str | None = None, *, user: str = "42", store: str = STORE):
        headers = {**FETCH, "Authorization": f"Bearer {id_token(store, sub=user)}"}
        if minutes is None:
            return client.get("/settings", headers=headers)
        return client.post(ADDRESS, data={"minutes": minutes}, headers=headers)

    return ask


def test_an_owner_sees_the_cut_off_and_what_it_means(inside) -> None:
    page = inside().text

    assert 'name="minutes"' in page
    assert 'value="60"' in page
    assert "counts as abandoned" in page


def test_an_owner_inside_the_admin_changes_it(app: Flask, world: World, inside) -> None:
    response = inside("90")

    assert response.status_code == 200
    assert "From now on it takes 90 minutes" in response.text
    assert 'value="90"' in inside().text
    assert cut_offs(app, world) == (90, 60)
    assert (claims.ABANDONMENT, world.alpha) in claims_of(app)
    assert (claims.ABANDONMENT, world.beta) not in claims_of(app)


def test_an_owner_changes_it_by_login(app: Flask, world: World, by_login) -> None:
    response = by_login("alice@example.com", " 1440 ")

    assert response.status_code == 200
    assert "From now on it takes 1440 minutes" in response.text
    assert cut_offs(app, world) == (1440, 60)


def test_without_the_forms_token_a_login_changes_nothing(app: Flask, world: World, client: FlaskClient) -> None:
    log_in(client, "alice@example.com")

    response = client.post(ADDRESS, data={"minutes": "90"}, headers=DOCUMENT)

    assert response.status_code == 400
    assert cut_offs(app, world) == (60, 60)


@pytest.mark.parametrize("minutes", ["4", "43201", "", "soon", '"><script>'])
def test_what_is_no_cut_off_is_shown_again_with_the_bounds(app: Flask, world: World, inside, minutes: str) -> None:
    response = inside(minutes)

    assert response.status_code == 422
    assert "Enter a whole number of minutes, from 5 to 43200 (30 days)." in response.text
    assert 'aria-describedby="minutes-problem"' in response.text
    assert "><script>" not in response.text.split('name="minutes"')[1].split("</form>")[0]
    assert cut_offs(app, world) == (60, 60)


def test_a_form_without_the_field_is_refused(app: Flask, world: World, client: FlaskClient, id_token: Tokens) -> None:
    headers = {**FETCH, "Authorization": f"Bearer {id_token(STORE)}"}

    assert client.post(ADDRESS, headers=headers).status_code == 422
    assert cut_offs(app, world) == (60, 60)


def test_a_viewer_inside_the_admin_reads_it_and_changes_nothing(
    app: Flask, world: World, inside, shopify: Scripted
) -> None:
    shopify.replies = [online_token(7, account_owner=False)]

    page = inside(user="7").text
    refused = inside("90", user="7")

    assert "60 minutes without activity" in page
    assert 'name="minutes"' not in page
    assert refused.status_code == 403
    assert cut_offs(app, world) == (60, 60)


@pytest.mark.parametrize("role", ["viewer", "analyst"])
def test_a_member_who_is_no_owner_changes_nothing(app: Flask, world: World, client: FlaskClient, role: str) -> None:
    with app.app_context():
        join(world.alpha, "dora@example.com", role)
    log_in(client, "dora@example.com")
    token = csrf_of(client, "/settings")

    page = client.get("/settings", headers=DOCUMENT).text
    refused = client.post(ADDRESS, data={"minutes": "90", "csrf_token": token}, headers=DOCUMENT)

    assert "60 minutes without activity" in page
    assert refused.status_code == 403
    assert cut_offs(app, world) == (60, 60)


def test_each_store_sets_its_own(app: Flask, world: World, inside) -> None:
    inside("90")
    inside("30", store=OTHER_STORE)

    assert cut_offs(app, world) == (90, 30)


def test_nobody_changes_nothing(app: Flask, world: World, client: FlaskClient) -> None:
    response = client.post(ADDRESS, data={"minutes": "90"}, headers=DOCUMENT)

    assert response.status_code in {302, 303, 400, 401, 403}
    assert cut_offs(app, world) == (60, 60)


def test_without_redis_the_cut_off_is_kept_and_the_clock_will_find_the_work(
    app: Flask, world: World, inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_args: object, **_kwargs: object) -> bool:
        raise RedisError

    monkeypatch.setattr(Queues, "enqueue_once", away)

    assert inside("90").status_code == 200
    assert cut_offs(app, world) == (90, 60)
    assert (claims.ABANDONMENT, world.alpha) in claims_of(app)
