"""What Elasticsearch lacks of what PostgreSQL holds."""

import sqlalchemy as sa
from alembic import op

from chassis.migrations import protect

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "behind",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("forced", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("refused", sa.Text(), nullable=True),
        sa.Column("noted_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "record", "id", name=op.f("pk_behind")),
    )
    protect(op, "behind", ops=True)
