"""The log lets go of persons: what was personal in its events may be emptied."""

from alembic import op

from chassis.migrations import allow_update

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    allow_update(op, "events", "envelope", "private")
