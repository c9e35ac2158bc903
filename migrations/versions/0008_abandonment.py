"""Abandonment: what becomes of carts and checkouts, and each store's own idea of how long is too long."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from shopify_app.access import each_tenant

revision = "0008_abandonment"
down_revision = "0007_reconciliation"
branch_labels = None
depends_on = None

TABLES = ("carts", "checkouts")
# What is held says of each basket when it was last touched, and whether anything was at stake then.
AT_STAKE = {
    "carts": "coalesce(units, 0) > 0",
    "checkouts": (
        "customer_shopify_id IS NOT NULL OR email IS NOT NULL OR phone IS NOT NULL"
        " OR (backfill_id IS NOT NULL AND deleted_at IS NULL)"
    ),
}


def upgrade() -> None:
    op.add_column("tenants", sa.Column("abandonment_minutes", sa.Integer(), server_default="60", nullable=False))
    op.drop_column("carts", "completed_at")
    moments = sa.ARRAY(sa.DateTime(timezone=True))
    for table in TABLES:
        op.add_column(table, sa.Column("seen_at", moments, server_default="{}", nullable=False))
        op.add_column(table, sa.Column("seen_bare_at", moments, server_default="{}", nullable=False))
        for moment in ("ordered_at", "idle_since", "abandoned_at", "recovered_at"):
            op.add_column(table, sa.Column(moment, sa.DateTime(timezone=True), nullable=True))
        op.add_column(table, sa.Column("judged_by", sa.Integer(), server_default="0", nullable=False))
        idle = sa.text("idle_since IS NOT NULL")
        op.create_index(f"ix_{table}_idle", table, ["tenant_id", "idle_since"], postgresql_where=idle)
        op.create_index(f"ix_{table}_judged", table, ["tenant_id", "judged_by"])
    begun = sa.text("cart_token IS NOT NULL")
    op.create_index("ix_checkouts_cart", "checkouts", ["tenant_id", "cart_token"], postgresql_where=begun)
    _take_down_moments()


def downgrade() -> None:
    op.drop_index("ix_checkouts_cart", "checkouts")
    for table in TABLES:
        op.drop_index(f"ix_{table}_judged", table)
        op.drop_index(f"ix_{table}_idle", table)
        columns = ("judged_by", "recovered_at", "abandoned_at", "idle_since", "ordered_at", "seen_bare_at", "seen_at")
        for column in columns:
            op.drop_column(table, column)
    op.add_column("carts", sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True))
    op.drop_column("tenants", "abandonment_minutes")


def _take_down_moments() -> None:
    """Note when what is held was seen, and ask for every store's baskets to be judged."""
    connection = op.get_bind()
    for _ in each_tenant(connection):
        for table in TABLES:
            for column, condition in (("seen_at", AT_STAKE[table]), ("seen_bare_at", f"NOT ({AT_STAKE[table]})")):
                moment = f"ARRAY[coalesce(updated_at, ingested_at)] WHERE {condition}"
                connection.execute(sa.text(f"UPDATE {table} SET {column} = {moment}"))  # noqa: S608 - constants
    op.execute("INSERT INTO claims (kind, tenant_id, subject, due_at) SELECT 'abandonment', id, 0, now() FROM tenants")
