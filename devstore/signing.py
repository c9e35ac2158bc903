"""Everything Shopify signs for an app: queries, webhook bodies, launch parameters, ID tokens and file addresses."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

if TYPE_CHECKING:
    from devstore.installs import Staff
    from devstore.options import AppRegistration, Options
    from devstore.state import Store

ID_TOKEN_SECONDS = 60
Parameters = Mapping[str, str] | Iterable[tuple[str, str]]


class InvalidIdTokenError(Exception):
    """An ID token that is malformed, wrongly signed, out of its minute, or made for another app or store."""


def query_hmac(params: Parameters, secret: str) -> str:
    """Return the hexadecimal HMAC-SHA256 of a query: pairs sorted by key, joined as ``k=v`` with ``&``.

    ``hmac`` and the legacy ``signature`` are left out; an array parameter (``ids[]``) is signed the way Shopify
    does, as ``ids=["1", "2"]``.
    """
    message = "&".join(f"{key}={value}" for key, value in sorted(_signed_pairs(params)))
    return hmac.new(secret.encode(), message.encode(), hashlib.sha256).hexdigest()


def _signed_pairs(params: Parameters) -> Iterable[tuple[str, str]]:
    """Yield the pairs that are signed, arrays folded into one pair each."""
    pairs = params.items() if isinstance(params, Mapping) else params
    arrays: dict[str, list[str]] = {}
    for key, value in pairs:
        if key.endswith("[]"):
            arrays.setdefault(key.removesuffix("[]"), []).append(value)
        elif key not in {"hmac", "signature"}:
            yield key, value
    for key, values in arrays.items():
        yield key, json.dumps(values, ensure_ascii=False)


def webhook_hmac(body: bytes, secret: str) -> str:
    """Return the base64 HMAC-SHA256 of a webhook's raw body (``X-Shopify-Hmac-Sha256``)."""
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def store_name(domain: str) -> str:
    """``aurora.myshopify.com`` → ``aurora``, the name in the admin's paths."""
    return domain.removesuffix(".myshopify.com")


def launch_host(options: Options, domain: str) -> str:
    """Return the ``host`` parameter: base64, unpadded, of the admin's own address of the store."""
    address = f"{options.host}:{options.port}/store/{store_name(domain)}"
    return base64.b64encode(address.encode()).decode().rstrip("=")


def session_id(domain: str, user_id: int, client_id: str) -> str:
    """Return the ``sid`` of a user's sessions with an app: the same every time, unlike any other user's."""
    return hashlib.sha256(f"{client_id}|{domain}|{user_id}".encode()).hexdigest()


def id_token(domain: str, user_id: int, app: AppRegistration, now: datetime) -> str:
    """Return an ID token (HS256 JWT, one minute) that says: this user, in this store's admin, to this app."""
    issued = int(now.timestamp())
    claims: dict[str, Any] = {
        "iss": f"https://{domain}/admin",
        "dest": f"https://{domain}",
        "aud": app.client_id,
        "sub": str(user_id),
        "exp": issued + ID_TOKEN_SECONDS,
        "nbf": issued,
        "iat": issued,
        "jti": str(uuid.uuid4()),
        "sid": session_id(domain, user_id, app.client_id),
    }
    return jwt.encode({"alg": "HS256", "typ": "JWT"}, claims, OctKey.import_key(app.client_secret))


def read_id_token(token: str, domain: str, app: AppRegistration, now: datetime) -> dict[str, Any]:
    """Return the claims of an ID token this admin issued; raise ``InvalidIdTokenError`` for any other string."""
    for secret in filter(None, (app.client_secret, app.previous_secret)):
        try:
            claims = jwt.decode(token, OctKey.import_key(secret), algorithms=["HS256"]).claims
        except (JoseError, ValueError):
            continue
        _check_claims(claims, domain, app, int(now.timestamp()))
        return claims
    raise InvalidIdTokenError


def _check_claims(claims: dict[str, Any], domain: str, app: AppRegistration, now: int) -> None:
    """Raise ``InvalidIdTokenError`` unless the claims are for this store and app, and in their minute."""
    expected = {"iss": f"https://{domain}/admin", "dest": f"https://{domain}", "aud": app.client_id}
    if any(claims.get(name) != value for name, value in expected.items()):
        raise InvalidIdTokenError
    if not (claims.get("nbf", now + 1) <= now < claims.get("exp", 0)):
        raise InvalidIdTokenError


def launch_query(store: Store, user: Staff, options: Options, now: datetime | None = None) -> dict[str, str]:
    """Return the signed parameters the admin adds to an app's URL when it frames it."""
    moment = now or datetime.now(UTC)
    domain = store.shop.domain
    params = {
        "embedded": "1",
        "host": launch_host(options, domain),
        "id_token": id_token(domain, user.id, options.app, moment),
        "locale": user.locale,
        "session": session_id(domain, user.id, options.app.client_id),
        "shop": domain,
        "timestamp": str(int(moment.timestamp())),
    }
    return {**params, "hmac": query_hmac(params, options.app.client_secret)}


def callback_query(params: Mapping[str, str], options: Options, domain: str, now: datetime) -> dict[str, str]:
    """Return the parameters of an OAuth callback: ``params`` (code, state) with host, shop, timestamp and hmac."""
    signed = {
        **params,
        "host": launch_host(options, domain),
        "shop": domain,
        "timestamp": str(int(now.timestamp())),
    }
    return {**signed, "hmac": query_hmac(signed, options.app.client_secret)}


def same(left: str, right: str) -> bool:
    """Compare two secrets in constant time, whatever characters they hold."""
    return hmac.compare_digest(left.encode(), right.encode())
