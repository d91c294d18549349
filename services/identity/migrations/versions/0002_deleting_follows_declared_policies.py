"""Deleting follows declared policies."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from chassis.migrations import protect

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "retention_rules",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("applies_to", sa.Text(), nullable=False),
        sa.Column("applies_to_key", sa.Text(collation="C"), nullable=False),
        sa.Column("days", sa.BigInteger(), nullable=False),
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
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_retention_rules")),
        info={"insert_only": False, "ops": False, "updates": ()},
    )
    op.create_index(
        "ix_retention_rules_applies_to", "retention_rules", ["tenant_id", "applies_to_key", "id"], unique=False
    )
    op.create_index("ix_retention_rules_created_at", "retention_rules", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_retention_rules_owner_id", "retention_rules", ["tenant_id", "owner_id", "id"], unique=False)
    op.create_index(
        "ix_retention_rules_tags",
        "retention_rules",
        ["tags"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"tags": "jsonb_path_ops"},
        postgresql_where=sa.text("tags <> '[]'::jsonb"),
    )
    op.create_index("ix_retention_rules_team_id", "retention_rules", ["tenant_id", "team_id", "id"], unique=False)
    op.create_index("ix_retention_rules_updated_at", "retention_rules", ["tenant_id", "updated_at", "id"], unique=False)
    op.create_index(
        "uq_retention_rules_applies_to",
        "retention_rules",
        ["tenant_id", "applies_to_key"],
        unique=True,
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    protect(op, "retention_rules")
