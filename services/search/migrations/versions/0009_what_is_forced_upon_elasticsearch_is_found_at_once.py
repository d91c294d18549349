"""What is forced upon Elasticsearch is found at once."""

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_index("ix_behind_forced", "behind", ["tenant_id", "noted_at"], unique=False, postgresql_where="forced")
