"""Users have what they opened, edited and looked for lately, and their own documents by date."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from chassis.migrations import protect

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "recent_records",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("user_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "user_id", "record", "id", name=op.f("pk_recent_records")),
    )
    op.create_table(
        "recent_searches",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("user_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("question", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "user_id", "key", name=op.f("pk_recent_searches")),
    )
    op.create_index(
        "ix_documents_owner",
        "documents",
        ["tenant_id", "owner_id", sa.literal_column("changed_at DESC")],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    protect(op, "recent_records", "recent_searches")
