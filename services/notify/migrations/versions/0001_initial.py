"""Initial."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from chassis.migrations import protect

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "delivery_queue",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("delivery_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "delivery_id", name=op.f("pk_delivery_queue")),
        info={"ops": True},
    )
    op.create_index("ix_delivery_queue_due", "delivery_queue", ["due_at"], unique=False)
    op.create_table(
        "notifications",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("user_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("about", sa.Text(), nullable=True),
        sa.Column("about_key", sa.Text(collation="C"), nullable=True),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("owner_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("team_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("external_ids", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("custom", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_notifications")),
        info={"insert_only": False, "ops": False},
    )
    op.create_index("ix_notifications_about", "notifications", ["tenant_id", "about_key", "id"], unique=False)
    op.create_index("ix_notifications_created_at", "notifications", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_notifications_owner_id", "notifications", ["tenant_id", "owner_id", "id"], unique=False)
    op.create_index("ix_notifications_status", "notifications", ["tenant_id", "status", "id"], unique=False)
    op.create_index("ix_notifications_team_id", "notifications", ["tenant_id", "team_id", "id"], unique=False)
    op.create_index("ix_notifications_updated_at", "notifications", ["tenant_id", "updated_at", "id"], unique=False)
    op.create_index("ix_notifications_user_id", "notifications", ["tenant_id", "user_id", "id"], unique=False)
    op.create_table(
        "reminders",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("activity_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "activity_id", name=op.f("pk_reminders")),
    )
    op.create_table(
        "deliveries",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("channel", sa.Text(), nullable=True),
        sa.Column("to", sa.Text(), nullable=True),
        sa.Column("to_key", sa.Text(collation="C"), nullable=True),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("notification_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("attempts", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("owner_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("team_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("external_ids", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("custom", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "notification_id"],
            ["notifications.tenant_id", "notifications.id"],
            name="fk_deliveries_notification_id",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_deliveries")),
        info={"insert_only": False, "ops": False},
    )
    op.create_index("ix_deliveries_channel", "deliveries", ["tenant_id", "channel", "id"], unique=False)
    op.create_index("ix_deliveries_created_at", "deliveries", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_deliveries_notification_id", "deliveries", ["tenant_id", "notification_id", "id"], unique=False)
    op.create_index("ix_deliveries_owner_id", "deliveries", ["tenant_id", "owner_id", "id"], unique=False)
    op.create_index("ix_deliveries_status", "deliveries", ["tenant_id", "status", "id"], unique=False)
    op.create_index("ix_deliveries_team_id", "deliveries", ["tenant_id", "team_id", "id"], unique=False)
    op.create_index("ix_deliveries_to", "deliveries", ["tenant_id", "to_key", "id"], unique=False)
    op.create_index("ix_deliveries_updated_at", "deliveries", ["tenant_id", "updated_at", "id"], unique=False)
    protect(op, "notifications", "reminders", "deliveries")
    protect(op, "delivery_queue", ops=True)
