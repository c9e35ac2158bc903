"""Directory: people who log in outside the admin, and the stores they belong to."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from shopify_app.database import Model
from shopify_app.models.base import DIRECTORY, CreatedNow, Id, Instant

ROLES = ("owner", "analyst", "viewer")
_ROLE_CHECK = "role IN ('owner', 'analyst', 'viewer')"


class Account(Model):
    """A person with an email address and a password."""

    __tablename__ = "accounts"

    id: Mapped[Id]
    email: Mapped[str] = mapped_column(Text)
    password_hash: Mapped[str] = mapped_column(Text)
    verified_at: Mapped[Instant | None]
    created_at: Mapped[CreatedNow]

    __table_args__ = (Index("uq_accounts_email", func.lower(email), unique=True), {"info": DIRECTORY})


class Membership(Model):
    """A person's place in a store."""

    __tablename__ = "memberships"
    __table_args__ = (CheckConstraint(_ROLE_CHECK, name="role"), {"info": DIRECTORY})

    tenant_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("tenants.id", ondelete="CASCADE"), primary_key=True)
    account_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    role: Mapped[str] = mapped_column(Text)
    created_at: Mapped[CreatedNow]


class Invitation(Model):
    """A single-use link that makes its holder a member; only the token's hash is kept."""

    __tablename__ = "invitations"
    __table_args__ = (CheckConstraint(_ROLE_CHECK, name="role"), {"info": DIRECTORY})

    id: Mapped[Id]
    tenant_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("tenants.id", ondelete="CASCADE"), index=True)
    email: Mapped[str] = mapped_column(Text)
    role: Mapped[str] = mapped_column(Text)
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    invited_by: Mapped[str] = mapped_column(Text)  # Shopify's user id, or the account's email
    created_at: Mapped[CreatedNow]
    expires_at: Mapped[Instant]
    accepted_at: Mapped[Instant | None]


class AccountSession(Model):
    """A login that is still good; only the cookie token's hash is kept."""

    __tablename__ = "account_sessions"
    __table_args__ = ({"info": DIRECTORY},)

    token_hash: Mapped[bytes] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
    tenant_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("tenants.id", ondelete="CASCADE"))
    created_at: Mapped[CreatedNow]
    expires_at: Mapped[Instant]
    revoked_at: Mapped[Instant | None]


class StaffMember(Model):
    """Somebody of the store's staff who opened the app in the admin, known by Shopify's user id."""

    __tablename__ = "staff_members"
    __table_args__ = (CheckConstraint(_ROLE_CHECK, name="role"), {"info": DIRECTORY})

    tenant_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("tenants.id", ondelete="CASCADE"), primary_key=True)
    shopify_user_id: Mapped[str] = mapped_column(Text, primary_key=True)
    role: Mapped[str] = mapped_column(Text)
    account_owner: Mapped[bool]
    created_at: Mapped[CreatedNow]
