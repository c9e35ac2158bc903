"""Who may pass: one guard for each blueprint, run before its views (the table is ``BLUEPRINTS`` in web)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

import structlog
from flask import current_app, g, redirect, request, url_for
from flask_wtf.csrf import CSRFProtect
from werkzeug.exceptions import Forbidden, Unauthorized, UnsupportedMediaType

from shopify_app import accounts, operators, tenants
from shopify_app.accounts import staff
from shopify_app.database import directory, operations
from shopify_app.runtime import current
from shopify_app.shopify import idtokens, signatures
from shopify_app.shopify.errors import ExchangeRefused, IdTokenInvalid, ShopifyError
from shopify_app.web import cookies, deliveries, installs, links, registrations
from shopify_app.web.errors import InvalidSession

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask.typing import ResponseReturnValue

    Guard = Callable[[], ResponseReturnValue | None]

WEBHOOK_LIMIT = 8 * 1024 * 1024  # bytes; a product with its first hundred variants stays under one mebibyte
FORM_LIMIT = 64 * 1024
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

DISABLED = "Storelens has been stopped for this store by those who run it. Please write to their support."
LEAST = "viewer"  # what somebody may do of whom nothing is known

log = structlog.get_logger(__name__)
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
        """Whether they may let others in and start a backfill: owners may, inside the admin and outside."""
        return self.role == "owner"


def current_viewer() -> Viewer:
    """Return whom the viewer guard let in to this request."""
    return cast("Viewer", g.viewer)


def current_operator() -> operators.Identity:
    """Return whom the operator guard let in to this request."""
    return cast("operators.Identity", g.operator)


def anyone() -> None:
    """Let everybody pass; forms still have to be ours."""
    _limit(FORM_LIMIT)
    _check_csrf()


def program() -> None:
    """Let everybody pass who sends JSON. No cookie vouches for them, and no form of another site can send it."""
    _limit(FORM_LIMIT)
    if not request.is_json:
        raise UnsupportedMediaType("Send JSON, and say so: Content-Type: application/json.")


def operator() -> ResponseReturnValue | None:
    """Let an operator pass by a login of their own; a tenant's people have no way in here."""
    _limit(FORM_LIMIT)
    now, token = datetime.now(UTC), cookies.operator()
    with operations() as session:
        identity = operators.identify(session, token, now) if token else None
    if identity is None and request.method == "GET":
        return redirect(url_for("operator_login.login"))
    if identity is None:
        raise Unauthorized("Your login has ended.")
    _check_csrf()
    g.operator = identity
    return None


def webhook() -> None:
    """Let Shopify pass: the raw bytes are signed with one of our client secrets. Else 401.

    A claim's secret lets in what is for that claim only; see :func:`signing_claim`.
    """
    _limit(WEBHOOK_LIMIT)
    given = deliveries.header("Hmac-Sha256")
    body = request.get_data(cache=True)
    by_shopify = signatures.webhook_is_signed(body, given, current().config.api_secrets)
    g.signing_claim = None if by_shopify else registrations.claim_that_signed(body, given)


def signing_claim() -> int | None:
    """Return the tenant id of the claim whose secret signed this delivery; None: Shopify did."""
    return cast("int | None", g.signing_claim)


def viewer() -> ResponseReturnValue | None:
    """Let the store's staff pass in the admin, by session token, and its members outside, by login."""
    _limit(FORM_LIMIT)
    store_url = links.asked_store()
    if store_url or links.is_framed():
        links.allow_framing(store_url)
    token = _session_token()
    if token is not None:
        return _enter_from_admin(token)
    if links.is_document() and (store_url or links.is_framed() or request.args.get("embedded") == "1"):
        return _into_admin(store_url)
    return _enter_by_login()


def api() -> None:
    """Let a store's programs pass as its people do, by session token or login. Nobody is sent elsewhere: else 401.

    What changes something says so in JSON, which no form of another site can send; a login's cookie needs the token
    against forged requests as well.
    """
    _limit(FORM_LIMIT)
    token = _session_token()
    answer = _enter_from_admin(token) if token is not None else _enter_by_login()
    if answer is not None:
        raise InvalidSession
    if request.method in {"POST", "PUT", "PATCH"} and not request.is_json:
        raise UnsupportedMediaType("Send JSON, and say so: Content-Type: application/json.")


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
        role=_staff_role(tenant_id, token, raw),
    )
    return None


def ask_about_viewer() -> None:
    """Ask Shopify again whether the staff member behind this request owns the store's account, and keep the answer.

    Raises:
        Forbidden: it is nobody of the store's staff: they came by login.
        ShopifyError: Shopify did not say.
    """
    viewer, token = current_viewer(), _session_token()
    if not viewer.embedded or not viewer.user or token is None:
        raise Forbidden
    _meet_staff(viewer.tenant_id, viewer.store_url, viewer.user, token)


def _staff_role(tenant_id: int, token: idtokens.IdToken, raw: str) -> str:
    """Return the role of the staff member the token is about. On first sight Shopify is asked who they are.

    Whom Shopify does not vouch for at this moment is a viewer, and asked about again the next time.
    """
    if token.user_id is None:
        return LEAST
    with directory() as session:
        known = staff.role_of(session, tenant_id, token.user_id)
    if known is not None:
        return known
    try:
        return _meet_staff(tenant_id, token.store_url, token.user_id, raw)
    except ShopifyError as error:
        log.warning("Shopify did not say who a staff member is", tenant_id=tenant_id, error=str(error))
        return LEAST


def _meet_staff(tenant_id: int, store_url: str, user_id: str, id_token: str) -> str:
    """Ask Shopify whether the staff member owns the store's account, keep the answer and return their role.

    Raises:
        ShopifyError: Shopify did not say, or spoke of somebody else.
    """
    facts = current().oauth.exchange_online(store_url, id_token)
    if facts.user_id != user_id:
        raise ExchangeRefused("Shopify spoke of another person than the session token.", "another_user")
    with directory() as session:
        return staff.meet(session, tenant_id, user_id, account_owner=facts.account_owner)


def _check_store(token: idtokens.IdToken) -> None:
    """Refuse a token of another store than the address names, as Shopify's libraries do."""
    if "shop" in request.args and links.asked_store() != token.store_url:
        raise Unauthorized("The session token belongs to another store.")


def _connected(store_url: str, now: datetime) -> int | None:
    """Return the tenant's id while the app is installed there and holds a token that works or can be renewed.

    Raises:
        Forbidden: an operator has disabled the store.
    """
    with directory() as session:
        tenant = tenants.find(session, store_url)
        if tenant is not None and tenant.disabled_at:
            raise Forbidden(DISABLED)
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
    if links.BOUNCED in request.args:
        # App Bridge always brings a token: what came back without one would come back for ever.
        raise InvalidSession
    return redirect(links.bounce())


def _enter_by_login() -> ResponseReturnValue | None:
    identity = _logged_in()
    if identity is None and links.is_document():
        return redirect(url_for("accounts.login", next=links.here()))
    if identity is None:
        raise InvalidSession
    if identity.left:
        raise Forbidden(f"{identity.store_name} has uninstalled Storelens.")
    if identity.disabled:
        raise Forbidden(DISABLED)
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
