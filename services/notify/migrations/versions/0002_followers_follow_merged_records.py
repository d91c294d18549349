"""Followers follow merged records."""

import sqlalchemy as sa
from alembic import op

from chassis.migrations import protect

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "merged_subjects",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("subject", sa.Text(collation="C"), nullable=False),
        sa.Column("into_subject", sa.Text(collation="C"), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "subject", name=op.f("pk_merged_subjects")),
    )
    op.create_index("ix_merged_subjects_into_subject", "merged_subjects", ["tenant_id", "into_subject"], unique=False)
    protect(op, "merged_subjects")
