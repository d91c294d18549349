"""Initial."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from chassis.migrations import allow_update, protect

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "credit_holds",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("order_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("amount", sa.Numeric(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "order_id", name=op.f("pk_credit_holds")),
    )
    op.create_index("ix_credit_holds_account", "credit_holds", ["tenant_id", "account_id"], unique=False)
    op.create_table(
        "orders",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("number", sa.Text(), nullable=True),
        sa.Column("number_key", sa.Text(collation="C"), nullable=True),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("account_name", sa.Text(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("ordered_on", sa.Date(), nullable=False),
        sa.Column("required_on", sa.Date(), nullable=True),
        sa.Column("warehouse_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("shipper_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("ship_to", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("ship_name", sa.Text(), nullable=True),
        sa.Column("lines", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("history", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("net", sa.Numeric(), nullable=True),
        sa.Column("net_currency", sa.Text(), nullable=True),
        sa.Column("tax", sa.Numeric(), nullable=True),
        sa.Column("tax_currency", sa.Text(), nullable=True),
        sa.Column("freight", sa.Numeric(), nullable=True),
        sa.Column("freight_currency", sa.Text(), nullable=True),
        sa.Column("total", sa.Numeric(), nullable=True),
        sa.Column("total_currency", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("reason_detail", sa.Text(), nullable=True),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("shipped_at", sa.DateTime(timezone=True), nullable=True),
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
        sa.CheckConstraint("total >= 0", name=op.f("ck_orders_total")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_orders")),
        info={"insert_only": False, "ops": False, "updates": ()},
    )
    op.create_index("ix_orders_account_id", "orders", ["tenant_id", "account_id", "id"], unique=False)
    op.create_index("ix_orders_created_at", "orders", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_orders_currency", "orders", ["tenant_id", "currency", "id"], unique=False)
    op.create_index("ix_orders_number", "orders", ["tenant_id", "number_key", "id"], unique=False)
    op.create_index("ix_orders_ordered_on", "orders", ["tenant_id", "ordered_on", "id"], unique=False)
    op.create_index("ix_orders_owner_id", "orders", ["tenant_id", "owner_id", "id"], unique=False)
    op.create_index(
        "ix_orders_owner_number",
        "orders",
        ["tenant_id", "owner_id", "number_key", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index(
        "ix_orders_owner_ordered_on",
        "orders",
        ["tenant_id", "owner_id", "ordered_on", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index(
        "ix_orders_owner_placed_at",
        "orders",
        ["tenant_id", "owner_id", "placed_at", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index(
        "ix_orders_owner_total",
        "orders",
        ["tenant_id", "owner_id", "total", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index("ix_orders_placed_at", "orders", ["tenant_id", "placed_at", "id"], unique=False)
    op.create_index("ix_orders_status", "orders", ["tenant_id", "status", "id"], unique=False)
    op.create_index(
        "ix_orders_tags",
        "orders",
        ["tags"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"tags": "jsonb_path_ops"},
        postgresql_where=sa.text("tags <> '[]'::jsonb"),
    )
    op.create_index("ix_orders_team_id", "orders", ["tenant_id", "team_id", "id"], unique=False)
    op.create_index(
        "ix_orders_team_number",
        "orders",
        ["tenant_id", "team_id", "number_key", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index(
        "ix_orders_team_ordered_on",
        "orders",
        ["tenant_id", "team_id", "ordered_on", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index(
        "ix_orders_team_placed_at",
        "orders",
        ["tenant_id", "team_id", "placed_at", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index(
        "ix_orders_team_total",
        "orders",
        ["tenant_id", "team_id", "total", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index("ix_orders_total", "orders", ["tenant_id", "total", "id"], unique=False)
    op.create_index("ix_orders_updated_at", "orders", ["tenant_id", "updated_at", "id"], unique=False)
    op.create_index("uq_orders_number", "orders", ["tenant_id", "number_key"], unique=True)
    op.create_table(
        "payments",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("number", sa.Text(), nullable=True),
        sa.Column("number_key", sa.Text(collation="C"), nullable=True),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("amount", sa.Numeric(), nullable=False),
        sa.Column("amount_currency", sa.Text(), nullable=False),
        sa.Column("received_on", sa.Date(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("reference_key", sa.Text(collation="C"), nullable=True),
        sa.Column("allocations", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("unallocated", sa.Numeric(), nullable=True),
        sa.Column("unallocated_currency", sa.Text(), nullable=True),
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
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_payments")),
        info={"insert_only": True, "ops": False, "updates": ("account_id", "version", "updated_at", "updated_by")},
    )
    op.create_index("ix_payments_account_id", "payments", ["tenant_id", "account_id", "id"], unique=False)
    op.create_index("ix_payments_amount", "payments", ["tenant_id", "amount", "id"], unique=False)
    op.create_index("ix_payments_created_at", "payments", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_payments_number", "payments", ["tenant_id", "number_key", "id"], unique=False)
    op.create_index(
        "ix_payments_owner_amount",
        "payments",
        ["tenant_id", "owner_id", "amount", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index("ix_payments_owner_id", "payments", ["tenant_id", "owner_id", "id"], unique=False)
    op.create_index(
        "ix_payments_owner_number",
        "payments",
        ["tenant_id", "owner_id", "number_key", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index(
        "ix_payments_owner_received_on",
        "payments",
        ["tenant_id", "owner_id", "received_on", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index("ix_payments_received_on", "payments", ["tenant_id", "received_on", "id"], unique=False)
    op.create_index("ix_payments_reference", "payments", ["tenant_id", "reference_key", "id"], unique=False)
    op.create_index(
        "ix_payments_tags",
        "payments",
        ["tags"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"tags": "jsonb_path_ops"},
        postgresql_where=sa.text("tags <> '[]'::jsonb"),
    )
    op.create_index(
        "ix_payments_team_amount",
        "payments",
        ["tenant_id", "team_id", "amount", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index("ix_payments_team_id", "payments", ["tenant_id", "team_id", "id"], unique=False)
    op.create_index(
        "ix_payments_team_number",
        "payments",
        ["tenant_id", "team_id", "number_key", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index(
        "ix_payments_team_received_on",
        "payments",
        ["tenant_id", "team_id", "received_on", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index("ix_payments_updated_at", "payments", ["tenant_id", "updated_at", "id"], unique=False)
    op.create_index("uq_payments_number", "payments", ["tenant_id", "number_key"], unique=True)
    op.create_table(
        "pipelines",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(collation="C"), nullable=False),
        sa.Column("stages", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
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
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_pipelines")),
        info={"insert_only": False, "ops": False, "updates": ()},
    )
    op.create_index("ix_pipelines_created_at", "pipelines", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_pipelines_name", "pipelines", ["tenant_id", "name_key", "id"], unique=False)
    op.create_index("ix_pipelines_owner_id", "pipelines", ["tenant_id", "owner_id", "id"], unique=False)
    op.create_index(
        "ix_pipelines_owner_name",
        "pipelines",
        ["tenant_id", "owner_id", "name_key", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index(
        "ix_pipelines_tags",
        "pipelines",
        ["tags"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"tags": "jsonb_path_ops"},
        postgresql_where=sa.text("tags <> '[]'::jsonb"),
    )
    op.create_index("ix_pipelines_team_id", "pipelines", ["tenant_id", "team_id", "id"], unique=False)
    op.create_index(
        "ix_pipelines_team_name",
        "pipelines",
        ["tenant_id", "team_id", "name_key", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index("ix_pipelines_updated_at", "pipelines", ["tenant_id", "updated_at", "id"], unique=False)
    op.create_table(
        "targets",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(collation="C"), nullable=False),
        sa.Column("user_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("value", sa.Numeric(), nullable=False),
        sa.Column("value_currency", sa.Text(), nullable=False),
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
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_targets")),
        info={"insert_only": False, "ops": False, "updates": ()},
    )
    op.create_index("ix_targets_created_at", "targets", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_targets_name", "targets", ["tenant_id", "name_key", "id"], unique=False)
    op.create_index("ix_targets_owner_id", "targets", ["tenant_id", "owner_id", "id"], unique=False)
    op.create_index(
        "ix_targets_owner_name",
        "targets",
        ["tenant_id", "owner_id", "name_key", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index(
        "ix_targets_owner_starts_on",
        "targets",
        ["tenant_id", "owner_id", "starts_on", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index("ix_targets_starts_on", "targets", ["tenant_id", "starts_on", "id"], unique=False)
    op.create_index(
        "ix_targets_tags",
        "targets",
        ["tags"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"tags": "jsonb_path_ops"},
        postgresql_where=sa.text("tags <> '[]'::jsonb"),
    )
    op.create_index("ix_targets_team_id", "targets", ["tenant_id", "team_id", "id"], unique=False)
    op.create_index(
        "ix_targets_team_name",
        "targets",
        ["tenant_id", "team_id", "name_key", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index(
        "ix_targets_team_starts_on",
        "targets",
        ["tenant_id", "team_id", "starts_on", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index("ix_targets_updated_at", "targets", ["tenant_id", "updated_at", "id"], unique=False)
    op.create_index("ix_targets_user_id", "targets", ["tenant_id", "user_id", "id"], unique=False)
    op.create_table(
        "credit_notes",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("number", sa.Text(), nullable=True),
        sa.Column("number_key", sa.Text(collation="C"), nullable=True),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("account_name", sa.Text(), nullable=True),
        sa.Column("order_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("settled_on", sa.Date(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("lines", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("net", sa.Numeric(), nullable=True),
        sa.Column("net_currency", sa.Text(), nullable=True),
        sa.Column("tax", sa.Numeric(), nullable=True),
        sa.Column("tax_currency", sa.Text(), nullable=True),
        sa.Column("total", sa.Numeric(), nullable=True),
        sa.Column("total_currency", sa.Text(), nullable=True),
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
        sa.CheckConstraint("total >= 0", name=op.f("ck_credit_notes_total")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "order_id"], ["orders.tenant_id", "orders.id"], name="fk_credit_notes_order_id"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_credit_notes")),
        info={
            "insert_only": True,
            "ops": False,
            "updates": ("account_id", "lines", "version", "updated_at", "updated_by"),
        },
    )
    op.create_index("ix_credit_notes_account_id", "credit_notes", ["tenant_id", "account_id", "id"], unique=False)
    op.create_index("ix_credit_notes_created_at", "credit_notes", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_credit_notes_currency", "credit_notes", ["tenant_id", "currency", "id"], unique=False)
    op.create_index("ix_credit_notes_issued_on", "credit_notes", ["tenant_id", "issued_on", "id"], unique=False)
    op.create_index("ix_credit_notes_number", "credit_notes", ["tenant_id", "number_key", "id"], unique=False)
    op.create_index("ix_credit_notes_order_id", "credit_notes", ["tenant_id", "order_id", "id"], unique=False)
    op.create_index("ix_credit_notes_owner_id", "credit_notes", ["tenant_id", "owner_id", "id"], unique=False)
    op.create_index(
        "ix_credit_notes_owner_issued_on",
        "credit_notes",
        ["tenant_id", "owner_id", "issued_on", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index(
        "ix_credit_notes_owner_number",
        "credit_notes",
        ["tenant_id", "owner_id", "number_key", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index(
        "ix_credit_notes_owner_total",
        "credit_notes",
        ["tenant_id", "owner_id", "total", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index(
        "ix_credit_notes_tags",
        "credit_notes",
        ["tags"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"tags": "jsonb_path_ops"},
        postgresql_where=sa.text("tags <> '[]'::jsonb"),
    )
    op.create_index("ix_credit_notes_team_id", "credit_notes", ["tenant_id", "team_id", "id"], unique=False)
    op.create_index(
        "ix_credit_notes_team_issued_on",
        "credit_notes",
        ["tenant_id", "team_id", "issued_on", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index(
        "ix_credit_notes_team_number",
        "credit_notes",
        ["tenant_id", "team_id", "number_key", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index(
        "ix_credit_notes_team_total",
        "credit_notes",
        ["tenant_id", "team_id", "total", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index("ix_credit_notes_total", "credit_notes", ["tenant_id", "total", "id"], unique=False)
    op.create_index("ix_credit_notes_updated_at", "credit_notes", ["tenant_id", "updated_at", "id"], unique=False)
    op.create_index("uq_credit_notes_number", "credit_notes", ["tenant_id", "number_key"], unique=True)
    op.create_table(
        "opportunities",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(collation="C"), nullable=False),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("contact_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("pipeline_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("stage_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("stage_name", sa.Text(), nullable=True),
        sa.Column("stage_name_key", sa.Text(collation="C"), nullable=True),
        sa.Column("probability", sa.Numeric(), nullable=True),
        sa.Column("value", sa.Numeric(), nullable=True),
        sa.Column("value_currency", sa.Text(), nullable=True),
        sa.Column("expected_on", sa.Date(), nullable=True),
        sa.Column("competitor", sa.Text(), nullable=True),
        sa.Column("lead_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("lost_reason", sa.Text(), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
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
            ["tenant_id", "pipeline_id"], ["pipelines.tenant_id", "pipelines.id"], name="fk_opportunities_pipeline_id"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_opportunities")),
        info={"insert_only": False, "ops": False, "updates": ()},
    )
    op.create_index("ix_opportunities_account_id", "opportunities", ["tenant_id", "account_id", "id"], unique=False)
    op.create_index("ix_opportunities_created_at", "opportunities", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_opportunities_expected_on", "opportunities", ["tenant_id", "expected_on", "id"], unique=False)
    op.create_index("ix_opportunities_lead_id", "opportunities", ["tenant_id", "lead_id", "id"], unique=False)
    op.create_index("ix_opportunities_name", "opportunities", ["tenant_id", "name_key", "id"], unique=False)
    op.create_index(
        "ix_opportunities_owner_expected_on",
        "opportunities",
        ["tenant_id", "owner_id", "expected_on", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index("ix_opportunities_owner_id", "opportunities", ["tenant_id", "owner_id", "id"], unique=False)
    op.create_index(
        "ix_opportunities_owner_name",
        "opportunities",
        ["tenant_id", "owner_id", "name_key", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index(
        "ix_opportunities_owner_value",
        "opportunities",
        ["tenant_id", "owner_id", "value", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index("ix_opportunities_pipeline_id", "opportunities", ["tenant_id", "pipeline_id", "id"], unique=False)
    op.create_index("ix_opportunities_stage_name", "opportunities", ["tenant_id", "stage_name_key", "id"], unique=False)
    op.create_index("ix_opportunities_status", "opportunities", ["tenant_id", "status", "id"], unique=False)
    op.create_index(
        "ix_opportunities_tags",
        "opportunities",
        ["tags"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"tags": "jsonb_path_ops"},
        postgresql_where=sa.text("tags <> '[]'::jsonb"),
    )
    op.create_index(
        "ix_opportunities_team_expected_on",
        "opportunities",
        ["tenant_id", "team_id", "expected_on", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index("ix_opportunities_team_id", "opportunities", ["tenant_id", "team_id", "id"], unique=False)
    op.create_index(
        "ix_opportunities_team_name",
        "opportunities",
        ["tenant_id", "team_id", "name_key", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index(
        "ix_opportunities_team_value",
        "opportunities",
        ["tenant_id", "team_id", "value", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index("ix_opportunities_updated_at", "opportunities", ["tenant_id", "updated_at", "id"], unique=False)
    op.create_index("ix_opportunities_value", "opportunities", ["tenant_id", "value", "id"], unique=False)
    op.create_table(
        "receivables",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("number", sa.Text(), nullable=True),
        sa.Column("number_key", sa.Text(collation="C"), nullable=True),
        sa.Column("order_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("amount", sa.Numeric(), nullable=True),
        sa.Column("amount_currency", sa.Text(), nullable=True),
        sa.Column("net", sa.Numeric(), nullable=True),
        sa.Column("net_currency", sa.Text(), nullable=True),
        sa.Column("open", sa.Numeric(), nullable=True),
        sa.Column("open_currency", sa.Text(), nullable=True),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("overdue", sa.Boolean(), nullable=True),
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
        sa.CheckConstraint("open <= amount", name=op.f("ck_receivables_amount")),
        sa.CheckConstraint("open >= 0", name=op.f("ck_receivables_open")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "order_id"], ["orders.tenant_id", "orders.id"], name="fk_receivables_order_id"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_receivables")),
        sa.UniqueConstraint("tenant_id", "order_id", name=op.f("uq_receivables_tenant_id_order_id")),
        info={"insert_only": False, "ops": False, "updates": ()},
    )
    op.create_index("ix_receivables_account_id", "receivables", ["tenant_id", "account_id", "id"], unique=False)
    op.create_index("ix_receivables_amount", "receivables", ["tenant_id", "amount", "id"], unique=False)
    op.create_index("ix_receivables_created_at", "receivables", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_receivables_due_on", "receivables", ["tenant_id", "due_on", "id"], unique=False)
    op.create_index("ix_receivables_number", "receivables", ["tenant_id", "number_key", "id"], unique=False)
    op.create_index("ix_receivables_open", "receivables", ["tenant_id", "open", "id"], unique=False)
    op.create_index("ix_receivables_order_id", "receivables", ["tenant_id", "order_id", "id"], unique=False)
    op.create_index("ix_receivables_overdue", "receivables", ["tenant_id", "overdue", "id"], unique=False)
    op.create_index(
        "ix_receivables_owed",
        "receivables",
        ["tenant_id", "account_id", "open_currency"],
        unique=False,
        postgresql_where=sa.text("status IN ('open', 'partly_paid')"),
    )
    op.create_index(
        "ix_receivables_owner_amount",
        "receivables",
        ["tenant_id", "owner_id", "amount", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index(
        "ix_receivables_owner_due_on",
        "receivables",
        ["tenant_id", "owner_id", "due_on", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index("ix_receivables_owner_id", "receivables", ["tenant_id", "owner_id", "id"], unique=False)
    op.create_index(
        "ix_receivables_owner_number",
        "receivables",
        ["tenant_id", "owner_id", "number_key", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index(
        "ix_receivables_owner_open",
        "receivables",
        ["tenant_id", "owner_id", "open", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index("ix_receivables_status", "receivables", ["tenant_id", "status", "id"], unique=False)
    op.create_index(
        "ix_receivables_tags",
        "receivables",
        ["tags"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"tags": "jsonb_path_ops"},
        postgresql_where=sa.text("tags <> '[]'::jsonb"),
    )
    op.create_index(
        "ix_receivables_team_amount",
        "receivables",
        ["tenant_id", "team_id", "amount", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index(
        "ix_receivables_team_due_on",
        "receivables",
        ["tenant_id", "team_id", "due_on", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index("ix_receivables_team_id", "receivables", ["tenant_id", "team_id", "id"], unique=False)
    op.create_index(
        "ix_receivables_team_number",
        "receivables",
        ["tenant_id", "team_id", "number_key", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index(
        "ix_receivables_team_open",
        "receivables",
        ["tenant_id", "team_id", "open", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index("ix_receivables_updated_at", "receivables", ["tenant_id", "updated_at", "id"], unique=False)
    op.create_index("uq_receivables_number", "receivables", ["tenant_id", "number_key"], unique=True)
    op.create_table(
        "receivable_entries",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("receivable_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("amount", sa.Numeric(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('opened', 'paid', 'reversed', 'refunded', 'written_off')", name=op.f("ck_receivable_entries_kind")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "receivable_id"],
            ["receivables.tenant_id", "receivables.id"],
            name="fk_receivable_entries_receivable_id",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_receivable_entries")),
        sa.UniqueConstraint(
            "tenant_id", "receivable_id", "cause", name=op.f("uq_receivable_entries_tenant_id_receivable_id_cause")
        ),
        info={"insert_only": True, "updates": ("account_id",)},
    )
    protect(op, "credit_holds", "orders", "pipelines", "targets", "opportunities", "receivables")
    protect(op, "payments", "credit_notes", "receivable_entries", insert_only=True)
    allow_update(op, "payments", "account_id", "version", "updated_at", "updated_by")
    allow_update(op, "credit_notes", "account_id", "lines", "version", "updated_at", "updated_by")
    allow_update(op, "receivable_entries", "account_id")
