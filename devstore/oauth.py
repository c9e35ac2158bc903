"""The store's OAuth door: consent for the code grant and for managed install, and every grant of ``access_token``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from flask import Blueprint, Response, abort, jsonify, make_response, redirect, render_template, request

from devstore import installs, signing, tokens
from devstore.state import current

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from werkzeug.wrappers import Response as AnyResponse

    from devstore.options import AppRegistration
    from devstore.state import Store

blueprint = Blueprint("oauth", __name__, url_prefix="/stores/<shop>/admin/oauth")

TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105 (a name)
ID_TOKEN_TYPE = "urn:ietf:params:oauth:token-type:id_token"  # noqa: S105 (a name)
OFFLINE_TYPE = "urn:shopify:params:oauth:token-type:offline-access-token"
ONLINE_TYPE = "urn:shopify:params:oauth:token-type:online-access-token"
SCOPE = re.compile(r"(unauthenticated_)?(read|write)_[a-z_]+")
NOUNS = {"all_orders": "all orders, older than 60 days too"}


class OAuthError(Exception):
    """A refusal of the OAuth door: ``error`` and ``description`` as OAuth names them, ``status`` of the answer."""

    def __init__(self, error: str, description: str = "", status: int = 400) -> None:
        """Keep what the answer says; without a description the body holds ``error`` alone."""
        super().__init__(f"Oauth error {error}: {description}" if description else f"Oauth error {error}")
        self.error = error
        self.description = description
        self.status = status


@blueprint.errorhandler(OAuthError)
def refuse(refusal: OAuthError) -> Response:
    """Answer in JSON to who accepts it by name, in HTML to everybody else, as Shopify does."""
    if "application/json" not in request.headers.get("Accept", ""):
        return make_response(render_template("oauth_error.html", message=str(refusal)), refusal.status)
    body = {"error": refusal.error}
    if refusal.description:
        body["error_description"] = refusal.description
    return make_response(jsonify(body), refusal.status)


@blueprint.after_request
def harden(response: Response) -> Response:
    """Keep the answers out of caches, and consent out of frames."""
    response.headers["Cache-Control"] = "no-store"
    response.headers["Content-Security-Policy"] = "frame-ancestors 'none'"
    response.headers["X-Frame-Options"] = "DENY"
    return response


@blueprint.route("/authorize", methods=["GET", "POST"])
def authorize(shop: str) -> AnyResponse:
    """Ask the merchant to install the app (code grant); a store that granted the same before is sent straight on."""
    store = _store(shop)
    app = _client(request.args.get("client_id", ""))
    redirect_uri, state = _checked_redirect(app), request.args.get("state", "")
    if not state:
        raise OAuthError("invalid_request", "The state is missing")
    scopes = _scopes(request.args.get("scope", "")) or list(app.scopes)

    def onward() -> AnyResponse:
        per_user = "per-user" in request.args.getlist("grant_options[]")
        params = {"code": tokens.issue_code(store, scopes, per_user=per_user), "state": state}
        signed = signing.callback_query(params, current().options, shop, store.now())
        return redirect(f"{redirect_uri}{'&' if '?' in redirect_uri else '?'}{urlencode(signed)}")

    return _consent(store, app, scopes, onward)


@blueprint.route("/install", methods=["GET", "POST"])
def install(shop: str) -> AnyResponse:
    """Ask the merchant to install the app with its registered scopes (managed install), then open it in the admin."""
    store = _store(shop)
    app = _client(request.args.get("client_id", ""))
    optional = _scopes(request.args.get("optional_scopes", ""))
    if not set(optional) <= set(app.optional_scopes):
        raise OAuthError("invalid_scope", "The app did not register these optional scopes")
    required = _scopes(request.args.get("scope", "")) or list(app.scopes)
    page = f"/store/{signing.store_name(shop)}/apps/{app.client_id}"
    return _consent(store, app, required + optional, lambda: redirect(page))


@blueprint.post("/access_token")
def access_token(shop: str) -> Response:
    """Hand out tokens: code grant, token exchange (offline, online, migration) and refresh; JSON or form."""
    store = _store(shop)
    body = _token_body()
    _authenticate(_client(body.get("client_id", "")), body.get("client_secret", ""))
    grant_type = body.get("grant_type") or ("authorization_code" if "code" in body else "")
    if grant_type not in GRANTS:
        raise OAuthError("unsupported_grant_type", "The grant type is not supported")
    return jsonify(GRANTS[grant_type](store, body))


def _store(shop: str) -> Store:
    """Return the store of a domain or answer 404."""
    try:
        return current().stores[shop]
    except KeyError:
        abort(404)


def _client(client_id: str) -> AppRegistration:
    """Return the app of a client id."""
    app = current().options.app
    if client_id != app.client_id:
        raise OAuthError("application_cannot_be_found", "Could not find an app with this API key")
    return app


def _authenticate(app: AppRegistration, secret: str) -> None:
    """Accept either secret of an app whose secret is being rotated."""
    known = [held for held in (app.client_secret, app.previous_secret) if held]
    if not any(signing.same(secret, held) for held in known):
        raise OAuthError("invalid_client", "The client secret is wrong", 401)


def _checked_redirect(app: AppRegistration) -> str:
    """Return the redirect URI, which must be one of the registered ones, character for character."""
    uri = request.args.get("redirect_uri", "")
    if uri not in app.redirect_urls:
        raise OAuthError("invalid_request", "The redirect_uri is not whitelisted")
    return uri


def _scopes(text: str) -> list[str]:
    """Split comma-separated scopes and refuse what is not one."""
    scopes = [scope.strip() for scope in text.split(",") if scope.strip()]
    wrong = [scope for scope in scopes if not SCOPE.fullmatch(scope)]
    if wrong:
        raise OAuthError("invalid_scope", f"The access scope is invalid: {', '.join(wrong)}")
    return scopes


def _consent(store: Store, app: AppRegistration, scopes: list[str], onward: Callable[[], AnyResponse]) -> AnyResponse:
    """Show the consent page, or take the merchant's decision from it."""
    if request.method == "GET":
        if installs.has_granted(store, scopes):
            return onward()
        words = sorted(describe(scope) for scope in installs.expand(scopes))
        return make_response(render_template("consent.html", app=app, shop=store.shop, scopes=words))
    _require_same_origin()
    if request.form.get("decision") != "install":
        return redirect(f"/store/{signing.store_name(store.shop.domain)}")
    installs.grant(store, scopes)
    return onward()


def _require_same_origin() -> None:
    """Refuse a decision that was not taken on the consent page itself."""
    if request.headers.get("Origin", "") != request.host_url.rstrip("/"):
        abort(403)


def describe(scope: str) -> str:
    """``read_customers`` → ``View customers``."""
    verb, _, noun = scope.removeprefix("unauthenticated_").partition("_")
    return f"{'View' if verb == 'read' else 'Edit'} {NOUNS.get(noun, noun.replace('_', ' '))}"


def _token_body() -> dict[str, str]:
    """Read the parameters of a token request, JSON or form, as text."""
    body = request.get_json(silent=True) if request.is_json else request.form.to_dict()
    if not isinstance(body, dict):
        raise OAuthError("invalid_request", "The request body could not be read")
    return {str(key): str(value) for key, value in body.items()}


def _expiring(body: Mapping[str, str]) -> bool:
    """Tell whether an expiring offline token was asked for (libraries send 1, "1" or true)."""
    return body.get("expiring", "0").lower() in {"1", "true"}


def _code_grant(store: Store, body: Mapping[str, str]) -> dict[str, Any]:
    """Exchange an authorization code."""
    code = tokens.redeem_code(store, body.get("code", ""))
    if code is None or installs.installation(store) is None:
        raise OAuthError("invalid_request", "The authorization code was not found or was already used")
    if code.per_user:
        return _online(store, code.scopes)
    return _offline(store, code.scopes, expiring=_expiring(body))


def _token_exchange(store: Store, body: Mapping[str, str]) -> dict[str, Any]:
    """Exchange an ID token, or a non-expiring offline token for an expiring one."""
    found = installs.installation(store)
    if found is None:
        raise OAuthError("invalid_request", "The app is not installed in this store")
    wanted = body.get("requested_token_type", "")
    if wanted not in {OFFLINE_TYPE, ONLINE_TYPE}:
        raise OAuthError("invalid_request", "The requested_token_type is not supported")
    if body.get("subject_token_type") == OFFLINE_TYPE:
        return _migrate(store, body)
    _check_id_token(store, body)
    if wanted == ONLINE_TYPE:
        return _online(store, found.scopes)
    return _offline(store, found.scopes, expiring=_expiring(body))


def _check_id_token(store: Store, body: Mapping[str, str]) -> None:
    """Refuse a subject that is not a live ID token of this store for this app."""
    if body.get("subject_token_type") != ID_TOKEN_TYPE:
        raise OAuthError("invalid_request", "The subject_token_type is not supported")
    try:
        signing.read_id_token(body.get("subject_token", ""), store.shop.domain, current().options.app, store.now())
    except signing.InvalidIdTokenError as error:
        raise OAuthError("invalid_subject_token") from error


def _migrate(store: Store, body: Mapping[str, str]) -> dict[str, Any]:
    """Turn the non-expiring offline token into an expiring one, for good."""
    held = tokens.find(store, body.get("subject_token", ""))
    if held is None or held.expires_at is not None:
        raise OAuthError("invalid_subject_token")
    if not _expiring(body) or body.get("requested_token_type") != OFFLINE_TYPE:
        raise OAuthError("invalid_request", "Only an expiring offline token can replace an offline token")
    tokens.revoke(store, held.token)
    return _pair(tokens.acquire(store, held.scopes))


def _refresh(store: Store, body: Mapping[str, str]) -> dict[str, Any]:
    """Exchange a refresh token for the next pair, with what the merchant has granted by now."""
    installed = installs.installation(store)
    try:
        return _pair(tokens.refresh(store, body.get("refresh_token", ""), installed.scopes if installed else None))
    except tokens.InactiveRefreshTokenError as error:
        raise OAuthError("invalid_request", "This request requires an active refresh_token", 401) from error


GRANTS: dict[str, Callable[[Store, Mapping[str, str]], dict[str, Any]]] = {
    "authorization_code": _code_grant,
    TOKEN_EXCHANGE: _token_exchange,
    "refresh_token": _refresh,
}


def _offline(store: Store, scopes: list[str], *, expiring: bool) -> dict[str, Any]:
    """Answer with an offline token."""
    if expiring:
        return _pair(tokens.acquire(store, scopes))
    held = tokens.issue_permanent(store, scopes)
    return {"access_token": held.token, "scope": ",".join(held.scopes)}


def _pair(pair: tokens.Pair) -> dict[str, Any]:
    """Answer with an expiring offline token and its refresh token."""
    return {
        "access_token": pair.access.token,
        "scope": ",".join(pair.access.scopes),
        "expires_in": pair.expires_in,
        "refresh_token": pair.refresh.token,
        "refresh_token_expires_in": pair.refresh_expires_in,
    }


def _online(store: Store, scopes: list[str]) -> dict[str, Any]:
    """Answer with an online token of the store's owner."""
    user = installs.staff(store)
    held = tokens.issue_online(store, scopes, user.id)
    return {
        "access_token": held.token,
        "scope": ",".join(scopes),
        "expires_in": tokens.ONLINE_SECONDS,
        "associated_user_scope": ",".join(scopes),
        "associated_user": {
            "id": user.id,
            "first_name": user.first_name,
            "last_name": user.last_name,
            "email": user.email,
            "email_verified": True,
            "account_owner": user.account_owner,
            "locale": user.locale,
            "collaborator": False,
        },
    }
