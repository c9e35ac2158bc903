"""What Shopify's automated checks and its rules for protected customer data ask, as far as code can show it.

https://shopify.dev/docs/apps/launch/protected-customer-data · https://shopify.dev/docs/apps/build/compliance/privacy-law-compliance
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.test import TestResponse

from config import Config
from shopify_app.database import directory, tenant_work
from shopify_app.models import Customer
from shopify_app.shopify.topics import COMPLIANCE, TOPICS
from tests.conftest import ROOT
from tests.shopify.scripted import Scripted
from tests.web.conftest import ADMIN, DOCUMENT, FETCH, FRAME, OTHER_STORE, STORE, World, body_of

TEXTS = {".html", ".js", ".md", ".py", ".toml", ".txt"}
Show = Callable[..., TestResponse]


def ancestors(response: TestResponse) -> list[str]:
    """Return who may frame a page."""
    return response.headers["Content-Security-Policy"].partition("frame-ancestors ")[2].partition(";")[0].split()


# ── webhooks ──


@pytest.mark.parametrize("resource", sorted({topic.resource for topic in TOPICS.values()}))
@pytest.mark.parametrize("signature", [None, "", "AAAA"], ids=["missing", "empty", "wrong"])
def test_a_webhook_without_a_good_signature_is_answered_401(
    client: FlaskClient, resource: str, signature: str | None
) -> None:
    headers = {"X-Shopify-Topic": "shop/redact", "X-Shopify-Shop-Domain": STORE}
    headers |= {} if signature is None else {"X-Shopify-Hmac-Sha256": signature}

    assert client.post(f"/webhooks/{resource}", data=b"{}", headers=headers).status_code == 401


def test_the_mandatory_compliance_topics_are_in_the_manifest(manifest: dict[str, Any]) -> None:
    registered = {
        topic: entry["uri"]
        for entry in manifest["webhooks"]["subscriptions"]
        for topic in entry.get("compliance_topics", [])
    }

    assert set(registered) == {"customers/data_request", "customers/redact", "shop/redact"}
    assert set(registered) == {topic.name for topic in TOPICS.values() if topic.resource == COMPLIANCE}
    assert set(registered.values()) == {"/webhooks/compliance"}


def test_the_manifest_and_the_app_speak_the_same_version(manifest: dict[str, Any]) -> None:
    assert manifest["webhooks"]["api_version"] == Config.__dataclass_fields__["shopify_api_version"].default


def test_the_app_hears_of_being_uninstalled() -> None:
    assert TOPICS["app/uninstalled"].subscribable


# ── who may frame ──


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize("store_url", [STORE, OTHER_STORE])
def test_a_page_may_be_framed_by_its_own_store_and_the_admin_alone(
    open_in_admin: Show, config: Config, store_url: str
) -> None:
    origin = "/".join(config.shop_origin(store_url).split("/")[:3])

    assert ancestors(open_in_admin("/", store_url)) == [origin, ADMIN]


def test_in_production_the_shop_named_is_the_token_s() -> None:
    shop_origin = Config.__dataclass_fields__["shopify_shop_origin"].default

    assert shop_origin == "https://{shop}"


@pytest.mark.parametrize("shop", ["evil.example", "a.myshopify.com.evil.example", "*", "x; script-src *", ""])
def test_a_store_that_cannot_be_one_may_frame_nothing(client: FlaskClient, shop: str) -> None:
    response = client.get("/login", query_string={"shop": shop}, headers=FRAME)
    bounced = client.get("/", query_string={"shop": shop}, headers=DOCUMENT)

    assert ancestors(response) == ["'none'"]
    assert ancestors(bounced) == ["'none'"]


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize("path", ["/login", "/no-such-page", "/auth/install"])
def test_pages_outside_the_admin_may_be_framed_by_nobody(client: FlaskClient, path: str) -> None:
    assert ancestors(client.get(path, headers=DOCUMENT)) == ["'none'"]


@pytest.mark.parametrize("path", ["/healthz", "/settings"])
def test_what_is_no_page_is_framed_by_nobody_and_runs_nothing(client: FlaskClient, path: str) -> None:
    response = client.get(path, headers={**FETCH, "Accept": "application/json"})

    assert response.mimetype != "text/html"
    assert ancestors(response) == ["'none'"]
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]


# ── tokens and secrets ──


def test_offline_tokens_are_asked_to_expire(open_in_admin: Show, shopify: Scripted) -> None:
    assert open_in_admin().status_code == 200

    exchanges = [body_of(asked) for asked in shopify.asked if asked.path.endswith("/admin/oauth/access_token")]
    assert exchanges[0]["expiring"] == "1"
    assert exchanges[0]["requested_token_type"].endswith("offline-access-token")


@pytest.mark.usefixtures("shopify")
def test_tokens_are_encrypted_at_rest(app: Flask, open_in_admin: Show) -> None:
    assert open_in_admin().status_code == 200

    with app.app_context(), directory() as session:
        stored = session.execute(text("SELECT access_token, refresh_token FROM offline_tokens")).one()
    assert all(b"shp" not in bytes(token) and bytes(token).startswith(b"gAAAAA") for token in stored)


@pytest.mark.usefixtures("world")
def test_passwords_are_hashed_with_argon2(app: Flask) -> None:
    with app.app_context(), directory() as session:
        hashes = session.scalars(text("SELECT password_hash FROM accounts")).all()

    assert hashes
    assert all(kept.startswith("$argon2id$") for kept in hashes)


def test_no_secret_is_committed() -> None:
    secret = re.compile(r"shp(?:at|ca|rt|ss)_[0-9a-f]{32}|-----BEGIN [A-Z ]*PRIVATE KEY")
    folders = ("devstore", "docs", "migrations", "shopify_app", "static", "supervisor", "templates")
    texts = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in TEXTS]

    assert len(texts) > 100
    assert [
        path for path in [*texts, *ROOT.glob("*.*")] if path.suffix in TEXTS and secret.search(path.read_text())
    ] == []


def test_the_address_of_a_page_with_a_token_is_told_to_nobody(open_in_admin: Show, world: World) -> None:
    assert open_in_admin().headers["Referrer-Policy"] in {"no-referrer", "same-origin"}


@pytest.mark.parametrize("path", ["/", "/health", "/settings", "/overview/fragment"])
def test_nothing_of_a_store_is_kept_by_a_cache(open_in_admin: Show, world: World, path: str) -> None:
    assert open_in_admin(path).headers["Cache-Control"] == "no-store"


# ── protected customer data ──


def test_no_street_no_place_on_a_map_and_no_birthday_is_kept(app: Flask, world: World) -> None:
    personal = {"address", "address1", "address2", "zip", "postal_code", "latitude", "longitude", "birthday", "gender"}
    with app.app_context(), tenant_work(world.alpha) as session:
        columns = session.scalars(
            text("SELECT column_name FROM information_schema.columns WHERE table_schema = 'public'")
        ).all()

    assert personal & set(columns) == set()


def test_data_of_one_store_is_never_shown_to_another(open_in_admin: Show, app: Flask, world: World) -> None:
    with app.app_context(), tenant_work(world.beta) as session:
        session.add(
            Customer(
                tenant_id=world.beta, shopify_id=1, name="Zebra", email="z@example.com", created_at=datetime.now(UTC)
            )
        )

    assert all("Zebra" not in open_in_admin(path).text for path in ("/", "/health", "/settings"))


def test_a_form_from_another_site_is_refused_where_a_cookie_vouches(client: FlaskClient, world: World) -> None:
    response = client.post("/login", data={"email": "alice@example.com"}, headers=DOCUMENT)

    assert response.status_code == 400


def test_an_error_page_shows_no_detail(client: FlaskClient, world: World) -> None:
    response = client.get("/health?shop=%00", headers=FETCH)

    assert response.status_code < 500
    assert "Traceback" not in response.text
