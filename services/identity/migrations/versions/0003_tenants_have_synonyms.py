"""Tenants have synonyms."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from chassis.migrations import protect

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "synonyms",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("term", sa.Text(), nullable=False),
        sa.Column("term_key", sa.Text(collation="C"), nullable=False),
        sa.Column("means", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
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
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_synonyms")),
        info={"insert_only": False, "ops": False, "updates": ()},
    )
    op.create_index("ix_synonyms_created_at", "synonyms", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_synonyms_owner_id", "synonyms", ["tenant_id", "owner_id", "id"], unique=False)
    op.create_index(
        "ix_synonyms_owner_term",
        "synonyms",
        ["tenant_id", "owner_id", "term_key", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index(
        "ix_synonyms_tags",
        "synonyms",
        ["tags"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"tags": "jsonb_path_ops"},
        postgresql_where=sa.text("tags <> '[]'::jsonb"),
    )
    op.create_index("ix_synonyms_team_id", "synonyms", ["tenant_id", "team_id", "id"], unique=False)
    op.create_index(
        "ix_synonyms_team_term",
        "synonyms",
        ["tenant_id", "team_id", "term_key", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index("ix_synonyms_term", "synonyms", ["tenant_id", "term_key", "id"], unique=False)
    op.create_index("ix_synonyms_updated_at", "synonyms", ["tenant_id", "updated_at", "id"], unique=False)
    protect(op, "synonyms")
