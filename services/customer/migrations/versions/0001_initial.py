"""Initial."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from chassis.migrations import protect

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "account_facts",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("number", sa.Text(), nullable=True),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("amount", sa.Numeric(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("happened_on", sa.Date(), nullable=True),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("count", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "record", "record_id", name=op.f("pk_account_facts")),
    )
    op.create_index(
        "ix_account_facts_account", "account_facts", ["tenant_id", "account_id", "record", "record_id"], unique=False
    )
    op.create_table(
        "accounts",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(collation="C"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=True),
        sa.Column("person", sa.Boolean(), nullable=True),
        sa.Column("industry", sa.Text(), nullable=True),
        sa.Column("industry_key", sa.Text(collation="C"), nullable=True),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("source_key", sa.Text(collation="C"), nullable=True),
        sa.Column("lifecycle", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("fax", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("email_key", sa.Text(collation="C"), nullable=True),
        sa.Column("website", sa.Text(), nullable=True),
        sa.Column("address", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("city", sa.Text(), nullable=True),
        sa.Column("city_key", sa.Text(collation="C"), nullable=True),
        sa.Column("country", sa.Text(), nullable=True),
        sa.Column("country_key", sa.Text(collation="C"), nullable=True),
        sa.Column("currencies", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("credit_limit", sa.Numeric(), nullable=True),
        sa.Column("credit_limit_currency", sa.Text(), nullable=True),
        sa.Column("payment_days", sa.BigInteger(), nullable=True),
        sa.Column("next_action_on", sa.Date(), nullable=True),
        sa.Column("notes", sa.Text(), nullable=True),
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
            ["tenant_id", "merged_into_id"], ["accounts.tenant_id", "accounts.id"], name="fk_accounts_merged_into_id"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_accounts")),
        info={"insert_only": False, "ops": False, "updates": ()},
    )
    op.create_index("ix_accounts_city", "accounts", ["tenant_id", "city_key", "id"], unique=False)
    op.create_index("ix_accounts_country", "accounts", ["tenant_id", "country_key", "id"], unique=False)
    op.create_index("ix_accounts_created_at", "accounts", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_accounts_credit_limit", "accounts", ["tenant_id", "credit_limit", "id"], unique=False)
    op.create_index("ix_accounts_email", "accounts", ["tenant_id", "email_key", "id"], unique=False)
    op.create_index("ix_accounts_industry", "accounts", ["tenant_id", "industry_key", "id"], unique=False)
    op.create_index("ix_accounts_kind", "accounts", ["tenant_id", "kind", "id"], unique=False)
    op.create_index("ix_accounts_lifecycle", "accounts", ["tenant_id", "lifecycle", "id"], unique=False)
    op.create_index("ix_accounts_name", "accounts", ["tenant_id", "name_key", "id"], unique=False)
    op.create_index("ix_accounts_next_action_on", "accounts", ["tenant_id", "next_action_on", "id"], unique=False)
    op.create_index(
        "ix_accounts_owner_city",
        "accounts",
        ["tenant_id", "owner_id", "city_key", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index(
        "ix_accounts_owner_country",
        "accounts",
        ["tenant_id", "owner_id", "country_key", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index("ix_accounts_owner_id", "accounts", ["tenant_id", "owner_id", "id"], unique=False)
    op.create_index(
        "ix_accounts_owner_name",
        "accounts",
        ["tenant_id", "owner_id", "name_key", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index(
        "ix_accounts_owner_next_action_on",
        "accounts",
        ["tenant_id", "owner_id", "next_action_on", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index("ix_accounts_source", "accounts", ["tenant_id", "source_key", "id"], unique=False)
    op.create_index(
        "ix_accounts_tags",
        "accounts",
        ["tags"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"tags": "jsonb_path_ops"},
        postgresql_where=sa.text("tags <> '[]'::jsonb"),
    )
    op.create_index(
        "ix_accounts_team_city",
        "accounts",
        ["tenant_id", "team_id", "city_key", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index(
        "ix_accounts_team_country",
        "accounts",
        ["tenant_id", "team_id", "country_key", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index("ix_accounts_team_id", "accounts", ["tenant_id", "team_id", "id"], unique=False)
    op.create_index(
        "ix_accounts_team_name",
        "accounts",
        ["tenant_id", "team_id", "name_key", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index(
        "ix_accounts_team_next_action_on",
        "accounts",
        ["tenant_id", "team_id", "next_action_on", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index("ix_accounts_updated_at", "accounts", ["tenant_id", "updated_at", "id"], unique=False)
    op.create_table(
        "groups",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(collation="C"), nullable=False),
        sa.Column("parent_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("account_ids", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
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
            ["tenant_id", "parent_id"], ["groups.tenant_id", "groups.id"], name="fk_groups_parent_id"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_groups")),
        info={"insert_only": False, "ops": False, "updates": ()},
    )
    op.create_index("ix_groups_created_at", "groups", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_groups_name", "groups", ["tenant_id", "name_key", "id"], unique=False)
    op.create_index("ix_groups_owner_id", "groups", ["tenant_id", "owner_id", "id"], unique=False)
    op.create_index(
        "ix_groups_owner_name",
        "groups",
        ["tenant_id", "owner_id", "name_key", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index("ix_groups_parent_id", "groups", ["tenant_id", "parent_id", "id"], unique=False)
    op.create_index(
        "ix_groups_tags",
        "groups",
        ["tags"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"tags": "jsonb_path_ops"},
        postgresql_where=sa.text("tags <> '[]'::jsonb"),
    )
    op.create_index("ix_groups_team_id", "groups", ["tenant_id", "team_id", "id"], unique=False)
    op.create_index(
        "ix_groups_team_name",
        "groups",
        ["tenant_id", "team_id", "name_key", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index("ix_groups_updated_at", "groups", ["tenant_id", "updated_at", "id"], unique=False)
    op.create_table(
        "contacts",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(collation="C"), nullable=False),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("email_key", sa.Text(collation="C"), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("mobile", sa.Text(), nullable=True),
        sa.Column("hobbies", sa.Text(), nullable=True),
        sa.Column("birthday", sa.Date(), nullable=True),
        sa.Column("home_address", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("preferred_channel", sa.Text(), nullable=True),
        sa.Column("primary", sa.Boolean(), nullable=True),
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
            ["tenant_id", "account_id"], ["accounts.tenant_id", "accounts.id"], name="fk_contacts_account_id"
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "merged_into_id"], ["contacts.tenant_id", "contacts.id"], name="fk_contacts_merged_into_id"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_contacts")),
        info={"insert_only": False, "ops": False, "updates": ()},
    )
    op.create_index("ix_contacts_account_id", "contacts", ["tenant_id", "account_id", "id"], unique=False)
    op.create_index("ix_contacts_created_at", "contacts", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_contacts_email", "contacts", ["tenant_id", "email_key", "id"], unique=False)
    op.create_index("ix_contacts_name", "contacts", ["tenant_id", "name_key", "id"], unique=False)
    op.create_index("ix_contacts_owner_id", "contacts", ["tenant_id", "owner_id", "id"], unique=False)
    op.create_index(
        "ix_contacts_owner_name",
        "contacts",
        ["tenant_id", "owner_id", "name_key", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index(
        "ix_contacts_tags",
        "contacts",
        ["tags"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"tags": "jsonb_path_ops"},
        postgresql_where=sa.text("tags <> '[]'::jsonb"),
    )
    op.create_index("ix_contacts_team_id", "contacts", ["tenant_id", "team_id", "id"], unique=False)
    op.create_index(
        "ix_contacts_team_name",
        "contacts",
        ["tenant_id", "team_id", "name_key", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index("ix_contacts_updated_at", "contacts", ["tenant_id", "updated_at", "id"], unique=False)
    op.create_table(
        "activities",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("subject_key", sa.Text(collation="C"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=True),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("contact_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("minutes", sa.BigInteger(), nullable=True),
        sa.Column("remind_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("notes", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
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
            ["tenant_id", "account_id"], ["accounts.tenant_id", "accounts.id"], name="fk_activities_account_id"
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "contact_id"], ["contacts.tenant_id", "contacts.id"], name="fk_activities_contact_id"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_activities")),
        info={"insert_only": False, "ops": False, "updates": ()},
    )
    op.create_index("ix_activities_account_id", "activities", ["tenant_id", "account_id", "id"], unique=False)
    op.create_index("ix_activities_contact_id", "activities", ["tenant_id", "contact_id", "id"], unique=False)
    op.create_index("ix_activities_created_at", "activities", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_activities_kind", "activities", ["tenant_id", "kind", "id"], unique=False)
    op.create_index("ix_activities_owner_id", "activities", ["tenant_id", "owner_id", "id"], unique=False)
    op.create_index(
        "ix_activities_owner_starts_at",
        "activities",
        ["tenant_id", "owner_id", "starts_at", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index(
        "ix_activities_owner_subject",
        "activities",
        ["tenant_id", "owner_id", "subject_key", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index("ix_activities_starts_at", "activities", ["tenant_id", "starts_at", "id"], unique=False)
    op.create_index("ix_activities_status", "activities", ["tenant_id", "status", "id"], unique=False)
    op.create_index("ix_activities_subject", "activities", ["tenant_id", "subject_key", "id"], unique=False)
    op.create_index(
        "ix_activities_tags",
        "activities",
        ["tags"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"tags": "jsonb_path_ops"},
        postgresql_where=sa.text("tags <> '[]'::jsonb"),
    )
    op.create_index("ix_activities_team_id", "activities", ["tenant_id", "team_id", "id"], unique=False)
    op.create_index(
        "ix_activities_team_starts_at",
        "activities",
        ["tenant_id", "team_id", "starts_at", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index(
        "ix_activities_team_subject",
        "activities",
        ["tenant_id", "team_id", "subject_key", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index("ix_activities_updated_at", "activities", ["tenant_id", "updated_at", "id"], unique=False)
    op.create_table(
        "interactions",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("contact_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("channel", sa.Text(), nullable=True),
        sa.Column("direction", sa.Text(), nullable=True),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("activity_id", sa.Uuid(as_uuid=False), nullable=True),
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
            ["tenant_id", "account_id"], ["accounts.tenant_id", "accounts.id"], name="fk_interactions_account_id"
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "activity_id"], ["activities.tenant_id", "activities.id"], name="fk_interactions_activity_id"
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "contact_id"], ["contacts.tenant_id", "contacts.id"], name="fk_interactions_contact_id"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_interactions")),
        info={"insert_only": False, "ops": False, "updates": ()},
    )
    op.create_index("ix_interactions_account_id", "interactions", ["tenant_id", "account_id", "id"], unique=False)
    op.create_index("ix_interactions_channel", "interactions", ["tenant_id", "channel", "id"], unique=False)
    op.create_index("ix_interactions_contact_id", "interactions", ["tenant_id", "contact_id", "id"], unique=False)
    op.create_index("ix_interactions_created_at", "interactions", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_interactions_happened_at", "interactions", ["tenant_id", "happened_at", "id"], unique=False)
    op.create_index(
        "ix_interactions_owner_happened_at",
        "interactions",
        ["tenant_id", "owner_id", "happened_at", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index("ix_interactions_owner_id", "interactions", ["tenant_id", "owner_id", "id"], unique=False)
    op.create_index(
        "ix_interactions_tags",
        "interactions",
        ["tags"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"tags": "jsonb_path_ops"},
        postgresql_where=sa.text("tags <> '[]'::jsonb"),
    )
    op.create_index(
        "ix_interactions_team_happened_at",
        "interactions",
        ["tenant_id", "team_id", "happened_at", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index("ix_interactions_team_id", "interactions", ["tenant_id", "team_id", "id"], unique=False)
    op.create_index("ix_interactions_updated_at", "interactions", ["tenant_id", "updated_at", "id"], unique=False)
    protect(op, "account_facts", "accounts", "groups", "contacts", "activities", "interactions")
