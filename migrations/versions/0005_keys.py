"""Keys: rows that ingest fills refer to no tenant; a sale's key begins with its day, and a line's with its order."""

from __future__ import annotations

from alembic import op

revision = "0005_keys"
down_revision = "0004_backup"
branch_labels = None
depends_on = None

# Checking the tenant cost as much as writing the row (docs/decisions/0013-keys-of-tenant-rows.md).
TABLES = (
    "carts",
    "checkouts",
    "customers",
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
    "sales",
)
LINES = ("order_lines", "order_shipping_lines")


def upgrade() -> None:
    for table in TABLES:
        op.drop_constraint(f"fk_{table}_tenant_id", table, type_="foreignkey")
    op.drop_constraint("pk_sales", "sales", type_="primary")
    op.create_primary_key("pk_sales", "sales", ["tenant_id", "day_on", "id"])
    op.drop_index("ix_sales_day_on", "sales")
    for table in LINES:
        op.drop_constraint(f"pk_{table}", table, type_="primary")
        op.create_primary_key(f"pk_{table}", table, ["tenant_id", "order_shopify_id", "shopify_id"])
        op.drop_index(f"ix_{table}_order", table)


def downgrade() -> None:
    for table in LINES:
        op.create_index(f"ix_{table}_order", table, ["tenant_id", "order_shopify_id"])
        op.drop_constraint(f"pk_{table}", table, type_="primary")
        op.create_primary_key(f"pk_{table}", table, ["tenant_id", "shopify_id"])
    op.create_index("ix_sales_day_on", "sales", ["tenant_id", "day_on"])
    op.drop_constraint("pk_sales", "sales", type_="primary")
    op.create_primary_key("pk_sales", "sales", ["tenant_id", "id"])
    for table in TABLES:
        op.create_foreign_key(f"fk_{table}_tenant_id", table, "tenants", ["tenant_id"], ["id"], ondelete="CASCADE")
