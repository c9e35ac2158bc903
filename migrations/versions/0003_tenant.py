"""Tenant: everything a store owns, under forced row-level security from the first row on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003_tenant"
down_revision = "0002_queue"
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
# Tables whose rows carry a number of ours beside Shopify's; a sequence, since a distributed table has no identity.
NUMBERED = ("backfills", "carts", "checkouts", "customers", "data_exports", "orders", "products", "refunds", "sales")


def upgrade() -> None:
    for table in NUMBERED:
        op.execute(f"CREATE SEQUENCE {table}_id_seq")
    op.create_table(
        "backfills",
        sa.Column("tenant_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "id", sa.BigInteger(), server_default=sa.text("nextval('backfills_id_seq'::regclass)"), nullable=False
        ),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="planned", nullable=False),
        sa.Column("operation_id", sa.Text(), nullable=True),
        sa.Column("objects_total", sa.BigInteger(), nullable=True),
        sa.Column("objects_read", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("rows_written", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("byte_offset", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("cursor", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "resource IN ('customers', 'products', 'orders', 'refunds', 'checkouts')", name="ck_backfills_resource"
        ),
        sa.CheckConstraint(
            "state IN ('planned', 'requested', 'running', 'loading', 'verifying', 'done', 'failed', 'cancelled')",
            name="ck_backfills_state",
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_backfills_tenant_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_backfills"),
    )
    op.create_index("ix_backfills_run", "backfills", ["tenant_id", "run_id"])
    op.create_table(
        "carts",
        sa.Column("tenant_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("shopify_id", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), server_default=sa.text("nextval('carts_id_seq'::regclass)"), nullable=False),
        sa.Column("status", sa.Text(), server_default="active", nullable=False),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("units", sa.Integer(), nullable=True),
        sa.Column("total_price", sa.Numeric(precision=22, scale=4), nullable=True),
        sa.Column("line_items", postgresql.JSONB(), nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("triggered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("backfill_id", sa.BigInteger(), nullable=True),
        sa.Column("ingested_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_carts_tenant_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", "shopify_id", name="pk_carts"),
    )
    op.create_index("uq_carts_tenant_id_id", "carts", ["tenant_id", "id"], unique=True)
    op.create_table(
        "checkouts",
        sa.Column("tenant_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column(
            "id", sa.BigInteger(), server_default=sa.text("nextval('checkouts_id_seq'::regclass)"), nullable=False
        ),
        sa.Column("shopify_id", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.Text(), server_default="open", nullable=False),
        sa.Column("cart_token", sa.Text(), nullable=True),
        sa.Column("customer_shopify_id", sa.BigInteger(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("total_price", sa.Numeric(precision=22, scale=4), nullable=True),
        sa.Column("subtotal_price", sa.Numeric(precision=22, scale=4), nullable=True),
        sa.Column("abandoned_checkout_url", sa.Text(), nullable=True),
        sa.Column("line_items", postgresql.JSONB(), nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("triggered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("backfill_id", sa.BigInteger(), nullable=True),
        sa.Column("ingested_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_checkouts_tenant_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", "token", name="pk_checkouts"),
    )
    op.create_index("ix_checkouts_shopify_id", "checkouts", ["tenant_id", "shopify_id"])
    op.create_index("uq_checkouts_tenant_id_id", "checkouts", ["tenant_id", "id"], unique=True)
    op.create_table(
        "customers",
        sa.Column("tenant_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("shopify_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "id", sa.BigInteger(), server_default=sa.text("nextval('customers_id_seq'::regclass)"), nullable=False
        ),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("first_name", sa.Text(), nullable=True),
        sa.Column("last_name", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=True),
        sa.Column("locale", sa.Text(), nullable=True),
        sa.Column("country_code", sa.Text(), nullable=True),
        sa.Column("province_code", sa.Text(), nullable=True),
        sa.Column("city", sa.Text(), nullable=True),
        sa.Column("tags", sa.ARRAY(sa.Text()), nullable=True),
        sa.Column("tags_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("email_consent", sa.Text(), nullable=True),
        sa.Column("email_consent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sms_consent", sa.Text(), nullable=True),
        sa.Column("sms_consent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("purchases_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("orders_count", sa.Integer(), nullable=True),
        sa.Column("amount_spent", sa.Numeric(precision=22, scale=4), nullable=True),
        sa.Column("merged_into", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("triggered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("backfill_id", sa.BigInteger(), nullable=True),
        sa.Column("ingested_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_customers_tenant_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", "shopify_id", name="pk_customers"),
    )
    op.create_index("uq_customers_tenant_id_id", "customers", ["tenant_id", "id"], unique=True)
    op.create_table(
        "data_exports",
        sa.Column("tenant_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "id", sa.BigInteger(), server_default=sa.text("nextval('data_exports_id_seq'::regclass)"), nullable=False
        ),
        sa.Column("request_id", sa.BigInteger(), nullable=False),
        sa.Column("customer_shopify_id", sa.BigInteger(), nullable=True),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("downloaded_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_data_exports_tenant_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_data_exports"),
    )
    op.create_table(
        "day_totals",
        sa.Column("tenant_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("day_on", sa.Date(), nullable=False),
        sa.Column("orders", sa.Integer(), nullable=False),
        sa.Column("units", sa.Integer(), nullable=False),
        sa.Column("gross", sa.Numeric(precision=22, scale=4), nullable=False),
        sa.Column("discounts", sa.Numeric(precision=22, scale=4), nullable=False),
        sa.Column("returns", sa.Numeric(precision=22, scale=4), nullable=False),
        sa.Column("shipping", sa.Numeric(precision=22, scale=4), nullable=False),
        sa.Column("taxes", sa.Numeric(precision=22, scale=4), nullable=False),
        sa.Column("ordered_gross", sa.Numeric(precision=22, scale=4), nullable=False),
        sa.Column("ordered_discounts", sa.Numeric(precision=22, scale=4), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_day_totals_tenant_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", "day_on", name="pk_day_totals"),
    )
    op.create_table(
        "dirty_days",
        sa.Column("tenant_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("day_on", sa.Date(), nullable=False),
        sa.Column("marked_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_dirty_days_tenant_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", "day_on", name="pk_dirty_days"),
    )
    op.create_table(
        "order_edit_lines",
        sa.Column("tenant_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("edit_shopify_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("order_line_shopify_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("delta", sa.Integer(), nullable=False),
        sa.Column("gross", sa.Numeric(precision=22, scale=4), nullable=True),
        sa.Column("discount", sa.Numeric(precision=22, scale=4), nullable=True),
        sa.Column("tax", sa.Numeric(precision=22, scale=4), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name="fk_order_edit_lines_tenant_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "edit_shopify_id", "order_line_shopify_id", name="pk_order_edit_lines"),
    )
    op.create_table(
        "order_edits",
        sa.Column("tenant_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("shopify_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("order_shopify_id", sa.BigInteger(), nullable=False),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_order_edits_tenant_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", "shopify_id", name="pk_order_edits"),
    )
    op.create_index("ix_order_edits_order", "order_edits", ["tenant_id", "order_shopify_id"])
    op.create_table(
        "order_lines",
        sa.Column("tenant_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("shopify_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("order_shopify_id", sa.BigInteger(), nullable=False),
        sa.Column("product_shopify_id", sa.BigInteger(), nullable=True),
        sa.Column("variant_shopify_id", sa.BigInteger(), nullable=True),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("variant_title", sa.Text(), nullable=True),
        sa.Column("sku", sa.Text(), nullable=True),
        sa.Column("vendor", sa.Text(), nullable=True),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("current_quantity", sa.Integer(), nullable=True),
        sa.Column("price", sa.Numeric(precision=22, scale=4), nullable=False),
        sa.Column("discount", sa.Numeric(precision=22, scale=4), nullable=False),
        sa.Column("tax", sa.Numeric(precision=22, scale=4), nullable=False),
        sa.Column("gift_card", sa.Boolean(), server_default="false", nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_order_lines_tenant_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", "shopify_id", name="pk_order_lines"),
    )
    op.create_index("ix_order_lines_order", "order_lines", ["tenant_id", "order_shopify_id"])
    op.create_table(
        "order_shipping_lines",
        sa.Column("tenant_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("shopify_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("order_shopify_id", sa.BigInteger(), nullable=False),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("price", sa.Numeric(precision=22, scale=4), nullable=False),
        sa.Column("discount", sa.Numeric(precision=22, scale=4), nullable=False),
        sa.Column("tax", sa.Numeric(precision=22, scale=4), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name="fk_order_shipping_lines_tenant_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "shopify_id", name="pk_order_shipping_lines"),
    )
    op.create_index("ix_order_shipping_lines_order", "order_shipping_lines", ["tenant_id", "order_shopify_id"])
    op.create_table(
        "orders",
        sa.Column("tenant_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("shopify_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), server_default=sa.text("nextval('orders_id_seq'::regclass)"), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("financial_status", sa.Text(), nullable=True),
        sa.Column("fulfillment_status", sa.Text(), nullable=True),
        sa.Column("customer_shopify_id", sa.BigInteger(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("country_code", sa.Text(), nullable=True),
        sa.Column("source_name", sa.Text(), nullable=True),
        sa.Column("tags", sa.ARRAY(sa.Text()), nullable=True),
        sa.Column("discount_codes", sa.ARRAY(sa.Text()), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("total_price", sa.Numeric(precision=22, scale=4), nullable=True),
        sa.Column("subtotal_price", sa.Numeric(precision=22, scale=4), nullable=True),
        sa.Column("total_discounts", sa.Numeric(precision=22, scale=4), nullable=True),
        sa.Column("total_tax", sa.Numeric(precision=22, scale=4), nullable=True),
        sa.Column("total_shipping", sa.Numeric(precision=22, scale=4), nullable=True),
        sa.Column("current_total_price", sa.Numeric(precision=22, scale=4), nullable=True),
        sa.Column("presentment_currency", sa.Text(), nullable=True),
        sa.Column("presentment_total_price", sa.Numeric(precision=22, scale=4), nullable=True),
        sa.Column("taxes_included", sa.Boolean(), nullable=True),
        sa.Column("test", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("edited", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("cart_token", sa.Text(), nullable=True),
        sa.Column("checkout_token", sa.Text(), nullable=True),
        sa.Column("cancel_reason", sa.Text(), nullable=True),
        sa.Column("processed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("triggered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("backfill_id", sa.BigInteger(), nullable=True),
        sa.Column("ingested_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_orders_tenant_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", "shopify_id", name="pk_orders"),
    )
    op.create_index(
        "ix_orders_cart", "orders", ["tenant_id", "cart_token"], postgresql_where=sa.text("cart_token IS NOT NULL")
    )
    op.create_index(
        "ix_orders_checkout",
        "orders",
        ["tenant_id", "checkout_token"],
        postgresql_where=sa.text("checkout_token IS NOT NULL"),
    )
    op.create_index("ix_orders_customer", "orders", ["tenant_id", "customer_shopify_id"])
    op.create_index("ix_orders_processed_at", "orders", ["tenant_id", "processed_at"])
    op.create_index("uq_orders_tenant_id_id", "orders", ["tenant_id", "id"], unique=True)
    op.create_table(
        "product_variants",
        sa.Column("tenant_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("shopify_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("product_shopify_id", sa.BigInteger(), nullable=False),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("sku", sa.Text(), nullable=True),
        sa.Column("barcode", sa.Text(), nullable=True),
        sa.Column("price", sa.Numeric(precision=22, scale=4), nullable=True),
        sa.Column("compare_at_price", sa.Numeric(precision=22, scale=4), nullable=True),
        sa.Column("position", sa.Integer(), nullable=True),
        sa.Column("inventory_quantity", sa.BigInteger(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name="fk_product_variants_tenant_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "shopify_id", name="pk_product_variants"),
    )
    op.create_index("ix_product_variants_product", "product_variants", ["tenant_id", "product_shopify_id"])
    op.create_table(
        "products",
        sa.Column("tenant_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("shopify_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "id", sa.BigInteger(), server_default=sa.text("nextval('products_id_seq'::regclass)"), nullable=False
        ),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("handle", sa.Text(), nullable=True),
        sa.Column("vendor", sa.Text(), nullable=True),
        sa.Column("product_type", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("tags", sa.ARRAY(sa.Text()), nullable=True),
        sa.Column("price", sa.Numeric(precision=22, scale=4), nullable=True),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("triggered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("backfill_id", sa.BigInteger(), nullable=True),
        sa.Column("ingested_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_products_tenant_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", "shopify_id", name="pk_products"),
    )
    op.create_index("uq_products_tenant_id_id", "products", ["tenant_id", "id"], unique=True)
    op.create_table(
        "refund_lines",
        sa.Column("tenant_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("refund_shopify_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("shopify_id", sa.BigInteger(), nullable=True),
        sa.Column("order_line_shopify_id", sa.BigInteger(), nullable=True),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("restock_type", sa.Text(), nullable=True),
        sa.Column("subtotal", sa.Numeric(precision=22, scale=4), nullable=False),
        sa.Column("tax", sa.Numeric(precision=22, scale=4), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_refund_lines_tenant_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", "refund_shopify_id", "position", name="pk_refund_lines"),
    )
    op.create_table(
        "refunds",
        sa.Column("tenant_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("shopify_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), server_default=sa.text("nextval('refunds_id_seq'::regclass)"), nullable=False),
        sa.Column("order_shopify_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("processed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("amount", sa.Numeric(precision=22, scale=4), nullable=True),
        sa.Column("shipping", sa.Numeric(precision=22, scale=4), nullable=True),
        sa.Column("shipping_tax", sa.Numeric(precision=22, scale=4), nullable=True),
        sa.Column("lines_read_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_refunds_tenant_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", "shopify_id", name="pk_refunds"),
    )
    op.create_index("ix_refunds_order", "refunds", ["tenant_id", "order_shopify_id"])
    op.create_index("uq_refunds_tenant_id_id", "refunds", ["tenant_id", "id"], unique=True)
    op.create_table(
        "rollup_states",
        sa.Column("tenant_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("refreshed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_rollup_states_tenant_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", name="pk_rollup_states"),
    )
    op.create_table(
        "sales",
        sa.Column("tenant_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), server_default=sa.text("nextval('sales_id_seq'::regclass)"), nullable=False),
        sa.Column("order_shopify_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("line_type", sa.Text(), nullable=False),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("day_on", sa.Date(), nullable=False),
        sa.Column("customer_shopify_id", sa.BigInteger(), nullable=True),
        sa.Column("order_line_shopify_id", sa.BigInteger(), nullable=True),
        sa.Column("product_shopify_id", sa.BigInteger(), nullable=True),
        sa.Column("variant_shopify_id", sa.BigInteger(), nullable=True),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("gross", sa.Numeric(precision=22, scale=4), nullable=False),
        sa.Column("discounts", sa.Numeric(precision=22, scale=4), nullable=False),
        sa.Column("returns", sa.Numeric(precision=22, scale=4), nullable=False),
        sa.Column("shipping", sa.Numeric(precision=22, scale=4), nullable=False),
        sa.Column("taxes", sa.Numeric(precision=22, scale=4), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_sales_tenant_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_sales"),
    )
    op.create_index("ix_sales_day_on", "sales", ["tenant_id", "day_on"])
    op.create_index("ix_sales_order", "sales", ["tenant_id", "order_shopify_id"])
    op.create_table(
        "tombstones",
        sa.Column("tenant_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_tombstones_tenant_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", "digest", name="pk_tombstones"),
    )
    op.create_table(
        "webhook_subscriptions",
        sa.Column("tenant_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("shopify_id", sa.Text(), nullable=True),
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("registered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name="fk_webhook_subscriptions_tenant_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "topic", name="pk_webhook_subscriptions"),
    )
    for table in NUMBERED:
        op.execute(f"ALTER SEQUENCE {table}_id_seq OWNED BY {table}.id")
    for table in TABLES:
        _isolate(table)


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)


def _isolate(table: str) -> None:
    """Show and take only the rows of the tenant that the transaction named.

    An unset setting reads as '' once it was set in the session, and ''::bigint would raise: hence the nullif.
    """
    tenant = "tenant_id = nullif(current_setting('app.tenant_id', true), '')::bigint"
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY one_tenant ON {table} USING ({tenant}) WITH CHECK ({tenant})")
