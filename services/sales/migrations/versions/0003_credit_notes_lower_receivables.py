"""Credit notes lower what is open of receivables, and are cancelled."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from chassis.migrations import allow_update

revision = "0003"
down_revision = "0002"
KINDS = "'opened', 'paid', 'reversed', 'refunded', 'written_off'"


def upgrade() -> None:
    op.add_column("receivables", sa.Column("credited", sa.Numeric(), nullable=True))
    op.add_column("receivables", sa.Column("credited_currency", sa.Text(), nullable=True))
    # Defaults reach every tenant's rows, which row-level security hides from an UPDATE.
    op.add_column(
        "credit_notes",
        sa.Column("allocations", postgresql.JSONB(), nullable=True, server_default=sa.text("'[]'::jsonb")),
    )
    op.alter_column("credit_notes", "allocations", server_default=None)
    op.add_column("credit_notes", sa.Column("unallocated", sa.Numeric(), nullable=True))
    op.add_column("credit_notes", sa.Column("unallocated_currency", sa.Text(), nullable=True))
    op.add_column("credit_notes", sa.Column("status", sa.Text(), nullable=True, server_default="issued"))
    op.alter_column("credit_notes", "status", server_default=None)
    op.add_column("credit_notes", sa.Column("cancel_reason", sa.Text(), nullable=True))
    op.create_index("ix_credit_notes_status", "credit_notes", ["tenant_id", "status", "id"], unique=False)
    allow_update(op, "credit_notes", "status", "cancel_reason")
    op.drop_constraint(op.f("ck_receivable_entries_kind"), "receivable_entries", type_="check")
    op.create_check_constraint(
        op.f("ck_receivable_entries_kind"), "receivable_entries", f"kind IN ({KINDS}, 'credited', 'uncredited')"
    )
