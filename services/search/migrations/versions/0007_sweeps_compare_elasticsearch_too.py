"""Sweeps also compare Elasticsearch, and a rebuild says of which form of documents it was."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("sweeps", sa.Column("against", sa.Text(), server_default="databases", nullable=False))
    op.drop_constraint("pk_sweeps", "sweeps", type_="primary")
    op.create_primary_key("pk_sweeps", "sweeps", ["tenant_id", "record", "against"])
    op.add_column("rebuilds", sa.Column("form", sa.Text(), nullable=True))
    op.add_column("rebuilds", sa.Column("compared", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("rebuilds", sa.Column("to_compare", sa.BigInteger(), server_default="0", nullable=False))
