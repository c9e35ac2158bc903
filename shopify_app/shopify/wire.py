"""The one HTTP client towards Shopify, and the translation of its failures into our errors."""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING

import httpx

from shopify_app.shopify.errors import ShopifyError, Unavailable, for_status

if TYPE_CHECKING:
    from collections.abc import Iterator

Http = httpx.Client
TIMEOUT = httpx.Timeout(30.0, connect=5.0)
DETAIL_LENGTH = 200
FIRST_ERROR_STATUS = 300  # Shopify's API never redirects; where it does, the address is wrong


def open_http() -> Http:
    """Return a pooled client: 5 s to connect, 30 s between bytes, no redirects, no proxies from the environment.

    One per process serves every store; safe to use from several threads. The owner closes it.
    """
    limits = httpx.Limits(max_connections=40, max_keepalive_connections=20, keepalive_expiry=30.0)
    return httpx.Client(timeout=TIMEOUT, limits=limits, headers={"User-Agent": "Storelens"}, trust_env=False)


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Turn whatever fails below HTTP (name, connection, timeout, protocol) into :class:`Unavailable`."""
    try:
        yield
    except (httpx.TransportError, httpx.DecodingError) as error:
        raise Unavailable(f"Shopify could not be reached: {type(error).__name__} {error}".rstrip()) from error


def raise_for_status(response: httpx.Response) -> None:
    """Raise the typed error of a refusing response; the body has been read."""
    if response.status_code >= FIRST_ERROR_STATUS:
        raise refusal(response)


def refusal(response: httpx.Response, detail: str | None = None) -> ShopifyError:
    """Return the typed error of a refusing response, with the beginning of what it said."""
    said = short_text(response) if detail is None else detail
    return for_status(response.status_code, detail=said, retry_after=retry_after(response))


def retry_after(response: httpx.Response) -> float | None:
    """Return the seconds of ``Retry-After``; Shopify sends seconds, never a date."""
    try:
        seconds = float(response.headers.get("Retry-After", ""))
    except ValueError:
        return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def short_text(response: httpx.Response) -> str:
    """Return the beginning of a refusal's text; a page of HTML says nothing that a log needs."""
    if "html" in response.headers.get("Content-Type", ""):
        return "an HTML page"
    return " ".join(response.text[:DETAIL_LENGTH].split())


def is_temporary(response: httpx.Response) -> bool:
    """Return whether an answer says nothing about the request: a limit, or the server's own trouble."""
    return response.status_code >= FIRST_ERROR_STATUS and for_status(response.status_code).retryable
