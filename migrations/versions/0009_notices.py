"""Notices: when what a store told of itself, and which access it had granted, was true."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009_notices"
down_revision = "0008_abandonment"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tenants", sa.Column("described_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("offline_tokens", sa.Column("scopes_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("offline_tokens", "scopes_at")
    op.drop_column("tenants", "described_at")
