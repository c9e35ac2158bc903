"""Codes and tokens a store has handed to the app, with Shopify's rules for how long each is good.

Offline tokens either expire (an hour, renewed by a refresh token of 90 days) or, the old way, never do. There is one
current refresh token for an app and store; the ones before it stay usable for a while, so that an answer lost on the
way can be asked for again (changelog "More resilient refreshes", 2026-08-28).
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from devstore.state import current

if TYPE_CHECKING:
    from devstore.state import Store

ACCESS = "access_token"
REFRESH = "refresh_token"
CODE = "authorization_code"

CODE_LIFETIME = timedelta(seconds=60)
ACCESS_SECONDS = 3600
ONLINE_SECONDS = 86_399
REFRESH_LIFETIME = timedelta(days=90)
GRACE_AFTER_USE = timedelta(days=30)


class InactiveRefreshTokenError(Exception):
    """The refresh token is unknown, replaced for good, or too old: only the merchant can give a new one."""


class Code(msgspec.Struct, kw_only=True):
    """An authorization code, good for one exchange within a minute."""

    scopes: list[str]
    per_user: bool
    created_at: datetime


class AccessToken(msgspec.Struct, kw_only=True):
    """An Admin API token. Offline ones have no user; those without ``expires_at`` never expire."""

    token: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None = None
    user_id: int | None = None


class RefreshToken(msgspec.Struct, kw_only=True):
    """A refresh token. ``number`` counts up: using one ends every lower one."""

    token: str
    number: int
    scopes: list[str]
    created_at: datetime
    used_at: datetime | None = None

    def is_active(self, now: datetime) -> bool:
        """Tell whether it can still be refreshed with."""
        if now >= self.created_at + REFRESH_LIFETIME:
            return False
        return self.used_at is None or now < self.used_at + GRACE_AFTER_USE


class Pair(msgspec.Struct, kw_only=True):
    """An expiring offline token and the refresh token that renews it; lifetimes in seconds."""

    access: AccessToken
    refresh: RefreshToken
    expires_in: int
    refresh_expires_in: int


def access_seconds() -> int:
    """Return the lifetime of an expiring offline token: ``token_lifetime`` of the options where they have one."""
    return int(getattr(current().options, "token_lifetime", ACCESS_SECONDS))


def issue_code(store: Store, scopes: list[str], *, per_user: bool) -> str:
    """Make an authorization code."""
    code = secrets.token_hex(16)
    store.save(CODE, code, Code(scopes=scopes, per_user=per_user, created_at=store.now()))
    return code


def redeem_code(store: Store, code: str) -> Code | None:
    """Take a code out of use and return what it stands for; None when unknown, used before, or too old."""
    with store.lock:
        found = store.load(CODE, code, Code)
        store.drop(CODE, code)
    if found is None or store.now() >= found.created_at + CODE_LIFETIME:
        return None
    return found


def issue_permanent(store: Store, scopes: list[str]) -> AccessToken:
    """Return the store's non-expiring offline token: the same one at every call, with the scopes brought up to date."""
    with store.lock:
        kept = [held for held in store.all(ACCESS, AccessToken).values() if held.expires_at is None]
        token = kept[0] if kept else AccessToken(token=_secret("shpat"), scopes=[], created_at=store.now())
        token.scopes = scopes
        store.save(ACCESS, token.token, token)
        return token


def issue_online(store: Store, scopes: list[str], user_id: int) -> AccessToken:
    """Make a token for one user; it lives a day and has no refresh token."""
    expires_at = store.now() + timedelta(seconds=ONLINE_SECONDS)
    return _issue(store, scopes, expires_at, user_id)


def acquire(store: Store, scopes: list[str]) -> Pair:
    """Make a new pair in a new grant: every earlier refresh token ends, access tokens run out by themselves."""
    with store.lock:
        for key in store.all(REFRESH, RefreshToken):
            store.drop(REFRESH, key)
        return _issue_pair(store, scopes)


def refresh(store: Store, token: str, scopes: list[str] | None = None) -> Pair:
    """Exchange a refresh token for a new pair with ``scopes`` (those of the old pair when None).

    Raises ``InactiveRefreshTokenError``.

    The token given stays usable until a newer one is used, 30 days after its first use, or its own 90 days, so the
    same request can be sent again when its answer was lost.
    """
    with store.lock:
        now = store.now()
        held = store.load(REFRESH, token, RefreshToken)
        if held is None or not held.is_active(now):
            raise InactiveRefreshTokenError
        held.used_at = held.used_at or now
        store.save(REFRESH, held.token, held)
        older = [one for one in store.all(REFRESH, RefreshToken).values() if one.number < held.number]
        for one in older:
            store.drop(REFRESH, one.token)
        return _issue_pair(store, held.scopes if scopes is None else scopes)


def find(store: Store, token: str) -> AccessToken | None:
    """Return the live access token, or None when it is unknown or has run out."""
    held = store.load(ACCESS, token, AccessToken)
    if held is None or (held.expires_at and store.now() >= held.expires_at):
        return None
    return held


def revoke(store: Store, token: str) -> None:
    """End one access token."""
    store.drop(ACCESS, token)


def revoke_all(store: Store) -> None:
    """End every token and code of the app in this store."""
    with store.lock:
        kinds = ((ACCESS, AccessToken), (REFRESH, RefreshToken), (CODE, Code))
        held = [(kind, key) for kind, type_ in kinds for key in store.all(kind, type_)]
        for kind, key in held:
            store.drop(kind, key)


def _issue_pair(store: Store, scopes: list[str]) -> Pair:
    """Make the next pair of this store."""
    now = store.now()
    seconds = access_seconds()
    newest = max((held.number for held in store.all(REFRESH, RefreshToken).values()), default=0)
    renewal = RefreshToken(token=_secret("shprt"), number=newest + 1, scopes=scopes, created_at=now)
    store.save(REFRESH, renewal.token, renewal)
    return Pair(
        access=_issue(store, scopes, now + timedelta(seconds=seconds)),
        refresh=renewal,
        expires_in=seconds,
        refresh_expires_in=int(REFRESH_LIFETIME.total_seconds()),
    )


def _issue(store: Store, scopes: list[str], expires_at: datetime, user_id: int | None = None) -> AccessToken:
    """Make one access token that runs out."""
    now = store.now()
    made = AccessToken(token=_secret("shpat"), scopes=scopes, created_at=now, expires_at=expires_at, user_id=user_id)
    store.save(ACCESS, made.token, made)
    return made


def _secret(prefix: str) -> str:
    """Return an unguessable token in Shopify's form."""
    return f"{prefix}_{secrets.token_hex(16)}"
