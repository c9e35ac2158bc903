"""Directory: the people who run Storelens. They are apart from tenants and from tenants' people."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, Text, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shopify_app.database import Model
from shopify_app.models.base import DIRECTORY, CreatedNow, Id, Instant


class Operator(Model):
    """An operator: a password and a time-based one-time code, always both."""

    __tablename__ = "operators"

    id: Mapped[Id]
    email: Mapped[str] = mapped_column(Text)
    password_hash: Mapped[str] = mapped_column(Text)
    totp_secret: Mapped[bytes]  # encrypted
    totp_step: Mapped[int | None] = mapped_column(BigInteger)  # the last step used: a code works once
    created_at: Mapped[CreatedNow]
    disabled_at: Mapped[Instant | None]

    __table_args__ = (Index("uq_operators_email", func.lower(email), unique=True), {"info": DIRECTORY})


class OperatorSession(Model):
    """An operator's login that is still good; only the cookie token's hash is kept."""

    __tablename__ = "operator_sessions"
    __table_args__ = ({"info": DIRECTORY},)

    token_hash: Mapped[bytes] = mapped_column(primary_key=True)
    operator_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("operators.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[CreatedNow]
    expires_at: Mapped[Instant]
    revoked_at: Mapped[Instant | None]


class AuditEntry(Model):
    """What an operator did, to which store, and why. Written with the deed, never changed."""

    __tablename__ = "audit_entries"
    __table_args__ = (Index("ix_audit_entries_tenant_id", "tenant_id"), {"info": DIRECTORY})

    id: Mapped[Id]
    at: Mapped[CreatedNow]
    operator: Mapped[str] = mapped_column(Text)  # an email address, or the login of a command line
    action: Mapped[str] = mapped_column(Text)
    tenant_id: Mapped[int | None] = mapped_column(BigInteger)
    reason: Mapped[str | None] = mapped_column(Text)
    details: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
