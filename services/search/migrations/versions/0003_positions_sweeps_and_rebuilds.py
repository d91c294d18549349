"""How far the index is known to have come, what sweeps found, and rebuilds under way."""

import sqlalchemy as sa
from alembic import op

from chassis.migrations import protect

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "positions",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("waiting_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_positions")),
    )
    op.create_table(
        "rebuilds",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("position", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("until", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_rebuilds")),
    )
    op.create_table(
        "sweeps",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("swept_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("looked", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("differing", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("unknown", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("drifted", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("repaired", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "record", name=op.f("pk_sweeps")),
    )
    protect(op, "positions", "rebuilds", "sweeps", ops=True)
    # Timers look after all tenants.
    database = op.get_bind().engine.url.database
    op.execute(f'CREATE POLICY ops ON progress TO "{database}_ops" USING (true) WITH CHECK (true)')
    op.execute(f'GRANT SELECT, INSERT, UPDATE, DELETE ON progress TO "{database}_ops"')
