"""Inbox: turns are leased by tenant, not by delivery; a delivery says what became of it; lz4 for its body."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006_inbox"
down_revision = "0005_keys"
branch_labels = None
depends_on = None

WAITING = "processed_at IS NULL AND dead_at IS NULL AND tenant_id IS NOT NULL"
DEAD = "dead_at IS NOT NULL AND processed_at IS NULL"


def upgrade() -> None:
    op.add_column("inbox", sa.Column("retry_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("inbox", sa.Column("traceback", sa.Text(), nullable=True))
    op.add_column("inbox", sa.Column("outcome", sa.Text(), nullable=True))
    op.drop_index("ix_inbox_waiting", "inbox")
    op.create_index("ix_inbox_waiting", "inbox", ["tenant_id", "id"], postgresql_where=sa.text(WAITING))
    op.create_index("ix_inbox_dead", "inbox", ["tenant_id", "id"], postgresql_where=sa.text(DEAD))
    op.create_index("ix_inbox_strays", "inbox", ["shop_domain", "id"], postgresql_where=sa.text("tenant_id IS NULL"))
    op.drop_column("inbox", "lease")
    op.drop_column("inbox", "leased_until")
    if _knows_lz4():
        op.execute("ALTER TABLE inbox ALTER COLUMN payload SET COMPRESSION lz4")
    op.create_table(
        "applied_events",
        sa.Column("tenant_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.Uuid(), nullable=False),
        sa.Column("inbox_id", sa.BigInteger(), nullable=False),
        sa.Column("seen_on", sa.Date(), server_default=sa.text("CURRENT_DATE"), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "digest", name="pk_applied_events"),
    )


def downgrade() -> None:
    op.drop_table("applied_events")
    op.add_column("inbox", sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("inbox", sa.Column("lease", sa.Uuid(), nullable=True))
    for index in ("ix_inbox_strays", "ix_inbox_dead", "ix_inbox_waiting"):
        op.drop_index(index, "inbox")
    op.create_index("ix_inbox_waiting", "inbox", ["id"], postgresql_where=sa.text(WAITING))
    for column in ("outcome", "traceback", "retry_at"):
        op.drop_column("inbox", column)


def _knows_lz4() -> bool:
    """Return whether this server was built with lz4, which compresses a body in a third of pglz's time."""
    known = "SELECT 'lz4' = ANY (enumvals) FROM pg_settings WHERE name = 'default_toast_compression'"
    return op.get_bind().scalar(sa.text(known)) is True
