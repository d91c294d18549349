"""Initial."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from chassis.migrations import protect

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "articles",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("title_key", sa.Text(collation="C"), nullable=False),
        sa.Column("body", sa.Text(), nullable=True),
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
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_articles")),
        info={"insert_only": False, "ops": False, "updates": ()},
    )
    op.create_index("ix_articles_created_at", "articles", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_articles_owner_id", "articles", ["tenant_id", "owner_id", "id"], unique=False)
    op.create_index(
        "ix_articles_owner_title",
        "articles",
        ["tenant_id", "owner_id", "title_key", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index("ix_articles_team_id", "articles", ["tenant_id", "team_id", "id"], unique=False)
    op.create_index(
        "ix_articles_team_title",
        "articles",
        ["tenant_id", "team_id", "title_key", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index("ix_articles_title", "articles", ["tenant_id", "title_key", "id"], unique=False)
    op.create_index("ix_articles_updated_at", "articles", ["tenant_id", "updated_at", "id"], unique=False)
    op.create_table(
        "service_contracts",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("number", sa.Text(), nullable=True),
        sa.Column("number_key", sa.Text(collation="C"), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(collation="C"), nullable=False),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("terms", sa.Text(), nullable=True),
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
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_service_contracts")),
        sa.UniqueConstraint("tenant_id", "number_key", name=op.f("uq_service_contracts_tenant_id_number_key")),
        info={"insert_only": False, "ops": False, "updates": ()},
    )
    op.create_index(
        "ix_service_contracts_account_id", "service_contracts", ["tenant_id", "account_id", "id"], unique=False
    )
    op.create_index(
        "ix_service_contracts_created_at", "service_contracts", ["tenant_id", "created_at", "id"], unique=False
    )
    op.create_index("ix_service_contracts_ends_on", "service_contracts", ["tenant_id", "ends_on", "id"], unique=False)
    op.create_index("ix_service_contracts_name", "service_contracts", ["tenant_id", "name_key", "id"], unique=False)
    op.create_index("ix_service_contracts_number", "service_contracts", ["tenant_id", "number_key", "id"], unique=False)
    op.create_index("ix_service_contracts_owner_id", "service_contracts", ["tenant_id", "owner_id", "id"], unique=False)
    op.create_index(
        "ix_service_contracts_owner_name",
        "service_contracts",
        ["tenant_id", "owner_id", "name_key", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index(
        "ix_service_contracts_owner_number",
        "service_contracts",
        ["tenant_id", "owner_id", "number_key", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index(
        "ix_service_contracts_owner_starts_on",
        "service_contracts",
        ["tenant_id", "owner_id", "starts_on", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index(
        "ix_service_contracts_starts_on", "service_contracts", ["tenant_id", "starts_on", "id"], unique=False
    )
    op.create_index(
        "ix_service_contracts_tags",
        "service_contracts",
        ["tags"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"tags": "jsonb_path_ops"},
        postgresql_where=sa.text("tags <> '[]'::jsonb"),
    )
    op.create_index("ix_service_contracts_team_id", "service_contracts", ["tenant_id", "team_id", "id"], unique=False)
    op.create_index(
        "ix_service_contracts_team_name",
        "service_contracts",
        ["tenant_id", "team_id", "name_key", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index(
        "ix_service_contracts_team_number",
        "service_contracts",
        ["tenant_id", "team_id", "number_key", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index(
        "ix_service_contracts_team_starts_on",
        "service_contracts",
        ["tenant_id", "team_id", "starts_on", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index(
        "ix_service_contracts_updated_at", "service_contracts", ["tenant_id", "updated_at", "id"], unique=False
    )
    op.create_index("uq_service_contracts_number", "service_contracts", ["tenant_id", "number_key"], unique=True)
    op.create_table(
        "service_requests",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("number", sa.Text(), nullable=True),
        sa.Column("number_key", sa.Text(collation="C"), nullable=True),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("subject_key", sa.Text(collation="C"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=True),
        sa.Column("priority", sa.Text(), nullable=True),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("contact_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("order_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("resolution", sa.Text(), nullable=True),
        sa.Column("held_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("held_seconds", sa.BigInteger(), nullable=True),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reopened", sa.BigInteger(), nullable=True),
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
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_service_requests")),
        sa.UniqueConstraint("tenant_id", "number_key", name=op.f("uq_service_requests_tenant_id_number_key")),
        info={"insert_only": False, "ops": False, "updates": ()},
    )
    op.create_index(
        "ix_service_requests_account_id", "service_requests", ["tenant_id", "account_id", "id"], unique=False
    )
    op.create_index(
        "ix_service_requests_contact_id", "service_requests", ["tenant_id", "contact_id", "id"], unique=False
    )
    op.create_index(
        "ix_service_requests_created_at", "service_requests", ["tenant_id", "created_at", "id"], unique=False
    )
    op.create_index("ix_service_requests_kind", "service_requests", ["tenant_id", "kind", "id"], unique=False)
    op.create_index("ix_service_requests_number", "service_requests", ["tenant_id", "number_key", "id"], unique=False)
    op.create_index("ix_service_requests_order_id", "service_requests", ["tenant_id", "order_id", "id"], unique=False)
    op.create_index("ix_service_requests_owner_id", "service_requests", ["tenant_id", "owner_id", "id"], unique=False)
    op.create_index(
        "ix_service_requests_owner_number",
        "service_requests",
        ["tenant_id", "owner_id", "number_key", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index(
        "ix_service_requests_owner_subject",
        "service_requests",
        ["tenant_id", "owner_id", "subject_key", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index("ix_service_requests_priority", "service_requests", ["tenant_id", "priority", "id"], unique=False)
    op.create_index(
        "ix_service_requests_resolved_at", "service_requests", ["tenant_id", "resolved_at", "id"], unique=False
    )
    op.create_index("ix_service_requests_status", "service_requests", ["tenant_id", "status", "id"], unique=False)
    op.create_index("ix_service_requests_subject", "service_requests", ["tenant_id", "subject_key", "id"], unique=False)
    op.create_index(
        "ix_service_requests_tags",
        "service_requests",
        ["tags"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"tags": "jsonb_path_ops"},
        postgresql_where=sa.text("tags <> '[]'::jsonb"),
    )
    op.create_index("ix_service_requests_team_id", "service_requests", ["tenant_id", "team_id", "id"], unique=False)
    op.create_index(
        "ix_service_requests_team_number",
        "service_requests",
        ["tenant_id", "team_id", "number_key", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index(
        "ix_service_requests_team_subject",
        "service_requests",
        ["tenant_id", "team_id", "subject_key", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index(
        "ix_service_requests_updated_at", "service_requests", ["tenant_id", "updated_at", "id"], unique=False
    )
    op.create_index("uq_service_requests_number", "service_requests", ["tenant_id", "number_key"], unique=True)
    protect(op, "articles", "service_contracts", "service_requests")
