"""Documents have their words beside them, in an inverted index; keys and known words are tables of their own.

What is there is made anew from the event log: a rebuild is asked for, as by `guanxi search rebuild`.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from chassis.migrations import protect

revision = "0008"
down_revision = "0007"

ZERO = "00000000-0000-0000-0000-000000000000"


def upgrade() -> None:
    op.drop_table("words")
    op.create_table(
        "words",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("word", sa.Text(collation="C"), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "word", name=op.f("pk_words")),
    )
    op.create_table(
        "keys",
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("key", sa.Text(collation="C"), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("team_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "key", "record", "id", "field", name=op.f("pk_keys")),
    )
    op.create_index("ix_keys_record", "keys", ["tenant_id", "record", "id"])
    op.add_column("documents", sa.Column("words", sa.Text(collation="C"), server_default="", nullable=False))
    op.add_column("documents", sa.Column("tokens", postgresql.TSVECTOR(), server_default="", nullable=False))
    # Tokens are never read by a question, so they are what leaves the row when it grows large.
    op.execute("ALTER TABLE documents ALTER words SET STORAGE MAIN, ALTER tokens SET STORAGE EXTERNAL")
    # Questions are planned without statistics of words (`services.search.statements.RARE`), which take long to gather.
    op.execute("ALTER TABLE documents ALTER tokens SET STATISTICS 0")
    op.create_index(
        "ix_documents_tokens",
        "documents",
        ["tokens"],
        postgresql_using="gin",
        postgresql_with={"gin_pending_list_limit": 512},
    )
    protect(op, "words", "keys")
    # The owner of a table sees no tenant's rows but where it is not forced to, and this looks for any at all.
    for table in ("documents", "rebuilds"):
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    op.execute(
        f"INSERT INTO rebuilds (tenant_id, state, asked_at) SELECT '{ZERO}', 'asked', now()"
        " WHERE EXISTS (SELECT FROM documents) ON CONFLICT (tenant_id) DO UPDATE SET state = 'asked',"
        " asked_at = excluded.asked_at, ended_at = NULL, position = 0, until = 0"
    )
    for table in ("documents", "rebuilds"):
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
