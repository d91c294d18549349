"""Documents have facets, by which answers are counted and narrowed. Old ones get theirs when indexed anew."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column(
        "documents",
        sa.Column("facets", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
    )
