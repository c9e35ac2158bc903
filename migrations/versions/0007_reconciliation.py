"""Reconciliation: checks of what is held against what Shopify holds, and their summary for clock and operators."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007_reconciliation"
down_revision = "0006_inbox"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE SEQUENCE reconciliations_id_seq")
    op.create_table(
        "reconciliations",
        sa.Column("tenant_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "id", sa.BigInteger(), server_default=sa.text("nextval('reconciliations_id_seq'::regclass)"), nullable=False
        ),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="changes", nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ceiling", sa.DateTime(timezone=True), nullable=False),
        _rows("after"),
        *_figures(),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "resource IN ('customers', 'products', 'orders', 'checkouts')", name="ck_reconciliations_resource"
        ),
        sa.CheckConstraint("mode IN ('recent', 'daily', 'asked')", name="ck_reconciliations_mode"),
        sa.CheckConstraint(
            "state IN ('changes', 'counting', 'ids', 'done', 'failed', 'cancelled')", name="ck_reconciliations_state"
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_reconciliations_tenant_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_reconciliations"),
    )
    op.create_index("ix_reconciliations_resource", "reconciliations", ["tenant_id", "resource", "id"])
    op.execute("ALTER SEQUENCE reconciliations_id_seq OWNED BY reconciliations.id")
    _isolate("reconciliations")
    op.create_table(
        "drift_summaries",
        sa.Column("tenant_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("planned_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("full_planned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        *_figures(),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_drift_summaries_tenant_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", "resource", name="pk_drift_summaries"),
    )


def downgrade() -> None:
    op.drop_table("drift_summaries")
    op.drop_table("reconciliations")


def _figures() -> list[sa.Column[int]]:
    counted = [_rows(name) for name in ("checked", "missing", "stale", "corrected", "deleted")]
    return [*counted, *(sa.Column(name, sa.BigInteger(), nullable=True) for name in ("count_shopify", "count_held"))]


def _rows(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), server_default="0", nullable=False)


def _isolate(table: str) -> None:
    """Show and take only the rows of the tenant that the transaction named; one role may back all of them up."""
    tenant = "tenant_id = nullif(current_setting('app.tenant_id', true), '')::bigint"
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY one_tenant ON {table} USING ({tenant}) WITH CHECK ({tenant})")
    op.execute(f"CREATE POLICY backup ON {table} FOR SELECT TO storelens_backup USING (true)")
