"""Deleting follows declared policies."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.drop_constraint(op.f("fk_leads_merged_into_id"), "leads", type_="foreignkey")
    op.drop_constraint(op.f("fk_point_entries_reverses_id"), "point_entries", type_="foreignkey")
