"""What the headers of a delivery say. The signature covers only the body: they prove nothing, and cost no delivery."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache

import structlog
from flask import request
from werkzeug.exceptions import BadRequest

from shopify_app.shopify.domains import store_url
from shopify_app.shopify.scalars import keepable

log = structlog.get_logger(__name__)

# Classic webhooks, then Shopify's newer events, which carry the same facts without the X.
PREFIXES = ("X-Shopify-", "Shopify-")
LONGEST = 255  # characters; Shopify's ids have 36, and an index takes no more than so much


def header(name: str) -> str | None:
    """Return what a header says. One that is too long for an id, or no plain text, says nothing, as if it were missing.

    From the server's own mapping: werkzeug's view of it costs ten times as much, six times a delivery.
    """
    environ = request.environ
    for key in _keys(name):
        value: str | None = environ.get(key)
        if value and len(value) <= LONGEST and value.isprintable():
            return value
    return None


def required(name: str) -> str:
    """Return what a header says.

    Raises:
        BadRequest: nothing; the description names it.
    """
    value = header(name)
    if value is None:
        raise BadRequest(f"The header X-Shopify-{name} is missing.")
    return value


def shop_domain() -> str:
    """Return the store's host.

    Raises:
        BadRequest: the header names none.
    """
    domain = store_url(required("Shop-Domain"))
    if domain is None:
        raise BadRequest("The header X-Shopify-Shop-Domain is not the address of a store.")
    return domain


def triggered_at() -> datetime | None:
    """Return when the event happened, or None where that cannot be read."""
    given = header("Triggered-At")
    if given is None:
        return None
    try:
        return _moment(given)
    except (ValueError, OverflowError):
        log.warning("a delivery came with an unreadable time", given=given)
        return None


def _moment(given: str) -> datetime:
    moment = datetime.fromisoformat(given)
    moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    if not keepable(moment):
        raise ValueError(given)
    return moment


@cache
def _keys(name: str) -> tuple[str, ...]:
    return tuple("HTTP_" + (prefix + name).upper().replace("-", "_") for prefix in PREFIXES)
