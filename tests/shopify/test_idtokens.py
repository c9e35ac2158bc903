"""ID tokens: every claim that must hold, two secrets, and agreement with Shopify's library."""

import base64
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import OctKey
from shopify import session_token

from shopify_app.shopify import idtokens
from shopify_app.shopify.errors import IdTokenInvalid

KEY = "client-id"
SECRET = "a client secret of a length that is fit for signing"
PREVIOUS = "the client secret of before, which is long enough too"
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
AT = int(NOW.timestamp())
STORE = "some-shop.myshopify.com"
CLAIMS = {
    "iss": f"https://{STORE}/admin",
    "dest": f"https://{STORE}",
    "aud": KEY,
    "sub": "42",
    "exp": AT + 60,
    "nbf": AT,
    "iat": AT,
    "jti": "f8912129-1af6-4cad-9ca3-76b0f7621087",
    "sid": "aaea182f2732d44c23057c0fea584021",
}


def signed(secret=SECRET, algorithm="HS256", **changes):
    claims = {name: value for name, value in (CLAIMS | changes).items() if value is not None}
    return jwt.encode({"alg": algorithm}, claims, OctKey.import_key(secret), algorithms=[algorithm])


def verify(token, *, secrets=(SECRET,), now=NOW):
    return idtokens.verify(token, api_key=KEY, secrets=secrets, now=now)


def test_valid_token_names_store_user_and_session():
    token = verify(signed())

    assert token.store_url == STORE
    assert (token.user_id, token.session_id) == ("42", CLAIMS["sid"])
    assert token.expires_at == datetime.fromtimestamp(AT + 60, tz=UTC)


@pytest.mark.filterwarnings("ignore:Key size should be")  # the vector's secret is a short word
def test_token_of_the_reference_vector_is_valid(reference):
    vector = json.loads((reference / "vectors.json").read_text())["id_token"]
    now = datetime.fromtimestamp(vector["iat"] + 1, tz=UTC)

    token = idtokens.verify(vector["token"], api_key=vector["client_id"], secrets=[vector["secret"]], now=now)

    assert (token.store_url, token.user_id) == (STORE, "42")


def test_token_of_the_previous_secret_is_taken_while_secrets_rotate():
    assert verify(signed(PREVIOUS), secrets=(SECRET, PREVIOUS)).store_url == STORE
    with pytest.raises(IdTokenInvalid, match="not signed"):
        verify(signed(PREVIOUS))


def test_token_without_user_is_valid():
    token = verify(signed(sub=None, sid=None))

    assert (token.user_id, token.session_id) == (None, None)


@pytest.mark.parametrize("claim", ["exp", "nbf", "aud", "dest", "iss"])
def test_token_without_a_required_claim_is_refused(claim):
    with pytest.raises(IdTokenInvalid, match=claim):
        verify(signed(**{claim: None}))


@pytest.mark.parametrize(("late", "valid"), [(69, True), (70, False)])
def test_token_is_good_for_ten_seconds_after_its_expiry(late, valid):
    now = datetime.fromtimestamp(AT + late, tz=UTC)

    if valid:
        assert verify(signed(), now=now)
        return
    with pytest.raises(IdTokenInvalid, match="expired"):
        verify(signed(), now=now)


@pytest.mark.parametrize(("early", "valid"), [(10, True), (11, False)])
def test_token_of_a_clock_ahead_is_good_ten_seconds_early(early, valid):
    token = signed(nbf=AT + early, iat=AT)

    if valid:
        assert verify(token)
        return
    with pytest.raises(IdTokenInvalid):
        verify(token)


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "another-app"},
        {"aud": []},
        {"iss": "https://another-shop.myshopify.com/admin"},
        {"dest": "https://another-shop.myshopify.com"},
        {"iss": "https://evil.example/admin", "dest": "https://evil.example"},
        {"iss": "http://some-shop.myshopify.com/admin", "dest": "http://some-shop.myshopify.com"},
        {"dest": "https://some-shop.myshopify.com@evil.example"},
        {"dest": "https://some-shop.myshopify.com:8443"},
        {"dest": "some-shop.myshopify.com"},
        {"dest": ["https://some-shop.myshopify.com"]},
        {"dest": "https://[some-shop.myshopify.com"},
        {"exp": "tomorrow"},
        {"exp": 10**30},
        {"nbf": True},
    ],
)
def test_token_that_does_not_name_this_app_and_one_store_is_refused(changes):
    with pytest.raises(IdTokenInvalid):
        verify(signed(**changes))


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_only_the_documented_algorithm_is_taken(algorithm):
    with pytest.raises(IdTokenInvalid):
        verify(signed(algorithm=algorithm))


def test_unsigned_token_is_refused():
    header, payload = ({"alg": "none", "typ": "JWT"}, CLAIMS)
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, payload)]

    for token in (".".join([*parts, ""]), ".".join([*parts, "AAAA"])):
        with pytest.raises(IdTokenInvalid):
            verify(token)


def test_token_changed_after_signing_is_refused():
    header, _payload, signature = signed().split(".")
    forged = signed(dest="https://another-shop.myshopify.com").split(".")[1]

    with pytest.raises(IdTokenInvalid, match="not signed"):
        verify(f"{header}.{forged}.{signature}")


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=60) | st.from_regex(r"[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,40}"))
def test_any_other_text_is_refused_and_never_breaks(text):
    with pytest.raises(IdTokenInvalid):
        verify(text)


@settings(max_examples=200, deadline=None)
@given(header=st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=8))
def test_any_header_is_refused_and_never_breaks(header):
    encoded = base64.urlsafe_b64encode(json.dumps({"alg": header}).encode()).rstrip(b"=").decode()

    with pytest.raises(IdTokenInvalid):
        verify(f"{encoded}.e30.AAAA")


@settings(max_examples=200, deadline=None)
@given(
    iss=st.sampled_from([CLAIMS["iss"], "https://another-shop.myshopify.com/admin", "https://evil.example/admin"]),
    dest=st.sampled_from([CLAIMS["dest"], "https://another-shop.myshopify.com", "https://evil.example"]),
    aud=st.sampled_from([KEY, "another-app", [KEY, "another-app"]]),
    secret=st.sampled_from([SECRET, PREVIOUS]),
    exp=st.sampled_from([-3600, 3600]),
    nbf=st.sampled_from([-3600, 3600]),
)
def test_shopifys_library_agrees(*, iss, dest, aud, secret, exp, nbf):
    now = datetime.now(UTC)  # its clock cannot be set
    at = int(now.timestamp())
    token = signed(secret, iss=iss, dest=dest, aud=aud, exp=at + exp, nbf=at + nbf, iat=at - 3600)

    assert _accepts(lambda: verify(token, now=now)) == _accepts(lambda: _shopifys_verdict(token))


def _shopifys_verdict(token):
    return session_token.decode_from_header(f"Bearer {token}", KEY, SECRET)


def _accepts(check):
    try:
        check()
    except (IdTokenInvalid, session_token.SessionTokenError):
        return False
    return True
