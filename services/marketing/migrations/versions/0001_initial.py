"""Initial."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from chassis.migrations import protect

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "campaigns",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(collation="C"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=True),
        sa.Column("objective", sa.Text(), nullable=True),
        sa.Column("starts_on", sa.Date(), nullable=True),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("budget", sa.Numeric(), nullable=True),
        sa.Column("budget_currency", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("leads_count", sa.BigInteger(), nullable=True),
        sa.Column("converted_count", sa.BigInteger(), nullable=True),
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
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_campaigns")),
        info={"insert_only": False, "ops": False, "updates": ()},
    )
    op.create_index("ix_campaigns_created_at", "campaigns", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_campaigns_kind", "campaigns", ["tenant_id", "kind", "id"], unique=False)
    op.create_index("ix_campaigns_name", "campaigns", ["tenant_id", "name_key", "id"], unique=False)
    op.create_index("ix_campaigns_owner_id", "campaigns", ["tenant_id", "owner_id", "id"], unique=False)
    op.create_index(
        "ix_campaigns_owner_name",
        "campaigns",
        ["tenant_id", "owner_id", "name_key", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index(
        "ix_campaigns_owner_starts_on",
        "campaigns",
        ["tenant_id", "owner_id", "starts_on", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index("ix_campaigns_starts_on", "campaigns", ["tenant_id", "starts_on", "id"], unique=False)
    op.create_index("ix_campaigns_status", "campaigns", ["tenant_id", "status", "id"], unique=False)
    op.create_index(
        "ix_campaigns_tags",
        "campaigns",
        ["tags"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"tags": "jsonb_path_ops"},
        postgresql_where=sa.text("tags <> '[]'::jsonb"),
    )
    op.create_index("ix_campaigns_team_id", "campaigns", ["tenant_id", "team_id", "id"], unique=False)
    op.create_index(
        "ix_campaigns_team_name",
        "campaigns",
        ["tenant_id", "team_id", "name_key", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index(
        "ix_campaigns_team_starts_on",
        "campaigns",
        ["tenant_id", "team_id", "starts_on", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index("ix_campaigns_updated_at", "campaigns", ["tenant_id", "updated_at", "id"], unique=False)
    op.create_table(
        "order_points",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("order_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("target", sa.BigInteger(), nullable=False),
        sa.Column("history", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "order_id", name=op.f("pk_order_points")),
    )
    op.create_index("ix_order_points_account", "order_points", ["tenant_id", "account_id"], unique=False)
    op.create_table(
        "point_accounts",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("balance", sa.BigInteger(), nullable=True),
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
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_point_accounts")),
        sa.UniqueConstraint("tenant_id", "account_id", name=op.f("uq_point_accounts_tenant_id_account_id")),
        info={"insert_only": False, "ops": False, "updates": ()},
    )
    op.create_index("ix_point_accounts_account_id", "point_accounts", ["tenant_id", "account_id", "id"], unique=False)
    op.create_index("ix_point_accounts_balance", "point_accounts", ["tenant_id", "balance", "id"], unique=False)
    op.create_index("ix_point_accounts_created_at", "point_accounts", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index(
        "ix_point_accounts_owner_balance",
        "point_accounts",
        ["tenant_id", "owner_id", "balance", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index("ix_point_accounts_owner_id", "point_accounts", ["tenant_id", "owner_id", "id"], unique=False)
    op.create_index(
        "ix_point_accounts_tags",
        "point_accounts",
        ["tags"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"tags": "jsonb_path_ops"},
        postgresql_where=sa.text("tags <> '[]'::jsonb"),
    )
    op.create_index(
        "ix_point_accounts_team_balance",
        "point_accounts",
        ["tenant_id", "team_id", "balance", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index("ix_point_accounts_team_id", "point_accounts", ["tenant_id", "team_id", "id"], unique=False)
    op.create_index("ix_point_accounts_updated_at", "point_accounts", ["tenant_id", "updated_at", "id"], unique=False)
    op.create_table(
        "point_entries",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=True),
        sa.Column("order_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("reverses_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
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
            ["tenant_id", "reverses_id"],
            ["point_entries.tenant_id", "point_entries.id"],
            name="fk_point_entries_reverses_id",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_point_entries")),
        info={"insert_only": True, "ops": False, "updates": ()},
    )
    op.create_index("ix_point_entries_account_id", "point_entries", ["tenant_id", "account_id", "id"], unique=False)
    op.create_index("ix_point_entries_created_at", "point_entries", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_point_entries_kind", "point_entries", ["tenant_id", "kind", "id"], unique=False)
    op.create_index("ix_point_entries_order_id", "point_entries", ["tenant_id", "order_id", "id"], unique=False)
    op.create_index("ix_point_entries_owner_id", "point_entries", ["tenant_id", "owner_id", "id"], unique=False)
    op.create_index(
        "ix_point_entries_tags",
        "point_entries",
        ["tags"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"tags": "jsonb_path_ops"},
        postgresql_where=sa.text("tags <> '[]'::jsonb"),
    )
    op.create_index("ix_point_entries_team_id", "point_entries", ["tenant_id", "team_id", "id"], unique=False)
    op.create_index("ix_point_entries_updated_at", "point_entries", ["tenant_id", "updated_at", "id"], unique=False)
    op.create_table(
        "segments",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(collation="C"), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("rule", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
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
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_segments")),
        info={"insert_only": False, "ops": False, "updates": ()},
    )
    op.create_index("ix_segments_created_at", "segments", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_segments_name", "segments", ["tenant_id", "name_key", "id"], unique=False)
    op.create_index("ix_segments_owner_id", "segments", ["tenant_id", "owner_id", "id"], unique=False)
    op.create_index(
        "ix_segments_owner_name",
        "segments",
        ["tenant_id", "owner_id", "name_key", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index(
        "ix_segments_tags",
        "segments",
        ["tags"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"tags": "jsonb_path_ops"},
        postgresql_where=sa.text("tags <> '[]'::jsonb"),
    )
    op.create_index("ix_segments_team_id", "segments", ["tenant_id", "team_id", "id"], unique=False)
    op.create_index(
        "ix_segments_team_name",
        "segments",
        ["tenant_id", "team_id", "name_key", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index("ix_segments_updated_at", "segments", ["tenant_id", "updated_at", "id"], unique=False)
    op.create_table(
        "leads",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(collation="C"), nullable=False),
        sa.Column("company", sa.Text(), nullable=True),
        sa.Column("company_key", sa.Text(collation="C"), nullable=True),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("email_key", sa.Text(collation="C"), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("source_key", sa.Text(collation="C"), nullable=True),
        sa.Column("campaign_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("interest", sa.Text(), nullable=True),
        sa.Column("value", sa.Numeric(), nullable=True),
        sa.Column("value_currency", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("contact_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("opportunity_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("status", sa.Text(), nullable=True),
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
            ["tenant_id", "campaign_id"], ["campaigns.tenant_id", "campaigns.id"], name="fk_leads_campaign_id"
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "merged_into_id"], ["leads.tenant_id", "leads.id"], name="fk_leads_merged_into_id"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_leads")),
        info={"insert_only": False, "ops": False, "updates": ()},
    )
    op.create_index("ix_leads_account_id", "leads", ["tenant_id", "account_id", "id"], unique=False)
    op.create_index("ix_leads_campaign_id", "leads", ["tenant_id", "campaign_id", "id"], unique=False)
    op.create_index("ix_leads_company", "leads", ["tenant_id", "company_key", "id"], unique=False)
    op.create_index("ix_leads_created_at", "leads", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_leads_email", "leads", ["tenant_id", "email_key", "id"], unique=False)
    op.create_index("ix_leads_name", "leads", ["tenant_id", "name_key", "id"], unique=False)
    op.create_index(
        "ix_leads_owner_company",
        "leads",
        ["tenant_id", "owner_id", "company_key", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index("ix_leads_owner_id", "leads", ["tenant_id", "owner_id", "id"], unique=False)
    op.create_index(
        "ix_leads_owner_name",
        "leads",
        ["tenant_id", "owner_id", "name_key", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index("ix_leads_source", "leads", ["tenant_id", "source_key", "id"], unique=False)
    op.create_index("ix_leads_status", "leads", ["tenant_id", "status", "id"], unique=False)
    op.create_index(
        "ix_leads_tags",
        "leads",
        ["tags"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"tags": "jsonb_path_ops"},
        postgresql_where=sa.text("tags <> '[]'::jsonb"),
    )
    op.create_index(
        "ix_leads_team_company",
        "leads",
        ["tenant_id", "team_id", "company_key", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index("ix_leads_team_id", "leads", ["tenant_id", "team_id", "id"], unique=False)
    op.create_index(
        "ix_leads_team_name",
        "leads",
        ["tenant_id", "team_id", "name_key", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index("ix_leads_updated_at", "leads", ["tenant_id", "updated_at", "id"], unique=False)
    protect(op, "campaigns", "order_points", "point_accounts", "segments", "leads")
    protect(op, "point_entries", insert_only=True)
