"""A devstore served over HTTP as its process serves it, and an app that asks it while things go wrong."""

import dataclasses
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from flask import Flask

from devstore import installs, tokens
from devstore.__main__ import QuietHandler
from devstore.app import close, create_app
from devstore.options import Options
from devstore.state import Store
from tests.devstore.serving import running

SCOPES = ("read_all_orders", "read_customers", "read_orders", "read_products")
OPERATION = (
    "query Op($id: ID!) { bulkOperation(id: $id) { id status errorCode completedAt objectCount rootObjectCount "
    "fileSize url partialDataUrl } }"
)
RUN = (
    "mutation Run($query: String!) { bulkOperationRunQuery(query: $query, groupObjects: false) "
    "{ bulkOperation { id status } userErrors { field message code } } }"
)
CANCEL = "mutation C($id: ID!) { bulkOperationCancel(id: $id) { bulkOperation { status } userErrors { message } } }"
EXPORTS = {
    "customers": "{ customers%s { edges { node { id updatedAt } } } }",
    "products": "{ products%s { edges { node { id updatedAt variants { edges { node { id } } } } } } }",
    "orders": "{ orders%s { edges { node { id updatedAt lineItems { edges { node { id quantity } } } } } } }",
    "checkouts": "{ abandonedCheckouts%s { edges { node { id updatedAt lineItems { edges { node { id } } } } } } }",
}


class App:
    """What an installed app does with one store over HTTP."""

    def __init__(self, served: Flask, http: httpx.Client, origin: str, store: Store):
        self.served, self.http, self.origin, self.store = served, http, origin, store
        self.token = ""

    def grant(self, *scopes: str) -> None:
        """Install the app with these scopes, or change those it has."""
        with self.served.app_context():
            installs.grant(self.store, scopes)
            self.token = tokens.acquire(self.store, list(scopes)).access.token

    def control(self, path: str, **body: Any) -> httpx.Response:
        return self.http.post(f"{self.origin}/_dev/stores/{self.store.domain}/{path}", json=body)

    def faults(self, **groups: Any) -> None:
        """Let exactly this go wrong from now on."""
        answer = self.control("faults", **groups)
        assert answer.status_code == 200, answer.text

    def post(self, query: str, version: str = "2026-10", /, **variables: Any) -> httpx.Response:
        return self.http.post(
            f"{self.origin}/stores/{self.store.domain}/admin/api/{version}/graphql.json",
            json={"query": query, "variables": variables},
            headers={"X-Shopify-Access-Token": self.token},
        )

    def ask(self, query: str, /, **variables: Any) -> dict[str, Any]:
        answer = self.post(query, **variables).json()
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def run(self, resource: str, search: str = "") -> dict[str, Any]:
        """Start an export, of what a search finds where one is given."""
        argument = f"(query: {json.dumps(search)})" if search else ""
        return self.ask(RUN, query=EXPORTS[resource] % argument)["bulkOperationRunQuery"]

    def operation(self, gid: str) -> dict[str, Any]:
        return self.ask(OPERATION, id=gid)["bulkOperation"]

    def until(self, gid: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Ask for an operation until it is as wanted."""
        end = time.monotonic() + 20
        while not holds(operation := self.operation(gid)):
            assert time.monotonic() < end, operation
            time.sleep(0.01)
        return operation

    def exported(self, resource: str, search: str = "") -> dict[str, Any]:
        """Start an export and wait for its end."""
        started = self.run(resource, search)
        assert started["userErrors"] == []
        return self.until(started["bulkOperation"]["id"], lambda operation: operation["completedAt"] is not None)

    def cancel(self, gid: str) -> str:
        return self.ask(CANCEL, id=gid)["bulkOperationCancel"]["bulkOperation"]["status"]

    def download(self, url: str, **headers: str) -> httpx.Response:
        return self.http.get(url, headers={"Accept-Encoding": "identity", **headers})

    def lines(self, url: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.download(url).content.splitlines()]

    def topics(self) -> list[str]:
        """Return the topics of all webhooks that were queued."""
        log = self.http.get(f"{self.origin}/_dev/stores/{self.store.domain}/deliveries.json").json()
        return [delivery["topic"] for delivery in log["deliveries"]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class QuickOptions(Options):
    """Options whose bulk operations take no longer than they must."""

    bulk_seconds: float = 0.0


@contextmanager
def process(options: Options) -> Iterator[App]:
    """Serve a devstore while the block runs, with the app installed in its first store."""
    made = create_app(options)
    store = made.extensions["devstore"].stores[options.shops[0]]
    with httpx.Client(timeout=10, trust_env=False) as http, running(made, options.host, options.port, QuietHandler):
        installed = App(made, http, options.origin, store)
        installed.grant(*SCOPES)
        yield installed
    close(made)
