"""Registering without installing: the same answer to everybody, and doors that a claim's secret does not open."""

import json
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from config import Config
from shopify_app import inbox
from shopify_app.database import directory, tenant_work
from shopify_app.jobs.inbox import drain
from shopify_app.runtime import current
from shopify_app.shopify.signatures import webhook_hmac
from tests.web.conftest import FETCH, OTHER_STORE, PASSWORD, STORE, STRANGER, log_in
from tests.web.test_accounts import LINK, accept

APPLICATION = {
    "store_url": STRANGER,
    "name": "Gamma",
    "email": "mallory@example.com",
    "password": "mallory's password",
    "currency": "EUR",
    "time_zone": "Europe/Berlin",
}
BODY = json.dumps({"id": 1}).encode()


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    return {**environ, "STANDALONE_REGISTRATION": "on"}


@pytest.fixture
def register(client: FlaskClient) -> Callable[..., object]:
    return lambda **fields: client.post("/tenants/register", json={**APPLICATION, **fields})


@pytest.fixture
def deliver(client: FlaskClient) -> Callable[..., object]:
    """Sends a delivery signed with a secret, in the name of a store."""

    def send(secret: str, store_url: str = STRANGER, *, path: str = "orders", body: bytes = BODY, **headers: str):
        signed = {
            "X-Shopify-Hmac-Sha256": webhook_hmac(body, secret),
            "X-Shopify-Shop-Domain": store_url,
            "X-Shopify-Topic": "orders/create",
            "X-Shopify-Webhook-Id": "w-1",
            "Accept": "text/html",
        }
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return client.post(f"/webhooks/{path}", data=body, headers=signed | named)

    return send


def rows(app: Flask, query: str) -> list[tuple[object, ...]]:
    with app.app_context(), directory() as session:
        return [tuple(row) for row in session.execute(text(query))]


def kept(app: Flask) -> list[tuple[object, ...]]:
    return rows(app, "SELECT tenant_id, shop_domain FROM inbox ORDER BY id")


# ── registering ──


def test_a_registration_is_answered_with_an_id_and_a_secret(register) -> None:
    response = register()

    assert response.status_code == 201
    assert set(response.json) == {"id", "webhook_secret"}
    assert len(response.json["webhook_secret"]) >= 32
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize("fields", [{"store_url": STORE}, {"email": "alice@example.com"}, {}])
def test_the_answer_is_the_same_whether_store_or_address_are_known(register, fields: dict[str, str]) -> None:
    first, second = register(**fields), register(**fields)

    assert (first.status_code, second.status_code) == (201, 201)
    assert set(first.json) == set(second.json) == {"id", "webhook_secret"}
    assert set(first.headers.keys()) == set(second.headers.keys())
    assert "Set-Cookie" not in first.headers


@pytest.mark.usefixtures("world")
def test_a_registration_touches_nothing_of_who_is_there_already(app: Flask, client: FlaskClient, register) -> None:
    register(store_url=STORE, email="alice@example.com", password="mallory's password")

    assert log_in(client, "alice@example.com", PASSWORD).status_code == 303
    assert log_in(app.test_client(), "alice@example.com", "mallory's password").status_code == 422
    assert ("Alpha",) in rows(app, "SELECT name FROM tenants WHERE installed_at IS NOT NULL")


def test_an_unproven_account_cannot_log_in_and_is_not_told_apart(client: FlaskClient, register) -> None:
    register()

    known = log_in(client, APPLICATION["email"], APPLICATION["password"])
    unknown = log_in(client, "nobody@example.com", APPLICATION["password"])

    assert known.status_code == unknown.status_code == 422
    assert "The email address or the password is not right." in known.text
    assert "The email address or the password is not right." in unknown.text


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("store_url", "gamma.example.com"),
        ("store_url", ""),
        ("name", "   "),
        ("name", "x" * 201),
        ("name", "a\x00b"),
        ("email", "no address"),
        ("password", "too short"),
        ("currency", "XXXX"),
        ("time_zone", "Mars/Olympus"),
        ("time_zone", None),
        ("name", 7),
        ("email", ["a@b.co"]),
    ],
)
def test_what_cannot_be_taken_is_named(app: Flask, register, field: str, value: object) -> None:
    response = register(**{field: value})

    assert response.status_code == 422
    assert response.mimetype == "application/problem+json"
    assert [error["pointer"] for error in response.json["errors"]] == [f"/{field}"]
    assert rows(app, "SELECT id FROM tenants") == []


@pytest.mark.parametrize("body", [b"", b"[]", b"7", b"{", b"\xff", b"[" * 20_000, b'{"name": "\\ud800"}'])
def test_a_body_that_is_no_object_misses_every_field(client: FlaskClient, body: bytes) -> None:
    response = client.post("/tenants/register", data=body, headers={"Content-Type": "application/json"})

    assert response.status_code == 422
    assert len(response.json["errors"]) == len(APPLICATION)


def test_a_form_is_not_taken(client: FlaskClient) -> None:
    assert client.post("/tenants/register", data=APPLICATION).status_code == 415


class TestTurnedOff:
    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        return {**environ, "STANDALONE_REGISTRATION": "off"}

    def test_there_is_no_registration(self, app: Flask, register) -> None:
        assert register().status_code == 404
        assert rows(app, "SELECT id FROM tenants") == []

    def test_a_claims_secret_opens_nothing(self, app: Flask, deliver) -> None:
        assert deliver("any secret").status_code == 401
        assert kept(app) == []


# ── the two doors ──


def test_what_a_claims_secret_signed_is_the_claims(app: Flask, register, deliver) -> None:
    first, second = register().json, register().json

    response = deliver(second["webhook_secret"])

    assert response.status_code == 200
    assert kept(app) == [(second["id"], STRANGER)]
    assert first["id"] != second["id"]


def test_a_claim_that_is_named_is_the_only_one_tried(app: Flask, register, deliver) -> None:
    first, second = register().json, register().json

    wrong = deliver(second["webhook_secret"], X_Storelens_Tenant=str(first["id"]))
    right = deliver(second["webhook_secret"], X_Storelens_Tenant=str(second["id"]))

    assert (wrong.status_code, right.status_code) == (401, 200)
    assert kept(app) == [(second["id"], STRANGER)]


@pytest.mark.usefixtures("world")
def test_a_claims_secret_never_reaches_the_installed_store(app: Flask, register, deliver) -> None:
    claim = register(store_url=STORE).json

    by_claim = deliver(claim["webhook_secret"], STORE)
    elsewhere = deliver(claim["webhook_secret"], OTHER_STORE)
    named = deliver(claim["webhook_secret"], OTHER_STORE, X_Storelens_Tenant=str(claim["id"]))

    assert [answer.status_code for answer in (by_claim, elsewhere, named)] == [200, 401, 401]
    assert kept(app) == [(claim["id"], STORE)]


@pytest.mark.usefixtures("world")
def test_an_installed_store_cannot_be_named_as_a_claim(app: Flask, register, deliver) -> None:
    claim = register(store_url=STORE).json
    installed = rows(app, "SELECT min(id) FROM tenants WHERE installed_at IS NOT NULL")[0][0]

    response = deliver(claim["webhook_secret"], STORE, X_Storelens_Tenant=str(installed))

    assert response.status_code == 401
    assert kept(app) == []


@pytest.mark.usefixtures("world")
def test_shopifys_secret_never_reaches_a_claim(app: Flask, config: Config, register, deliver) -> None:
    claim = register(store_url=STORE).json

    response = deliver(config.shopify_api_secret, STORE, X_Storelens_Tenant=str(claim["id"]))

    assert response.status_code == 200
    assert [tenant_id == claim["id"] for tenant_id, _ in kept(app)] == [False]


@pytest.mark.usefixtures("world")
def test_a_claim_cannot_make_shopifys_delivery_look_like_a_repeat(
    app: Flask, config: Config, register, deliver
) -> None:
    claim = register(store_url=STORE).json

    deliver(claim["webhook_secret"], STORE)
    deliver(claim["webhook_secret"], STORE)
    deliver(config.shopify_api_secret, STORE)

    assert [tenant_id == claim["id"] for tenant_id, _ in kept(app)] == [True, False]


@pytest.mark.parametrize(
    ("path", "topic"),
    [("app", "app/uninstalled"), ("app", "shop/update"), ("compliance", "shop/redact")],
)
def test_what_only_shopify_can_say_is_not_taken_from_a_claim(
    app: Flask, register, deliver, path: str, topic: str
) -> None:
    claim = register().json

    response = deliver(claim["webhook_secret"], path=path, X_Shopify_Topic=topic)

    assert response.status_code == 401
    assert kept(app) == []


@pytest.mark.parametrize("body", [b"", b"[]", b"not JSON"])
def test_a_body_that_is_no_object_is_not_kept_for_a_claim(app: Flask, register, deliver, body: bytes) -> None:
    claim = register().json

    assert deliver(claim["webhook_secret"], body=body).status_code == 200
    assert kept(app) == []


def test_what_a_claim_sends_is_applied_to_the_claim(app: Flask, register, deliver) -> None:
    first, second = register().json, register().json
    customer = json.dumps({"id": 7, "email": "carl@example.com", "updated_at": "2026-11-22T12:00:00Z"}).encode()

    deliver(second["webhook_secret"], path="customers", body=customer, X_Shopify_Topic="customers/create")
    with app.app_context():
        drain()

    assert rows(app, "SELECT count(*) FROM inbox WHERE processed_at IS NULL OR error IS NOT NULL") == [(0,)]
    with app.app_context():
        held = [customers_of(tenant_id) for tenant_id in (first["id"], second["id"])]
    assert held == [0, 1]


def customers_of(tenant_id: int) -> int:
    with tenant_work(tenant_id) as session:
        return session.scalar(text("SELECT count(*) FROM customers"))


# ── the real store comes ──


def install(client: FlaskClient, id_token: Callable[..., str], store_url: str = STRANGER) -> None:
    client.get("/settings", headers={**FETCH, "Authorization": f"Bearer {id_token(store_url)}"})


def test_an_installation_ends_the_claims_of_the_store(
    app: Flask, client: FlaskClient, register, deliver, id_token: Callable[..., str]
) -> None:
    claim = register().json
    deliver(claim["webhook_secret"])

    install(client, id_token)

    assert rows(app, "SELECT webhook_secret FROM tenants WHERE superseded_at IS NOT NULL") == [(None,)]
    assert rows(app, "SELECT count(*) FROM inbox WHERE processed_at IS NULL") == [(0,)]
    assert deliver(claim["webhook_secret"], X_Shopify_Webhook_Id="w-2").status_code == 401


def test_the_holder_of_an_ended_claim_is_told_why(
    client: FlaskClient, register, deliver, id_token: Callable[..., str]
) -> None:
    claim = register().json
    install(client, id_token)

    answer = deliver(claim["webhook_secret"], X_Storelens_Tenant=str(claim["id"]))

    assert answer.status_code == 401
    assert "the store itself installed the app" in answer.text
    assert STRANGER not in answer.text


def test_a_delivery_that_meets_the_end_of_its_claim_is_not_kept(app: Flask, register) -> None:
    claim = register().json
    with app.app_context(), directory() as session:
        session.execute(text("UPDATE tenants SET superseded_at = now()"))
    late = inbox.Incoming(
        shop_domain=STRANGER,
        topic="orders/create",
        webhook_id="w-1",
        event_id=None,
        triggered_at=None,
        api_version=None,
        payload=BODY,
        claim_id=claim["id"],
    )

    with app.app_context():
        assert current().direct.run(lambda line: inbox.receive(line, late)) is False
    assert kept(app) == []


# ── the real person comes ──


@pytest.mark.usefixtures("world")
def test_the_first_proof_of_an_address_ends_what_somebody_else_set(
    app: Flask, client: FlaskClient, register, id_token: Callable[..., str]
) -> None:
    register(email="dora@example.com", password="mallory's password")
    headers = {**FETCH, "Authorization": f"Bearer {id_token()}"}
    page = client.post("/settings", data={"email": "dora@example.com", "role": "analyst"}, headers=headers).text
    dora = app.test_client()

    shown = dora.get(LINK.search(page)[1]).text
    response = accept(dora, LINK.search(page)[1], "dora's own password")

    assert "Choose a password" in shown
    assert response.status_code == 303
    assert log_in(app.test_client(), "dora@example.com", "mallory's password").status_code == 422
    assert log_in(app.test_client(), "dora@example.com", "dora's own password").status_code == 303


@pytest.mark.usefixtures("world")
def test_a_session_of_an_unproven_account_is_nobodys_and_ends_with_the_proof(
    app: Flask, client: FlaskClient, id_token: Callable[..., str]
) -> None:
    log_in(client, "alice@example.com")
    with app.app_context(), directory() as session:
        session.execute(text("UPDATE accounts SET verified_at = NULL WHERE email = 'alice@example.com'"))
    refused = client.get("/settings", headers={"Sec-Fetch-Dest": "document", "Accept": "text/html"})
    headers = {**FETCH, "Authorization": f"Bearer {id_token()}"}
    page = app.test_client().post("/settings", data={"email": "alice@example.com", "role": "viewer"}, headers=headers)

    accept(app.test_client(), LINK.search(page.text)[1], "alice's newer password")

    assert refused.location.startswith("/login")
    assert client.get("/settings", headers={"Sec-Fetch-Dest": "document"}).location.startswith("/login")
    assert rows(app, "SELECT role FROM memberships JOIN accounts ON id = account_id WHERE email LIKE 'alice%'") == [
        ("viewer",)
    ]
