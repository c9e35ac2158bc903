"""Proof that a request comes from Shopify: HMAC-SHA256 over a webhook's bytes, or over a query's sorted pairs.

Every check takes all secrets that may have signed: while a secret is rotated, Shopify signs with the oldest
unrevoked one (https://shopify.dev/docs/apps/build/authentication-authorization/client-secrets).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

UNSIGNED = frozenset({"hmac", "signature"})
FRESH_FOR = timedelta(seconds=90)  # what Shopify's own library for JavaScript allows, both ways

Pair = tuple[str, str]


def webhook_hmac(body: bytes, secret: str) -> str:
    """Return the base64 HMAC-SHA256 of a webhook's raw bytes, as ``X-Shopify-Hmac-Sha256`` carries it."""
    return base64.b64encode(hmac.digest(secret.encode(), body, "sha256")).decode("ascii")


def webhook_is_signed(body: bytes, given: str | None, secrets: Sequence[str]) -> bool:
    """Return whether ``given`` is the HMAC of these very bytes under one of the secrets; in constant time."""
    return _equals_any(given or "", [webhook_hmac(body, secret) for secret in secrets])


def query_is_signed(pairs: Sequence[Pair], secrets: Sequence[str]) -> bool:
    """Return whether a query, decoded into pairs in their order, carries Shopify's ``hmac`` of all the others.

    How values with special characters were encoded before signing is not documented and differs between Shopify's
    libraries; each of their forms is accepted, because whoever can make any of them holds the secret.
    """
    given = [value for key, value in pairs if key == "hmac"]
    if len(given) != 1:
        return False
    messages = _messages(_signed_pairs(pairs))
    expected = [_hex_hmac(message, secret) for message in messages for secret in secrets]
    return _equals_any(given[0], expected)


def timestamp_is_fresh(timestamp: str | None, *, now: datetime, within: timedelta = FRESH_FOR) -> bool:
    """Return whether a query's ``timestamp`` (unix seconds) is at most ``within`` away from now."""
    if not timestamp or not (timestamp.isascii() and timestamp.isdecimal()) or len(timestamp) > len("9999999999"):
        return False
    return abs(now - datetime.fromtimestamp(int(timestamp), tz=UTC)) <= within


def _equals_any(given: str, expected: Iterable[str]) -> bool:
    """Compare with every candidate, so that the time taken tells nothing."""
    # As bytes: compare_digest raises TypeError for text that is not ASCII, and a stranger chooses the text.
    encoded = given.encode("utf-8", "surrogatepass")
    return any([hmac.compare_digest(encoded, candidate.encode("ascii")) for candidate in expected])  # noqa: C419


def _hex_hmac(message: str, secret: str) -> str:
    return hmac.new(secret.encode(), message.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def _signed_pairs(pairs: Sequence[Pair]) -> list[Pair]:
    """Drop what is not signed and fold ``ids[]=1&ids[]=2`` into ``ids=["1", "2"]``, the form Shopify signs."""
    folded: dict[str, list[str]] = {}
    plain: list[Pair] = []
    for key, value in pairs:
        if key.endswith("[]"):
            folded.setdefault(key.removesuffix("[]"), []).append(value)
        elif key not in UNSIGNED:
            plain.append((key, value))
    return plain + [(key, json.dumps(values)) for key, values in folded.items()]


def _messages(pairs: Sequence[Pair]) -> list[str]:
    """Return the texts Shopify may have signed for these pairs."""
    by_key = sorted(pairs, key=lambda pair: pair[0])
    forms = [
        "&".join(sorted(f"{_escaped(key).replace('=', '%3D')}={_escaped(value)}" for key, value in pairs)),
        "&".join(f"{_percent(key)}={_percent(value)}" for key, value in by_key),
    ]
    # Unescaped, `a=1&b=2` in one value would read like two pairs; then only the escaped forms count.
    if not any("&" in key + value or "=" in key for key, value in pairs):
        forms.append("&".join(f"{key}={value}" for key, value in by_key))
    return forms


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("&", "%26")


def _percent(text: str) -> str:
    return quote(text, safe="*", errors="surrogatepass").replace("~", "%7E")
