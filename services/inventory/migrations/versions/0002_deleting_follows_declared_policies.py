"""Deleting follows declared policies."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.drop_constraint(op.f("fk_products_merged_into_id"), "products", type_="foreignkey")
