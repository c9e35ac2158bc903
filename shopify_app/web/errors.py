"""What people and scripts see when something went wrong: a page that says so, or the same as JSON."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import psycopg
import structlog
from flask import jsonify, make_response, render_template, request
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException, Unauthorized

from shopify_app.direct import READ_ONLY
from shopify_app.shopify.errors import ShopifyError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flask import Flask, Response

log = structlog.get_logger(__name__)

# What SQLAlchemy says of a database that is away, and what its driver says where nothing is in between.
DATABASE_AWAY = (OperationalError, InterfaceError, PoolTimeout, psycopg.OperationalError, READ_ONLY)

RETRY_SESSION = "X-Shopify-Retry-Invalid-Session-Request"
RETRY_AFTER = 5  # seconds: about as long as a database or Redis takes to come back

API = "/api/"  # what is asked for below this is answered as RFC 9457 has it, whatever went wrong
PROBLEM = "application/problem+json"

TEXTS = {
    400: ("This link does not work", "Something in the address or the form was missing or not as it should be."),
    401: ("Please open Storelens again", "Your session has ended. Open Storelens from your store's admin, or log in."),
    403: ("You cannot do this", "Your role in this store does not include what you asked for."),
    404: ("There is no such page", "The address may be mistyped, or what it showed is gone."),
    405: ("This is not how this address works", "The address exists, but not for this kind of request."),
    413: ("That is too large", "The request is larger than Storelens accepts."),
    500: ("Something went wrong on our side", "It has been recorded. Trying again in a minute often helps."),
    502: ("Shopify did not let us in", "Shopify refused the request. Open Storelens again from your store's admin."),
    503: ("Storelens is not available right now", "It should be back within moments. Nothing of your data is lost."),
}


class InvalidSession(Unauthorized):
    """The session token is missing, expired or not ours; App Bridge is asked to try again with a new one."""


def register(app: Flask) -> None:
    """Answer every failure in our own words."""
    app.register_error_handler(HTTPException, _refused)
    app.register_error_handler(ShopifyError, _shopify_failed)
    for unavailable in DATABASE_AWAY:
        app.register_error_handler(unavailable, _database_away)
    app.register_error_handler(Exception, _failed)


def explain(status: int, title: str | None = None, text: str | None = None) -> Response:
    """Return the error page of ``status``, or its JSON when a script asked, in other words if given."""
    fallback = TEXTS.get(status, (HTTPStatus(status).phrase, ""))
    title, text = title or fallback[0], fallback[1] if text is None else text
    if request.path.startswith(API):
        return problem(status, title, text)
    if _wants_json():
        return make_response(jsonify(error={"title": title, "message": text}), status)
    return make_response(render_template("error.html", title=title, text=text, status=status), status)


def problem(status: int, title: str, detail: str | None = None, errors: Mapping[str, str] | None = None) -> Response:
    """Return RFC 9457's description of what is wrong; ``errors`` says it of single fields, by name ("": of all)."""
    said: dict[str, object] = {"type": "about:blank", "title": title, "status": status}
    if detail:
        said["detail"] = detail
    if errors:
        said["errors"] = [{"pointer": f"/{name}" if name else "", "detail": about} for name, about in errors.items()]
    response = make_response(jsonify(said), status)
    response.mimetype = PROBLEM
    return response


def _refused(error: HTTPException) -> Response:
    if error.code is None or error.response is not None:
        return make_response(error.get_response())
    response = explain(error.code, text=_own_words(error))
    if isinstance(error, InvalidSession):
        response.headers[RETRY_SESSION] = "1"
    for name, value in error.get_headers():
        if name not in {"Content-Type", "Content-Length"}:
            response.headers[name] = value
    return response


def _own_words(error: HTTPException) -> str | None:
    """Return the description a view gave, and None for the one that comes with the class."""
    return error.description if error.description != type(error).description else None


def _shopify_failed(error: ShopifyError) -> Response:
    log.warning("Shopify failed during a request", error=str(error), retryable=error.retryable)
    if not error.retryable:
        return explain(502)
    return _come_back(explain(503, "Shopify did not answer", "Shopify's own service had a problem. Please try again."))


def _database_away(error: Exception) -> Response:
    # Not the whole error: SQLAlchemy adds the statement's parameters to it.
    log.error("the database did not answer", kind=type(error).__name__, error=str(getattr(error, "orig", error)))
    return _come_back(explain(503))


def _failed(error: Exception) -> Response:
    log.error("a request failed", method=request.method, path=request.path, exc_info=error)
    return explain(500)


def _come_back(response: Response) -> Response:
    response.headers["Retry-After"] = str(RETRY_AFTER)
    return response


def _wants_json() -> bool:
    best = request.accept_mimetypes.best_match(["text/html", "application/json"], default="application/json")
    return best == "application/json"
