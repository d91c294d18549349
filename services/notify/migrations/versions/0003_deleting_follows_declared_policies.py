"""Deleting follows declared policies."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.drop_constraint(op.f("fk_deliveries_notification_id"), "deliveries", type_="foreignkey")
    op.drop_constraint(op.f("fk_webhook_deliveries_webhook_id"), "webhook_deliveries", type_="foreignkey")
