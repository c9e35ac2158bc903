"""A devstore's API without its pages: OAuth and GraphQL over a small store, deliveries recorded instead of sent."""

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient

from devstore import graphql, oauth
from devstore.bulk import Runner
from devstore.options import AppRegistration, Options
from devstore.state import Devstore, Store, Stores

SCOPES = ("read_all_orders", "read_customers", "read_orders", "read_products")
CALLBACK = "http://127.0.0.1:8000/auth/callback"


@dataclass(frozen=True, kw_only=True)
class QuickOptions(Options):
    """Options whose bulk operations take no longer than they must."""

    bulk_seconds: float = 0.0


@pytest.fixture
def options(options: Options) -> Options:
    """The small stores' options, with an app that asks for all it can read."""
    registered = AppRegistration(
        client_id="client-id",
        client_secret="secret-of-the-tests",
        name="Storelens",
        redirect_urls=(CALLBACK,),
        scopes=SCOPES,
        optional_scopes=("read_customer_merge",),
    )
    values = {name: getattr(options, name) for name in ("data", "shops", "customers", "products", "orders", "now")}
    return QuickOptions(**values, app=registered)


@pytest.fixture
def app(options: Options, stores: Stores, recorder: Any) -> Flask:
    """The two blueprints of the API."""
    made = Flask("devstore")
    devstore = made.extensions["devstore"] = Devstore(options=options, stores=stores, deliveries=recorder)
    made.extensions[graphql.BULK] = Runner(devstore)
    made.register_blueprint(oauth.blueprint)
    made.register_blueprint(graphql.blueprint)
    return made


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A client of the API."""
    return app.test_client()


class Clock:
    """A store's clock that can be put forward."""

    def __init__(self, store: Store, monkeypatch: pytest.MonkeyPatch):
        self.ahead = timedelta()
        real = store.now
        monkeypatch.setattr(store, "now", lambda: real() + self.ahead)

    def forward(self, **amount: float) -> None:
        self.ahead += timedelta(**amount)


@pytest.fixture
def clock(store: Store, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The first store's clock."""
    return Clock(store, monkeypatch)


class Shopify:
    """What an app does with a store: install, get tokens, ask."""

    def __init__(self, client: FlaskClient, store: Store, app: Flask):
        self.client = client
        self.store = store
        self.app = app
        self.base = f"/stores/{store.domain}"
        self.token = ""

    def authorize_url(self, **changes: str) -> str:
        params = {
            "client_id": "client-id",
            "scope": "read_customers,read_orders",
            "redirect_uri": CALLBACK,
            "state": "nonce",
        }
        return f"{self.base}/admin/oauth/authorize?{urlencode({**params, **changes})}"

    def approve(self, url: str, decision: str = "install", origin: str = "http://localhost") -> Any:
        return self.client.post(url, data={"decision": decision}, headers={"Origin": origin})

    def code(self, **changes: str) -> str:
        location = self.approve(self.authorize_url(**changes)).location
        return parse_qs(urlsplit(location).query)["code"][0]

    def ask_token(self, **body: Any) -> Any:
        secrets = {"client_id": "client-id", "client_secret": "secret-of-the-tests"}
        return self.client.post(
            f"{self.base}/admin/oauth/access_token",
            json={**secrets, **body},
            headers={"Accept": "application/json"},
        )

    def install(self, *scopes: str) -> "Shopify":
        answer = self.ask_token(code=self.code(scope=",".join(scopes or SCOPES)), expiring=1)
        self.token = answer.json["access_token"]
        return self

    def post(self, query: str, variables: dict[str, Any] | None = None, version: str = "2026-10") -> Any:
        return self.client.post(
            f"{self.base}/admin/api/{version}/graphql.json",
            json={"query": query, "variables": variables or {}},
            headers={"X-Shopify-Access-Token": self.token},
        )

    def ask(self, query: str, /, **variables: Any) -> dict[str, Any]:
        answer = self.post(query, variables).json
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def start_bulk(self, query: str, *, grouped: bool = False) -> dict[str, Any]:
        mutation = (
            "mutation Run($query: String!, $grouped: Boolean!) { bulkOperationRunQuery(query: $query, groupObjects: "
            "$grouped) { bulkOperation { id status url } userErrors { field message code } } }"
        )
        return self.ask(mutation, query=query, grouped=grouped)["bulkOperationRunQuery"]

    def operation(self, gid: str) -> dict[str, Any]:
        fields = (
            "id status errorCode createdAt completedAt objectCount rootObjectCount fileSize url partialDataUrl type"
        )
        return self.ask(f"query Op($id: ID!) {{ bulkOperation(id: $id) {{ {fields} }} }}", id=gid)["bulkOperation"]

    def finished(self, gid: str, seconds: float = 10) -> dict[str, Any]:
        """Wait until a bulk operation is over and announced."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            operation = self.operation(gid)
            if operation["completedAt"]:
                return operation
            time.sleep(0.02)
        raise AssertionError(f"{gid} is still {operation['status']}")


@pytest.fixture
def shopify(client: FlaskClient, store: Store, app: Flask) -> Shopify:
    """The first store, not installed yet."""
    return Shopify(client, store, app)


@pytest.fixture
def installed(shopify: Shopify) -> Shopify:
    """The first store with the app installed, and a token."""
    return shopify.install()
