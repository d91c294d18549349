"""Titles are no longer compared by their trigrams: what may have been meant is found among the words."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.drop_index("ix_documents_title_key", table_name="documents")
