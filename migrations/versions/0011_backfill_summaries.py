"""Backfills as operators see them: a summary of each, outside the tables of tenants, which are closed to operators."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from shopify_app.access import each_tenant

revision = "0011_backfill_summaries"
down_revision = "0010_backfills"
branch_labels = None
depends_on = None

# What is held so far has come to its end or is counted anew with the next batch; no rate is known of it.
FILL = """
INSERT INTO backfill_summaries
    (tenant_id, backfill_id, run_id, resource, state, asked_by, since, objects_read, objects_total, error, note,
     created_at, started_at, finished_at, noted_at, moved, next_at, next_moved, anchor_at, anchor_moved)
SELECT tenant_id, id, run_id, resource, state, asked_by, since, objects_read,
       CASE WHEN state = 'done' THEN objects_total END, error, note,
       created_at, started_at, finished_at, now(), objects_read, now(), objects_read, now(), objects_read
FROM backfills
"""


def upgrade() -> None:
    op.create_table(
        "backfill_summaries",
        sa.Column("tenant_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("backfill_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("resource", "state", "asked_by")),
        _moment("since", nullable=True),
        sa.Column("objects_read", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=True) for name in ("objects_total", "prepared")),
        *(sa.Column(name, sa.Text(), nullable=True) for name in ("error", "note")),
        _moment("cancel_asked_at", nullable=True),
        _moment("created_at", nullable=False),
        _moment("started_at", nullable=True),
        _moment("finished_at", nullable=True),
        *(
            column
            for at, moved in (("noted_at", "moved"), ("next_at", "next_moved"), ("anchor_at", "anchor_moved"))
            for column in (_moment(at, nullable=False), sa.Column(moved, sa.BigInteger(), nullable=False))
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name="fk_backfill_summaries_tenant_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "backfill_id", name="pk_backfill_summaries"),
    )
    op.create_index("ix_backfill_summaries_backfill_id", "backfill_summaries", ["backfill_id"])
    for _ in each_tenant(op.get_bind()):
        op.execute(FILL)


def downgrade() -> None:
    op.drop_table("backfill_summaries")


def _moment(name: str, *, nullable: bool) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)
