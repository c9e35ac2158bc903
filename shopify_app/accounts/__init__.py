"""People who log in outside the admin: invitations, passwords, and the sessions a login opens.

Only hashes are kept: Argon2id of a password, SHA-256 of a token that is itself 256 random bits. An account whose
address nobody has proven (``verified_at`` is null) counts for nothing: no login, no membership, no session.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from shopify_app import logins
from shopify_app.models import Account, AccountSession, Invitation, Membership, Tenant
from shopify_app.models.accounts import ROLES

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

INVITATION_LASTS = timedelta(days=7)
SESSION_LASTS = timedelta(days=14)


class RoleRejected(Exception):
    """There is no such role."""


class InvitationSpent(Exception):
    """The invitation was accepted before, has expired, or never existed."""


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """What a password is checked against."""

    account_id: int
    email: str
    password_hash: str


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Whom a session cookie stands for, and the store they look at. ``left`` once the store uninstalled the app,
    ``disabled`` while an operator has stopped it.
    """

    account_id: int
    email: str
    tenant_id: int
    store_url: str
    store_name: str
    role: str
    left: bool
    disabled: bool


@dataclass(frozen=True, kw_only=True)
class Invited:
    """An invitation that can still be accepted. ``account_id`` is set when its address is proven and has a password."""

    email: str
    role: str
    tenant_id: int
    store_name: str
    account_id: int | None


@dataclass(frozen=True, kw_only=True)
class Member:
    """A person of a store: a member, or one who has been invited (``joined_at`` is None until then)."""

    email: str
    role: str
    joined_at: datetime | None
    expires_at: datetime | None = None


def credentials(session: Session, email: str) -> Credentials | None:
    """Return what to check a password for ``email`` against, or None when nobody has proven that address."""
    address = email.strip().lower()
    account = session.scalar(
        select(Account).where(func.lower(Account.email) == address, Account.verified_at.is_not(None))
    )
    if account is None:
        return None
    return Credentials(account_id=account.id, email=account.email, password_hash=account.password_hash)


def invite(session: Session, *, tenant_id: int, email: str, role: str, invited_by: str, now: datetime) -> str:
    """Record an invitation that lasts seven days, and return its token: the only time it can be read.

    An earlier invitation of the same address to the same store stops working.

    Raises:
        EmailRejected: ``email`` is not an address.
        RoleRejected: ``role`` is none of ours.
    """
    if role not in ROLES:
        raise RoleRejected
    address = logins.email_address(email)
    _expire_invitations(session, tenant_id, address, now)
    token = secrets.token_urlsafe(32)
    expires_at = now + INVITATION_LASTS
    session.add(
        Invitation(
            tenant_id=tenant_id,
            email=address,
            role=role,
            token_hash=_hash(token),
            invited_by=invited_by,
            expires_at=expires_at,
        )
    )
    session.flush()
    return token


def invitation(session: Session, token: str, now: datetime) -> Invited:
    """Return what the token invites to.

    Raises:
        InvitationSpent: it does so no more, or never did.
    """
    query = (
        select(Invitation, Tenant.name, Account.id)
        .join(Tenant, Tenant.id == Invitation.tenant_id)
        .outerjoin(Account, (func.lower(Account.email) == Invitation.email) & Account.verified_at.is_not(None))
        .where(*_open(token, now))
    )
    row = session.execute(query).one_or_none()
    if row is None:
        raise InvitationSpent
    invited, store_name, account_id = row
    return Invited(
        email=invited.email,
        role=invited.role,
        tenant_id=invited.tenant_id,
        store_name=store_name,
        account_id=account_id,
    )


def accept(session: Session, token: str, *, password_hash: str | None, now: datetime) -> tuple[int, int]:
    """Spend the invitation and make its address a member; return the account's and the tenant's id.

    With ``password_hash`` a new account is made, or one that nobody had proven is taken over: its earlier password
    and sessions end, because whoever set them need not be who holds the address. Without, the address has an
    account whose password the door has just verified. Whoever was a member keeps the wider of both roles.

    Raises:
        InvitationSpent: somebody was faster, it has expired, or the account it needs is not there.
    """
    spend = update(Invitation).where(*_open(token, now)).values(accepted_at=now).returning(Invitation)
    invited = session.scalar(spend)
    if invited is None:
        raise InvitationSpent
    account_id = _account_for(session, invited.email, password_hash, now)
    _join(session, invited, account_id)
    return account_id, invited.tenant_id


def open_session(session: Session, *, account_id: int, tenant_id: int, now: datetime) -> str:
    """Open a session of fourteen days and return the cookie's token."""
    token = secrets.token_urlsafe(32)
    session.add(
        AccountSession(
            token_hash=_hash(token), account_id=account_id, tenant_id=tenant_id, expires_at=now + SESSION_LASTS
        )
    )
    session.flush()
    return token


def close_session(session: Session, token: str, now: datetime) -> None:
    """End the session; a token nobody knows is no error."""
    session.execute(
        update(AccountSession)
        .where(AccountSession.token_hash == _hash(token), AccountSession.revoked_at.is_(None))
        .values(revoked_at=now)
    )


def identify(session: Session, token: str, now: datetime) -> Identity | None:
    """Return whom the cookie's token stands for, or None. Who is no longer a member of the store is nobody there."""
    query = (
        select(Account, Tenant, Membership.role)
        .select_from(AccountSession)
        .join(Account, Account.id == AccountSession.account_id)
        .join(Tenant, Tenant.id == AccountSession.tenant_id)
        .join(Membership, (Membership.account_id == Account.id) & (Membership.tenant_id == Tenant.id))
        .where(
            AccountSession.token_hash == _hash(token),
            AccountSession.revoked_at.is_(None),
            AccountSession.expires_at > now,
            Account.verified_at.is_not(None),
        )
    )
    row = session.execute(query).one_or_none()
    if row is None:
        return None
    account, tenant, role = row
    return Identity(
        account_id=account.id,
        email=account.email,
        tenant_id=tenant.id,
        store_url=tenant.store_url,
        store_name=tenant.name,
        role=role,
        left=tenant.uninstalled_at is not None,
        disabled=tenant.disabled_at is not None,
    )


def first_store(session: Session, account_id: int) -> int | None:
    """Return the tenant a login starts in: the one joined first among those that still have the app."""
    query = (
        select(Membership.tenant_id)
        .join(Tenant, Tenant.id == Membership.tenant_id)
        .where(Membership.account_id == account_id)
        .order_by(Tenant.uninstalled_at.is_not(None), Membership.created_at, Membership.tenant_id)
        .limit(1)
    )
    return session.scalar(query)


def people(session: Session, tenant_id: int, now: datetime) -> tuple[Member, ...]:
    """Return the store's members, then those with an open invitation, each by address."""
    joined = (
        select(Account.email, Membership.role, Membership.created_at)
        .join(Account, Account.id == Membership.account_id)
        .where(Membership.tenant_id == tenant_id)
        .order_by(Account.email)
    )
    invited = (
        select(Invitation.email, Invitation.role, Invitation.expires_at)
        .where(Invitation.tenant_id == tenant_id, Invitation.accepted_at.is_(None), Invitation.expires_at > now)
        .order_by(Invitation.email)
    )
    members = [Member(email=email, role=role, joined_at=at) for email, role, at in session.execute(joined)]
    waiting = [
        Member(email=email, role=role, joined_at=None, expires_at=at) for email, role, at in session.execute(invited)
    ]
    return (*members, *waiting)


def _open(token: str, now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        Invitation.token_hash == _hash(token),
        Invitation.accepted_at.is_(None),
        Invitation.expires_at > now,
    )


def _expire_invitations(session: Session, tenant_id: int, email: str, now: datetime) -> None:
    session.execute(
        update(Invitation)
        .where(
            Invitation.tenant_id == tenant_id,
            Invitation.email == email,
            Invitation.accepted_at.is_(None),
            Invitation.expires_at > now,
        )
        .values(expires_at=now)
    )


def _account_for(session: Session, email: str, password_hash: str | None, now: datetime) -> int:
    """Return the proven account of the address; a password hash makes one, and no hash needs one."""
    if password_hash is None:
        proven = (func.lower(Account.email) == email, Account.verified_at.is_not(None))
        known = session.scalar(select(Account.id).where(*proven))
    else:
        known = _prove(session, email, password_hash, now)
    if known is None:
        # The account appeared, or went, between the page and the form: what was verified is no longer what counts.
        raise InvitationSpent
    return known


def _prove(session: Session, email: str, password_hash: str, now: datetime) -> int | None:
    """Make the account of an address that has just been proven; None when it was proven before."""
    fresh = {"password_hash": password_hash, "verified_at": now}
    statement = insert(Account).values(email=email, **fresh)
    statement = statement.on_conflict_do_update(
        index_elements=[func.lower(Account.email)], set_=fresh, where=Account.verified_at.is_(None)
    )
    account_id: int | None = session.scalar(statement.returning(Account.id))
    if account_id is not None:
        session.execute(
            update(AccountSession)
            .where(AccountSession.account_id == account_id, AccountSession.revoked_at.is_(None))
            .values(revoked_at=now)
        )
        session.execute(delete(Membership).where(Membership.account_id == account_id))
    return account_id


def _join(session: Session, invited: Invitation, account_id: int) -> None:
    held = session.scalar(
        select(Membership.role).where(Membership.tenant_id == invited.tenant_id, Membership.account_id == account_id)
    )
    role = min((invited.role, held or invited.role), key=ROLES.index)
    statement = insert(Membership).values(tenant_id=invited.tenant_id, account_id=account_id, role=role)
    wider = {"role": statement.excluded.role}
    session.execute(statement.on_conflict_do_update(index_elements=["tenant_id", "account_id"], set_=wider))


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
