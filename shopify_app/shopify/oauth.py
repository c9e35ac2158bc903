"""How the app gets, and renews, the token that speaks for a store: code grant, token exchange, refresh.

Authlib builds the requests and reads the tokens; requests go out as the JSON that Shopify documents, over the one
pooled client, and every refusal becomes a typed error before Authlib sees it.
https://shopify.dev/docs/apps/build/authentication-authorization/access-tokens
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

import msgspec
from authlib.oauth2.client import OAuth2Client

from shopify_app.shopify import scopes, wire
from shopify_app.shopify.errors import ExchangeRefused, RefreshRefused, Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx
    from authlib.oauth2.auth import ClientAuth

    from config import Config

TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105 - names of protocols, not secrets
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"  # noqa: S105
OFFLINE_TOKEN = "urn:shopify:params:oauth:token-type:offline-access-token"  # noqa: S105
ONLINE_TOKEN = "urn:shopify:params:oauth:token-type:online-access-token"  # noqa: S105
EXPIRING = "1"  # since 2026-04 the Admin API refuses tokens that never expire
DEAD_REFRESH_TOKEN = frozenset({("invalid_request", 401), ("invalid_grant", 400), ("invalid_grant", 401)})


@dataclass(frozen=True, kw_only=True)
class TokenGrant:
    """An offline access token as granted. Durations are seconds from the answer; None: it does not expire.

    ``scopes`` is empty when Shopify did not list them; ``shop.fetch_shop`` asks for them.
    """

    access_token: str = field(repr=False)
    scopes: frozenset[str]
    expires_in: int | None = None
    refresh_token: str | None = field(default=None, repr=False)
    refresh_expires_in: int | None = None


@dataclass(frozen=True, kw_only=True)
class StaffFacts:
    """What Shopify says of a member of a store's staff, less what is personal."""

    user_id: str
    account_owner: bool


class OAuth:
    """The app's credentials, and the grants they can ask a store for."""

    def __init__(self, config: Config, http: wire.Http) -> None:
        self._config = config
        self._http = http

    def authorize_url(self, store_url: str, state: str, redirect_uri: str) -> str:
        """Return where the merchant consents to the configured scopes, for an offline token."""
        url, _ = self._client().create_authorization_url(
            self._address(store_url, "authorize"),
            state=state,
            redirect_uri=redirect_uri,
            scope=",".join(self._config.shopify_scopes),
        )
        return str(url)

    def grant_url(self, store_url: str) -> str:
        """Return where the merchant of an installed store grants what is missing, the optional scopes included.

        https://shopify.dev/docs/apps/build/authentication-authorization/app-installation/manage-access-scopes
        """
        query = {
            "client_id": self._config.shopify_api_key,
            "scope": ",".join(self._config.shopify_scopes),
            "optional_scopes": ",".join(self._config.shopify_optional_scopes),
        }
        return f"{self._address(store_url, 'install')}?{urlencode(query)}"

    def exchange_code(self, store_url: str, code: str, redirect_uri: str) -> TokenGrant:
        """Exchange the single-use ``code`` of the callback for an expiring offline token.

        Raises:
            ExchangeRefused: the code was used, is too old or not ours.
            ShopifyError: no usable answer; see ``retryable``.
        """
        return self._fetch(store_url, "authorization_code", code=code, redirect_uri=redirect_uri)

    def exchange_id_token(self, store_url: str, id_token: str) -> TokenGrant:
        """Exchange an ID token for an expiring offline token; replaces the store's earlier one.

        Raises:
            ExchangeRefused: the ID token is stale or was used; ask the browser for a fresh one.
            ShopifyError: no usable answer; see ``retryable``.
        """
        return self._fetch(
            store_url,
            TOKEN_EXCHANGE,
            subject_token=id_token,
            subject_token_type=ID_TOKEN,
            requested_token_type=OFFLINE_TOKEN,
        )

    def exchange_online(self, store_url: str, id_token: str) -> StaffFacts:
        """Exchange an ID token for what Shopify says of the person it is about; the token that comes along is dropped.

        Raises:
            ExchangeRefused: the ID token is stale or was used.
            ShopifyError: no usable answer; see ``retryable``.
        """
        client = self._client()
        with wire.translated():
            token = client.fetch_token(
                self._address(store_url, "access_token"),
                grant_type=TOKEN_EXCHANGE,
                subject_token=id_token,
                subject_token_type=ID_TOKEN,
                requested_token_type=ONLINE_TOKEN,
            )
        return _staff(token)

    def refresh(self, store_url: str, refresh_token: str) -> TokenGrant:
        """Exchange a refresh token for a new pair. When the answer is lost, the old one may be used again.

        Raises:
            RefreshRefused: the refresh token is dead for good.
            ShopifyError: no usable answer; see ``retryable``.
        """
        client = self._client()
        with wire.translated():
            token = client.refresh_token(self._address(store_url, "access_token"), refresh_token=refresh_token)
        return _grant(token)

    def migrate(self, store_url: str, access_token: str) -> TokenGrant:
        """Exchange an offline token that never expires for a pair that does. The old token dies with Shopify's answer.

        Raises:
            RefreshRefused: the old token is dead, or was exchanged before and the answer was lost.
            ShopifyError: no usable answer; see ``retryable``.
        """
        try:
            return self._fetch(
                store_url,
                TOKEN_EXCHANGE,
                subject_token=access_token,
                subject_token_type=OFFLINE_TOKEN,
                requested_token_type=OFFLINE_TOKEN,
            )
        except ExchangeRefused as error:
            if error.error == "invalid_subject_token":
                raise RefreshRefused(f"Shopify no longer knows the token: {error}") from error
            raise

    def _fetch(self, store_url: str, grant_type: str, **parameters: str) -> TokenGrant:
        client = self._client()
        address = self._address(store_url, "access_token")
        with wire.translated():
            token = client.fetch_token(address, grant_type=grant_type, expiring=EXPIRING, **parameters)
        return _grant(token)

    def _client(self) -> OAuth2Client:
        client = OAuth2Client(
            _JsonSession(self._http),
            client_id=self._config.shopify_api_key,
            client_secret=self._config.shopify_api_secret,
            token_endpoint_auth_method="client_secret_post",  # noqa: S106 - the name of a method
        )
        client.register_compliance_hook("access_token_response", _accepted_exchange)
        client.register_compliance_hook("refresh_token_response", _accepted_refresh)
        return client

    def _address(self, store_url: str, page: str) -> str:
        return f"{self._config.shop_origin(store_url)}/admin/oauth/{page}"


class _JsonSession:
    """The session Authlib sends with: what it would post as a form, signed by its auth, goes out as JSON."""

    def __init__(self, http: wire.Http) -> None:
        self._http = http

    def post(
        self, url: str, *, data: Mapping[str, str], headers: Mapping[str, str], auth: ClientAuth
    ) -> httpx.Response:
        _, _, body = auth.prepare("POST", url, dict(headers), urlencode(data))
        # Without this Accept, Shopify explains a refusal in HTML.
        asking = {"Accept": "application/json", "Content-Type": "application/json"}
        return wire.post(self._http, url, msgspec.json.encode(dict(parse_qsl(body))), asking)


def _accepted_exchange(response: httpx.Response) -> httpx.Response:
    error, description = _oauth_error(response)
    if error:
        raise ExchangeRefused(f"Shopify gave no token: {error} {description}".rstrip(), error)
    return _with_token(response)


def _accepted_refresh(response: httpx.Response) -> httpx.Response:
    error, description = _oauth_error(response)
    if (error, response.status_code) in DEAD_REFRESH_TOKEN:
        raise RefreshRefused(f"Shopify refused the refresh token: {error} {description}".rstrip())
    if error:
        # Not the token's fault (our own credentials, for one): the refresh token may still be good.
        raise ExchangeRefused(f"Shopify did not refresh the token: {error} {description}".rstrip(), error)
    return _with_token(response)


def _oauth_error(response: httpx.Response) -> tuple[str, str]:
    """Return OAuth's error code and description, or two empty texts where the answer holds none to rely on."""
    said = {} if wire.is_temporary(response) else _object(response)
    error = said.get("error")
    return (error, str(said.get("error_description") or "")) if isinstance(error, str) else ("", "")


def _with_token(response: httpx.Response) -> httpx.Response:
    """Let only an answer pass in which Authlib will find a token."""
    wire.raise_for_status(response)
    token = _object(response).get("access_token")
    if not isinstance(token, str) or not token:
        raise Unavailable("Shopify answered a token request without a token.")
    return response


def _object(response: httpx.Response) -> dict[str, Any]:
    """Return the answer's JSON object; empty where it holds something else."""
    try:
        said = msgspec.json.decode(response.content)
    except (msgspec.DecodeError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _grant(token: Mapping[str, Any]) -> TokenGrant:
    return TokenGrant(
        access_token=token["access_token"],
        scopes=scopes.parse(token.get("scope")),
        expires_in=_seconds(token, "expires_in"),
        refresh_token=token.get("refresh_token") or None,
        refresh_expires_in=_seconds(token, "refresh_token_expires_in"),
    )


def _staff(token: Mapping[str, Any]) -> StaffFacts:
    user = token.get("associated_user")
    user_id = user.get("id") if isinstance(user, dict) else None
    if not isinstance(user, dict) or not isinstance(user_id, int | str) or not user_id:
        raise Unavailable("Shopify answered with an online token that is nobody's.")
    return StaffFacts(user_id=str(user_id), account_owner=user.get("account_owner") is True)


def _seconds(token: Mapping[str, Any], name: str) -> int | None:
    value = token.get(name)
    return None if value is None else int(value)
