"""Our cookies: a login outside the admin, an operator's, a form shown there, an installation under way. None inside."""

from __future__ import annotations

import hmac
import secrets
from typing import TYPE_CHECKING

from flask import request
from flask.sessions import SecureCookieSessionInterface
from itsdangerous import BadData, URLSafeTimedSerializer

from shopify_app import operators
from shopify_app.accounts import SESSION_LASTS
from shopify_app.runtime import current

if TYPE_CHECKING:
    from flask import Flask, Request, Response
    from flask.sessions import SecureCookieSession, SessionMixin

STATE_LASTS = 600  # seconds: time to read a consent page
STATE_PATH = "/auth"


def login() -> str | None:
    """Return the token of the login cookie."""
    return request.cookies.get(_login_name())


def set_login(response: Response, token: str) -> None:
    """Give the browser the token of a login."""
    response.set_cookie(
        _login_name(),
        token,
        max_age=int(SESSION_LASTS.total_seconds()),
        secure=current().config.secure,
        httponly=True,
        samesite="Lax",
    )


def drop_login(response: Response) -> None:
    """Take the login cookie back."""
    response.delete_cookie(_login_name(), secure=current().config.secure, httponly=True, samesite="Lax")


def operator() -> str | None:
    """Return the token of the operators' cookie."""
    return request.cookies.get(_operator_name())


def set_operator(response: Response, token: str) -> None:
    """Give the browser the token of an operator's login; it is sent to no page that another site opened."""
    response.set_cookie(
        _operator_name(),
        token,
        max_age=int(operators.SESSION_LASTS.total_seconds()),
        secure=current().config.secure,
        httponly=True,
        samesite="Strict",
    )


def drop_operator(response: Response) -> None:
    """Take the operators' cookie back."""
    response.delete_cookie(_operator_name(), secure=current().config.secure, httponly=True, samesite="Strict")


def new_state(response: Response, store_url: str) -> str:
    """Set the cookie that ties an installation to this browser, and return the nonce Shopify is to hand back."""
    nonce = secrets.token_urlsafe(32)
    response.set_cookie(
        _state_name(),
        _states().dumps([nonce, store_url]),
        max_age=STATE_LASTS,
        path=STATE_PATH,
        secure=current().config.secure,
        httponly=True,
        samesite="Lax",
    )
    return nonce


def state_fits(state: str, store_url: str) -> bool:
    """Whether this browser began an installation of that store and was given that nonce, within ten minutes."""
    try:
        nonce, began_for = _states().loads(request.cookies.get(_state_name(), ""), max_age=STATE_LASTS)
    except BadData:
        return False
    return hmac.compare_digest(nonce.encode(), state.encode()) and began_for == store_url


def drop_state(response: Response) -> None:
    """Take the installation's cookie back: a nonce is good once."""
    response.delete_cookie(
        _state_name(), path=STATE_PATH, secure=current().config.secure, httponly=True, samesite="Lax"
    )


def _states() -> URLSafeTimedSerializer:
    # Signed with a key derived from SECRET_KEY: one made with the client secret could be replayed as a webhook's HMAC.
    return URLSafeTimedSerializer(current().config.secret_key, salt="storelens.oauth-state")


def _login_name() -> str:
    # A __Host- cookie cannot be set by a sibling domain; browsers accept the prefix over TLS only.
    return "__Host-storelens" if current().config.secure else "storelens"


def _operator_name() -> str:
    return "__Host-storelens-operator" if current().config.secure else "storelens-operator"


def form_name(*, secure: bool) -> str:
    """Return the name of the cookie that ties a form outside the admin to the browser it was shown in."""
    return "__Host-storelens-form" if secure else "storelens-form"


def _state_name() -> str:
    return "__Secure-storelens-state" if current().config.secure else "storelens-state"


class FormSessions(SecureCookieSessionInterface):
    """Flask's session, which holds what a form needs. A request that brings none and needs none pays nothing for it."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """Return the session a request brought, or an empty one."""
        return super().open_session(app, request) if "HTTP_COOKIE" in request.environ else self.session_class()

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Give the browser the session, where anybody asked for it."""
        if session.accessed or session.modified:
            super().save_session(app, session, response)
