"""Signatures and id tokens against ShopifyAPI, the published rules, and one another, over generated requests.

ShopifyAPI rules on queries and id tokens. On webhooks it is silent, and the documentation's recipe rules. Where
ShopifyAPI is looser than the documentation, the documentation rules, and the test says so. Hundreds of cases a rule
in `make test`, thousands in `make test-long`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote, urlencode

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from shopify import Session, session_token
from shopify.utils import shop_url

from shopify_app.shopify import domains, idtokens, signatures
from shopify_app.shopify.errors import IdTokenInvalid

SECRET, PREVIOUS, STRANGERS = (
    f"a secret of {whose}, long enough to sign with" for whose in ("ours", "before", "others")
)
KEY = "client-id"
STORE, OTHER = "some-shop.myshopify.com", "another-shop.myshopify.com"
QUIET = [HealthCheck.too_slow, HealthCheck.filter_too_much]

some = settings(max_examples=200, deadline=None, suppress_health_check=QUIET)
many = settings(max_examples=3000, deadline=None, suppress_health_check=QUIET)


# ── queries ─────────────────────────────────────────────────────────────────────────────────────────────────────────

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
tricky = st.text("aZ09-._~ %&=+/:?#[]\\\"'äñ€😀", max_size=10)
names = (words | tricky).filter(lambda name: name not in {"hmac", "signature"} and not name.endswith("[]"))
launches = st.fixed_dictionaries(
    {"shop": st.just(STORE), "timestamp": st.integers(1_700_000_000, 1_900_000_000).map(str)},
    optional={
        "code": st.text("0123456789abcdef", min_size=32, max_size=32),
        "state": tricky,
        "locale": st.sampled_from(["en", "pt-BR"]),
        "embedded": st.just("1"),
        "session": st.text("0123456789abcdef", min_size=8, max_size=64),
        "host": st.binary(min_size=1, max_size=40).map(lambda raw: base64.b64encode(raw).decode()),
        "id_token": st.from_regex(r"\A[A-Za-z0-9_-]{4,20}\.[A-Za-z0-9_-]{4,20}\.[A-Za-z0-9_-]{4,20}\Z"),
    },
)
queries = st.dictionaries(names, words | tricky, max_size=6) | launches
arrays = st.dictionaries(
    st.sampled_from(["ids[]", "tags[]"]), st.lists(st.integers(0, 10**14).map(str), min_size=1, max_size=3), max_size=2
)


def shopifys_hmac(params: dict[str, object], secret: str = SECRET) -> str:
    Session.secret = secret
    return Session.calculate_hmac(params)


def shopifys_verdict(pairs: list[tuple[str, str]], secret: str = SECRET) -> bool:
    """Return what ShopifyAPI says of a query, which it wants as a dictionary with lists for arrays."""
    Session.secret = secret
    params: dict[str, object] = {}
    for key, value in pairs:
        if key.endswith("[]"):
            held = params.setdefault(key, [])
            assert isinstance(held, list)
            held.append(value)
        else:
            params[key] = value
    return bool(Session.validate_hmac(params))


def _signed_and_perhaps_changed(
    params: dict[str, str], listed: dict[str, list[str]], change: str
) -> list[tuple[str, str]]:
    """Return the pairs of a query as Shopify signs it, then spoiled in one way."""
    signature = shopifys_hmac({**params, **listed}, STRANGERS if change == "stranger" else SECRET)
    pairs = [*params.items(), *((key, value) for key, values in listed.items() for value in values)]
    if change == "value" and pairs:
        pairs[0] = (pairs[0][0], pairs[0][1] + "x")
    if change == "extra":
        pairs.append(("one_more", "1"))
    if change == "fewer":
        pairs = pairs[1:]
    if change == "signature":
        signature = signature[:-1] + ("0" if signature[-1] != "0" else "1")
    if change == "upper":
        signature = signature.upper()
    return [*pairs, ("hmac", signature)]


CHANGES = ["none", "value", "extra", "fewer", "signature", "upper", "stranger"]


def both_rule_alike_on_queries(params: dict[str, str], listed: dict[str, list[str]], change: str) -> None:
    pairs = _signed_and_perhaps_changed(params, listed, change)

    assert signatures.query_is_signed(pairs, [SECRET]) == shopifys_verdict(pairs)


@some
@given(queries, arrays, st.sampled_from(CHANGES))
def test_queries_are_judged_as_shopifys_library_does(
    params: dict[str, str], listed: dict[str, list[str]], change: str
) -> None:
    both_rule_alike_on_queries(params, listed, change)


@pytest.mark.long
@many
@given(queries, arrays, st.sampled_from(CHANGES))
def test_thousands_of_queries_are_judged_as_shopifys_library_does(
    params: dict[str, str], listed: dict[str, list[str]], change: str
) -> None:
    both_rule_alike_on_queries(params, listed, change)


@some
@given(queries)
def test_a_query_in_the_encoding_of_shopifys_other_libraries_is_taken(params: dict[str, str]) -> None:
    # JavaScript's URLSearchParams, with %20 for a space; `*` stays as it is, `~` does not.
    message = "&".join(f"{_form(key)}={_form(value)}" for key, value in sorted(params.items()))
    signature = hmac.new(SECRET.encode(), message.encode(), hashlib.sha256).hexdigest()
    pairs = parse_qsl(urlencode([*params.items(), ("hmac", signature)]), keep_blank_values=True)

    assert signatures.query_is_signed(pairs, [PREVIOUS, SECRET])
    assert not signatures.query_is_signed(pairs, [STRANGERS])


def _form(text: str) -> str:
    return quote(text, safe="*").replace("~", "%7E")


# ── webhooks ────────────────────────────────────────────────────────────────────────────────────────────────────────


def documented(body: bytes, given_hmac: str, secret: str) -> bool:
    """Rule as the documentation's own example does: the decoded header against the digest."""
    try:
        return hmac.compare_digest(
            base64.b64decode(given_hmac, validate=True), hmac.new(secret.encode(), body, hashlib.sha256).digest()
        )
    except (binascii.Error, ValueError):
        return False


bodies = st.binary(max_size=300) | st.dictionaries(st.text(max_size=8), st.integers() | st.text(max_size=8)).map(
    lambda body: json.dumps(body).encode()
)
SPOILED = ["none", "body", "truncated", "hex", "stranger", "previous", "blank"]


def both_rule_alike_on_webhooks(body: bytes, spoiled: str) -> None:
    signer = {"stranger": STRANGERS, "previous": PREVIOUS}.get(spoiled, SECRET)
    digest = hmac.new(signer.encode(), body, hashlib.sha256)
    header = digest.hexdigest() if spoiled == "hex" else base64.b64encode(digest.digest()).decode()
    header = {"truncated": header[:-1], "blank": ""}.get(spoiled, header)
    arrived = body + b" " if spoiled == "body" else body

    ours = signatures.webhook_is_signed(arrived, header, [SECRET, PREVIOUS])

    assert ours == any(documented(arrived, header, secret) for secret in (SECRET, PREVIOUS))
    assert ours == (spoiled in {"none", "previous"})


@some
@given(bodies, st.sampled_from(SPOILED))
def test_webhooks_are_judged_as_documented(body: bytes, spoiled: str) -> None:
    both_rule_alike_on_webhooks(body, spoiled)


@pytest.mark.long
@many
@given(bodies, st.sampled_from(SPOILED))
def test_thousands_of_webhooks_are_judged_as_documented(body: bytes, spoiled: str) -> None:
    both_rule_alike_on_webhooks(body, spoiled)


@some
@given(bodies, st.text(max_size=60))
def test_no_other_text_passes_for_a_webhooks_signature(body: bytes, header: str) -> None:
    assume(header != signatures.webhook_hmac(body, SECRET))

    assert not signatures.webhook_is_signed(body, header, [SECRET])


# ── id tokens ───────────────────────────────────────────────────────────────────────────────────────────────────────

stores = st.sampled_from(
    [STORE, OTHER, "evil.example", "some-shop.myshopify.com.evil.example", "some-shop.example/x.myshopify.com", "a_b.c"]
)
moments = st.sampled_from([-86_400, -120, -30, 30, 120, 86_400])  # far from the leeway's edge: its clock cannot be set
# ShopifyAPI also wants sub, sid and jti to be there; tokens of checkouts come without, so the documentation does not.
GOOD: dict[str, object] = {
    "iss": f"https://{STORE}/admin",
    "dest": f"https://{STORE}",
    "aud": KEY,
    "exp": 60,
    "nbf": -30,
    "iat": -30,
    "sub": "42",
    "sid": "session-1",
    "jti": "11111111-1111-4111-8111-111111111111",
}
# A good token with some claims replaced: what is random in every claim would hardly ever be taken.
claims = st.fixed_dictionaries(
    {},
    optional={
        "iss": stores.map(lambda host: f"https://{host}/admin"),
        "dest": stores.map(lambda host: f"https://{host}"),
        "aud": st.sampled_from([KEY, "another-app", [KEY, "another-app"], ["another-app"], [], ""]),
        "exp": moments,
        "nbf": moments,
        "sub": words.filter(bool),
        "sid": words.filter(bool),
        "jti": words.filter(bool),
        "iat": st.sampled_from([-120, -60]),
    },
).map(lambda changes: GOOD | changes)
SIGNERS = st.sampled_from([SECRET, SECRET, STRANGERS])
ALGORITHMS = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}


def make_token(payload: dict[str, object], secret: str, algorithm: str = "HS256") -> str:
    """Sign by hand, so that neither library is judged by the other's writing."""
    parts = [_part({"alg": algorithm, "typ": "JWT"}), _part(payload)]
    digest = hmac.new(secret.encode(), ".".join(parts).encode(), ALGORITHMS[algorithm]).digest()
    return ".".join([*parts, base64.urlsafe_b64encode(digest).rstrip(b"=").decode()])


def _part(value: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def we_take(token: str) -> bool:
    try:
        idtokens.verify(token, api_key=KEY, secrets=[SECRET], now=datetime.now(UTC))
    except IdTokenInvalid:
        return False
    return True


def shopify_takes(token: str) -> bool:
    try:
        session_token.decode_from_header(f"Bearer {token}", KEY, SECRET)
    except session_token.SessionTokenError:
        return False
    return True


def both_rule_alike_on_id_tokens(payload: dict[str, object], secret: str, algorithm: str) -> None:
    now = int(time.time())
    dated = {name: now + value if name in {"exp", "nbf", "iat"} else value for name, value in payload.items()}
    token = make_token(dated, secret, algorithm)

    assert we_take(token) == shopify_takes(token), dated


@some
@given(claims, SIGNERS, st.sampled_from(["HS256", *ALGORITHMS]))
def test_id_tokens_are_judged_as_shopifys_library_does(payload: dict[str, object], secret: str, algorithm: str) -> None:
    both_rule_alike_on_id_tokens(payload, secret, algorithm)


@pytest.mark.long
@many
@given(claims, SIGNERS, st.sampled_from(["HS256", *ALGORITHMS]))
def test_thousands_of_id_tokens_are_judged_as_shopifys_library_does(
    payload: dict[str, object], secret: str, algorithm: str
) -> None:
    both_rule_alike_on_id_tokens(payload, secret, algorithm)


@some
@given(st.sampled_from([STORE, OTHER]), st.data())
def test_a_good_id_token_is_taken_and_any_changed_letter_refused(store: str, data: st.DataObject) -> None:
    now = int(time.time())
    token = make_token(
        {"iss": f"https://{store}/admin", "dest": f"https://{store}", "aud": KEY, "exp": now + 60, "nbf": now - 1},
        SECRET,
    )
    place = data.draw(st.integers(0, token.rindex(".") - 1))
    letter = data.draw(st.sampled_from("ABCxyz019-_.").filter(lambda one: one != token[place]))

    assert we_take(token)
    assert not we_take(token[:place] + letter + token[place + 1 :])


# ── addresses ───────────────────────────────────────────────────────────────────────────────────────────────────────


@some
@given(st.from_regex(r"\A[A-Za-z0-9_.-]{0,20}(\.myshopify\.com)?[ \n/:]?\Z") | st.text(max_size=30))
def test_a_store_address_is_one_for_shopifys_library_too(text: str) -> None:
    ours = domains.store_url(text)

    # ShopifyAPI also mends what is not quite an address (a bare name, a scheme); the documented rule does not.
    assert ours is None or ours == shop_url.sanitize_shop_domain(text) == text.lower()
