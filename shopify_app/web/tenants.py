"""Installing from a link, and the page that fetches a session token.

The authorization code grant: https://shopify.dev/docs/apps/build/authentication-authorization/get-access-tokens/auth-code-grant
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog
from flask import Blueprint, make_response, redirect, render_template, request

from shopify_app.runtime import current
from shopify_app.shopify import domains, signatures
from shopify_app.shopify.errors import ExchangeRefused
from shopify_app.web import cookies, installs, links
from shopify_app.web.errors import explain

if TYPE_CHECKING:
    from flask import Response

log = structlog.get_logger(__name__)
blueprint = Blueprint("tenants", __name__, url_prefix="/auth")

CALLBACK = "/auth/callback"
UNFINISHED = "The installation was not finished"
DECLINED = "The access was not granted, and nothing of the store was read or kept."
START_AGAIN = "Please start the installation again from the Shopify App Store or your store's admin."


@blueprint.get("/install")
def install() -> Response:
    """Begin an installation: to Shopify's consent page, with a nonce that only this browser holds."""
    store_url = links.asked_store()
    if store_url is None:
        return explain(400, "This is not a store", f"The link names no store of Shopify's. {START_AGAIN}")
    response = make_response(redirect(""))
    state = cookies.new_state(response, store_url)
    response.location = current().oauth.authorize_url(store_url, state, _callback_url())
    return response


@blueprint.get("/callback")
def callback() -> Response:
    """Finish an installation: check where it comes from, change the code for a token, and open the app."""
    if "error" in request.args:
        # OAuth's error answer need not be signed, and nothing follows from it.
        return _used_up(explain(200, "Storelens was not installed", DECLINED))
    store_url = links.asked_store()
    problem = _problem(store_url)
    if problem is not None or store_url is None:
        log.warning("an installation was refused", reason=problem, store_url=store_url)
        return explain(400, UNFINISHED, f"{problem} {START_AGAIN}")
    return _used_up(_finish(store_url, request.args.get("code", "")))


@blueprint.get("/bounce")
def bounce() -> Response:
    """Show the page on which App Bridge fetches a session token and goes where ``shopify-reload`` says."""
    if links.safe_path(request.args.get(links.RELOAD)) is None:
        return explain(400)
    links.allow_framing(links.asked_store())
    return make_response(render_template("tenants/bounce.html"))


def _problem(store_url: str | None) -> str | None:
    """Return why this callback proves nothing, or None. In the order Shopify asks for."""
    pairs = list(request.args.items(multi=True))
    if not cookies.state_fits(request.args.get("state", ""), request.args.get("shop", "").lower()):
        return "This browser did not begin it, or began it more than ten minutes ago."
    if not signatures.query_is_signed(pairs, current().config.api_secrets):
        return "Shopify's signature is missing or wrong."
    if not signatures.timestamp_is_fresh(request.args.get("timestamp"), now=datetime.now(UTC)):
        return "The link is too old."
    if store_url is None:
        return "The link names no store of Shopify's."
    return None


def _finish(store_url: str, code: str) -> Response:
    try:
        installs.by_code(store_url, code, _callback_url(), datetime.now(UTC))
    except ExchangeRefused as error:
        log.warning("Shopify refused an authorization code", store_url=store_url, error=error.error)
        return explain(400, UNFINISHED, f"Shopify did not accept the code. {START_AGAIN}")
    config = current().config
    page = domains.admin_app_url(config.shopify_admin_origin, store_url, config.shopify_api_key)
    return make_response(redirect(page))


def _used_up(response: Response) -> Response:
    cookies.drop_state(response)
    return response


def _callback_url() -> str:
    return current().config.app_url + CALLBACK
