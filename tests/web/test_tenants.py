"""Installing from a link: what it asks for, what it refuses, and where it leads."""

import time
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from config import Config
from shopify_app.database import directory
from shopify_app.shopify import signatures
from tests.shopify.scripted import Reply, Scripted
from tests.web.conftest import ADMIN, STORE, body_of, claims_of

Callback = Callable[..., dict[str, str]]


@pytest.fixture
def state(client: FlaskClient) -> str:
    """The nonce of an installation this browser has begun."""
    response = client.get(f"/auth/install?shop={STORE}")
    return parse_qs(urlsplit(response.location).query)["state"][0]


@pytest.fixture
def callback(config: Config, state: str) -> Callback:
    """Makes the query Shopify comes back with, signed; parameters given by name replace what a good one says."""

    def make(**changes: str) -> dict[str, str]:
        query = {"code": "a-code", "shop": STORE, "state": state, "timestamp": str(int(time.time())), **changes}
        message = "&".join(f"{key}={value}" for key, value in sorted(query.items()))
        return {**query, "hmac": signatures._hex_hmac(message, config.shopify_api_secret)}

    return make


@pytest.fixture
def tenant_ids(app: Flask) -> Callable[[], list[int]]:
    """Reads the ids of all tenants."""

    def read() -> list[int]:
        with app.app_context(), directory() as session:
            return list(session.scalars(text("SELECT id FROM tenants")))

    return read


def test_an_install_link_leads_to_the_stores_consent_page(client: FlaskClient, config: Config) -> None:
    response = client.get("/auth/install?shop=ALPHA.myshopify.com")

    target = urlsplit(response.location)
    query = parse_qs(target.query)
    assert response.status_code == 302
    assert response.location.startswith(config.shop_origin(STORE) + "/admin/oauth/authorize?")
    assert query["client_id"] == [config.shopify_api_key]
    assert query["redirect_uri"] == ["http://127.0.0.1:8000/auth/callback"]
    assert len(query["state"][0]) >= 32


def test_the_nonce_is_kept_where_only_this_browser_and_no_script_has_it(client: FlaskClient, state: str) -> None:
    cookie = client.get_cookie("storelens-state", path="/auth")

    assert cookie is not None
    assert cookie.http_only
    assert cookie.same_site == "Lax"
    assert cookie.max_age == 600
    assert state not in client.get(f"/auth/install?shop={STORE}").text


@pytest.mark.parametrize(
    "shop",
    ["", "alpha", "evil.example", "alpha.myshopify.com.evil.example", "alpha.myshopify.com/..", "a@b.myshopify.com"],
)
def test_an_install_link_of_no_store_goes_nowhere(client: FlaskClient, shop: str) -> None:
    response = client.get("/auth/install", query_string={"shop": shop})

    assert response.status_code == 400
    assert "Location" not in response.headers


def test_a_good_callback_installs_the_store_and_opens_the_app(
    client: FlaskClient,
    app: Flask,
    config: Config,
    callback: Callback,
    shopify: Scripted,
    tenant_ids: Callable[[], list[int]],
) -> None:
    response = client.get("/auth/callback", query_string=callback())

    assert response.location == f"{ADMIN}/store/alpha/apps/{config.shopify_api_key}"
    assert body_of(shopify.asked[0])["code"] == "a-code"
    assert claims_of(app) == [("settle", *tenant_ids())]


def test_installing_twice_leaves_one_tenant(
    client: FlaskClient, callback: Callback, config: Config, tenant_ids: Callable[[], list[int]]
) -> None:
    client.get("/auth/callback", query_string=callback())
    first = tenant_ids()
    again = client.get(f"/auth/install?shop={STORE}")
    query = callback(state=parse_qs(urlsplit(again.location).query)["state"][0])

    response = client.get("/auth/callback", query_string=query)

    assert response.status_code == 302
    assert tenant_ids() == first
    assert len(first) == 1


def test_a_callback_with_another_nonce_is_refused(client: FlaskClient, callback: Callback) -> None:
    response = client.get("/auth/callback", query_string=callback(state="another"))

    assert response.status_code == 400
    assert "This browser did not begin it" in response.text


def test_a_callback_in_another_browser_is_refused(app: Flask, callback: Callback) -> None:
    response = app.test_client().get("/auth/callback", query_string=callback())

    assert response.status_code == 400


def test_a_callback_with_a_cookie_signed_by_somebody_else_is_refused(client: FlaskClient, callback: Callback) -> None:
    client.set_cookie("storelens-state", "invented", path="/auth")

    response = client.get("/auth/callback", query_string=callback())

    assert response.status_code == 400


@pytest.mark.parametrize("signature", ["", "0" * 64, "é"])
def test_a_callback_without_shopifys_signature_is_refused(
    client: FlaskClient, callback: Callback, signature: str
) -> None:
    response = client.get("/auth/callback", query_string={**callback(), "hmac": signature})

    assert response.status_code == 400
    assert "signature" in response.text


@pytest.mark.parametrize("age", [-3600, 3600])
def test_a_callback_of_another_hour_is_refused(client: FlaskClient, callback: Callback, age: int) -> None:
    response = client.get("/auth/callback", query_string=callback(timestamp=str(int(time.time()) - age)))

    assert response.status_code == 400
    assert "too old" in response.text


@pytest.mark.parametrize("shop", ["evil.example", "beta.myshopify.com"])
def test_a_callback_for_another_store_than_the_one_begun_is_refused(
    client: FlaskClient, callback: Callback, shop: str, shopify: Scripted
) -> None:
    response = client.get("/auth/callback", query_string=callback(shop=shop))

    assert response.status_code == 400
    assert shopify.asked == []


def test_a_callback_that_is_replayed_is_refused(client: FlaskClient, callback: Callback) -> None:
    query = callback()
    client.get("/auth/callback", query_string=query)

    response = client.get("/auth/callback", query_string=query)

    assert response.status_code == 400


def test_a_code_that_was_used_before_ends_on_a_page_that_says_so(
    client: FlaskClient, callback: Callback, shopify: Scripted, tenant_ids: Callable[[], list[int]]
) -> None:
    shopify.replies = [Reply({"error": "invalid_request", "error_description": "used"}, status=400)]

    response = client.get("/auth/callback", query_string=callback())

    assert response.status_code == 400
    assert "Shopify did not accept the code" in response.text
    assert tenant_ids() == []


def test_a_shopify_that_does_not_answer_ends_on_a_page_that_says_so(
    client: FlaskClient, callback: Callback, shopify: Scripted, tenant_ids: Callable[[], list[int]]
) -> None:
    shopify.otherwise = lambda _asked: Reply("<html>oops</html>", status=503)

    response = client.get("/auth/callback", query_string=callback())

    assert response.status_code == 503
    assert response.headers["Retry-After"]
    assert tenant_ids() == []


def test_a_declined_consent_ends_on_a_page_that_says_so(client: FlaskClient, state: str) -> None:
    response = client.get("/auth/callback", query_string={"error": "access_denied", "state": state, "shop": STORE})

    assert response.status_code == 200
    assert "Storelens was not installed" in response.text
