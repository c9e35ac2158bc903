"""The people who run Storelens: their logins, and the record of what they did.

A login takes a password and a one-time code, each code once. Whoever keeps failing is slowed down, not locked out:
after five attempts the next one has to wait, up to a minute, so that guessing takes ages and an operator whose
address somebody else keeps trying still gets in.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyotp
from sqlalchemy import func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from shopify_app.models import AuditEntry, Operator, OperatorSession

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from shopify_app.crypto import Vault

SHORTEST_PASSWORD = 14
SESSION_LASTS = timedelta(hours=8)
ISSUER = "Storelens operators"
STEP = 30  # seconds a one-time code is good for (RFC 6238)
DRIFT = 1  # steps a phone's clock may be off, either way
FREE_ATTEMPTS = 5
LONGEST_WAIT = timedelta(minutes=1)
REMEMBERED = timedelta(hours=1)

ATTEMPT, LOGIN, LOGOUT, CREATE, DISABLE = (
    "login attempted",
    "logged in",
    "logged out",
    "operator created",
    "operator disabled",
)


class OperatorExists(Exception):
    """An operator with that address exists, disabled or not."""


class OperatorUnknown(Exception):
    """There is no operator with that address who is not disabled already."""


@dataclass(frozen=True, kw_only=True)
class Seed:
    """The secret behind an operator's one-time codes, as it is shown once: as text, and as what a QR code holds."""

    secret: str = field(repr=False)
    uri: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """What a login is checked against."""

    operator_id: int
    password_hash: str = field(repr=False)
    totp_secret: bytes = field(repr=False)  # sealed


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Whom an operator's cookie stands for."""

    operator_id: int
    email: str


@dataclass(frozen=True, kw_only=True)
class Listed:
    """An operator, as operators are listed."""

    email: str
    created_at: datetime
    disabled_at: datetime | None


def new_seed(email: str) -> Seed:
    """Return a fresh secret for one-time codes."""
    secret = pyotp.random_base32()
    return Seed(secret=secret, uri=pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=ISSUER))


def create(session: Session, *, email: str, password_hash: str, seed: Seed, vault: Vault, by: str) -> None:
    """Make an operator.

    Raises:
        OperatorExists: the address is one's already.
    """
    values = {"email": email, "password_hash": password_hash, "totp_secret": vault.encrypt(seed.secret)}
    made = session.scalar(insert(Operator).values(values).on_conflict_do_nothing().returning(Operator.id))
    if made is None:
        raise OperatorExists
    audit(session, operator=by, action=CREATE, details={"email": email})


def disable(session: Session, *, email: str, by: str, now: datetime) -> None:
    """End an operator's access, open logins included; their record stays.

    Raises:
        OperatorUnknown: nobody has that address, or it was done before.
    """
    statement = (
        update(Operator)
        .where(func.lower(Operator.email) == email.lower(), Operator.disabled_at.is_(None))
        .values(disabled_at=now)
        .returning(Operator.id)
    )
    operator_id = session.scalar(statement)
    if operator_id is None:
        raise OperatorUnknown
    session.execute(
        update(OperatorSession)
        .where(OperatorSession.operator_id == operator_id, OperatorSession.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    audit(session, operator=by, action=DISABLE, details={"email": email.lower()})


def everybody(session: Session) -> tuple[Listed, ...]:
    """Return all operators, by address."""
    rows = session.execute(select(Operator.email, Operator.created_at, Operator.disabled_at).order_by(Operator.email))
    return tuple(Listed(email=email, created_at=made, disabled_at=ended) for email, made, ended in rows)


def attempt(session: Session, email: str, now: datetime) -> Credentials | None:
    """Note an attempt to log in and return what to check it against; None: nobody, or too soon after the last ones.

    The attempt is on record before it is checked, so that many at once count as many.
    """
    known = select(Operator).where(func.lower(Operator.email) == email.strip().lower(), Operator.disabled_at.is_(None))
    operator = session.scalar(known.with_for_update())
    if operator is None or _too_soon(session, operator.email, now):
        return None
    audit(session, operator=operator.email, action=ATTEMPT, at=now)
    return Credentials(operator_id=operator.id, password_hash=operator.password_hash, totp_secret=operator.totp_secret)


def code_step(secret: str, code: str, now: datetime) -> int | None:
    """Return the time step the one-time code belongs to, or None when it is not one of about now."""
    totp, current = pyotp.TOTP(secret, interval=STEP), int(now.timestamp()) // STEP
    given = "".join(code.split()).encode()
    steps = range(current - DRIFT, current + DRIFT + 1)
    fitting = [step for step in steps if hmac.compare_digest(totp.at(step * STEP).encode(), given)]
    return fitting[-1] if fitting else None


def open_session(session: Session, *, operator_id: int, step: int, now: datetime) -> str | None:
    """Spend the one-time code and open a login of eight hours; return the cookie's token.

    None: the code, or a later one, was used before, or the operator has been disabled meanwhile.
    """
    statement = (
        update(Operator)
        .where(
            Operator.id == operator_id,
            Operator.disabled_at.is_(None),
            or_(Operator.totp_step.is_(None), Operator.totp_step < step),
        )
        .values(totp_step=step)
        .returning(Operator.email)
    )
    email = session.scalar(statement)
    if email is None:
        return None
    token = secrets.token_urlsafe(32)
    session.add(OperatorSession(token_hash=_hash(token), operator_id=operator_id, expires_at=now + SESSION_LASTS))
    audit(session, operator=email, action=LOGIN, at=now)
    return token


def identify(session: Session, token: str, now: datetime) -> Identity | None:
    """Return whom the cookie's token stands for, or None."""
    query = (
        select(Operator.id, Operator.email)
        .join(OperatorSession, OperatorSession.operator_id == Operator.id)
        .where(
            OperatorSession.token_hash == _hash(token),
            OperatorSession.revoked_at.is_(None),
            OperatorSession.expires_at > now,
            Operator.disabled_at.is_(None),
        )
    )
    row = session.execute(query).one_or_none()
    return None if row is None else Identity(operator_id=row.id, email=row.email)


def close_session(session: Session, token: str, now: datetime) -> None:
    """End the login; a token nobody knows is no error."""
    identity = identify(session, token, now)
    if identity is None:
        return
    session.execute(update(OperatorSession).where(OperatorSession.token_hash == _hash(token)).values(revoked_at=now))
    audit(session, operator=identity.email, action=LOGOUT, at=now)


def audit(
    session: Session,
    *,
    operator: str,
    action: str,
    at: datetime | None = None,
    tenant_id: int | None = None,
    reason: str | None = None,
    details: dict[str, Any] | None = None,
) -> None:
    """Record what an operator did; belongs into the transaction of the deed. ``at`` is now unless given."""
    values: dict[str, Any] = {
        "operator": operator,
        "action": action,
        "tenant_id": tenant_id,
        "reason": reason,
        "details": details,
    }
    # Inline: nothing is returned, because the role of web requests may write entries and not read them.
    session.execute(insert(AuditEntry).values(values if at is None else values | {"at": at}).inline())


def _too_soon(session: Session, email: str, now: datetime) -> bool:
    """Whether the next attempt has to wait: from the sixth in a row it does, doubling from two seconds to a minute."""
    recent = (AuditEntry.operator == email, AuditEntry.at > now - REMEMBERED)
    last_login = session.scalar(select(func.max(AuditEntry.at)).where(*recent, AuditEntry.action == LOGIN))
    failed = [*recent, AuditEntry.action == ATTEMPT]
    if last_login is not None:
        failed.append(AuditEntry.at > last_login)
    count, latest = session.execute(select(func.count(), func.max(AuditEntry.at)).where(*failed)).one()
    if count < FREE_ATTEMPTS:
        return False
    wait = min(timedelta(seconds=2 ** min(count - FREE_ATTEMPTS + 1, 10)), LONGEST_WAIT)
    return bool(now < latest + wait)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
