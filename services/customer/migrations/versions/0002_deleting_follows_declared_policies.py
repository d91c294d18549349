"""Deleting follows declared policies."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.drop_constraint(op.f("fk_accounts_merged_into_id"), "accounts", type_="foreignkey")
    op.drop_constraint(op.f("fk_activities_contact_id"), "activities", type_="foreignkey")
    op.drop_constraint(op.f("fk_contacts_merged_into_id"), "contacts", type_="foreignkey")
    op.drop_constraint(op.f("fk_interactions_activity_id"), "interactions", type_="foreignkey")
    op.drop_constraint(op.f("fk_interactions_contact_id"), "interactions", type_="foreignkey")
