"""Attached files are looked at by a virus scanner, where there is one."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("attachments", sa.Column("scan", sa.Text(), nullable=True))
    op.add_column(
        "blob_holds",
        sa.Column("scan_due", sa.DateTime(timezone=True), server_default=sa.text("'epoch'"), nullable=True),
    )
    op.create_index(
        "ix_blob_holds_scan_due",
        "blob_holds",
        ["scan_due"],
        unique=False,
        postgresql_where=sa.text("starts_with(holder, 'attachment:')"),
    )
