"""Shopify's App Store requirements, as far as code can show them. The number of each stands in the test's name.

https://shopify.dev/docs/apps/launch/app-store-review/app-store-requirements
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from config import DEFAULT_SCOPES, Config
from shopify_app import tenants
from shopify_app.database import directory
from shopify_app.shopify import scopes
from shopify_app.shopify.topics import TOPICS
from tests.conftest import ROOT
from tests.review.documents import Reference, sent
from tests.web.conftest import CDN, DOCUMENT, FETCH, FRAME, OTHER_STORE, STORE, STRANGER, World

Show = Callable[..., TestResponse]
PAGES = ("/", "/health", "/settings")
SOURCES = sorted(path for folder in ("shopify_app", "templates", "static") for path in (ROOT / folder).rglob("*.*"))
OURS = [path for path in SOURCES if path.suffix in {".py", ".html", ".js"} and "vendor" not in path.parts]


class Tags(HTMLParser):
    """Every tag of a page with its attributes, in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


# ── 1.1 policy ──


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize("path", PAGES)
def test_1_1_1_a_page_is_opened_by_session_token_alone(open_in_admin: Show, path: str) -> None:
    assert open_in_admin(path).status_code == 200


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize("path", PAGES)
def test_1_1_1_no_page_in_the_admin_sets_a_cookie(open_in_admin: Show, path: str) -> None:
    assert "Set-Cookie" not in open_in_admin(path).headers


@pytest.mark.usefixtures("world")
def test_1_1_1_a_request_without_a_token_is_asked_to_come_back_with_one(client: FlaskClient) -> None:
    response = client.get("/", headers={**FETCH, "Authorization": "Bearer expired"})

    assert response.status_code == 401
    assert response.headers["X-Shopify-Retry-Invalid-Session-Request"] == "1"


def test_1_1_1_nothing_is_kept_in_the_browser() -> None:
    keepers = re.compile(r"localStorage|sessionStorage|indexedDB|document\.cookie")

    assert [path.name for path in OURS if path.suffix in {".js", ".html"} and keepers.search(path.read_text())] == []


# ── 1.2 charges ──


def test_1_2_1_no_other_way_to_pay_is_offered() -> None:
    others = re.compile(r"stripe|paypal|braintree|checkout\.com", re.IGNORECASE)

    assert [path.name for path in OURS if others.search(path.read_text())] == []


# ── 2.1 function ──


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize("path", PAGES)
def test_2_1_2_no_link_on_a_page_leads_to_an_error(open_in_admin: Show, path: str) -> None:
    tags = Tags(open_in_admin(path).text)
    links = {tag.get("href") or "" for name in ("a", "s-link", "s-button") for tag in tags.of(name)}
    ours = {link for link in links if link.startswith("/") and not link.startswith("//")}

    answers = {link: open_in_admin(link).status_code for link in ours}

    assert {link: status for link, status in answers.items() if status != 200} == {}
    assert ours


@pytest.mark.usefixtures("world")
def test_2_1_2_every_form_is_sent_to_an_address_that_takes_it(app: Flask, open_in_admin: Show) -> None:
    addresses = app.url_map.bind("localhost")
    forms = [form for path in PAGES for form in Tags(open_in_admin(path).text).of("form")]

    assert forms
    for form in forms:
        action, method = str(form.get("action") or "/"), str(form.get("method") or "get").upper()
        assert addresses.match(urlsplit(action).path, method=method)


@pytest.mark.usefixtures("world")
def test_2_1_3_the_app_has_an_interface(open_in_admin: Show) -> None:
    page = Tags(open_in_admin().text)

    assert page.of("title")
    assert page.of("s-app-nav")


# ── 2.2 integration ──


def test_2_2_1_and_2_2_4_only_the_graphql_api_is_spoken() -> None:
    rest = re.compile(r"/admin/api/[^\"']*\.json")
    spoken = {found for path in OURS if path.suffix == ".py" for found in rest.findall(path.read_text())}

    assert {path for path in spoken if not path.endswith("/graphql.json")} == set()
    assert len(spoken) == 1


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize("path", PAGES)
def test_2_2_3_app_bridge_is_the_first_script_and_comes_from_shopify(open_in_admin: Show, path: str) -> None:
    first = Tags(open_in_admin(path).text).of("script")[0]

    assert first == {"src": f"{CDN}/shopifycloud/app-bridge.js"}  # neither async, deferred, a module nor pinned


def test_2_2_3_the_bounce_page_loads_app_bridge_first(client: FlaskClient, config: Config) -> None:
    page = client.get(f"/auth/bounce?shop={STORE}&shopify-reload=/", headers=FRAME)

    assert Tags(page.text).of("script")[0] == {
        "data-api-key": config.shopify_api_key,
        "src": f"{CDN}/shopifycloud/app-bridge.js",
    }


def test_2_2_3_app_bridge_is_not_hosted_here() -> None:
    assert [path for path in SOURCES if "app-bridge" in path.name] == []
    assert Config.__dataclass_fields__["shopify_cdn_origin"].default == "https://cdn.shopify.com"


def test_2_2_7_no_window_is_opened_unasked() -> None:
    scripts = [path for path in OURS if path.suffix == ".js"]

    assert [path.name for path in scripts if re.search(r"window\.open|showModal\(|modal\.show", path.read_text())] == []


# ── 2.3 installation ──


@pytest.mark.parametrize("path", ["/", "/login", "/auth/install", "/no-such-page"])
def test_2_3_1_no_page_asks_for_a_store_address(client: FlaskClient, path: str) -> None:
    page = client.get(path, headers=DOCUMENT, follow_redirects=True)

    asked = [field.get("name") for field in Tags(page.text).of("input")]
    assert not {"shop", "shop_url", "store", "store_url", "domain"} & set(asked)
    assert "myshopify.com" not in page.text


def test_2_3_2_the_first_request_of_a_new_store_is_asked_for_proof_before_any_interface(client: FlaskClient) -> None:
    response = client.get(f"/?shop={STRANGER}&embedded=1&host=abc", headers=FRAME)

    assert response.status_code == 302
    assert response.location.startswith("/auth/bounce?")


def test_2_3_2_an_install_link_leads_straight_to_shopify(client: FlaskClient, config: Config) -> None:
    response = client.get(f"/auth/install?shop={STRANGER}")

    assert response.status_code == 302
    assert response.location.startswith(f"{config.shop_origin(STRANGER)}/admin/oauth/authorize?")


@pytest.mark.usefixtures("shopify")
def test_2_3_3_after_installing_a_store_lands_in_the_interface(open_in_admin: Show) -> None:
    response = open_in_admin("/", STRANGER)

    assert response.status_code == 200
    assert Tags(response.text).of("s-app-nav")


@pytest.mark.usefixtures("shopify")
def test_2_3_4_installing_again_goes_the_same_way(app: Flask, world: World, open_in_admin: Show) -> None:
    later = datetime.now(UTC) + timedelta(seconds=1)
    with app.app_context(), directory() as session:
        tenants.uninstall(session, world.alpha, later, triggered_at=later)

    response = open_in_admin()

    assert response.status_code == 200
    assert Tags(response.text).of("s-app-nav")


# ── 3. security, scopes ──


class TestOverTls:
    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        return {**environ, "APP_URL": "https://storelens.example"}

    @pytest.mark.parametrize("path", ["/login", "/healthz", "/auth/install", "/no-such-page"])
    def test_3_1_1_browsers_are_told_to_keep_to_tls(self, client: FlaskClient, path: str) -> None:
        response = client.get(path, base_url="https://storelens.example")

        assert re.fullmatch(r"max-age=\d{8,}; includeSubDomains", response.headers["Strict-Transport-Security"])


def test_3_1_1_shopify_is_told_addresses_over_tls_only(manifest: dict[str, Any]) -> None:
    addresses = [manifest["application_url"], *manifest["auth"]["redirect_urls"]]

    assert {urlsplit(address).scheme for address in addresses} == {"https"}


def test_3_2_the_scopes_asked_for_cover_every_document_sent(reference: Any) -> None:
    shopify = Reference(reference)
    asked = scopes.parse(DEFAULT_SCOPES)

    uncovered = {
        (name, what): needed
        for name, document in sent().items()
        for what, needed in shopify.needed(document).items()
        if all(scopes.missing(asked, [scope]) for scope in needed)
    }

    assert uncovered == {}
    assert len(sent()) > 10


def test_3_2_every_scope_asked_for_is_used(reference: Any) -> None:
    shopify = Reference(reference)
    documents = {
        scope for document in sent().values() for needed in shopify.needed(document).values() for scope in needed
    }
    topics = {topic.scope for topic in TOPICS.values()}

    assert scopes.parse(DEFAULT_SCOPES) <= documents | topics


def test_3_2_no_scope_to_write_is_asked_for() -> None:
    assert [scope for scope in scopes.parse(DEFAULT_SCOPES) if not scope.startswith("read_")] == []


def test_3_2_1_the_whole_history_is_optional(manifest: dict[str, Any]) -> None:
    assert "read_all_orders" not in manifest["access_scopes"]["scopes"]
    assert "read_all_orders" in manifest["access_scopes"]["optional_scopes"]


def test_3_2_the_manifest_asks_for_the_same_scopes(manifest: dict[str, Any]) -> None:
    assert scopes.parse(manifest["access_scopes"]["scopes"]) == scopes.parse(DEFAULT_SCOPES)


def test_3_2_a_link_asks_for_no_more_than_that(client: FlaskClient) -> None:
    query = parse_qs(urlsplit(client.get(f"/auth/install?shop={STORE}").location).query)

    assert scopes.parse(query["scope"][0]) <= scopes.parse(DEFAULT_SCOPES)
    assert "grant_options[]" not in query  # an offline token: work goes on while nobody looks


# ── the listing ──


def test_4_1_the_name_is_the_same_everywhere(manifest: dict[str, Any], client: FlaskClient) -> None:
    assert manifest["name"] == "Storelens"
    assert manifest["name"] in client.get("/login", headers=DOCUMENT).text


def test_5_1_1_no_theme_is_touched() -> None:
    words = re.compile(r"themeFiles|script_tags|scriptTagCreate|write_themes|asset\.json")

    assert [path.name for path in OURS if words.search(path.read_text())] == []


def test_5_2_app_bridge_and_polaris_are_asked_for_ahead(open_in_admin: Show, world: World) -> None:
    assert OTHER_STORE not in open_in_admin().headers["Link"]
    assert 'rel="preload"; as="script"' in open_in_admin().headers["Link"]
