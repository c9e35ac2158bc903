"""Backup: one role may read the rows of every tenant, and write none."""

from __future__ import annotations

from alembic import op

revision = "0004_backup"
down_revision = "0003_tenant"
branch_labels = None
depends_on = None

TABLES = (
    "backfills",
    "carts",
    "checkouts",
    "customers",
    "data_exports",
    "day_totals",
    "dirty_days",
    "order_edit_lines",
    "order_edits",
    "order_lines",
    "order_shipping_lines",
    "orders",
    "product_variants",
    "products",
    "refund_lines",
    "refunds",
    "rollup_states",
    "sales",
    "tombstones",
    "webhook_subscriptions",
)


def upgrade() -> None:
    for table in TABLES:
        op.execute(f"CREATE POLICY backup ON {table} FOR SELECT TO storelens_backup USING (true)")


def downgrade() -> None:
    for table in reversed(TABLES):
        op.execute(f"DROP POLICY backup ON {table}")
