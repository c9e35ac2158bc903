"""Walk the map of addresses: whoever comes from one store neither reads nor changes a row of another.

A new address needs nothing here unless it has a parameter of a new name, for which ``PARAMETERS`` must say what an
attacker would put there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import IntegerConverter, Rule
from werkzeug.test import TestResponse

from config import Config
from shopify_app.shopify import signatures
from shopify_app.web import BLUEPRINTS, GUARDS, UNGUARDED_ENDPOINTS, guards
from tests.rules.tenants.conftest import Walls
from tests.rules.tenants.rows import FOREIGN_ID, MARK
from tests.web.conftest import DOCUMENT, FETCH, FRAME, OTHER_STORE, STORE, STRANGER, csrf_of, log_in

# What stands for each parameter of an address; numbers are the other store's without being listed.
PARAMETERS = {
    "filename": "app.css",
    "resource": "orders",
    "token": MARK,  # a link's secret is a guess to whoever was not given it
}


@dataclass(frozen=True)
class Step:
    """One address and method, and the guard before it."""

    endpoint: str
    method: str
    path: str
    guard: guards.Guard | None


@pytest.fixture
def steps(app: Flask) -> list[Step]:
    """Every address of the app with every method it takes."""
    addresses = app.url_map.bind("localhost")
    return [
        Step(rule.endpoint, method, path, _guard_of(rule.endpoint))
        for rule in app.url_map.iter_rules()
        for path in [addresses.build(rule.endpoint, {name: _foreign(rule, name) for name in rule.arguments})]
        for method in sorted((rule.methods or set()) - {"OPTIONS", "HEAD"})
    ]


def _foreign(rule: Rule, name: str) -> object:
    if isinstance(rule._converters[name], IntegerConverter):
        return FOREIGN_ID
    assert name in PARAMETERS, f"{rule}: say in PARAMETERS what an attacker would put for <{name}>"
    return PARAMETERS[name]


def _guard_of(endpoint: str) -> guards.Guard | None:
    return None if endpoint in UNGUARDED_ENDPOINTS else GUARDS[endpoint.rpartition(".")[0]]


# ── who tries ──


def form_of(walls: Walls) -> dict[str, object]:
    """What a form could carry to mean the other store or a row of it."""
    ours = {"email": "mallory@example.com", "role": "owner", "password": "a long enough password", "next": "/"}
    theirs = dict.fromkeys(("id", "account_id", "member_id", "request_id", "export_id"), FOREIGN_ID)
    store = {"tenant_id": walls.beta, "shop": OTHER_STORE, "store_url": OTHER_STORE, "domain": OTHER_STORE}
    return {**ours, **theirs, **store, "shopify_user_id": MARK, "user": MARK}


@dataclass
class Visitor:
    """A client and what it sends along with each request."""

    client: FlaskClient
    headers: dict[str, str]
    query: dict[str, object]
    form: dict[str, object]

    def go(self, step: Step) -> TestResponse:
        data = self.form if step.method not in guards.SAFE_METHODS else None
        return self.client.open(step.path, method=step.method, headers=self.headers, query_string=self.query, data=data)


def _in_the_admin(app: Flask, walls: Walls, make: Callable[..., str]) -> Visitor:
    headers = {**FETCH, "Authorization": f"Bearer {make(STORE)}"}
    return Visitor(app.test_client(), headers, {"tenant_id": walls.beta}, form_of(walls))


def _as_a_page(app: Flask, walls: Walls, make: Callable[..., str]) -> Visitor:
    return Visitor(app.test_client(), FRAME, {"id_token": make(STORE), "tenant_id": walls.beta}, form_of(walls))


def _asking_for_another(app: Flask, walls: Walls, make: Callable[..., str]) -> Visitor:
    headers = {**FETCH, "Authorization": f"Bearer {make(STORE)}"}
    return Visitor(app.test_client(), headers, {"shop": OTHER_STORE}, form_of(walls))


def _logged_in(app: Flask, walls: Walls, _make: Callable[..., str]) -> Visitor:
    client = app.test_client()
    assert log_in(client, "alice@example.com").status_code == 303
    form = {**form_of(walls), "csrf_token": csrf_of(client, "/settings")}
    return Visitor(client, DOCUMENT, {"tenant_id": walls.beta}, form)


def _stranger(app: Flask, walls: Walls, make: Callable[..., str]) -> Visitor:
    headers = {**FETCH, "Authorization": f"Bearer {make(STRANGER)}"}
    return Visitor(app.test_client(), headers, {"tenant_id": walls.beta}, form_of(walls))


def _nobody(app: Flask, walls: Walls, _make: Callable[..., str]) -> Visitor:
    client = app.test_client()
    form = {**form_of(walls), "csrf_token": csrf_of(client, "/login")}
    return Visitor(client, DOCUMENT, {"tenant_id": walls.beta}, form)


def _forger(app: Flask, walls: Walls, make: Callable[..., str]) -> Visitor:
    headers = {**FETCH, "Authorization": f"Bearer {make(OTHER_STORE, secret='a secret that Shopify never heard of')}"}
    return Visitor(app.test_client(), headers, {}, form_of(walls))


VISITORS = {
    "in the admin": _in_the_admin,
    "as a page in the admin": _as_a_page,
    "in the admin, asking for another store": _asking_for_another,
    "logged in outside": _logged_in,
    "of a store that never came": _stranger,
    "with a forged token": _forger,
    "nobody": _nobody,
}
UNKNOWN = {"with a forged token", "nobody"}


@pytest.mark.parametrize("who", VISITORS)
def test_no_address_shows_or_changes_anything_of_another_store(
    app: Flask, walls: Walls, id_token: Callable[..., str], steps: list[Step], who: str
) -> None:
    for step in steps:
        visitor = VISITORS[who](app, walls, id_token)  # anew: one of the addresses logs out
        with visitor.go(step) as response:
            said = response.data + str(response.headers).encode()
        assert MARK.encode() not in said.replace(step.path.encode(), b""), step
        assert response.status_code < 500, step
        assert _is_let_in(step, who) or response.status_code >= 300, (step, response.status_code)

    walls.watch.assert_untouched()


def _is_let_in(step: Step, who: str) -> bool:
    """Whether this visitor may be answered with a page: open addresses are anybody's, a store's are its people's."""
    if step.guard in {None, guards.anyone}:
        return True
    return step.guard in {guards.viewer, guards.api} and who not in UNKNOWN


def test_own_pages_are_shown_while_all_of_that_is_refused(
    app: Flask, walls: Walls, id_token: Callable[..., str], steps: list[Step]
) -> None:
    own = {guards.viewer, guards.api}
    pages = [step for step in steps if step.guard in own and step.method == "GET" and "9000" not in step.path]

    for step in pages:
        assert _in_the_admin(app, walls, id_token).go(step).status_code < 400, step
        assert _logged_in(app, walls, id_token).go(step).status_code < 400, step

    assert len(pages) >= 4
    assert walls.watch.entered == {walls.alpha}


def test_the_map_was_walked_to_its_end(app: Flask, steps: list[Step]) -> None:
    wanted = {
        (rule.endpoint, method)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"OPTIONS", "HEAD"}
    }

    assert {(step.endpoint, step.method) for step in steps} == wanted
    assert {step.guard for step in steps} - {None} == {door.guard for door in BLUEPRINTS}


def test_a_delivery_for_one_store_is_kept_for_no_other(client: FlaskClient, walls: Walls, config: Config) -> None:
    body = b'{"id": 900001, "email": "x@example.com"}'
    headers = {
        "X-Shopify-Hmac-Sha256": signatures.webhook_hmac(body, config.shopify_api_secret),
        "X-Shopify-Topic": "customers/update",
        "X-Shopify-Shop-Domain": STORE,
        "X-Shopify-Webhook-Id": "delivery-1",
    }

    response = client.post("/webhooks/customers", data=body, headers=headers)

    assert response.status_code == 200
    walls.watch.assert_untouched()
