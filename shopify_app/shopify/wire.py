"""The one HTTP client towards Shopify, and the translation of its failures into our errors."""

from __future__ import annotations

import contextlib
import math
import time
from typing import TYPE_CHECKING

import httpx
import msgspec

from shopify_app.shopify.errors import ShopifyError, Unavailable, for_status

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Http = httpx.Client
TIMEOUT = httpx.Timeout(30.0, connect=5.0)
LONGEST_ANSWER = 45.0  # seconds for all of an answer
DETAIL_LENGTH = 200
FIRST_ERROR_STATUS = 300  # Shopify's API never redirects; where it does, the address is wrong


def open_http() -> Http:
    """Return a pooled client: 5 s to connect, 30 s between bytes, no redirects, no proxies from the environment.

    One per process serves every store; safe to use from several threads. The owner closes it.
    """
    limits = httpx.Limits(max_connections=40, max_keepalive_connections=20, keepalive_expiry=30.0)
    return httpx.Client(timeout=TIMEOUT, limits=limits, headers={"User-Agent": "Storelens"}, trust_env=False)


def post(http: Http, url: str, content: bytes, headers: Mapping[str, str]) -> httpx.Response:
    """Return the response to a POST, its body read; one that goes on for more than ``LONGEST_ANSWER`` is given up.

    httpx limits the time between two bytes and not the whole, so an answer that trickles would hold a worker for ever.
    """
    ends_at = time.monotonic() + LONGEST_ANSWER
    with http.stream("POST", url, content=content, headers=headers) as response:
        body = bytearray()
        for chunk in response.iter_raw():
            body += chunk
            if time.monotonic() >= ends_at:
                raise httpx.ReadTimeout(f"the answer took more than {LONGEST_ANSWER:.0f} s", request=response.request)
    return httpx.Response(response.status_code, headers=response.headers, content=bytes(body))


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
    return " ".join(_said(response)[:DETAIL_LENGTH].split())


def _said(response: httpx.Response) -> str:
    """Return what a refusal says to people: Shopify wraps one text in JSON."""
    with contextlib.suppress(msgspec.DecodeError, RecursionError):
        content = msgspec.json.decode(response.content)
        if isinstance(content, dict) and isinstance(content.get("errors"), str):
            return str(content["errors"])
    return response.text


def is_temporary(response: httpx.Response) -> bool:
    """Return whether an answer says nothing about the request: a limit, or the server's own trouble."""
    return response.status_code >= FIRST_ERROR_STATUS and for_status(response.status_code).retryable
