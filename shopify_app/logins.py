"""What people log in with: an email address and a password. Hashing one is slow on purpose; doors do it between
transactions, never inside one.
"""

from __future__ import annotations

import functools
import re
import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

# NIST SP 800-63B: length is what counts; the upper bound only keeps a request from costing seconds.
SHORTEST_PASSWORD = 10
LONGEST_PASSWORD = 256
# What HTML's <input type=email> accepts, with a dot in the domain: anything stricter refuses addresses that work.
_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
EMAIL = re.compile(rf"[a-z0-9.!#$%&'*+/=?^_`{{|}}~-]{{1,64}}@{_LABEL}(?:\.{_LABEL})+")

_hasher = PasswordHasher()


class EmailRejected(Exception):
    """The text is not an email address."""


class PasswordRejected(Exception):
    """The password is too short or too long; the message says which."""


def email_address(text: str) -> str:
    """Return the address as it is stored, lower-cased.

    Raises:
        EmailRejected: it is not one.
    """
    address = text.strip().lower()
    if EMAIL.fullmatch(address) and len(address) <= 254:  # noqa: PLR2004 - RFC 5321's longest path
        return address
    raise EmailRejected


def hash_password(password: str, *, shortest: int = SHORTEST_PASSWORD) -> str:
    """Return the Argon2id hash of a new password. Slow on purpose.

    Raises:
        PasswordRejected: it is shorter than ``shortest`` or longer than 256 characters.
    """
    if len(password) < shortest:
        raise PasswordRejected(f"Use at least {shortest} characters.")
    if len(password) > LONGEST_PASSWORD:
        raise PasswordRejected(f"Use at most {LONGEST_PASSWORD} characters.")
    return _hasher.hash(password)


def fits(password_hash: str | None, password: str) -> bool:
    """Whether the password is the one hashed. Slow on purpose, and as slow when there is no hash to compare with."""
    try:
        _hasher.verify(password_hash or _nobodys_hash(), password[: LONGEST_PASSWORD + 1])
    except (VerificationError, InvalidHashError):
        return False
    return password_hash is not None


@functools.cache
def _nobodys_hash() -> str:
    """Return what is verified against when nobody has the address, so that both refusals take the same time."""
    return _hasher.hash(secrets.token_urlsafe())
