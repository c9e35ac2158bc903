"""What every answer says about itself: who may frame it, what it may load, and that nobody keeps it."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from flask import g, request

from shopify_app.runtime import current

if TYPE_CHECKING:
    from flask import Flask, Response

    from config import Config

# App Bridge and Polaris are served from here, under no version, and may not be hosted elsewhere.
LIBRARIES = "/shopifycloud/"
APP_BRIDGE = f"{LIBRARIES}app-bridge.js"
POLARIS = f"{LIBRARIES}polaris-1.js"
# Where App Bridge reports the web vitals it measures, which Built for Shopify is judged by.
VITALS = "https://monorail-edge.shopifysvc.com"
ONE_YEAR = 31_536_000  # seconds
# What is data, not a page: a browser led to show it runs nothing from it and puts it in no frame.
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"


def register(app: Flask) -> None:
    """Put the headers on every answer."""
    app.after_request(_finish)


def content_security_policy(config: Config, framed_by: tuple[str, ...]) -> str:
    """Return the policy of a page: no script but ours and, inside the admin, Shopify's; no inline script anywhere."""
    cdn = config.shopify_cdn_origin
    inside = bool(framed_by)
    sources = {
        "default-src": ["'none'"],
        "script-src": ["'self'", cdn + LIBRARIES] if inside else ["'self'"],
        # Shopify's web components bring their styles along as elements and attributes, and offer no nonce for them.
        "style-src": ["'self'", cdn, "'unsafe-inline'"] if inside else ["'self'"],
        "img-src": ["'self'", "data:", cdn] if inside else ["'self'", "data:"],
        "font-src": ["'self'", cdn] if inside else ["'self'"],
        "connect-src": ["'self'", cdn, VITALS, *framed_by] if inside else ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": list(framed_by) or ["'none'"],
    }
    return "; ".join(f"{name} {' '.join(dict.fromkeys(values))}" for name, values in sources.items())


def _finish(response: Response) -> Response:
    if request.blueprint == "webhooks" and response.status_code == HTTPStatus.OK:
        return response  # Shopify reads the status; there is nothing that a browser could show, run or keep
    config = current().config
    response.headers["X-Content-Type-Options"] = "nosniff"
    if config.secure:
        response.headers["Strict-Transport-Security"] = f"max-age={ONE_YEAR}; includeSubDomains"
    # Inside the admin the address may hold a session token; outside, the CSRF check wants to see where a form was.
    response.headers["Referrer-Policy"] = "same-origin"
    if request.endpoint == "static":
        _cache_static(response)
        return response
    response.headers.setdefault("Cache-Control", "no-store")
    if response.mimetype == "text/html":
        _describe_page(response, config)
    else:
        response.headers["Content-Security-Policy"] = DATA_POLICY
    return response


def _cache_static(response: Response) -> None:
    """Let browsers keep what is asked for by its content's hash for good."""
    if response.status_code < 400 and "v" in request.args:  # noqa: PLR2004 - HTTP's classes
        response.headers["Cache-Control"] = f"public, max-age={ONE_YEAR}, immutable"


def _describe_page(response: Response, config: Config) -> None:
    framed_by: tuple[str, ...] = g.get("framed_by", ())
    response.headers["Content-Security-Policy"] = content_security_policy(config, framed_by)
    if framed_by:
        cdn = config.shopify_cdn_origin
        response.headers["Link"] = (
            f'<{cdn}>; rel="preconnect", <{cdn}{APP_BRIDGE}>; rel="preload"; as="script",'
            f' <{cdn}{POLARIS}>; rel="preload"; as="script"'
        )
