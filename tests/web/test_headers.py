"""What every answer says about itself, errors included."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from config import Config
from shopify_app.web.headers import content_security_policy
from tests.web.conftest import ADMIN, CDN, DOCUMENT, FETCH, FRAME, STORE, World, log_in


def policy_of(response) -> dict[str, list[str]]:
    directives = response.headers["Content-Security-Policy"].split("; ")
    return {name: values.split(" ") for name, values in (directive.split(" ", 1) for directive in directives)}


@pytest.mark.parametrize("path", ["/login", "/no-such-page", "/auth/install", "/invitations/unknown"])
def test_pages_outside_the_admin_may_not_be_framed(client: FlaskClient, path: str) -> None:
    response = client.get(path, headers=DOCUMENT)

    assert policy_of(response)["frame-ancestors"] == ["'none'"]
    assert response.headers["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize("path", ["/login", "/no-such-page", "/healthz"])
def test_nothing_is_kept_or_sniffed(client: FlaskClient, path: str) -> None:
    response = client.get(path, headers=DOCUMENT)

    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "X-Frame-Options" not in response.headers


def test_a_page_in_the_admin_names_the_two_that_may_frame_it(
    client: FlaskClient, world: World, id_token: Callable[..., str], config: Config
) -> None:
    response = client.get(f"/settings?shop={STORE}&id_token={id_token()}", headers=FRAME)

    policy = policy_of(response)
    origin = "/".join(config.shop_origin(STORE).split("/")[:3])
    assert policy["frame-ancestors"] == [origin, ADMIN]
    assert policy["script-src"] == ["'self'", f"{CDN}/shopifycloud/"]
    assert response.headers["Referrer-Policy"] == "same-origin"
    assert f'<{CDN}/shopifycloud/app-bridge.js>; rel="preload"; as="script"' in response.headers["Link"]


def test_no_page_allows_inline_scripts(config: Config) -> None:
    for framed_by in ((), (ADMIN,)):
        scripts = content_security_policy(config, framed_by).split("script-src")[1].split(";")[0]
        assert "unsafe" not in scripts


def test_in_production_the_shop_and_the_admin_may_frame() -> None:
    config = Config(
        database_url="",
        redis_url="",
        secret_key="",
        token_keys=(),
        app_url="",
        shopify_api_key="",
        shopify_api_secret="",
    )

    policy = content_security_policy(config, ("https://alpha.myshopify.com", config.shopify_admin_origin))

    assert policy.endswith("frame-ancestors https://alpha.myshopify.com https://admin.shopify.com")


def test_files_asked_for_by_their_content_are_kept_for_good(client: FlaskClient) -> None:
    page = client.get("/login", headers=DOCUMENT).text
    path = page.split('rel="stylesheet" href="')[1].split('"')[0]

    with client.get(path) as response:
        assert response.status_code == 200
        assert "immutable" in response.headers["Cache-Control"]


class TestOverTls:
    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        return {**environ, "APP_URL": "https://storelens.example"}

    def test_browsers_are_told_to_stay_there(self, client: FlaskClient) -> None:
        response = client.get("/login", headers=DOCUMENT, base_url="https://storelens.example")

        assert response.headers["Strict-Transport-Security"].startswith("max-age=31536000")

    @pytest.mark.usefixtures("world")
    def test_cookies_are_sent_there_only(self, app: Flask) -> None:
        client = app.test_client()
        base = "https://storelens.example"
        page = client.get("/login", base_url=base)
        token = page.text.split('name="csrf_token" value="')[1].split('"')[0]
        form = {"email": "alice@example.com", "password": "correct horse battery", "csrf_token": token}

        response = client.post("/login", data=form, base_url=base, headers={"Referer": f"{base}/login"})

        cookies = page.headers.getlist("Set-Cookie") + response.headers.getlist("Set-Cookie")
        assert {cookie.split("=")[0] for cookie in cookies} >= {"__Host-storelens", "__Host-storelens-form"}
        assert all("Secure" in cookie and "HttpOnly" in cookie and "Path=/" in cookie for cookie in cookies)


# ── errors ──


def test_a_page_that_is_not_there_says_so(client: FlaskClient) -> None:
    response = client.get("/no-such-page", headers=DOCUMENT)

    assert response.status_code == 404
    assert "There is no such page" in response.text


def test_a_script_gets_its_error_as_json(client: FlaskClient) -> None:
    response = client.get("/no-such-page", headers={"Accept": "application/json"})

    assert response.json["error"]["title"] == "There is no such page"


def test_a_wrong_method_names_the_right_ones(client: FlaskClient) -> None:
    response = client.post("/healthz")

    assert response.status_code == 405
    assert "GET" in response.headers["Allow"]


def test_a_fault_of_ours_shows_no_detail(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("a secret detail")

    monkeypatch.setattr("shopify_app.web.accounts._login_page", fail)

    response = client.get("/login", headers=DOCUMENT)

    assert response.status_code == 500
    assert "secret detail" not in response.text


class TestWithoutADatabase:
    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        return {**environ, "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nowhere"}

    def test_a_page_says_so_and_asks_to_come_back(self, client: FlaskClient) -> None:
        response = client.get("/invitations/any", headers=DOCUMENT)

        assert response.status_code == 503
        assert response.headers["Retry-After"] == "5"
        assert "not available right now" in response.text

    def test_an_installed_app_says_so_inside_the_frame(self, client: FlaskClient, id_token: Callable[..., str]) -> None:
        response = client.get("/", headers={**FETCH, "Authorization": f"Bearer {id_token()}"})

        assert response.status_code == 503

    def test_the_process_is_alive_but_not_ready(self, client: FlaskClient) -> None:
        assert client.get("/healthz").status_code == 200

        response = client.get("/readyz")

        assert response.status_code == 503
        assert "postgresql" in response.json["problems"]


def test_a_session_token_never_reaches_the_log(
    client: FlaskClient, world: World, id_token: Callable[..., str], capfd: pytest.CaptureFixture[str]
) -> None:
    tokens = [id_token(), id_token(exp=1), id_token("beta.myshopify.com")]

    for token in tokens:
        client.get(f"/settings?shop={STORE}&id_token={token}", headers=FRAME)

    logged = "".join(capfd.readouterr())
    assert not any(token in logged for token in tokens)


def test_a_login_stays_out_of_the_log(client: FlaskClient, world: World, capfd: pytest.CaptureFixture[str]) -> None:
    log_in(client, "alice@example.com")

    assert "correct horse" not in "".join(capfd.readouterr())


def test_a_refused_webhook_is_as_guarded_as_any_page(client: FlaskClient) -> None:
    response = client.post("/webhooks/orders", data=b"{}", headers=DOCUMENT)

    assert response.status_code == 401
    assert policy_of(response)["frame-ancestors"] == ["'none'"]
    assert response.headers["Cache-Control"] == "no-store"
