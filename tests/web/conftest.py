"""What tests of the web door need: a Shopify that installs, session tokens it could have signed, stores and people."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import OctKey
from sqlalchemy import text

from config import Config
from shopify_app import accounts, logins, tenants
from shopify_app.database import directory
from shopify_app.runtime import current
from shopify_app.shopify.oauth import TokenGrant
from shopify_app.shopify.shop import ShopFacts
from tests.shopify.scripted import Asked, Reply, Scripted, scripted_server

STORE = "alpha.myshopify.com"
OTHER_STORE = "beta.myshopify.com"
STRANGER = "gamma.myshopify.com"
ADMIN = "https://admin.shopify.test"
CDN = "https://cdn.shopify.test"
PASSWORD = "correct horse battery"
SCOPES = "read_customers,read_orders,read_products"
DOCUMENT = {"Sec-Fetch-Dest": "document", "Accept": "text/html"}
FRAME = {"Sec-Fetch-Dest": "iframe", "Accept": "text/html"}
FETCH = {"Sec-Fetch-Dest": "empty", "Accept": "text/html", "X-Requested-With": "fetch"}


@pytest.fixture(autouse=True, scope="session")
def quick_hashes() -> Iterator[None]:
    """Passwords hashed with next to no effort: what the effort is worth is tested where the hashing is."""
    quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logins, "_hasher", quick)
        patch.setattr(logins, "_nobodys_hash", lambda: quick.hash("nobody's password"))
        yield


@pytest.fixture
def shopify() -> Iterator[Scripted]:
    """A Shopify that grants every token it is asked for and knows every store."""
    with scripted_server() as script:
        script.otherwise = _install_anything
        yield script


def _install_anything(asked: Asked) -> Reply:
    store_url = urlsplit(asked.path).path.split("/")[2]
    if asked.path.endswith("/admin/oauth/access_token"):
        if "online-access-token" in asked.json.get("requested_token_type", ""):
            return online_token(42, account_owner=True)
        return Reply(
            {
                "access_token": "shpat_0123456789abcdef",
                "scope": SCOPES,
                "expires_in": 3600,
                "refresh_token": "shprt_0123456789abcdef",
                "refresh_token_expires_in": 7776000,
            }
        )
    shop = {
        "id": "gid://shopify/Shop/1",
        "name": store_url.split(".")[0].title(),
        "myshopifyDomain": store_url,
        "email": f"owner@{store_url}",
        "currencyCode": "USD",
        "ianaTimezone": "America/New_York",
        "plan": {"publicDisplayName": "Basic"},
    }
    scopes = [{"handle": scope} for scope in SCOPES.split(",")]
    return Reply({"data": {"shop": shop, "currentAppInstallation": {"accessScopes": scopes}}})


def online_token(user_id: int, *, account_owner: bool) -> Reply:
    """Return Shopify's answer to who a staff member is."""
    user = {"id": user_id, "first_name": "Olive", "email": "olive@example.com", "account_owner": account_owner}
    return Reply({"access_token": "shpua_1", "scope": SCOPES, "expires_in": 86399, "associated_user": user})


@pytest.fixture
def environ(environ: dict[str, str], shopify: Scripted) -> dict[str, str]:
    origins = {
        "SHOPIFY_SHOP_ORIGIN": shopify.url + "/stores/{shop}",
        "SHOPIFY_ADMIN_ORIGIN": ADMIN,
        "SHOPIFY_CDN_ORIGIN": CDN,
    }
    return {**environ, **origins}


@pytest.fixture
def id_token(config: Config) -> Callable[..., str]:
    """Makes session tokens as Shopify signs them; claims given by name replace what a good one says."""

    def make(store_url: str = STORE, *, secret: str | None = None, **claims: object) -> str:
        now = int(time.time())
        good = {
            "iss": f"https://{store_url}/admin",
            "dest": f"https://{store_url}",
            "aud": config.shopify_api_key,
            "sub": "42",
            "exp": now + 60,
            "nbf": now,
            "iat": now,
            "jti": "11111111-1111-4111-8111-111111111111",
            "sid": "session-1",
        }
        key = OctKey.import_key(secret or config.shopify_api_secret)
        return jwt.encode({"alg": "HS256", "typ": "JWT"}, {**good, **claims}, key)

    return make


@dataclass(frozen=True)
class World:
    """Two installed stores. Alice owns the first, Bob belongs to the second, Carol to none."""

    alpha: int
    beta: int


@pytest.fixture
def world(app: Flask) -> World:
    with app.app_context():
        alpha, beta = (_installed(store) for store in (STORE, OTHER_STORE))
        join(alpha, "alice@example.com", "owner")
        join(beta, "bob@example.com", "viewer")
    return World(alpha, beta)


def _installed(store_url: str) -> int:
    facts = ShopFacts(
        store_url=store_url,
        shopify_id=1,
        name=store_url.split(".", maxsplit=1)[0].title(),
        email=None,
        currency="USD",
        time_zone="America/New_York",
        plan=None,
        scopes=frozenset(SCOPES.split(",")),
    )
    grant = TokenGrant(access_token="shpat_1", scopes=facts.scopes, expires_in=3600)
    with directory() as session:
        return tenants.install(session, facts=facts, grant=grant, vault=current().vault, now=datetime.now(UTC)).id


def join(tenant_id: int, email: str, role: str) -> None:
    """Make `email` a member with the password of the tests."""
    now = datetime.now(UTC)
    hashed = logins.hash_password(PASSWORD)
    with directory() as session:
        token = accounts.invite(session, tenant_id=tenant_id, email=email, role=role, invited_by="the tests", now=now)
        known = accounts.credentials(session, email)
        accounts.accept(session, token, password_hash=None if known else hashed, now=now)


def csrf_of(client: FlaskClient, path: str) -> str:
    """Return the token of the form shown at `path`."""
    page = client.get(path, headers=DOCUMENT).text
    return page.split('name="csrf_token" value="')[1].split('"')[0]


def log_in(client: FlaskClient, email: str, password: str = PASSWORD, **form: str):
    """Log in through the form, and return the answer."""
    data = {"email": email, "password": password, "csrf_token": csrf_of(client, "/login"), **form}
    return client.post("/login", data=data, headers=DOCUMENT)


def claims_of(app: Flask) -> list[tuple[str, int]]:
    """Return the kind and tenant of every claim."""
    with app.app_context(), directory() as session:
        return [tuple(row) for row in session.execute(text("SELECT kind, tenant_id FROM claims ORDER BY 1, 2"))]


def body_of(asked: Asked) -> dict[str, str]:
    """Return the JSON a token request carried."""
    return json.loads(asked.body)
