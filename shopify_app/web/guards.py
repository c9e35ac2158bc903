"""Who may pass: one guard for each blueprint, run before its views (the table is ``BLUEPRINTS`` in web)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from flask import current_app, g, redirect, request, url_for
from flask_wtf.csrf import CSRFProtect
from werkzeug.exceptions import Forbidden, Unauthorized

from shopify_app import accounts, tenants
from shopify_app.database import directory
from shopify_app.runtime import current
from shopify_app.shopify import idtokens, signatures
from shopify_app.shopify.errors import ExchangeRefused, IdTokenInvalid
from shopify_app.web import cookies, installs, links
from shopify_app.web.errors import InvalidSession

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask.typing import ResponseReturnValue

    Guard = Callable[[], ResponseReturnValue | None]

WEBHOOK_LIMIT = 8 * 1024 * 1024  # bytes; a product with its first hundred variants stays under one mebibyte
FORM_LIMIT = 64 * 1024
HMAC_HEADERS = ("X-Shopify-Hmac-Sha256", "Shopify-Hmac-Sha256")
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

csrf = CSRFProtect()


@dataclass(frozen=True, kw_only=True)
class Viewer:
    """Who looks at which store. ``user`` is Shopify's user id inside the admin, an email address outside it."""

    tenant_id: int
    store_url: str
    embedded: bool
    user: str
    role: str

    @property
    def may_manage(self) -> bool:
        """Whether they may let others in and start a backfill: the store's staff and its owners may."""
        return self.role == "owner"


def current_viewer() -> Viewer:
    """Return whom the viewer guard let in to this request."""
    return cast("Viewer", g.viewer)


def anyone() -> None:
    """Let everybody pass; forms still have to be ours."""
    _limit(FORM_LIMIT)
    _check_csrf()


def webhook() -> None:
    """Let Shopify pass: the raw bytes are signed with one of our client secrets. Else 401."""
    _limit(WEBHOOK_LIMIT)
    given = next((request.headers[name] for name in HMAC_HEADERS if name in request.headers), None)
    if not signatures.webhook_is_signed(request.get_data(cache=True), given, current().config.api_secrets):
        raise Unauthorized("The request is not signed by Shopify.")


def viewer() -> ResponseReturnValue | None:
    """Let the store's staff pass in the admin, by session token, and its members outside, by login."""
    _limit(FORM_LIMIT)
    store_url = links.asked_store()
    if store_url or links.is_framed():
        links.allow_framing(store_url)
    token = _session_token()
    if token is not None:
        return _enter_from_admin(token)
    if links.is_document() and (store_url or "host" in request.args or links.is_framed()):
        return _into_admin(store_url)
    return _enter_by_login()


def _session_token() -> str | None:
    """Return the token App Bridge adds to a fetch, or the admin to the address of a document."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return token.strip()
    return request.args.get("id_token") if request.method == "GET" else None


def _enter_from_admin(raw: str) -> ResponseReturnValue | None:
    config = current().config
    now = datetime.now(UTC)
    try:
        token = idtokens.verify(raw, api_key=config.shopify_api_key, secrets=config.api_secrets, now=now)
        _check_store(token)
        tenant_id = _connected(token.store_url, now) or installs.by_id_token(token.store_url, raw, now)
    except (IdTokenInvalid, ExchangeRefused) as error:
        return _ask_again(error)
    links.allow_framing(token.store_url)
    g.viewer = Viewer(
        tenant_id=tenant_id,
        store_url=token.store_url,
        embedded=True,
        user=token.user_id or "",
        role="owner",
    )
    return None


def _check_store(token: idtokens.IdToken) -> None:
    """Refuse a token of another store than the address names, as Shopify's libraries do."""
    if "shop" in request.args and links.asked_store() != token.store_url:
        raise Unauthorized("The session token belongs to another store.")


def _connected(store_url: str, now: datetime) -> int | None:
    """Return the tenant's id while the app is installed there and holds a token that works or can be renewed."""
    with directory() as session:
        tenant = tenants.find(session, store_url)
        if tenant is None or tenant.uninstalled_at or not tenants.has_live_token(session, tenant.id, now):
            return None
        return tenant.id


def _ask_again(error: Exception) -> ResponseReturnValue:
    """Have App Bridge come back with a new token; a document only once, or it would go round for ever."""
    if links.is_document() and links.BOUNCED not in request.args:
        return redirect(links.bounce())
    raise InvalidSession from error


def _into_admin(store_url: str | None) -> ResponseReturnValue:
    """Bring a document without a token to where it gets one.

    Shopify's own mobile apps show us as their top page with ``embedded=1``; App Bridge works there.
    """
    if store_url and not links.is_framed() and request.args.get("embedded") != "1":
        return redirect(links.in_admin(store_url))
    return redirect(links.bounce())


def _enter_by_login() -> ResponseReturnValue | None:
    identity = _logged_in()
    if identity is None and links.is_document():
        return redirect(url_for("accounts.login", next=links.here()))
    if identity is None:
        raise InvalidSession
    if identity.left:
        raise Forbidden(f"{identity.store_name} has uninstalled Storelens.")
    _check_csrf()
    g.pop("framed_by", None)
    g.viewer = Viewer(
        tenant_id=identity.tenant_id,
        store_url=identity.store_url,
        embedded=False,
        user=identity.email,
        role=identity.role,
    )
    return None


def _logged_in() -> accounts.Identity | None:
    token = cookies.login()
    if token is None:
        return None
    with directory() as session:
        return accounts.identify(session, token, datetime.now(UTC))


def _limit(size: int) -> None:
    request.max_content_length = size


def _check_csrf() -> None:
    if request.method not in SAFE_METHODS and current_app.config["WTF_CSRF_ENABLED"]:
        csrf.protect()
