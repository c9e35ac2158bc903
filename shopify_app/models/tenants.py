"""Directory: the stores, and the token each gave us."""

from __future__ import annotations

from sqlalchemy import ARRAY, BigInteger, ForeignKey, Index, Integer, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from shopify_app.database import Model
from shopify_app.models.base import DIRECTORY, CreatedNow, Id, Instant, ShopifyId


class Tenant(Model):
    """A store. Only stores that installed through Shopify are unique by address; a mere claim proves nothing."""

    __tablename__ = "tenants"
    __table_args__ = (
        Index(
            "uq_tenants_installed_store_url",
            "store_url",
            unique=True,
            postgresql_where=text("installed_at IS NOT NULL"),
        ),
        {"info": DIRECTORY},
    )

    id: Mapped[Id]
    store_url: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    email: Mapped[str | None] = mapped_column(Text)
    webhook_secret: Mapped[bytes | None]  # encrypted; only tenants registered without OAuth have one
    shopify_id: Mapped[ShopifyId | None]
    currency: Mapped[str] = mapped_column(Text, server_default="USD")
    time_zone: Mapped[str] = mapped_column(Text, server_default="UTC")
    locale: Mapped[str] = mapped_column(Text, server_default="en")
    plan: Mapped[str | None] = mapped_column(Text)
    # How long a cart or a checkout may be left alone before it counts as abandoned.
    abandonment_minutes: Mapped[int] = mapped_column(Integer, server_default="60")
    described_at: Mapped[Instant | None]  # when the shop's facts were last told of, by Shopify's own time of them
    created_at: Mapped[CreatedNow]
    installed_at: Mapped[Instant | None]  # null: somebody's claim, which proves nothing about owning the store
    uninstalled_at: Mapped[Instant | None]
    disabled_at: Mapped[Instant | None]  # by an operator
    superseded_at: Mapped[Instant | None]  # a claim that ended when the real store installed


class OfflineToken(Model):
    """A tenant's Admin API token and the refresh token that renews it, both encrypted."""

    __tablename__ = "offline_tokens"
    __table_args__ = ({"info": DIRECTORY},)

    tenant_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("tenants.id", ondelete="CASCADE"), primary_key=True)
    access_token: Mapped[bytes]
    access_expires_at: Mapped[Instant | None]  # null: a token that does not expire
    refresh_token: Mapped[bytes | None]
    refresh_expires_at: Mapped[Instant | None]
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    scopes_at: Mapped[Instant | None]  # when they were granted, as far as we were told
    obtained_at: Mapped[Instant]
    leased_until: Mapped[Instant | None]  # one process refreshes at a time
    failed_at: Mapped[Instant | None]  # Shopify refused for good: the merchant has to open the app again
    failure: Mapped[str | None] = mapped_column(Text)
