"""Signatures, against Shopify's published vectors."""

import base64
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from devstore import installs, signing
from devstore.options import AppRegistration

SHOP = "some-shop.myshopify.com"
SHORT_KEY = pytest.mark.filterwarnings("ignore:Key size should be")  # the published vectors' secret is "hush"
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SECRET = "secret-of-the-tests"
APP = AppRegistration(client_id="client-id", client_secret=SECRET)
PUBLISHED = AppRegistration(client_id="client-id", client_secret="hush")


@pytest.fixture(scope="module")
def vectors(reference):
    return json.loads((reference / "vectors.json").read_text())


def test_query_hmac_equals_shopifys_vector(vectors):
    vector = vectors["query_hmac"]

    made = signing.query_hmac(vector["params"], vector["secret"])

    assert made == vector["hmac"]


def test_query_hmac_leaves_hmac_and_signature_out(vectors):
    vector = vectors["query_hmac"]

    made = signing.query_hmac({**vector["params"], "hmac": "x", "signature": "y"}, vector["secret"])

    assert made == vector["hmac"]


def test_query_hmac_signs_an_array_as_one_parameter():
    by_hand = signing.query_hmac({"ids": '["1", "2"]', "shop": SHOP}, "hush")

    made = signing.query_hmac([("ids[]", "1"), ("shop", SHOP), ("ids[]", "2")], "hush")

    assert made == by_hand


def test_webhook_hmac_equals_shopifys_vector(vectors):
    vector = vectors["webhook_hmac"]

    made = signing.webhook_hmac(vector["body"].encode(), vector["secret"])

    assert made == vector["hmac"]


@SHORT_KEY
def test_id_token_is_read_back_and_equals_the_vectors_claims(vectors):
    vector = vectors["id_token"]
    issued = datetime.fromtimestamp(vector["iat"], UTC)
    theirs = jwt.decode(vector["token"], OctKey.import_key("hush"), algorithms=["HS256"]).claims

    ours = signing.read_id_token(signing.id_token(SHOP, 42, PUBLISHED, issued), SHOP, PUBLISHED, issued)

    unique = {"jti", "sid"}
    assert ours.keys() == theirs.keys()
    assert {k: v for k, v in ours.items() if k not in unique} == {k: v for k, v in theirs.items() if k not in unique}


@SHORT_KEY
def test_id_token_of_shopifys_vector_is_accepted(vectors):
    vector = vectors["id_token"]

    claims = signing.read_id_token(vector["token"], SHOP, PUBLISHED, datetime.fromtimestamp(vector["iat"] + 30, UTC))

    assert claims["sub"] == "42"


def test_id_token_signed_with_the_previous_secret_is_accepted():
    old = AppRegistration(client_id="client-id", client_secret="the-old-secret-of-the-app")
    rotating = AppRegistration(
        client_id="client-id", client_secret="the-new-secret-of-the-app", previous_secret="the-old-secret-of-the-app"
    )

    claims = signing.read_id_token(signing.id_token(SHOP, 1, old, NOW), SHOP, rotating, NOW)

    assert claims["dest"] == f"https://{SHOP}"


@pytest.mark.parametrize(
    ("shop", "client_id", "secret", "age"),
    [
        ("other.myshopify.com", "client-id", SECRET, 0),
        (SHOP, "another-app", SECRET, 0),
        (SHOP, "client-id", "another-long-secret", 0),
        (SHOP, "client-id", SECRET, 60),
        (SHOP, "client-id", SECRET, -1),
    ],
    ids=["another store", "another app", "another secret", "stale", "from the future"],
)
def test_id_token_is_refused(shop, client_id, secret, age):
    maker = AppRegistration(client_id=client_id, client_secret=secret)
    token = signing.id_token(shop, 1, maker, NOW - timedelta(seconds=age))

    with pytest.raises(signing.InvalidIdTokenError):
        signing.read_id_token(token, SHOP, APP, NOW)


def test_what_is_no_token_is_refused():
    with pytest.raises(signing.InvalidIdTokenError):
        signing.read_id_token("not-a-token", SHOP, APP, NOW)


def test_session_is_the_same_for_a_user_and_unlike_another_users():
    mine = signing.session_id(SHOP, 1, "client-id")

    assert mine == signing.session_id(SHOP, 1, "client-id")
    assert mine != signing.session_id(SHOP, 2, "client-id")


def test_launch_query_is_signed_over_all_its_parameters(store, options):
    user = installs.staff(store)

    query = signing.launch_query(store, user, options, NOW)

    names = {"shop", "host", "embedded", "hmac", "timestamp", "id_token", "session", "locale"}
    assert query.keys() == names
    assert query["hmac"] == signing.query_hmac(query, SECRET)
    assert signing.read_id_token(query["id_token"], store.domain, options.app, NOW)["sub"] == str(user.id)
    padded = query["host"] + "=" * (-len(query["host"]) % 4)
    assert base64.b64decode(padded) == b"localhost:9292/store/aurora-outfitters"


def test_callback_query_is_signed(options):
    query = signing.callback_query({"code": "c", "state": "s"}, options, SHOP, NOW)

    assert query.keys() == {"code", "hmac", "host", "shop", "state", "timestamp"}
    assert query["hmac"] == signing.query_hmac(query, SECRET)
    assert urlencode(query)


def test_secrets_with_any_characters_are_compared():
    assert signing.same("schlüssel", "schlüssel")
    assert not signing.same("schlüssel", "hush")
