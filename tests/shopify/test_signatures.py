"""Signatures: Shopify's published vectors, and agreement with Shopify's own library over generated requests."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shopify import Session

from shopify_app.shopify import signatures

SECRET, PREVIOUS, STRANGERS = "hush", "hush-before", "not ours"
BODY = b'{"id":788032119674292922,"title":"Example T-Shirt"}'
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

# No lone surrogates: they cannot arrive in a decoded query.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
keys = texts.filter(lambda key: key not in {"hmac", "signature"} and not key.endswith("[]"))


def hex_hmac(message: str, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), message.encode(), hashlib.sha256).hexdigest()


def shopifys_hmac(params: dict[str, object]) -> str:
    Session.secret = SECRET
    return Session.calculate_hmac(params)


def test_webhook_of_the_published_vector_is_signed(reference):
    vector = json.loads((reference / "vectors.json").read_text())["webhook_hmac"]

    assert signatures.webhook_hmac(vector["body"].encode(), vector["secret"]) == vector["hmac"]
    assert signatures.webhook_is_signed(vector["body"].encode(), vector["hmac"], [vector["secret"]])


def test_query_of_the_published_vector_is_signed(reference):
    vector = json.loads((reference / "vectors.json").read_text())["query_hmac"]
    pairs = [*vector["params"].items(), ("hmac", vector["hmac"])]

    assert signatures.query_is_signed(pairs, [vector["secret"]])
    assert not signatures.query_is_signed(pairs, [STRANGERS])


def test_webhook_signed_with_the_previous_secret_is_taken_while_secrets_rotate():
    given_hmac = signatures.webhook_hmac(BODY, PREVIOUS)

    assert signatures.webhook_is_signed(BODY, given_hmac, [SECRET, PREVIOUS])
    assert not signatures.webhook_is_signed(BODY, given_hmac, [SECRET])


@pytest.mark.parametrize("wrong", [None, "", "x", "ümlaut", "\ud800", "PChQV/s9qVvLuYZx4s3CvtPkNn5M2k1OrvTkc0qHHSM"])
def test_webhook_with_a_missing_or_odd_signature_is_refused(wrong):
    assert not signatures.webhook_is_signed(BODY, wrong, [SECRET])


def test_webhook_of_other_bytes_is_refused_though_its_json_is_the_same():
    given_hmac = signatures.webhook_hmac(BODY, SECRET)

    assert not signatures.webhook_is_signed(BODY.replace(b":", b": "), given_hmac, [SECRET])


@settings(max_examples=200, deadline=None)
@given(body=st.binary(max_size=200), secret=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_webhook_hmac_is_the_documented_one(body, secret):
    documented = base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()

    assert signatures.webhook_hmac(body, secret) == documented
    assert signatures.webhook_is_signed(body, documented, [secret])


@settings(max_examples=200, deadline=None)
@given(params=st.dictionaries(keys, texts, max_size=6))
def test_query_signed_by_shopifys_library_is_taken(params):
    assert signatures.query_is_signed([*params.items(), ("hmac", shopifys_hmac(params))], [SECRET])


@settings(max_examples=200, deadline=None)
@given(ids=st.lists(st.integers(0, 10**19).map(str), min_size=1, max_size=4), shop=texts)
def test_arrays_are_signed_as_shopifys_library_signs_them(ids, shop):
    pairs = [*(("ids[]", one) for one in ids), ("shop", shop)]

    given_hmac = shopifys_hmac({"ids[]": ids, "shop": shop})

    assert signatures.query_is_signed([*pairs, ("hmac", given_hmac)], [SECRET])


@settings(max_examples=200, deadline=None)
@given(params=st.dictionaries(keys, texts, min_size=1, max_size=6), data=st.data())
def test_changed_query_is_refused(params, data):
    changed = data.draw(st.sampled_from(sorted(params)))
    other = data.draw(texts.filter(lambda text: text != params[changed]))

    pairs = [*(params | {changed: other}).items(), ("hmac", shopifys_hmac(params))]

    assert not signatures.query_is_signed(pairs, [SECRET])


@settings(max_examples=200, deadline=None)
@given(params=st.dictionaries(keys, texts, max_size=6))
def test_query_survives_the_address_bar(params):
    address = urlencode([*params.items(), ("hmac", shopifys_hmac(params))])

    assert signatures.query_is_signed(parse_qsl(address, keep_blank_values=True), [SECRET])


@pytest.mark.parametrize(
    "message",
    [
        "host=YWRtaW4/c2hvcA==&shop=some-shop.myshopify.com",
        "host=YWRtaW4%2Fc2hvcA%3D%3D&shop=some-shop.myshopify.com",
    ],
)
def test_host_with_padding_is_taken_raw_and_percent_encoded(message):
    pairs = [("shop", "some-shop.myshopify.com"), ("host", "YWRtaW4/c2hvcA=="), ("hmac", hex_hmac(message))]

    assert signatures.query_is_signed(pairs, [SECRET])


def test_two_pairs_cannot_be_passed_off_as_one():
    honest = "code=1&shop=some-shop.myshopify.com&timestamp=1"
    forged = [("code", "1&shop=some-shop.myshopify.com"), ("timestamp", "1"), ("hmac", hex_hmac(honest))]

    assert not signatures.query_is_signed(forged, [SECRET])


def test_legacy_signature_parameter_is_not_part_of_what_is_signed():
    pairs = [("shop", "a.myshopify.com"), ("signature", "old"), ("hmac", hex_hmac("shop=a.myshopify.com"))]

    assert signatures.query_is_signed(pairs, [SECRET])


@pytest.mark.parametrize("hmacs", [[], ["", ""], ["ümlaut"], [hex_hmac("shop=a.myshopify.com")] * 2])
def test_query_without_exactly_one_good_hmac_is_refused(hmacs):
    pairs = [("shop", "a.myshopify.com"), *(("hmac", one) for one in hmacs)]

    assert not signatures.query_is_signed(pairs, [SECRET])


@pytest.mark.parametrize(("seconds", "fresh"), [(0, True), (-90, True), (90, True), (-91, False), (91, False)])
def test_timestamp_is_fresh_for_ninety_seconds_both_ways(seconds, fresh):
    timestamp = str(int(NOW.timestamp()) + seconds)

    assert signatures.timestamp_is_fresh(timestamp, now=NOW) is fresh


def test_timestamp_window_can_be_widened():
    timestamp = str(int((NOW - timedelta(hours=1)).timestamp()))

    assert signatures.timestamp_is_fresh(timestamp, now=NOW, within=timedelta(hours=2))


@pytest.mark.parametrize("timestamp", [None, "", "soon", "-5", "1.5", "٣", "9" * 40])
def test_timestamp_that_is_no_time_is_not_fresh(timestamp):
    assert not signatures.timestamp_is_fresh(timestamp, now=NOW)
