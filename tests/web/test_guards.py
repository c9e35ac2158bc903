"""Who may pass: every branch of every guard."""

import dataclasses
import time
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Blueprint, Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from config import Config
from shopify_app import web
from shopify_app.database import directory
from shopify_app.jobs.queues import Queues
from shopify_app.shopify.signatures import webhook_hmac
from shopify_app.web import guards
from tests.shopify.scripted import Reply, Scripted
from tests.web.conftest import (
    ADMIN,
    DOCUMENT,
    FETCH,
    FRAME,
    OTHER_STORE,
    STORE,
    STRANGER,
    body_of,
    claims_of,
    log_in,
)

pytestmark = pytest.mark.usefixtures("world")

Tokens = Callable[..., str]


def bearer(token: str) -> dict[str, str]:
    return {**FETCH, "Authorization": f"Bearer {token}"}


# ── the map ──


def test_every_address_has_a_guard(app: Flask) -> None:
    unguarded = {rule.endpoint for rule in app.url_map.iter_rules() if rule.endpoint.split(".")[0] not in web.GUARDS}

    assert unguarded == web.UNGUARDED_ENDPOINTS


def test_every_blueprint_has_one_of_the_guards(app: Flask) -> None:
    assert set(web.GUARDS) == set(app.blueprints)
    assert len(web.GUARDS) == len(web.BLUEPRINTS)
    assert set(web.GUARDS.values()) <= {
        guards.anyone,
        guards.api,
        guards.operator,
        guards.program,
        guards.viewer,
        guards.webhook,
    }


def test_an_address_that_was_given_no_guard_lets_nobody_in(app: Flask) -> None:
    stray = Blueprint("stray", __name__)
    stray.add_url_rule("/stray", view_func=lambda: "secret")
    app.register_blueprint(stray)

    response = app.test_client().get("/stray")

    assert response.status_code == 403
    assert "secret" not in response.text


# ── webhooks ──


@pytest.mark.parametrize("given", [None, "", "AAAA", "é", "x" * 5000])
def test_a_webhook_without_a_good_signature_is_answered_401(client: FlaskClient, given: str | None) -> None:
    headers = {} if given is None else {"X-Shopify-Hmac-Sha256": given}

    response = client.post("/webhooks/orders", data=b"{}", headers=headers)

    assert response.status_code == 401


def test_a_webhook_signed_for_other_bytes_is_answered_401(client: FlaskClient, config: Config) -> None:
    signature = webhook_hmac(b'{"id": 1}', config.shopify_api_secret)

    response = client.post("/webhooks/orders", data=b'{"id":1}', headers={"X-Shopify-Hmac-Sha256": signature})

    assert response.status_code == 401


def test_a_webhook_that_is_too_large_is_answered_413(client: FlaskClient) -> None:
    response = client.post("/webhooks/orders", data=b"x" * (guards.WEBHOOK_LIMIT + 1))

    assert response.status_code == 413


# ── inside the admin ──


def test_a_document_with_a_session_token_is_shown_and_may_be_framed(client: FlaskClient, id_token: Tokens) -> None:
    response = client.get(f"/health?shop={STORE}&embedded=1&id_token={id_token()}", headers=FRAME)

    assert response.status_code == 200
    assert "frame-ancestors http://127.0.0.1:" in response.headers["Content-Security-Policy"]
    assert ADMIN in response.headers["Content-Security-Policy"]


def test_pages_inside_the_admin_set_no_cookie(client: FlaskClient, id_token: Tokens) -> None:
    response = client.get(f"/settings?shop={STORE}&id_token={id_token()}", headers=FRAME)

    assert response.status_code == 200
    assert "Set-Cookie" not in response.headers


def test_a_fetch_with_a_session_token_is_answered(client: FlaskClient, id_token: Tokens) -> None:
    response = client.get("/health", headers=bearer(id_token()))

    assert response.status_code == 200


def test_a_form_sent_with_a_session_token_needs_no_other_proof(client: FlaskClient, id_token: Tokens) -> None:
    form = {"email": "dora@example.com", "role": "viewer"}

    response = client.post("/settings", data=form, headers=bearer(id_token()))

    assert response.status_code == 200
    assert "/invitations/" in response.text


def test_the_token_decides_which_store_is_seen(client: FlaskClient, id_token: Tokens) -> None:
    own = client.get("/settings", headers=bearer(id_token(OTHER_STORE))).text

    assert "bob@example.com" in own
    assert "alice@example.com" not in own


def test_a_token_of_another_store_than_the_address_names_is_refused(client: FlaskClient, id_token: Tokens) -> None:
    response = client.get(f"/health?shop={STORE}&id_token={id_token(OTHER_STORE)}", headers=FRAME)

    assert response.status_code == 401
    assert "X-Shopify-Retry-Invalid-Session-Request" not in response.headers


BAD_CLAIMS = [
    {"exp": int(time.time()) - 60},
    {"nbf": int(time.time()) + 600},
    {"aud": "another-app"},
    {"dest": "https://evil.example"},
    {"iss": f"https://{OTHER_STORE}/admin"},
    {"secret": "another secret that is long enough"},
]


@pytest.mark.parametrize("claims", BAD_CLAIMS, ids=lambda claims: next(iter(claims)))
def test_a_fetch_with_a_bad_token_is_told_to_try_with_a_new_one(
    client: FlaskClient, id_token: Tokens, claims: dict[str, object]
) -> None:
    response = client.get("/health", headers=bearer(id_token(**claims)))

    assert response.status_code == 401
    assert response.headers["X-Shopify-Retry-Invalid-Session-Request"] == "1"


@pytest.mark.parametrize("claims", BAD_CLAIMS, ids=lambda claims: next(iter(claims)))
def test_a_document_with_a_bad_token_goes_to_fetch_a_new_one_once(
    client: FlaskClient, id_token: Tokens, claims: dict[str, object]
) -> None:
    token = id_token(**claims)

    first = client.get(f"/health?shop={STORE}&hmac=1&timestamp=1&id_token={token}", headers=FRAME)
    reload = parse_qs(urlsplit(first.location).query)["shopify-reload"][0]
    again = client.get(f"{reload}&id_token={token}", headers=FRAME)

    assert first.status_code == 302
    assert urlsplit(first.location).path == "/auth/bounce"
    assert token not in first.location
    assert "hmac" not in reload
    assert again.status_code == 401
    assert ADMIN in again.headers["Content-Security-Policy"]


def test_a_fetch_without_anything_is_told_to_try_with_a_token(client: FlaskClient) -> None:
    response = client.get("/health", headers={**FETCH, "Accept": "application/json"})

    assert response.status_code == 401
    assert response.headers["X-Shopify-Retry-Invalid-Session-Request"] == "1"
    assert response.json["error"]["title"]


@pytest.mark.parametrize("query", ["", f"shop={STORE}", f"shop={STORE}&embedded=1", "host=YWRtaW4"])
def test_a_framed_document_without_a_token_goes_to_fetch_one(client: FlaskClient, query: str) -> None:
    response = client.get(f"/health?range=today&{query}", headers=FRAME)

    reload = parse_qs(urlsplit(response.location).query)["shopify-reload"][0]
    assert urlsplit(response.location).path == "/auth/bounce"
    assert reload.startswith("/health?range=today")


def test_shopifys_mobile_apps_fetch_a_token_too(client: FlaskClient) -> None:
    response = client.get(f"/health?shop={STORE}&embedded=1", headers=DOCUMENT)

    assert urlsplit(response.location).path == "/auth/bounce"


def test_a_visit_outside_the_frame_is_brought_into_the_admin(client: FlaskClient, config: Config) -> None:
    query = f"shop={STORE}&hmac=0&timestamp=1&host=YWRtaW4&range=today"

    response = client.get(f"/health?{query}", headers=DOCUMENT)

    assert response.location == f"{ADMIN}/store/alpha/apps/{config.shopify_api_key}/health?range=today"


@pytest.mark.parametrize("shop", ["evil.example", "alpha.myshopify.com.evil.example", "alpha.myshopify.com\n", "%00"])
def test_a_false_store_never_becomes_an_address_or_a_header(client: FlaskClient, shop: str) -> None:
    response = client.get("/health", query_string={"shop": shop}, headers=DOCUMENT)

    assert response.location.startswith("/login")
    assert "evil" not in response.headers.get("Content-Security-Policy", "")


def test_the_bounce_page_holds_app_bridge_and_nothing_else(client: FlaskClient) -> None:
    response = client.get(f"/auth/bounce?shop={STORE}&shopify-reload=/health", headers=FRAME)

    assert response.status_code == 200
    assert response.text.count("<script") == 1
    assert "/shopifycloud/app-bridge.js" in response.text
    assert "frame-ancestors http" in response.headers["Content-Security-Policy"]


@pytest.mark.parametrize("target", ["", "https://evil.example/", "//evil.example", "/\\evil.example", "evil", "/a\nb"])
def test_the_bounce_page_leads_nowhere_but_to_us(client: FlaskClient, target: str) -> None:
    response = client.get("/auth/bounce", query_string={"shop": STORE, "shopify-reload": target}, headers=FRAME)

    assert response.status_code == 400


# ── managed installation: the first open ──


def test_the_first_open_installs_the_store_and_shows_the_page(
    client: FlaskClient, app: Flask, id_token: Tokens, shopify: Scripted
) -> None:
    token = id_token(STRANGER)

    response = client.get(f"/settings?shop={STRANGER}&id_token={token}", headers=FRAME)

    assert response.status_code == 200
    exchange = body_of(shopify.asked[0])
    assert exchange["subject_token"] == token
    assert exchange["grant_type"] == "urn:ietf:params:oauth:grant-type:token-exchange"
    with app.app_context(), directory() as session:
        found = session.execute(
            text("SELECT id, currency FROM tenants WHERE store_url = :url"), {"url": STRANGER}
        ).one()
    assert found.currency == "USD"
    assert ("settle", found.id) in claims_of(app)


def test_the_second_open_asks_shopify_for_nothing(client: FlaskClient, id_token: Tokens, shopify: Scripted) -> None:
    client.get("/settings", headers=bearer(id_token(STRANGER)))
    shopify.asked.clear()

    response = client.get("/settings", headers=bearer(id_token(STRANGER)))

    assert response.status_code == 200
    assert shopify.asked == []


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE tenants SET uninstalled_at = now()",
        "UPDATE offline_tokens SET failed_at = now(), failure = 'refused'",
        "DELETE FROM offline_tokens",
    ],
)
def test_a_store_without_a_living_token_is_installed_again_as_the_same_tenant(
    client: FlaskClient, app: Flask, id_token: Tokens, change: str
) -> None:
    with app.app_context(), directory() as session:
        session.execute(text(change))

    response = client.get("/settings", headers=bearer(id_token()))

    assert response.status_code == 200
    assert "alice@example.com" in response.text
    with app.app_context(), directory() as session:
        query = text(
            "SELECT uninstalled_at, failed_at FROM tenants JOIN offline_tokens ON tenant_id = id WHERE store_url = :url"
        )
        assert [tuple(row) for row in session.execute(query, {"url": STORE})] == [(None, None)]


REFUSAL = Reply({"error": "invalid_subject_token"}, status=400)


def test_a_document_whose_token_shopify_refuses_fetches_a_new_one(
    client: FlaskClient, id_token: Tokens, shopify: Scripted
) -> None:
    shopify.replies = [REFUSAL]

    response = client.get(f"/?shop={STRANGER}&id_token={id_token(STRANGER)}", headers=FRAME)

    assert urlsplit(response.location).path == "/auth/bounce"


def test_a_fetch_whose_token_shopify_refuses_is_told_to_try_again(
    client: FlaskClient, id_token: Tokens, shopify: Scripted
) -> None:
    shopify.replies = [REFUSAL]

    response = client.get("/settings", headers=bearer(id_token(STRANGER)))

    assert response.status_code == 401
    assert response.headers["X-Shopify-Retry-Invalid-Session-Request"] == "1"


def test_a_shopify_that_refuses_the_app_is_said_so_inside_the_frame(
    client: FlaskClient, id_token: Tokens, shopify: Scripted
) -> None:
    shopify.replies = [_granted(), Reply({"errors": "[API] Unavailable Shop"}, status=402)]

    response = client.get(f"/settings?shop={STRANGER}&id_token={id_token(STRANGER)}", headers=FRAME)

    assert response.status_code == 502
    assert ADMIN in response.headers["Content-Security-Policy"]


def test_redis_being_away_does_not_stop_an_installation(
    client: FlaskClient, app: Flask, id_token: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    deaf = dataclasses.replace(app.extensions["storelens"], queues=Queues("redis://127.0.0.1:1/0"))
    monkeypatch.setitem(app.extensions, "storelens", deaf)

    response = client.get("/settings", headers=bearer(id_token(STRANGER)))

    assert response.status_code == 200


def _granted() -> Reply:
    return Reply({"access_token": "shpat_1", "scope": "read_orders", "expires_in": 3600})


# ── outside the admin ──


def test_a_document_without_a_login_goes_to_the_login_and_back(client: FlaskClient) -> None:
    response = client.get("/health?range=today", headers=DOCUMENT)

    assert response.location == "/login?next=/health?range%3Dtoday"


def test_a_login_lets_its_store_be_seen_and_no_other(client: FlaskClient) -> None:
    log_in(client, "bob@example.com")

    page = client.get("/settings", headers=DOCUMENT)

    assert page.status_code == 200
    assert "bob@example.com" in page.text
    assert "alice@example.com" not in page.text
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]


def test_a_login_does_not_count_in_a_frame(client: FlaskClient) -> None:
    log_in(client, "bob@example.com")

    response = client.get("/settings", headers=FRAME)

    assert urlsplit(response.location).path == "/auth/bounce"


def test_a_login_ends_when_the_membership_does(client: FlaskClient, app: Flask) -> None:
    log_in(client, "bob@example.com")
    with app.app_context(), directory() as session:
        session.execute(text("DELETE FROM memberships WHERE role = 'viewer'"))

    response = client.get("/settings", headers=DOCUMENT)

    assert response.location.startswith("/login")


def test_a_login_shows_nothing_of_a_store_that_has_left(client: FlaskClient, app: Flask) -> None:
    log_in(client, "bob@example.com")
    with app.app_context(), directory() as session:
        session.execute(text("UPDATE tenants SET uninstalled_at = now()"))

    response = client.get("/settings", headers=DOCUMENT)

    assert response.status_code == 403
    assert "has uninstalled Storelens" in response.text


def test_an_invented_cookie_opens_nothing(client: FlaskClient) -> None:
    client.set_cookie("storelens", "invented")

    response = client.get("/health", headers=DOCUMENT)

    assert response.location.startswith("/login")


def test_a_form_sent_by_login_needs_the_forms_own_proof(client: FlaskClient) -> None:
    log_in(client, "alice@example.com")

    response = client.post("/settings", data={"email": "dora@example.com", "role": "viewer"}, headers=DOCUMENT)

    assert response.status_code == 400


def test_a_viewer_may_not_invite(client: FlaskClient) -> None:
    log_in(client, "bob@example.com")
    token = client.get("/settings", headers=DOCUMENT).text.split('name="csrf_token" value="')[1].split('"')[0]

    response = client.post(
        "/settings", data={"email": "dora@example.com", "role": "owner", "csrf_token": token}, headers=DOCUMENT
    )

    assert response.status_code == 403
