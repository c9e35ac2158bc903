"""ID (session) tokens: the one-minute proof, signed by Shopify, of which store's admin shows the app, and to whom.

https://shopify.dev/docs/apps/build/authentication-authorization/session-tokens: HS256 under the client secret.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from joserfc import jwt
from joserfc.errors import BadSignatureError, ExpiredTokenError, JoseError
from joserfc.jwk import OctKey

from shopify_app.shopify import domains
from shopify_app.shopify.errors import IdTokenInvalid

if TYPE_CHECKING:
    from collections.abc import Sequence

ALGORITHMS = ("HS256",)
LEEWAY_SECONDS = 10  # what every library of Shopify's allows: browsers' clocks run ahead
COMPACT = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class IdToken:
    """What a valid token proves. ``user_id`` is Shopify's id of a member of the store's staff."""

    store_url: str
    user_id: str | None
    session_id: str | None
    expires_at: datetime


def verify(token: str, *, api_key: str, secrets: Sequence[str], now: datetime) -> IdToken:
    """Check signature, times, audience and that issuer and destination are one store.

    Raises:
        IdTokenInvalid: it proves nothing; answer 401.
    """
    claims = _signed_claims(token, secrets)
    _check_claims(claims, api_key, now)
    return IdToken(
        store_url=_one_store(claims),
        user_id=_text(claims, "sub"),
        session_id=_text(claims, "sid"),
        expires_at=_instant(claims["exp"]),
    )


def _signed_claims(token: str, secrets: Sequence[str]) -> dict[str, Any]:
    if COMPACT.fullmatch(token) is None:
        raise IdTokenInvalid("The ID token is malformed.")
    for secret in secrets:
        try:
            return jwt.decode(token, OctKey.import_key(secret), algorithms=ALGORITHMS).claims
        except BadSignatureError:
            continue
        except (JoseError, ValueError, TypeError, RecursionError) as error:
            raise IdTokenInvalid(f"The ID token is malformed: {type(error).__name__}.") from error
    raise IdTokenInvalid("The ID token is not signed with the app's secret.")


def _check_claims(claims: dict[str, Any], api_key: str, now: datetime) -> None:
    rules = jwt.JWTClaimsRegistry(
        now=int(now.timestamp()),
        leeway=LEEWAY_SECONDS,
        aud={"essential": True, "value": api_key},
        exp={"essential": True},
        nbf={"essential": True},
        iss={"essential": True},
        dest={"essential": True},
    )
    try:
        rules.validate(claims)
    except ExpiredTokenError as error:
        raise IdTokenInvalid("The ID token has expired.") from error
    except JoseError as error:
        raise IdTokenInvalid(f"The ID token was refused: {error}") from error


def _one_store(claims: dict[str, Any]) -> str:
    """Return the store both ``dest`` and ``iss`` name."""
    store = _store_of(claims["dest"])
    if store is None or store != _store_of(claims["iss"]):
        raise IdTokenInvalid("The ID token does not name one store.")
    return store


def _store_of(address: object) -> str | None:
    if not isinstance(address, str) or not address.startswith("https://"):
        return None
    # Not urlsplit, which raises for some texts and mends others: the host must stand there plainly.
    return domains.store_url(address.removeprefix("https://").partition("/")[0])


def _instant(seconds: float) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, tz=UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise IdTokenInvalid("The ID token's expiry is not a time.") from error


def _text(claims: dict[str, Any], name: str) -> str | None:
    value = claims.get(name)
    return value if isinstance(value, str) and value else None
