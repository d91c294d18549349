"""Initial."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from chassis.migrations import protect

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "categories",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(collation="C"), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("owner_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("team_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column(
            "tags", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=True
        ),
        sa.Column("external_ids", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("custom", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_categories")),
        info={"insert_only": False, "ops": False, "updates": ()},
    )
    op.create_index("ix_categories_created_at", "categories", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_categories_name", "categories", ["tenant_id", "name_key", "id"], unique=False)
    op.create_index("ix_categories_owner_id", "categories", ["tenant_id", "owner_id", "id"], unique=False)
    op.create_index(
        "ix_categories_owner_name",
        "categories",
        ["tenant_id", "owner_id", "name_key", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index(
        "ix_categories_tags",
        "categories",
        ["tags"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"tags": "jsonb_path_ops"},
        postgresql_where=sa.text("tags <> '[]'::jsonb"),
    )
    op.create_index("ix_categories_team_id", "categories", ["tenant_id", "team_id", "id"], unique=False)
    op.create_index(
        "ix_categories_team_name",
        "categories",
        ["tenant_id", "team_id", "name_key", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index("ix_categories_updated_at", "categories", ["tenant_id", "updated_at", "id"], unique=False)
    op.create_table(
        "shippers",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(collation="C"), nullable=False),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("owner_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("team_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column(
            "tags", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=True
        ),
        sa.Column("external_ids", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("custom", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_shippers")),
        info={"insert_only": False, "ops": False, "updates": ()},
    )
    op.create_index("ix_shippers_created_at", "shippers", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_shippers_name", "shippers", ["tenant_id", "name_key", "id"], unique=False)
    op.create_index("ix_shippers_owner_id", "shippers", ["tenant_id", "owner_id", "id"], unique=False)
    op.create_index(
        "ix_shippers_owner_name",
        "shippers",
        ["tenant_id", "owner_id", "name_key", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index(
        "ix_shippers_tags",
        "shippers",
        ["tags"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"tags": "jsonb_path_ops"},
        postgresql_where=sa.text("tags <> '[]'::jsonb"),
    )
    op.create_index("ix_shippers_team_id", "shippers", ["tenant_id", "team_id", "id"], unique=False)
    op.create_index(
        "ix_shippers_team_name",
        "shippers",
        ["tenant_id", "team_id", "name_key", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index("ix_shippers_updated_at", "shippers", ["tenant_id", "updated_at", "id"], unique=False)
    op.create_table(
        "suppliers",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(collation="C"), nullable=False),
        sa.Column("contact_name", sa.Text(), nullable=True),
        sa.Column("contact_title", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("fax", sa.Text(), nullable=True),
        sa.Column("website", sa.Text(), nullable=True),
        sa.Column("address", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("owner_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("team_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column(
            "tags", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=True
        ),
        sa.Column("external_ids", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("custom", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_suppliers")),
        info={"insert_only": False, "ops": False, "updates": ()},
    )
    op.create_index("ix_suppliers_created_at", "suppliers", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_suppliers_name", "suppliers", ["tenant_id", "name_key", "id"], unique=False)
    op.create_index("ix_suppliers_owner_id", "suppliers", ["tenant_id", "owner_id", "id"], unique=False)
    op.create_index(
        "ix_suppliers_owner_name",
        "suppliers",
        ["tenant_id", "owner_id", "name_key", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index(
        "ix_suppliers_tags",
        "suppliers",
        ["tags"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"tags": "jsonb_path_ops"},
        postgresql_where=sa.text("tags <> '[]'::jsonb"),
    )
    op.create_index("ix_suppliers_team_id", "suppliers", ["tenant_id", "team_id", "id"], unique=False)
    op.create_index(
        "ix_suppliers_team_name",
        "suppliers",
        ["tenant_id", "team_id", "name_key", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index("ix_suppliers_updated_at", "suppliers", ["tenant_id", "updated_at", "id"], unique=False)
    op.create_table(
        "warehouses",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(collation="C"), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("code_key", sa.Text(collation="C"), nullable=True),
        sa.Column("address", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("default", sa.Boolean(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("owner_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("team_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column(
            "tags", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=True
        ),
        sa.Column("external_ids", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("custom", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_warehouses")),
        info={"insert_only": False, "ops": False, "updates": ()},
    )
    op.create_index("ix_warehouses_code", "warehouses", ["tenant_id", "code_key", "id"], unique=False)
    op.create_index("ix_warehouses_created_at", "warehouses", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_warehouses_name", "warehouses", ["tenant_id", "name_key", "id"], unique=False)
    op.create_index("ix_warehouses_owner_id", "warehouses", ["tenant_id", "owner_id", "id"], unique=False)
    op.create_index(
        "ix_warehouses_owner_name",
        "warehouses",
        ["tenant_id", "owner_id", "name_key", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index(
        "ix_warehouses_tags",
        "warehouses",
        ["tags"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"tags": "jsonb_path_ops"},
        postgresql_where=sa.text("tags <> '[]'::jsonb"),
    )
    op.create_index("ix_warehouses_team_id", "warehouses", ["tenant_id", "team_id", "id"], unique=False)
    op.create_index(
        "ix_warehouses_team_name",
        "warehouses",
        ["tenant_id", "team_id", "name_key", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index("ix_warehouses_updated_at", "warehouses", ["tenant_id", "updated_at", "id"], unique=False)
    op.create_index(
        "uq_warehouses_default",
        "warehouses",
        ["tenant_id"],
        unique=True,
        postgresql_where=sa.text('"default" AND deleted_at IS NULL'),
    )
    op.create_table(
        "products",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(collation="C"), nullable=False),
        sa.Column("sku", sa.Text(), nullable=True),
        sa.Column("sku_key", sa.Text(collation="C"), nullable=True),
        sa.Column("category_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("supplier_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("unit", sa.Text(), nullable=True),
        sa.Column("price", sa.Numeric(), nullable=True),
        sa.Column("price_currency", sa.Text(), nullable=True),
        sa.Column("tax_rate", sa.Numeric(), nullable=True),
        sa.Column("reorder_level", sa.Numeric(), nullable=True),
        sa.Column("discontinued", sa.Boolean(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("merged_into_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("owner_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("team_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column(
            "tags", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=True
        ),
        sa.Column("external_ids", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("custom", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "category_id"], ["categories.tenant_id", "categories.id"], name="fk_products_category_id"
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "merged_into_id"], ["products.tenant_id", "products.id"], name="fk_products_merged_into_id"
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "supplier_id"], ["suppliers.tenant_id", "suppliers.id"], name="fk_products_supplier_id"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_products")),
        info={"insert_only": False, "ops": False, "updates": ()},
    )
    op.create_index("ix_products_category_id", "products", ["tenant_id", "category_id", "id"], unique=False)
    op.create_index("ix_products_created_at", "products", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_products_discontinued", "products", ["tenant_id", "discontinued", "id"], unique=False)
    op.create_index("ix_products_name", "products", ["tenant_id", "name_key", "id"], unique=False)
    op.create_index("ix_products_owner_id", "products", ["tenant_id", "owner_id", "id"], unique=False)
    op.create_index(
        "ix_products_owner_name",
        "products",
        ["tenant_id", "owner_id", "name_key", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index(
        "ix_products_owner_price",
        "products",
        ["tenant_id", "owner_id", "price", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index(
        "ix_products_owner_sku",
        "products",
        ["tenant_id", "owner_id", "sku_key", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index("ix_products_price", "products", ["tenant_id", "price", "id"], unique=False)
    op.create_index("ix_products_sku", "products", ["tenant_id", "sku_key", "id"], unique=False)
    op.create_index("ix_products_supplier_id", "products", ["tenant_id", "supplier_id", "id"], unique=False)
    op.create_index(
        "ix_products_tags",
        "products",
        ["tags"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"tags": "jsonb_path_ops"},
        postgresql_where=sa.text("tags <> '[]'::jsonb"),
    )
    op.create_index("ix_products_team_id", "products", ["tenant_id", "team_id", "id"], unique=False)
    op.create_index(
        "ix_products_team_name",
        "products",
        ["tenant_id", "team_id", "name_key", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index(
        "ix_products_team_price",
        "products",
        ["tenant_id", "team_id", "price", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index(
        "ix_products_team_sku",
        "products",
        ["tenant_id", "team_id", "sku_key", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index("ix_products_updated_at", "products", ["tenant_id", "updated_at", "id"], unique=False)
    op.create_table(
        "purchase_orders",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("number", sa.Text(), nullable=True),
        sa.Column("number_key", sa.Text(collation="C"), nullable=True),
        sa.Column("supplier_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("warehouse_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("ordered_on", sa.Date(), nullable=True),
        sa.Column("lines", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("owner_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("team_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column(
            "tags", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=True
        ),
        sa.Column("external_ids", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("custom", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "supplier_id"], ["suppliers.tenant_id", "suppliers.id"], name="fk_purchase_orders_supplier_id"
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "warehouse_id"],
            ["warehouses.tenant_id", "warehouses.id"],
            name="fk_purchase_orders_warehouse_id",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_purchase_orders")),
        info={"insert_only": False, "ops": False, "updates": ()},
    )
    op.create_index("ix_purchase_orders_created_at", "purchase_orders", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_purchase_orders_number", "purchase_orders", ["tenant_id", "number_key", "id"], unique=False)
    op.create_index("ix_purchase_orders_ordered_on", "purchase_orders", ["tenant_id", "ordered_on", "id"], unique=False)
    op.create_index("ix_purchase_orders_owner_id", "purchase_orders", ["tenant_id", "owner_id", "id"], unique=False)
    op.create_index(
        "ix_purchase_orders_owner_number",
        "purchase_orders",
        ["tenant_id", "owner_id", "number_key", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index(
        "ix_purchase_orders_owner_ordered_on",
        "purchase_orders",
        ["tenant_id", "owner_id", "ordered_on", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index("ix_purchase_orders_status", "purchase_orders", ["tenant_id", "status", "id"], unique=False)
    op.create_index(
        "ix_purchase_orders_supplier_id", "purchase_orders", ["tenant_id", "supplier_id", "id"], unique=False
    )
    op.create_index(
        "ix_purchase_orders_tags",
        "purchase_orders",
        ["tags"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"tags": "jsonb_path_ops"},
        postgresql_where=sa.text("tags <> '[]'::jsonb"),
    )
    op.create_index("ix_purchase_orders_team_id", "purchase_orders", ["tenant_id", "team_id", "id"], unique=False)
    op.create_index(
        "ix_purchase_orders_team_number",
        "purchase_orders",
        ["tenant_id", "team_id", "number_key", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index(
        "ix_purchase_orders_team_ordered_on",
        "purchase_orders",
        ["tenant_id", "team_id", "ordered_on", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index("ix_purchase_orders_updated_at", "purchase_orders", ["tenant_id", "updated_at", "id"], unique=False)
    op.create_index("uq_purchase_orders_number", "purchase_orders", ["tenant_id", "number_key"], unique=True)
    op.create_table(
        "reservations",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("order_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("warehouse_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("lines", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("owner_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("team_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column(
            "tags", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=True
        ),
        sa.Column("external_ids", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("custom", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "warehouse_id"],
            ["warehouses.tenant_id", "warehouses.id"],
            name="fk_reservations_warehouse_id",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_reservations")),
        sa.UniqueConstraint("tenant_id", "order_id", name=op.f("uq_reservations_tenant_id_order_id")),
        info={"insert_only": False, "ops": False, "updates": ()},
    )
    op.create_index("ix_reservations_created_at", "reservations", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_reservations_order_id", "reservations", ["tenant_id", "order_id", "id"], unique=False)
    op.create_index("ix_reservations_owner_id", "reservations", ["tenant_id", "owner_id", "id"], unique=False)
    op.create_index("ix_reservations_status", "reservations", ["tenant_id", "status", "id"], unique=False)
    op.create_index(
        "ix_reservations_tags",
        "reservations",
        ["tags"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"tags": "jsonb_path_ops"},
        postgresql_where=sa.text("tags <> '[]'::jsonb"),
    )
    op.create_index("ix_reservations_team_id", "reservations", ["tenant_id", "team_id", "id"], unique=False)
    op.create_index("ix_reservations_updated_at", "reservations", ["tenant_id", "updated_at", "id"], unique=False)
    op.create_index("ix_reservations_warehouse_id", "reservations", ["tenant_id", "warehouse_id", "id"], unique=False)
    op.create_table(
        "shipments",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("number", sa.Text(), nullable=True),
        sa.Column("number_key", sa.Text(collation="C"), nullable=True),
        sa.Column("order_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("warehouse_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("shipper_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("shipped_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lines", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("owner_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("team_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column(
            "tags", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=True
        ),
        sa.Column("external_ids", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("custom", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "shipper_id"], ["shippers.tenant_id", "shippers.id"], name="fk_shipments_shipper_id"
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "warehouse_id"], ["warehouses.tenant_id", "warehouses.id"], name="fk_shipments_warehouse_id"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_shipments")),
        info={"insert_only": False, "ops": False, "updates": ()},
    )
    op.create_index("ix_shipments_created_at", "shipments", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_shipments_number", "shipments", ["tenant_id", "number_key", "id"], unique=False)
    op.create_index("ix_shipments_order_id", "shipments", ["tenant_id", "order_id", "id"], unique=False)
    op.create_index("ix_shipments_owner_id", "shipments", ["tenant_id", "owner_id", "id"], unique=False)
    op.create_index(
        "ix_shipments_owner_number",
        "shipments",
        ["tenant_id", "owner_id", "number_key", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index(
        "ix_shipments_owner_shipped_at",
        "shipments",
        ["tenant_id", "owner_id", "shipped_at", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index("ix_shipments_shipped_at", "shipments", ["tenant_id", "shipped_at", "id"], unique=False)
    op.create_index("ix_shipments_shipper_id", "shipments", ["tenant_id", "shipper_id", "id"], unique=False)
    op.create_index("ix_shipments_status", "shipments", ["tenant_id", "status", "id"], unique=False)
    op.create_index(
        "ix_shipments_tags",
        "shipments",
        ["tags"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"tags": "jsonb_path_ops"},
        postgresql_where=sa.text("tags <> '[]'::jsonb"),
    )
    op.create_index("ix_shipments_team_id", "shipments", ["tenant_id", "team_id", "id"], unique=False)
    op.create_index(
        "ix_shipments_team_number",
        "shipments",
        ["tenant_id", "team_id", "number_key", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index(
        "ix_shipments_team_shipped_at",
        "shipments",
        ["tenant_id", "team_id", "shipped_at", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index("ix_shipments_updated_at", "shipments", ["tenant_id", "updated_at", "id"], unique=False)
    op.create_index("uq_shipments_number", "shipments", ["tenant_id", "number_key"], unique=True)
    op.create_table(
        "stock_levels",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("product_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("warehouse_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("on_hand", sa.Numeric(), nullable=True),
        sa.Column("reserved", sa.Numeric(), nullable=True),
        sa.Column("available", sa.Numeric(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("owner_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("team_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column(
            "tags", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=True
        ),
        sa.Column("external_ids", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("custom", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.CheckConstraint("available = on_hand - reserved", name=op.f("ck_stock_levels_available")),
        sa.CheckConstraint("available >= 0", name=op.f("ck_stock_levels_enough")),
        sa.CheckConstraint("on_hand >= 0", name=op.f("ck_stock_levels_on_hand")),
        sa.CheckConstraint("reserved >= 0", name=op.f("ck_stock_levels_reserved")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "product_id"], ["products.tenant_id", "products.id"], name="fk_stock_levels_product_id"
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "warehouse_id"],
            ["warehouses.tenant_id", "warehouses.id"],
            name="fk_stock_levels_warehouse_id",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_stock_levels")),
        sa.UniqueConstraint(
            "tenant_id", "product_id", "warehouse_id", name=op.f("uq_stock_levels_tenant_id_product_id_warehouse_id")
        ),
        info={"insert_only": False, "ops": False, "updates": ()},
    )
    op.create_index("ix_stock_levels_available", "stock_levels", ["tenant_id", "available", "id"], unique=False)
    op.create_index("ix_stock_levels_created_at", "stock_levels", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_stock_levels_on_hand", "stock_levels", ["tenant_id", "on_hand", "id"], unique=False)
    op.create_index("ix_stock_levels_owner_id", "stock_levels", ["tenant_id", "owner_id", "id"], unique=False)
    op.create_index("ix_stock_levels_product_id", "stock_levels", ["tenant_id", "product_id", "id"], unique=False)
    op.create_index("ix_stock_levels_reserved", "stock_levels", ["tenant_id", "reserved", "id"], unique=False)
    op.create_index(
        "ix_stock_levels_tags",
        "stock_levels",
        ["tags"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"tags": "jsonb_path_ops"},
        postgresql_where=sa.text("tags <> '[]'::jsonb"),
    )
    op.create_index("ix_stock_levels_team_id", "stock_levels", ["tenant_id", "team_id", "id"], unique=False)
    op.create_index("ix_stock_levels_updated_at", "stock_levels", ["tenant_id", "updated_at", "id"], unique=False)
    op.create_index("ix_stock_levels_warehouse_id", "stock_levels", ["tenant_id", "warehouse_id", "id"], unique=False)
    op.create_table(
        "stock_moves",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("product_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("warehouse_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("to_warehouse_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("quantity", sa.Numeric(), nullable=False),
        sa.Column("change", sa.Numeric(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("order_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("cause", sa.Text(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("owner_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("team_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column(
            "tags", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=True
        ),
        sa.Column("external_ids", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("custom", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "product_id"], ["products.tenant_id", "products.id"], name="fk_stock_moves_product_id"
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "to_warehouse_id"],
            ["warehouses.tenant_id", "warehouses.id"],
            name="fk_stock_moves_to_warehouse_id",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "warehouse_id"], ["warehouses.tenant_id", "warehouses.id"], name="fk_stock_moves_warehouse_id"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_stock_moves")),
        sa.UniqueConstraint(
            "tenant_id",
            "cause",
            "product_id",
            "warehouse_id",
            name=op.f("uq_stock_moves_tenant_id_cause_product_id_warehouse_id"),
        ),
        info={"insert_only": True, "ops": False, "updates": ()},
    )
    op.create_index("ix_stock_moves_created_at", "stock_moves", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_stock_moves_kind", "stock_moves", ["tenant_id", "kind", "id"], unique=False)
    op.create_index("ix_stock_moves_order_id", "stock_moves", ["tenant_id", "order_id", "id"], unique=False)
    op.create_index("ix_stock_moves_owner_id", "stock_moves", ["tenant_id", "owner_id", "id"], unique=False)
    op.create_index("ix_stock_moves_product_id", "stock_moves", ["tenant_id", "product_id", "id"], unique=False)
    op.create_index(
        "ix_stock_moves_tags",
        "stock_moves",
        ["tags"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"tags": "jsonb_path_ops"},
        postgresql_where=sa.text("tags <> '[]'::jsonb"),
    )
    op.create_index("ix_stock_moves_team_id", "stock_moves", ["tenant_id", "team_id", "id"], unique=False)
    op.create_index("ix_stock_moves_updated_at", "stock_moves", ["tenant_id", "updated_at", "id"], unique=False)
    op.create_index("ix_stock_moves_warehouse_id", "stock_moves", ["tenant_id", "warehouse_id", "id"], unique=False)
    protect(
        op,
        "categories",
        "shippers",
        "suppliers",
        "warehouses",
        "products",
        "purchase_orders",
        "reservations",
        "shipments",
        "stock_levels",
    )
    protect(op, "stock_moves", insert_only=True)
