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
        "following_positions",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_following_positions")),
        info={"ops": True},
    )
    op.create_table(
        "followings",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("about_key", sa.Text(collation="C"), nullable=False),
        sa.Column("user_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("owner_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("team_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column(
            "tags", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=True
        ),
        sa.Column("external_ids", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("custom", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_followings")),
        info={"insert_only": False, "ops": False, "updates": ()},
    )
    op.create_index("ix_followings_about", "followings", ["tenant_id", "about_key", "id"], unique=False)
    op.create_index("ix_followings_created_at", "followings", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_followings_owner_id", "followings", ["tenant_id", "owner_id", "id"], unique=False)
    op.create_index(
        "ix_followings_tags",
        "followings",
        ["tags"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"tags": "jsonb_path_ops"},
        postgresql_where=sa.text("tags <> '[]'::jsonb"),
    )
    op.create_index("ix_followings_team_id", "followings", ["tenant_id", "team_id", "id"], unique=False)
    op.create_index("ix_followings_updated_at", "followings", ["tenant_id", "updated_at", "id"], unique=False)
    op.create_index("ix_followings_user_id", "followings", ["tenant_id", "user_id", "id"], unique=False)
    op.create_index(
        "uq_followings_about",
        "followings",
        ["tenant_id", "user_id", "about_key"],
        unique=True,
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
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
        sa.Column(
            "tags", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=True
        ),
        sa.Column("external_ids", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("custom", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_notifications")),
        info={"insert_only": False, "ops": False, "updates": ()},
    )
    op.create_index("ix_notifications_about", "notifications", ["tenant_id", "about_key", "id"], unique=False)
    op.create_index("ix_notifications_created_at", "notifications", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_notifications_owner_id", "notifications", ["tenant_id", "owner_id", "id"], unique=False)
    op.create_index("ix_notifications_status", "notifications", ["tenant_id", "status", "id"], unique=False)
    op.create_index(
        "ix_notifications_tags",
        "notifications",
        ["tags"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"tags": "jsonb_path_ops"},
        postgresql_where=sa.text("tags <> '[]'::jsonb"),
    )
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
        "webhook_positions",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("webhook_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rest_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "webhook_id", name=op.f("pk_webhook_positions")),
        info={"ops": True},
    )
    op.create_table(
        "webhook_secrets",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("webhook_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("previous", sa.Text(), nullable=True),
        sa.Column("previous_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "webhook_id", name=op.f("pk_webhook_secrets")),
    )
    op.create_table(
        "webhooks",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(collation="C"), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("types", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("user_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("secret", sa.Text(), nullable=True),
        sa.Column("disabled_reason", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("owner_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("team_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column(
            "tags", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=True
        ),
        sa.Column("external_ids", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("custom", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_webhooks")),
        info={"insert_only": False, "ops": False, "updates": ()},
    )
    op.create_index("ix_webhooks_created_at", "webhooks", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_webhooks_name", "webhooks", ["tenant_id", "name_key", "id"], unique=False)
    op.create_index("ix_webhooks_owner_id", "webhooks", ["tenant_id", "owner_id", "id"], unique=False)
    op.create_index("ix_webhooks_status", "webhooks", ["tenant_id", "status", "id"], unique=False)
    op.create_index(
        "ix_webhooks_tags",
        "webhooks",
        ["tags"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"tags": "jsonb_path_ops"},
        postgresql_where=sa.text("tags <> '[]'::jsonb"),
    )
    op.create_index("ix_webhooks_team_id", "webhooks", ["tenant_id", "team_id", "id"], unique=False)
    op.create_index("ix_webhooks_updated_at", "webhooks", ["tenant_id", "updated_at", "id"], unique=False)
    op.create_index("ix_webhooks_user_id", "webhooks", ["tenant_id", "user_id", "id"], unique=False)
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
        sa.Column(
            "tags", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=True
        ),
        sa.Column("external_ids", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("custom", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "notification_id"],
            ["notifications.tenant_id", "notifications.id"],
            name="fk_deliveries_notification_id",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_deliveries")),
        info={"insert_only": False, "ops": False, "updates": ()},
    )
    op.create_index("ix_deliveries_channel", "deliveries", ["tenant_id", "channel", "id"], unique=False)
    op.create_index("ix_deliveries_created_at", "deliveries", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_deliveries_notification_id", "deliveries", ["tenant_id", "notification_id", "id"], unique=False)
    op.create_index("ix_deliveries_owner_id", "deliveries", ["tenant_id", "owner_id", "id"], unique=False)
    op.create_index("ix_deliveries_status", "deliveries", ["tenant_id", "status", "id"], unique=False)
    op.create_index(
        "ix_deliveries_tags",
        "deliveries",
        ["tags"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"tags": "jsonb_path_ops"},
        postgresql_where=sa.text("tags <> '[]'::jsonb"),
    )
    op.create_index("ix_deliveries_team_id", "deliveries", ["tenant_id", "team_id", "id"], unique=False)
    op.create_index("ix_deliveries_to", "deliveries", ["tenant_id", "to_key", "id"], unique=False)
    op.create_index("ix_deliveries_updated_at", "deliveries", ["tenant_id", "updated_at", "id"], unique=False)
    op.create_table(
        "webhook_deliveries",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("webhook_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("event_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("event_type", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.BigInteger(), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("log", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("owner_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("team_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column(
            "tags", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=True
        ),
        sa.Column("external_ids", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("custom", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "webhook_id"], ["webhooks.tenant_id", "webhooks.id"], name="fk_webhook_deliveries_webhook_id"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_webhook_deliveries")),
        sa.UniqueConstraint(
            "tenant_id", "webhook_id", "event_id", name=op.f("uq_webhook_deliveries_tenant_id_webhook_id_event_id")
        ),
        info={"insert_only": False, "ops": True, "updates": ()},
    )
    op.create_index(
        "ix_webhook_deliveries_created_at", "webhook_deliveries", ["tenant_id", "created_at", "id"], unique=False
    )
    op.create_index(
        "ix_webhook_deliveries_event_id", "webhook_deliveries", ["tenant_id", "event_id", "id"], unique=False
    )
    op.create_index(
        "ix_webhook_deliveries_occurred_at", "webhook_deliveries", ["tenant_id", "occurred_at", "id"], unique=False
    )
    op.create_index(
        "ix_webhook_deliveries_owner_id", "webhook_deliveries", ["tenant_id", "owner_id", "id"], unique=False
    )
    op.create_index(
        "ix_webhook_deliveries_owner_occurred_at",
        "webhook_deliveries",
        ["tenant_id", "owner_id", "occurred_at", "id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index("ix_webhook_deliveries_status", "webhook_deliveries", ["tenant_id", "status", "id"], unique=False)
    op.create_index(
        "ix_webhook_deliveries_tags",
        "webhook_deliveries",
        ["tags"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"tags": "jsonb_path_ops"},
        postgresql_where=sa.text("tags <> '[]'::jsonb"),
    )
    op.create_index("ix_webhook_deliveries_team_id", "webhook_deliveries", ["tenant_id", "team_id", "id"], unique=False)
    op.create_index(
        "ix_webhook_deliveries_team_occurred_at",
        "webhook_deliveries",
        ["tenant_id", "team_id", "occurred_at", "id"],
        unique=False,
        postgresql_where=sa.text("team_id IS NOT NULL"),
    )
    op.create_index(
        "ix_webhook_deliveries_updated_at", "webhook_deliveries", ["tenant_id", "updated_at", "id"], unique=False
    )
    op.create_index(
        "ix_webhook_deliveries_waiting",
        "webhook_deliveries",
        ["webhook_id", "due_at"],
        unique=False,
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_index(
        "ix_webhook_deliveries_webhook_id", "webhook_deliveries", ["tenant_id", "webhook_id", "id"], unique=False
    )
    protect(op, "followings", "notifications", "reminders", "webhook_secrets", "webhooks", "deliveries")
    protect(op, "delivery_queue", "following_positions", "webhook_positions", "webhook_deliveries", ops=True)
