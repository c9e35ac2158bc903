"""OAuth: what goes out, what a grant holds, and what every kind of refusal means; over real sockets."""

import dataclasses
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from config import Config
from shopify_app.shopify import errors
from shopify_app.shopify.oauth import OAuth
from tests.shopify.scripted import Reply

STORE = "some-shop.myshopify.com"
CALLBACK = "https://app.example.com/auth/callback"
PAIR = {
    "access_token": "shpat_0123456789abcdef",
    "scope": "read_orders,write_products",
    "expires_in": 3600,
    "refresh_token": "shprt_0123456789abcdef",
    "refresh_token_expires_in": 7776000,
}
DEAD = {"error": "invalid_request", "error_description": "This request requires an active refresh_token"}


@pytest.fixture
def oauth(server, http):
    config = Config(
        database_url="postgresql://unused",
        redis_url="redis://unused",
        secret_key="s" * 32,
        token_keys=(),
        app_url="https://app.example.com",
        shopify_api_key="client-id",
        shopify_api_secret="client-secret",
        shopify_api_secret_previous="client-secret-before",
        shopify_scopes=("read_orders", "read_products"),
        shopify_shop_origin=server.url + "/stores/{shop}",
    )
    return OAuth(config, http)


def test_merchant_is_sent_to_consent_with_scopes_state_and_callback(oauth, server):
    url = urlsplit(oauth.authorize_url(STORE, "nonce", CALLBACK))

    assert f"{url.scheme}://{url.netloc}{url.path}" == f"{server.url}/stores/{STORE}/admin/oauth/authorize"
    assert dict(parse_qsl(url.query)) == {
        "response_type": "code",
        "client_id": "client-id",
        "redirect_uri": CALLBACK,
        "scope": "read_orders,read_products",
        "state": "nonce",
    }


def test_code_is_exchanged_for_an_expiring_token(oauth, server):
    server.replies = [Reply(PAIR)]

    grant = oauth.exchange_code(STORE, "the-code", CALLBACK)

    (asked,) = server.asked
    assert (grant.access_token, grant.refresh_token) == (PAIR["access_token"], PAIR["refresh_token"])
    assert (grant.expires_in, grant.refresh_expires_in) == (3600, 7776000)
    assert grant.scopes == {"read_orders", "write_products"}
    assert asked.path == f"/stores/{STORE}/admin/oauth/access_token"
    assert asked.headers["Accept"] == asked.headers["Content-Type"] == "application/json"
    assert asked.json == {
        "grant_type": "authorization_code",
        "client_id": "client-id",
        "client_secret": "client-secret",
        "code": "the-code",
        "redirect_uri": CALLBACK,
        "expiring": "1",
    }


def test_id_token_is_exchanged_for_an_expiring_offline_token(oauth, server):
    server.replies = [Reply(PAIR)]

    oauth.exchange_id_token(STORE, "header.payload.signature")

    assert server.asked[0].json == {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "client_id": "client-id",
        "client_secret": "client-secret",
        "subject_token": "header.payload.signature",
        "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
        "requested_token_type": "urn:shopify:params:oauth:token-type:offline-access-token",
        "expiring": "1",
    }


def test_refresh_token_is_exchanged_for_a_new_pair(oauth, server):
    server.replies = [Reply(PAIR | {"access_token": "shpat_new", "refresh_token": "shprt_new"})]

    grant = oauth.refresh(STORE, "shprt_old")

    assert (grant.access_token, grant.refresh_token) == ("shpat_new", "shprt_new")
    assert server.asked[0].json == {
        "grant_type": "refresh_token",
        "client_id": "client-id",
        "client_secret": "client-secret",
        "refresh_token": "shprt_old",
    }


def test_token_that_does_not_expire_is_understood(oauth, server):
    server.replies = [Reply({"access_token": "shpat_forever", "scope": ""})]

    grant = oauth.exchange_code(STORE, "the-code", CALLBACK)

    assert (grant.expires_in, grant.refresh_token, grant.refresh_expires_in) == (None, None, None)
    assert grant.scopes == frozenset()


def test_tokens_are_not_in_a_grants_text(oauth, server):
    server.replies = [Reply(PAIR)]

    assert "shp" not in repr(oauth.exchange_code(STORE, "the-code", CALLBACK))


def test_stale_id_token_is_refused_with_shopifys_error(oauth, server):
    server.replies = [Reply({"error": "invalid_subject_token"}, 400)]

    with pytest.raises(errors.ExchangeRefused) as caught:
        oauth.exchange_id_token(STORE, "stale")

    assert caught.value.error == "invalid_subject_token"
    assert not caught.value.retryable


def test_dead_refresh_token_is_refused_for_good(oauth, server):
    server.replies = [Reply(DEAD, 401)]

    with pytest.raises(errors.RefreshRefused, match="active refresh_token") as caught:
        oauth.refresh(STORE, "shprt_dead")

    assert not caught.value.retryable


def test_our_own_bad_credentials_do_not_kill_the_refresh_token(oauth, server):
    server.replies = [Reply({"error": "invalid_client"}, 401)]

    with pytest.raises(errors.ExchangeRefused) as caught:
        oauth.refresh(STORE, "shprt_good")

    assert caught.value.error == "invalid_client"


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(status=500), errors.Unavailable),
        (Reply({"error": "busy"}, 503), errors.Unavailable),
        (Reply({"error": "slow_down"}, 429, {"Retry-After": "3"}), errors.Throttled),
        (Reply("<html>sign in</html>", 400, {"Content-Type": "text/html"}), errors.NotAccepted),
        (Reply(status=402), errors.ShopFrozen),
        (Reply(status=403), errors.AccessDenied),
        (Reply(status=404), errors.NotAccepted),
        (Reply(status=423), errors.ShopLocked),
        (Reply(status=302, headers={"Location": "/login"}), errors.NotAccepted),
        (Reply("<html>hello</html>"), errors.Unavailable),
        (Reply('{"access_'), errors.Unavailable),
        (Reply("[]"), errors.Unavailable),
        (Reply({}), errors.Unavailable),
        (Reply({"access_token": ""}), errors.Unavailable),
        (Reply(PAIR, cut_after=10), errors.Unavailable),
        (Reply(PAIR, delay=0.8), errors.Unavailable),
    ],
)
def test_every_failure_has_its_type_in_both_grants(oauth, server, reply, kind):
    server.replies = [reply, dataclasses.replace(reply)]

    for ask in (lambda: oauth.refresh(STORE, "shprt_good"), lambda: oauth.exchange_id_token(STORE, "a.b.c")):
        with pytest.raises(kind) as caught:
            ask()
        assert type(caught.value) is kind


def test_retry_after_of_a_throttled_refresh_is_kept(oauth, server):
    server.replies = [Reply(status=429, headers={"Retry-After": "3"})]

    with pytest.raises(errors.Throttled) as caught:
        oauth.refresh(STORE, "shprt_good")

    assert caught.value.retry_after == 3


def test_shopify_out_of_reach_is_retryable(oauth, server, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise httpx.ConnectError("no route")

    monkeypatch.setattr(httpx.Client, "post", refuse)

    with pytest.raises(errors.Unavailable) as caught:
        oauth.refresh(STORE, "shprt_good")

    assert caught.value.retryable


@pytest.mark.parametrize("user_id", [42, "42"], ids=["number", "text"])
def test_a_staff_member_is_asked_about_with_an_online_token_that_is_not_kept(oauth, server, user_id):
    user = {"id": user_id, "first_name": "Olive", "email": "olive@example.com", "account_owner": True}
    server.replies = [Reply({"access_token": "shpua_1", "expires_in": 86399, "associated_user": user})]

    facts = oauth.exchange_online(STORE, "a.b.c")

    assert (facts.user_id, facts.account_owner) == ("42", True)
    assert "shpua_1" not in repr(facts)
    assert server.asked[0].json == {
        "client_id": "client-id",
        "client_secret": "client-secret",
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": "a.b.c",
        "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
        "requested_token_type": "urn:shopify:params:oauth:token-type:online-access-token",
    }


@pytest.mark.parametrize("user", [None, [], {}, {"id": None}, {"id": ""}, {"id": {}}])
def test_an_online_token_that_is_nobodys_says_nothing(oauth, server, user):
    server.replies = [Reply({"access_token": "shpua_1", "associated_user": user})]

    with pytest.raises(errors.Unavailable):
        oauth.exchange_online(STORE, "a.b.c")


@pytest.mark.parametrize("said", [None, "true", 1])
def test_nothing_but_true_makes_an_account_owner(oauth, server, said):
    server.replies = [Reply({"access_token": "shpua_1", "associated_user": {"id": 42, "account_owner": said}})]

    assert oauth.exchange_online(STORE, "a.b.c").account_owner is False


def test_a_stale_id_token_tells_nothing_of_staff(oauth, server):
    server.replies = [Reply({"error": "invalid_subject_token"}, status=400)]

    with pytest.raises(errors.ExchangeRefused):
        oauth.exchange_online(STORE, "a.b.c")


def test_token_that_never_expires_is_exchanged_for_a_pair(oauth, server):
    server.replies = [Reply(PAIR)]

    grant = oauth.migrate(STORE, "shpat_old")

    offline = "urn:shopify:params:oauth:token-type:offline-access-token"
    assert (grant.access_token, grant.refresh_token) == (PAIR["access_token"], PAIR["refresh_token"])
    assert server.asked[0].json == {
        "client_id": "client-id",
        "client_secret": "client-secret",
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": "shpat_old",
        "subject_token_type": offline,
        "requested_token_type": offline,
        "expiring": "1",
    }


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        ("invalid_subject_token", 400, errors.RefreshRefused),
        ("invalid_client", 401, errors.ExchangeRefused),
    ],
)
def test_refused_migration_is_final_only_when_the_token_is_at_fault(oauth, server, error, status, kind):
    server.replies = [Reply({"error": error}, status)]

    with pytest.raises(kind):
        oauth.migrate(STORE, "shpat_old")


def test_merchant_grants_what_is_missing_at_the_stores_own_address(oauth, server):
    url = urlsplit(oauth.grant_url(STORE))

    assert f"{url.scheme}://{url.netloc}{url.path}" == f"{server.url}/stores/{STORE}/admin/oauth/install"
    assert dict(parse_qsl(url.query)) == {
        "client_id": "client-id",
        "scope": "read_orders,read_products",
        "optional_scopes": "read_all_orders",
    }
