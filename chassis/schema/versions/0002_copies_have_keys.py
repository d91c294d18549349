"""Copies have keys."""

import sqlalchemy as sa
from alembic import op

from chassis.migrations import protect
from chassis.records.folding import folded

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "copy_keys",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(collation="C"), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "record", "id", "field", name=op.f("pk_copy_keys")),
    )
    op.create_index("ix_copy_keys_key", "copy_keys", ["tenant_id", "record", "field", "key", "id"], unique=False)
    protect(op, "copy_keys")
    # The copies that are there get their keys for all tenants at once, which forced row-level security would hide from
    # their owner.
    connection = op.get_bind()
    connection.exec_driver_sql("ALTER TABLE copies NO FORCE ROW LEVEL SECURITY")
    connection.exec_driver_sql("ALTER TABLE copy_keys NO FORCE ROW LEVEL SECURITY")
    key = folded("value #>> '{}'")
    connection.exec_driver_sql(
        "INSERT INTO copy_keys (tenant_id, record, id, field, key)"
        f" SELECT tenant_id, record, id, field, left({key}, 400) FROM copies, jsonb_each(data) AS copied (field, value)"
        " WHERE jsonb_typeof(value) = 'string'"
    )
    connection.exec_driver_sql("ALTER TABLE copy_keys FORCE ROW LEVEL SECURITY")
    connection.exec_driver_sql("ALTER TABLE copies FORCE ROW LEVEL SECURITY")
