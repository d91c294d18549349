"""Initial."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from chassis.migrations import protect

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "custom_fields",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("applies_to", sa.Text(), nullable=False),
        sa.Column("applies_to_key", sa.Text(collation="C"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(collation="C"), nullable=False),
        sa.Column("label", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("help", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("required", sa.Boolean(), nullable=True),
        sa.Column("default", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("choices", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.Column("min", sa.Numeric(), nullable=True),
        sa.Column("max", sa.Numeric(), nullable=True),
        sa.Column("places", sa.BigInteger(), nullable=True),
        sa.Column("max_length", sa.BigInteger(), nullable=True),
        sa.Column("pattern", sa.Text(), nullable=True),
        sa.Column("target", sa.Text(), nullable=True),
        sa.Column("indexed", sa.Boolean(), nullable=True),
        sa.Column("searchable", sa.Boolean(), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=True),
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
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_custom_fields")),
        sa.UniqueConstraint(
            "tenant_id", "applies_to_key", "name_key", name=op.f("uq_custom_fields_tenant_id_applies_to_key_name_key")
        ),
        info={"insert_only": False, "ops": False, "updates": ()},
    )
    op.create_index("ix_custom_fields_active", "custom_fields", ["tenant_id", "active", "id"], unique=False)
    op.create_index("ix_custom_fields_applies_to", "custom_fields", ["tenant_id", "applies_to_key", "id"], unique=False)
    op.create_index("ix_custom_fields_created_at", "custom_fields", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_custom_fields_name", "custom_fields", ["tenant_id", "name_key", "id"], unique=False)
    op.create_index("ix_custom_fields_owner_id", "custom_fields", ["tenant_id", "owner_id", "id"], unique=False)
    op.create_index(
        "ix_custom_fields_tags",
        "custom_fields",
        ["tags"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"tags": "jsonb_path_ops"},
        postgresql_where=sa.text("tags <> '[]'::jsonb"),
    )
    op.create_index("ix_custom_fields_team_id", "custom_fields", ["tenant_id", "team_id", "id"], unique=False)
    op.create_index("ix_custom_fields_type", "custom_fields", ["tenant_id", "type", "id"], unique=False)
    op.create_index("ix_custom_fields_updated_at", "custom_fields", ["tenant_id", "updated_at", "id"], unique=False)
    op.create_table(
        "numbering_rules",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("applies_to", sa.Text(), nullable=True),
        sa.Column("applies_to_key", sa.Text(collation="C"), nullable=True),
        sa.Column("pattern", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=True),
        sa.Column("scope_field", sa.Text(), nullable=True),
        sa.Column("gaps", sa.Text(), nullable=True),
        sa.Column("zone", sa.Text(), nullable=True),
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
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_numbering_rules")),
        sa.UniqueConstraint("tenant_id", "applies_to_key", name=op.f("uq_numbering_rules_tenant_id_applies_to_key")),
        info={"insert_only": False, "ops": False, "updates": ()},
    )
    op.create_index(
        "ix_numbering_rules_applies_to", "numbering_rules", ["tenant_id", "applies_to_key", "id"], unique=False
    )
    op.create_index("ix_numbering_rules_created_at", "numbering_rules", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_numbering_rules_owner_id", "numbering_rules", ["tenant_id", "owner_id", "id"], unique=False)
    op.create_index(
        "ix_numbering_rules_tags",
        "numbering_rules",
        ["tags"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"tags": "jsonb_path_ops"},
        postgresql_where=sa.text("tags <> '[]'::jsonb"),
    )
    op.create_index("ix_numbering_rules_team_id", "numbering_rules", ["tenant_id", "team_id", "id"], unique=False)
    op.create_index("ix_numbering_rules_updated_at", "numbering_rules", ["tenant_id", "updated_at", "id"], unique=False)
    op.create_table(
        "passwords",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("user_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "user_id", name=op.f("pk_passwords")),
    )
    op.create_table(
        "roles",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(collation="C"), nullable=False),
        sa.Column("grants", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("masks", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
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
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_roles")),
        sa.UniqueConstraint("tenant_id", "name_key", name=op.f("uq_roles_tenant_id_name_key")),
        info={"insert_only": False, "ops": False, "updates": ()},
    )
    op.create_index("ix_roles_created_at", "roles", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_roles_name", "roles", ["tenant_id", "name_key", "id"], unique=False)
    op.create_index("ix_roles_owner_id", "roles", ["tenant_id", "owner_id", "id"], unique=False)
    op.create_index(
        "ix_roles_owner_name",
        "roles",
        ["tenant_id", "owner_id", "name_key", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index(
        "ix_roles_tags",
        "roles",
        ["tags"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"tags": "jsonb_path_ops"},
        postgresql_where=sa.text("tags <> '[]'::jsonb"),
    )
    op.create_index("ix_roles_team_id", "roles", ["tenant_id", "team_id", "id"], unique=False)
    op.create_index(
        "ix_roles_team_name",
        "roles",
        ["tenant_id", "team_id", "name_key", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index("ix_roles_updated_at", "roles", ["tenant_id", "updated_at", "id"], unique=False)
    op.create_table(
        "secrets",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("holder_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("used", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "hash", name=op.f("pk_secrets")),
        info={"ops": True},
    )
    op.create_index("ix_secrets_hash", "secrets", ["hash"], unique=False)
    op.create_index("ix_secrets_holder", "secrets", ["tenant_id", "holder_id"], unique=False)
    op.create_table(
        "teams",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(collation="C"), nullable=False),
        sa.Column("parent_id", sa.Uuid(as_uuid=False), nullable=True),
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
        sa.ForeignKeyConstraint(["tenant_id", "parent_id"], ["teams.tenant_id", "teams.id"], name="fk_teams_parent_id"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_teams")),
        info={"insert_only": False, "ops": False, "updates": ()},
    )
    op.create_index("ix_teams_created_at", "teams", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_teams_name", "teams", ["tenant_id", "name_key", "id"], unique=False)
    op.create_index("ix_teams_owner_id", "teams", ["tenant_id", "owner_id", "id"], unique=False)
    op.create_index(
        "ix_teams_owner_name",
        "teams",
        ["tenant_id", "owner_id", "name_key", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index(
        "ix_teams_tags",
        "teams",
        ["tags"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"tags": "jsonb_path_ops"},
        postgresql_where=sa.text("tags <> '[]'::jsonb"),
    )
    op.create_index("ix_teams_team_id", "teams", ["tenant_id", "team_id", "id"], unique=False)
    op.create_index(
        "ix_teams_team_name",
        "teams",
        ["tenant_id", "team_id", "name_key", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index("ix_teams_updated_at", "teams", ["tenant_id", "updated_at", "id"], unique=False)
    op.create_table(
        "tenants",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("slug_key", sa.Text(collation="C"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("zone", sa.Text(), nullable=True),
        sa.Column("locale", sa.Text(), nullable=True),
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
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_tenants")),
        info={"insert_only": False, "ops": True, "updates": ()},
    )
    op.create_index("ix_tenants_created_at", "tenants", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_tenants_owner_id", "tenants", ["tenant_id", "owner_id", "id"], unique=False)
    op.create_index("ix_tenants_slug", "tenants", ["tenant_id", "slug_key", "id"], unique=False)
    op.create_index(
        "ix_tenants_tags",
        "tenants",
        ["tags"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"tags": "jsonb_path_ops"},
        postgresql_where=sa.text("tags <> '[]'::jsonb"),
    )
    op.create_index("ix_tenants_team_id", "tenants", ["tenant_id", "team_id", "id"], unique=False)
    op.create_index("ix_tenants_updated_at", "tenants", ["tenant_id", "updated_at", "id"], unique=False)
    op.create_index("uq_tenants_slug", "tenants", ["slug"], unique=True)
    op.create_table(
        "users",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(collation="C"), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("email_key", sa.Text(collation="C"), nullable=False),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("manager_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("member_of", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("role_ids", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("locale", sa.Text(), nullable=True),
        sa.Column("zone", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("gets_copies", sa.Boolean(), nullable=True),
        sa.Column("hired_on", sa.Date(), nullable=True),
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
            ["tenant_id", "manager_id"], ["users.tenant_id", "users.id"], name="fk_users_manager_id"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_users")),
        sa.UniqueConstraint("tenant_id", "email_key", name=op.f("uq_users_tenant_id_email_key")),
        info={"insert_only": False, "ops": False, "updates": ()},
    )
    op.create_index("ix_users_created_at", "users", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_users_email", "users", ["tenant_id", "email_key", "id"], unique=False)
    op.create_index("ix_users_manager_id", "users", ["tenant_id", "manager_id", "id"], unique=False)
    op.create_index("ix_users_name", "users", ["tenant_id", "name_key", "id"], unique=False)
    op.create_index(
        "ix_users_owner_email",
        "users",
        ["tenant_id", "owner_id", "email_key", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index("ix_users_owner_id", "users", ["tenant_id", "owner_id", "id"], unique=False)
    op.create_index(
        "ix_users_owner_name",
        "users",
        ["tenant_id", "owner_id", "name_key", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index("ix_users_status", "users", ["tenant_id", "status", "id"], unique=False)
    op.create_index(
        "ix_users_tags",
        "users",
        ["tags"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"tags": "jsonb_path_ops"},
        postgresql_where=sa.text("tags <> '[]'::jsonb"),
    )
    op.create_index(
        "ix_users_team_email",
        "users",
        ["tenant_id", "team_id", "email_key", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index("ix_users_team_id", "users", ["tenant_id", "team_id", "id"], unique=False)
    op.create_index(
        "ix_users_team_name",
        "users",
        ["tenant_id", "team_id", "name_key", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index("ix_users_updated_at", "users", ["tenant_id", "updated_at", "id"], unique=False)
    op.create_table(
        "views",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(collation="C"), nullable=False),
        sa.Column("applies_to", sa.Text(), nullable=False),
        sa.Column("applies_to_key", sa.Text(collation="C"), nullable=False),
        sa.Column("columns", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("where", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("sort", sa.Text(), nullable=True),
        sa.Column("group_by", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("shared", sa.Boolean(), nullable=True),
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
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_views")),
        info={"insert_only": False, "ops": False, "updates": ()},
    )
    op.create_index("ix_views_applies_to", "views", ["tenant_id", "applies_to_key", "id"], unique=False)
    op.create_index("ix_views_created_at", "views", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_views_name", "views", ["tenant_id", "name_key", "id"], unique=False)
    op.create_index("ix_views_owner_id", "views", ["tenant_id", "owner_id", "id"], unique=False)
    op.create_index(
        "ix_views_owner_name",
        "views",
        ["tenant_id", "owner_id", "name_key", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index("ix_views_shared", "views", ["tenant_id", "shared", "id"], unique=False)
    op.create_index(
        "ix_views_tags",
        "views",
        ["tags"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"tags": "jsonb_path_ops"},
        postgresql_where=sa.text("tags <> '[]'::jsonb"),
    )
    op.create_index("ix_views_team_id", "views", ["tenant_id", "team_id", "id"], unique=False)
    op.create_index(
        "ix_views_team_name",
        "views",
        ["tenant_id", "team_id", "name_key", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index("ix_views_updated_at", "views", ["tenant_id", "updated_at", "id"], unique=False)
    op.create_table(
        "api_keys",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(collation="C"), nullable=False),
        sa.Column("user_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("prefix", sa.Text(), nullable=True),
        sa.Column("secret", sa.Text(), nullable=True),
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
        sa.ForeignKeyConstraint(["tenant_id", "user_id"], ["users.tenant_id", "users.id"], name="fk_api_keys_user_id"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_api_keys")),
        info={"insert_only": False, "ops": False, "updates": ()},
    )
    op.create_index("ix_api_keys_created_at", "api_keys", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_api_keys_name", "api_keys", ["tenant_id", "name_key", "id"], unique=False)
    op.create_index("ix_api_keys_owner_id", "api_keys", ["tenant_id", "owner_id", "id"], unique=False)
    op.create_index(
        "ix_api_keys_tags",
        "api_keys",
        ["tags"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"tags": "jsonb_path_ops"},
        postgresql_where=sa.text("tags <> '[]'::jsonb"),
    )
    op.create_index("ix_api_keys_team_id", "api_keys", ["tenant_id", "team_id", "id"], unique=False)
    op.create_index("ix_api_keys_updated_at", "api_keys", ["tenant_id", "updated_at", "id"], unique=False)
    op.create_index("ix_api_keys_user_id", "api_keys", ["tenant_id", "user_id", "id"], unique=False)
    protect(op, "custom_fields", "numbering_rules", "passwords", "roles", "teams", "users", "views", "api_keys")
    protect(op, "secrets", "tenants", ops=True)
