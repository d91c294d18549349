"""What payments and credit notes have left is allocated later."""

from alembic import op

from chassis.migrations import allow_update

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    for table in ("payments", "credit_notes"):
        allow_update(op, table, "allocations", "unallocated", "unallocated_currency")
