"""Consent, both install ways, every grant of the token endpoint and every refusal."""

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from devstore import installs, oauth, signing

OFFLINE = oauth.OFFLINE_TYPE
ONLINE = oauth.ONLINE_TYPE
SECRET = "secret-of-the-tests"


def exchange(shopify, **changes):
    """Exchange an ID token made now."""
    app = shopify.app.extensions["devstore"].options.app
    token = signing.id_token(shopify.store.domain, installs.staff(shopify.store).id, app, shopify.store.now())
    body = {
        "grant_type": oauth.TOKEN_EXCHANGE,
        "subject_token": token,
        "subject_token_type": oauth.ID_TOKEN_TYPE,
        "requested_token_type": OFFLINE,
        "expiring": "1",
    }
    return shopify.ask_token(**{**body, **changes})


def refresh(shopify, token):
    return shopify.ask_token(grant_type="refresh_token", refresh_token=token)


def is_alive(shopify, token):
    shopify.token = token
    return shopify.post("{ shop { name } }").status_code == 200


def test_consent_names_the_scopes_in_words(shopify):
    page = shopify.client.get(shopify.authorize_url())

    assert page.status_code == 200
    assert "View customers" in page.text
    assert "Install app" in page.text
    assert page.headers["Content-Security-Policy"] == "frame-ancestors 'none'"


def test_approval_goes_to_the_app_with_a_signed_query(shopify):
    location = shopify.approve(shopify.authorize_url()).location

    query = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
    assert location.startswith("http://127.0.0.1:8000/auth/callback?")
    assert query.keys() == {"code", "hmac", "host", "shop", "state", "timestamp"}
    assert query["state"] == "nonce"
    assert query["hmac"] == signing.query_hmac(query, SECRET)


def test_a_store_that_granted_the_scopes_is_sent_straight_on(shopify):
    shopify.approve(shopify.authorize_url())

    answer = shopify.client.get(shopify.authorize_url(scope="read_orders"))

    assert answer.status_code == 302
    assert "code=" in answer.location


def test_more_scopes_need_another_consent(shopify):
    shopify.approve(shopify.authorize_url(scope="read_orders"))

    answer = shopify.client.get(shopify.authorize_url(scope="read_orders,read_products"))

    assert answer.status_code == 200


def test_cancelling_installs_nothing(shopify):
    answer = shopify.approve(shopify.authorize_url(), decision="cancel")

    assert answer.location == "/store/aurora-outfitters"
    assert installs.installation(shopify.store) is None


@pytest.mark.parametrize("origin", ["https://evil.example", "null", ""])
def test_a_decision_from_another_origin_is_refused(shopify, origin):
    answer = shopify.approve(shopify.authorize_url(), origin=origin)

    assert answer.status_code == 403
    assert installs.installation(shopify.store) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"client_id": "another"}, "application_cannot_be_found"),
        ({"redirect_uri": "http://127.0.0.1:8000/auth/callback/"}, "The redirect_uri is not whitelisted"),
        ({"redirect_uri": "https://evil.example"}, "The redirect_uri is not whitelisted"),
        ({"state": ""}, "The state is missing"),
        ({"scope": "everything"}, "The access scope is invalid: everything"),
    ],
)
def test_authorize_refuses(shopify, changes, message):
    answer = shopify.client.get(shopify.authorize_url(**changes))

    assert answer.status_code == 400
    assert f"Oauth error {message}" in answer.text or message in answer.text
    assert answer.content_type.startswith("text/html")


def test_authorize_of_an_unknown_store_is_not_found(shopify):
    answer = shopify.client.get(shopify.authorize_url().replace("aurora-outfitters", "nobody"))

    assert answer.status_code == 404


def test_managed_install_grants_and_opens_the_app_in_the_admin(shopify):
    url = f"{shopify.base}/admin/oauth/install?client_id=client-id&optional_scopes=read_customer_merge"

    page = shopify.client.get(url)
    answer = shopify.approve(url)

    assert "View customer merge" in page.text
    assert answer.location == "/store/aurora-outfitters/apps/client-id"
    assert "read_customer_merge" in installs.installation(shopify.store).scopes


def test_managed_install_of_an_installed_app_opens_it(shopify):
    url = f"{shopify.base}/admin/oauth/install?client_id=client-id"
    shopify.approve(url)

    assert shopify.client.get(url).location == "/store/aurora-outfitters/apps/client-id"


def test_managed_install_refuses_optional_scopes_that_were_not_registered(shopify):
    answer = shopify.client.get(f"{shopify.base}/admin/oauth/install?client_id=client-id&optional_scopes=write_themes")

    assert answer.status_code == 400


def test_code_grant_gives_an_expiring_pair(shopify):
    answer = shopify.ask_token(code=shopify.code(), expiring=1)

    body = answer.json
    assert answer.status_code == 200
    assert body["access_token"].startswith("shpat_")
    assert body["refresh_token"].startswith("shprt_")
    assert (body["expires_in"], body["refresh_token_expires_in"]) == (3600, 7_776_000)
    assert body["scope"] == "read_customers,read_orders"
    assert answer.headers["Cache-Control"] == "no-store"


def test_code_grant_without_expiring_gives_the_same_permanent_token_each_time(shopify):
    first = shopify.ask_token(code=shopify.code()).json
    second = shopify.ask_token(code=shopify.code()).json

    assert first == second
    assert first.keys() == {"access_token", "scope"}


def test_code_grant_accepts_a_form(shopify):
    form = {"client_id": "client-id", "client_secret": SECRET, "code": shopify.code(), "expiring": "1"}

    answer = shopify.client.post(f"{shopify.base}/admin/oauth/access_token", data=form)

    assert answer.json["expires_in"] == 3600


def test_per_user_code_gives_an_online_token(shopify):
    answer = shopify.ask_token(code=shopify.code(**{"grant_options[]": "per-user"}))

    assert answer.json["associated_user"]["account_owner"] is True
    assert answer.json["expires_in"] == 86_399


def test_a_code_is_good_once(shopify):
    code = shopify.code()
    shopify.ask_token(code=code)

    again = shopify.ask_token(code=code)

    assert again.status_code == 400
    assert again.json == {
        "error": "invalid_request",
        "error_description": "The authorization code was not found or was already used",
    }


def test_a_code_is_good_for_a_minute(shopify, clock):
    code = shopify.code()
    clock.forward(seconds=60)

    assert shopify.ask_token(code=code).status_code == 400


def test_a_code_of_an_app_uninstalled_since_is_refused(shopify):
    code = shopify.code()
    with shopify.app.app_context():
        installs.uninstall(shopify.store)

    assert shopify.ask_token(code=code).status_code == 400


def test_token_exchange_gives_an_expiring_pair(installed):
    answer = exchange(installed)

    assert answer.status_code == 200
    assert answer.json["refresh_token"].startswith("shprt_")
    assert is_alive(installed, answer.json["access_token"])


@pytest.mark.parametrize("expiring", ["1", 1, True], ids=["text", "number", "boolean"])
def test_expiring_is_asked_for_in_every_way_libraries_do(installed, expiring):
    assert "refresh_token" in exchange(installed, expiring=expiring).json


@pytest.mark.parametrize("expiring", ["0", 0, False], ids=["text", "number", "boolean"])
def test_expiring_is_declined_in_every_way_libraries_do(installed, expiring):
    assert "refresh_token" not in exchange(installed, expiring=expiring).json


def test_token_exchange_gives_an_online_token_without_refresh(installed):
    body = exchange(installed, requested_token_type=ONLINE).json

    assert body["associated_user"]["id"] == installs.staff(installed.store).id
    assert "refresh_token" not in body
    assert is_alive(installed, body["access_token"])


def test_a_stale_id_token_is_refused(installed, clock):
    app = installed.app.extensions["devstore"].options.app
    stale = signing.id_token(installed.store.domain, 1, app, installed.store.now() - timedelta(seconds=61))

    answer = exchange(installed, subject_token=stale)

    assert (answer.status_code, answer.json) == (400, {"error": "invalid_subject_token"})


def test_an_id_token_of_another_store_is_refused(installed):
    app = installed.app.extensions["devstore"].options.app
    foreign = signing.id_token("birch-and-bloom.myshopify.com", 1, app, installed.store.now())

    assert exchange(installed, subject_token=foreign).json == {"error": "invalid_subject_token"}


def test_token_exchange_of_an_app_that_is_not_installed_is_refused(shopify):
    answer = exchange(shopify)

    assert answer.status_code == 400
    assert answer.json["error"] == "invalid_request"


@pytest.mark.parametrize("changes", [{"requested_token_type": "x"}, {"subject_token_type": "x"}])
def test_token_exchange_refuses_other_types(installed, changes):
    assert exchange(installed, **changes).json["error"] == "invalid_request"


def test_a_permanent_token_is_exchanged_for_an_expiring_one_for_good(installed):
    permanent = exchange(installed, expiring="0").json["access_token"]

    answer = exchange(installed, subject_token=permanent, subject_token_type=OFFLINE)

    assert answer.json["refresh_token"].startswith("shprt_")
    assert not is_alive(installed, permanent)


def test_an_expiring_token_is_not_migrated_again(installed):
    answer = exchange(installed, subject_token=installed.token, subject_token_type=OFFLINE)

    assert answer.json == {"error": "invalid_subject_token"}


def test_migration_to_a_permanent_token_is_refused(installed):
    permanent = exchange(installed, expiring="0").json["access_token"]

    answer = exchange(installed, subject_token=permanent, subject_token_type=OFFLINE, expiring="0")

    assert answer.json["error"] == "invalid_request"
    assert is_alive(installed, permanent)


def test_refresh_gives_a_new_pair_and_leaves_issued_tokens_alive(installed):
    first = exchange(installed).json

    second = refresh(installed, first["refresh_token"]).json

    assert second["refresh_token"] != first["refresh_token"]
    assert is_alive(installed, second["access_token"])
    assert is_alive(installed, first["access_token"])


def test_a_lost_answer_can_be_asked_for_again(installed):
    first = exchange(installed).json
    refresh(installed, first["refresh_token"])

    again = refresh(installed, first["refresh_token"])

    assert again.status_code == 200


def refused(answer):
    return (answer.status_code, answer.json) == (
        401,
        {"error": "invalid_request", "error_description": "This request requires an active refresh_token"},
    )


def test_the_previous_refresh_token_ends_when_the_newer_one_is_used(installed):
    first = exchange(installed).json
    second = refresh(installed, first["refresh_token"]).json
    refresh(installed, second["refresh_token"])

    assert refused(refresh(installed, first["refresh_token"]))


def test_refresh_tokens_end_when_the_app_acquires_a_new_token(installed):
    first = exchange(installed).json
    exchange(installed)

    assert refused(refresh(installed, first["refresh_token"]))


def test_a_used_refresh_token_ends_after_30_days(installed, clock):
    first = exchange(installed).json
    refresh(installed, first["refresh_token"])
    clock.forward(days=30)

    assert refused(refresh(installed, first["refresh_token"]))


def test_an_unused_refresh_token_lives_for_90_days(installed, clock):
    first = exchange(installed).json
    clock.forward(days=89)

    assert refresh(installed, first["refresh_token"]).status_code == 200


def test_an_unused_refresh_token_ends_after_90_days(installed, clock):
    first = exchange(installed).json
    clock.forward(days=90)

    assert refused(refresh(installed, first["refresh_token"]))


def test_an_unknown_refresh_token_is_refused(installed):
    assert refused(refresh(installed, "shprt_unknown"))


def test_an_access_token_ends_after_an_hour(installed, clock):
    clock.forward(minutes=59, seconds=58)
    alive = is_alive(installed, installed.token)
    clock.forward(seconds=2)

    assert alive
    assert not is_alive(installed, installed.token)


def test_uninstalling_ends_every_token(installed):
    pair = exchange(installed).json
    with installed.app.app_context():
        installs.uninstall(installed.store)

    assert not is_alive(installed, pair["access_token"])
    assert refused(refresh(installed, pair["refresh_token"]))


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({"client_id": "another", "code": "x"}, 400, "application_cannot_be_found"),
        ({"client_secret": "wrong", "code": "x"}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({}, 400, "unsupported_grant_type"),
        ({"code": "unknown"}, 400, "invalid_request"),
    ],
)
def test_token_endpoint_refuses(shopify, body, status, error):
    answer = shopify.ask_token(**body)

    assert (answer.status_code, answer.json["error"]) == (status, error)


def test_a_body_that_is_no_json_is_refused(shopify):
    answer = shopify.client.post(
        f"{shopify.base}/admin/oauth/access_token",
        data="{",
        content_type="application/json",
        headers={"Accept": "application/json"},
    )

    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")


def test_errors_are_html_for_who_does_not_ask_for_json(shopify):
    answer = shopify.client.post(f"{shopify.base}/admin/oauth/access_token", json={"client_id": "another"})

    assert answer.content_type.startswith("text/html")
    assert "application_cannot_be_found" in answer.text


def test_a_refreshed_token_has_what_was_granted_since(app, shopify, store):
    pair = shopify.ask_token(code=shopify.code(), expiring="1").json
    with app.app_context():
        installs.grant(store, [*installs.installation(store).scopes, "read_discounts"])

    refreshed = shopify.ask_token(grant_type="refresh_token", refresh_token=pair["refresh_token"]).json

    assert "read_discounts" in refreshed["scope"].split(",")
