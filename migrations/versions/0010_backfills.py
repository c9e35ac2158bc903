"""Backfills: windows of time asked for one after another, what has been proven, who asked, and who wants it to end."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010_backfills"
down_revision = "0009_notices"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for column in _columns():
        op.add_column("backfills", column)


def downgrade() -> None:
    for column in reversed(_columns()):
        op.drop_column("backfills", column.name)


def _columns() -> list[sa.Column[object]]:
    return [
        sa.Column("asked_by", sa.Text(), server_default="", nullable=False),
        _instant("since"),
        _instant("window_since"),
        _instant("window_until"),
        sa.Column("window_splits", sa.Integer(), server_default="0", nullable=False),
        sa.Column("windows_left", postgresql.JSONB(), server_default="[]", nullable=False),
        _lines("objects_before"),
        _lines("lines_staged"),
        _instant("asked_at"),
        _instant("moved_at"),
        _instant("troubled_at"),
        _instant("cancel_asked_at"),
        sa.Column("ended_as", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("count_shopify", sa.BigInteger(), nullable=True),
        sa.Column("count_held", sa.BigInteger(), nullable=True),
        sa.Column("reconciliation_id", sa.BigInteger(), nullable=True),
    ]


def _instant(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=True)


def _lines(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.BigInteger(), server_default="0", nullable=False)
