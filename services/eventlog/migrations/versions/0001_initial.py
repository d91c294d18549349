"""Initial."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from chassis.migrations import protect

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "event_subscriptions",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(collation="C"), nullable=False),
        sa.Column("user_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("types", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("exchange", sa.Text(), nullable=True),
        sa.Column("amqp_user", sa.Text(), nullable=True),
        sa.Column("amqp_url", sa.Text(), nullable=True),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.Column("replayed_at", sa.DateTime(timezone=True), nullable=True),
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
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_event_subscriptions")),
        info={"insert_only": False, "ops": False, "updates": ()},
    )
    op.create_index(
        "ix_event_subscriptions_created_at", "event_subscriptions", ["tenant_id", "created_at", "id"], unique=False
    )
    op.create_index("ix_event_subscriptions_name", "event_subscriptions", ["tenant_id", "name_key", "id"], unique=False)
    op.create_index(
        "ix_event_subscriptions_owner_id", "event_subscriptions", ["tenant_id", "owner_id", "id"], unique=False
    )
    op.create_index("ix_event_subscriptions_status", "event_subscriptions", ["tenant_id", "status", "id"], unique=False)
    op.create_index(
        "ix_event_subscriptions_tags",
        "event_subscriptions",
        ["tags"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"tags": "jsonb_path_ops"},
        postgresql_where=sa.text("tags <> '[]'::jsonb"),
    )
    op.create_index(
        "ix_event_subscriptions_team_id", "event_subscriptions", ["tenant_id", "team_id", "id"], unique=False
    )
    op.create_index(
        "ix_event_subscriptions_updated_at", "event_subscriptions", ["tenant_id", "updated_at", "id"], unique=False
    )
    op.create_index(
        "ix_event_subscriptions_user_id", "event_subscriptions", ["tenant_id", "user_id", "id"], unique=False
    )
    op.create_table(
        "events",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("type", sa.Text(collation="C"), nullable=False),
        sa.Column("record", sa.Text(collation="C"), nullable=False),
        sa.Column("record_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("owner_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("team_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("envelope", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("private", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "position", name=op.f("pk_events")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_events_tenant_id_id")),
        info={"insert_only": True},
    )
    op.create_index("ix_events_record", "events", ["tenant_id", "record", "position"], unique=False)
    op.create_index("ix_events_version", "events", ["tenant_id", "record_id", "version"], unique=False)
    op.create_table(
        "feed_positions",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_feed_positions")),
        info={"ops": True},
    )
    op.create_table(
        "subscription_positions",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("subscription_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "subscription_id", name=op.f("pk_subscription_positions")),
        info={"ops": True},
    )
    protect(op, "event_subscriptions")
    protect(op, "events", insert_only=True)
    protect(op, "feed_positions", "subscription_positions", ops=True)
