"""What a signature proves: compliance requests at the door, and signatures carried from one place to another."""

import base64
import hashlib
import hmac
import itertools
import json
import time
from urllib.parse import urlencode

import pytest
from sqlalchemy import select

from shopify_app.database import directory
from shopify_app.jobs.inbox import drain
from shopify_app.models import Delivery, PrivacyRequest, Tenant
from shopify_app.shopify.topics import TOPICS
from tests.web.conftest import DOCUMENT, OTHER_STORE, STORE, STRANGER

SECRET = "client-secret-of-the-tests"
NUMBERS = itertools.count(1)
CUSTOMER = {"id": 77, "email": "ada@example.com", "phone": None}
BODIES = {
    "customers/data_request": {"customer": CUSTOMER, "orders_requested": [1], "data_request": {"id": 4242}},
    "customers/redact": {"customer": CUSTOMER, "orders_to_redact": [1]},
    "shop/redact": {},
}


def body_of(topic, shop=STORE):
    return json.dumps({"shop_id": 1, "shop_domain": shop, **BODIES[topic]}).encode()


def base64_hmac(body):
    return base64.b64encode(hmac.digest(SECRET.encode(), body, hashlib.sha256)).decode()


def post(client, topic, body, *, shop=STORE, signature=None, resource=None):
    headers = {
        "X-Shopify-Topic": topic,
        "X-Shopify-Shop-Domain": shop,
        "X-Shopify-Webhook-Id": f"w-{next(NUMBERS)}",
        "X-Shopify-Hmac-Sha256": base64_hmac(body) if signature is None else signature,
    }
    return client.post(f"/webhooks/{resource or TOPICS[topic].resource}", data=body, headers=headers)


def requests(app):
    with app.app_context(), directory() as session:
        rows = session.execute(select(PrivacyRequest.topic, PrivacyRequest.tenant_id, PrivacyRequest.subject))
        return [tuple(row) for row in rows]


def deliveries(app):
    with app.app_context(), directory() as session:
        return [tuple(row) for row in session.execute(select(Delivery.topic, Delivery.tenant_id).order_by(Delivery.id))]


# ── compliance ──


@pytest.mark.parametrize("topic", BODIES)
def test_a_request_is_answered_and_taken_down(client, app, world, topic):
    answer = post(client, topic, body_of(topic))

    assert (answer.status_code, answer.data) == (200, b"")
    assert requests(app) == [(topic, world.alpha, 4242 if topic == "customers/data_request" else None)]


@pytest.mark.parametrize("topic", BODIES)
def test_a_request_of_an_unknown_shop_is_answered_and_its_body_is_not_kept(client, app, world, topic):
    answer = post(client, topic, body_of(topic, STRANGER), shop=STRANGER)

    assert answer.status_code == 200
    assert [(name, tenant) for name, tenant, _ in requests(app)] == [(topic, None)]
    assert deliveries(app) == []


@pytest.mark.parametrize("signature", ["", "bm9wZQ==", "ünsigned"])
@pytest.mark.parametrize("topic", BODIES)
def test_a_request_that_is_not_signed_is_refused(client, app, world, topic, signature):
    assert post(client, topic, body_of(topic), signature=signature).status_code == 401
    assert requests(app) == []


@pytest.mark.parametrize("topic", BODIES)
def test_a_request_whose_body_names_another_shop_is_answered_and_not_done(client, app, world, topic):
    answer = post(client, topic, body_of(topic, OTHER_STORE), shop=STORE)

    assert answer.status_code == 200
    assert requests(app) == []
    assert deliveries(app) == [(topic, None)]


@pytest.mark.parametrize(("sent_as", "body_is"), list(itertools.permutations(BODIES, 2)))
def test_a_request_under_another_requests_name_is_not_done(client, app, world, sent_as, body_is):
    assert post(client, sent_as, body_of(body_is)).status_code == 200
    assert requests(app) == []


def test_shopifys_own_samples_are_read(client, app, world, reference):
    for topic in BODIES:
        sample = (reference / "payloads" / f"docs-2026-04__{topic.replace('/', '_')}.json").read_bytes()
        post(client, topic, sample.replace(b"{shop}.myshopify.com", STORE.encode()))

    assert [name for name, _, _ in requests(app)] == list(BODIES)


# ── signatures carried elsewhere ──


def id_token_input(id_token):
    return id_token().rpartition(".")[0].encode()


def launch_query(_id_token):
    return urlencode({"embedded": "1", "shop": STORE, "timestamp": "1791500000"}).encode()


def callback_query(_id_token):
    return b"code=0907a61c0c8d55e99db179b68161bc00&shop=" + STORE.encode() + b"&state=1&timestamp=1791500000"


@pytest.mark.parametrize("signed", [id_token_input, launch_query, callback_query])
@pytest.mark.parametrize("topic", TOPICS)
def test_what_else_is_signed_with_our_secret_does_nothing_as_a_webhook(client, app, world, id_token, signed, topic):
    """The sender knows the text and its HMAC: the third part of a token, or ``hmac`` of an address."""
    body = signed(id_token)

    answers = [post(client, topic, body, shop=shop).status_code for shop in (STORE, OTHER_STORE, STRANGER)]

    assert answers == [200, 200, 200]
    assert {tenant for _, tenant in deliveries(app)} == {None}
    assert requests(app) == []
    with app.app_context():
        drain()
        with directory() as session:
            assert session.scalars(select(Tenant.uninstalled_at)).all() == [None, None]


def test_the_signature_of_a_token_is_that_of_a_webhook(id_token):
    """What the tests above rest on."""
    token = id_token()
    signature = token.rpartition(".")[2]

    padded = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    assert base64.b64encode(padded).decode() == base64_hmac(id_token_input(lambda: token))


def test_a_webhooks_hmac_signs_no_address(client, world):
    """A body that reads like a query has an HMAC in base64; an address wants hex, a fresh time and a nonce."""
    pairs = {"code": "1", "shop": STORE, "state": "1", "timestamp": str(int(time.time()))}
    signature = base64_hmac(urlencode(pairs).encode())

    answer = client.get("/auth/callback", query_string={**pairs, "hmac": signature}, headers=DOCUMENT)

    assert answer.status_code == 400


def test_the_state_cookie_signs_no_webhook(client, app, world):
    """The cookie is signed with a key of its own."""
    client.get("/auth/install", query_string={"shop": STORE}, headers=DOCUMENT)
    value, _, signature = client.get_cookie("storelens-state", path="/auth").value.rpartition(".")

    padded = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    answer = post(client, "app/uninstalled", value.encode(), signature=base64.b64encode(padded).decode())

    assert answer.status_code == 401
