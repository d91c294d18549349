"""The table of sites, as `python -m chassis.revise customer "sites"` writes it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from chassis.migrations import protect

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "sites",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("number", sa.Text(), nullable=True),
        sa.Column("number_key", sa.Text(collation="C"), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(collation="C"), nullable=False),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("parent_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("contact_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("kind", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("email_key", sa.Text(collation="C"), nullable=True),
        sa.Column("seats", sa.BigInteger(), nullable=True),
        sa.Column("area", sa.Numeric(), nullable=True),
        sa.Column("rent", sa.Numeric(), nullable=True),
        sa.Column("rent_currency", sa.Text(), nullable=True),
        sa.Column("heated", sa.Boolean(), nullable=True),
        sa.Column("opened_on", sa.Date(), nullable=True),
        sa.Column("inspected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("address", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("languages", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("rooms", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("notes", sa.Text(), nullable=True),
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
            ["tenant_id", "account_id"], ["accounts.tenant_id", "accounts.id"], name="fk_sites_account_id"
        ),
        sa.ForeignKeyConstraint(["tenant_id", "parent_id"], ["sites.tenant_id", "sites.id"], name="fk_sites_parent_id"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_sites")),
        info={"insert_only": False, "ops": False, "updates": ()},
    )
    op.create_index("ix_sites_account_id", "sites", ["tenant_id", "account_id", "id"], unique=False)
    op.create_index("ix_sites_area", "sites", ["tenant_id", "area", "id"], unique=False)
    op.create_index("ix_sites_created_at", "sites", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_sites_email", "sites", ["tenant_id", "email_key", "id"], unique=False)
    op.create_index("ix_sites_inspected_at", "sites", ["tenant_id", "inspected_at", "id"], unique=False)
    op.create_index("ix_sites_kind", "sites", ["tenant_id", "kind", "id"], unique=False)
    op.create_index(
        "ix_sites_languages",
        "sites",
        ["languages"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"languages": "jsonb_path_ops"},
        postgresql_where=sa.text("languages <> '[]'::jsonb"),
    )
    op.create_index("ix_sites_name", "sites", ["tenant_id", "name_key", "id"], unique=False)
    op.create_index("ix_sites_number", "sites", ["tenant_id", "number_key", "id"], unique=False)
    op.create_index("ix_sites_opened_on", "sites", ["tenant_id", "opened_on", "id"], unique=False)
    op.create_index("ix_sites_owner_id", "sites", ["tenant_id", "owner_id", "id"], unique=False)
    op.create_index(
        "ix_sites_owner_name",
        "sites",
        ["tenant_id", "owner_id", "name_key", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index(
        "ix_sites_owner_number",
        "sites",
        ["tenant_id", "owner_id", "number_key", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index(
        "ix_sites_owner_opened_on",
        "sites",
        ["tenant_id", "owner_id", "opened_on", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index(
        "ix_sites_owner_rent",
        "sites",
        ["tenant_id", "owner_id", "rent", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index(
        "ix_sites_owner_seats",
        "sites",
        ["tenant_id", "owner_id", "seats", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index("ix_sites_parent_id", "sites", ["tenant_id", "parent_id", "id"], unique=False)
    op.create_index("ix_sites_rent", "sites", ["tenant_id", "rent", "id"], unique=False)
    op.create_index("ix_sites_seats", "sites", ["tenant_id", "seats", "id"], unique=False)
    op.create_index("ix_sites_status", "sites", ["tenant_id", "status", "id"], unique=False)
    op.create_index(
        "ix_sites_tags",
        "sites",
        ["tags"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"tags": "jsonb_path_ops"},
        postgresql_where=sa.text("tags <> '[]'::jsonb"),
    )
    op.create_index("ix_sites_team_id", "sites", ["tenant_id", "team_id", "id"], unique=False)
    op.create_index(
        "ix_sites_team_name",
        "sites",
        ["tenant_id", "team_id", "name_key", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index(
        "ix_sites_team_number",
        "sites",
        ["tenant_id", "team_id", "number_key", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index(
        "ix_sites_team_opened_on",
        "sites",
        ["tenant_id", "team_id", "opened_on", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index(
        "ix_sites_team_rent",
        "sites",
        ["tenant_id", "team_id", "rent", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index(
        "ix_sites_team_seats",
        "sites",
        ["tenant_id", "team_id", "seats", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index("ix_sites_updated_at", "sites", ["tenant_id", "updated_at", "id"], unique=False)
    op.create_index("uq_sites_number", "sites", ["tenant_id", "number_key"], unique=True)
    protect(op, "sites")
