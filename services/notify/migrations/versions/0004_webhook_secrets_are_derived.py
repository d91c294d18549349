"""Webhook secrets are derived from the installation's key, so that the database has only their salts."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    # A default that is evaluated row by row reaches every tenant's rows, which row-level security hides from an UPDATE.
    op.add_column(
        "webhook_secrets",
        sa.Column("salt", sa.Text(), nullable=False, server_default=sa.text("gen_random_uuid()::text")),
    )
    op.alter_column("webhook_secrets", "salt", server_default=None)
    op.drop_column("webhook_secrets", "secret")
    # What stood here was the secret itself.
    op.drop_column("webhook_secrets", "previous")
    op.add_column("webhook_secrets", sa.Column("previous", sa.Text(), nullable=True))
