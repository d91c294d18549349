"""The index in PostgreSQL: one row per record with its words, its keys, and how far it has come."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Index, Table, Text, Uuid, func
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR

from chassis.records import metadata_of

metadata = metadata_of("search")

# Deleted records stay as rows without text: a late older event must not bring them back.
documents = Table(
    "documents",
    metadata,
    Column("tenant_id", Uuid(as_uuid=False), primary_key=True),
    Column("record", Text, primary_key=True),
    Column("id", Uuid(as_uuid=False), primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("owner_id", Uuid(as_uuid=False)),
    Column("team_id", Uuid(as_uuid=False)),
    Column("title_key", Text(collation="C"), nullable=False),
    Column("data", JSONB, nullable=False),
    Column("changed_at", DateTime(timezone=True), nullable=False),
    Column("facets", JSONB, nullable=False, server_default="{}"),
    Column("words", Text(collation="C"), nullable=False, server_default=""),
    Column("tokens", TSVECTOR, nullable=False, server_default=""),
)
# Small portions are merged often: what waits to be merged is read by every question.
Index(
    "ix_documents_tokens",
    documents.c.tokens,
    postgresql_using="gin",
    postgresql_with={"gin_pending_list_limit": 512},
)
Index(
    "ix_documents_owner",
    documents.c.tenant_id,
    documents.c.owner_id,
    documents.c.changed_at.desc(),
    postgresql_where=documents.c.owner_id.is_not(None),
)

# Whole values, in the order of the alphabet. Owner and team stand beside each, so that what a principal may see is
# decided while they are walked.
keys = Table(
    "keys",
    metadata,
    Column("tenant_id", Uuid(as_uuid=False), primary_key=True),
    Column("key", Text(collation="C"), primary_key=True),
    Column("record", Text, primary_key=True),
    Column("id", Uuid(as_uuid=False), primary_key=True),
    Column("field", Text, primary_key=True),
    Column("owner_id", Uuid(as_uuid=False)),
    Column("team_id", Uuid(as_uuid=False)),
)
Index("ix_keys_record", keys.c.tenant_id, keys.c.record, keys.c.id)

# Every word that some document has, for what may have been meant by one that none has.
words = Table(
    "words",
    metadata,
    Column("tenant_id", Uuid(as_uuid=False), primary_key=True),
    Column("word", Text(collation="C"), primary_key=True),
)

progress = Table(
    "progress",
    metadata,
    Column("tenant_id", Uuid(as_uuid=False), primary_key=True),
    Column("event_at", DateTime(timezone=True), nullable=False),
    Column("taken_at", DateTime(timezone=True), nullable=False),
    info={"ops": True},
)

# How far the index is known to have come in each tenant's feed: every event up to `position` is in it.
positions = Table(
    "positions",
    metadata,
    Column("tenant_id", Uuid(as_uuid=False), primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("waiting_since", DateTime(timezone=True)),
    Column("checked_at", DateTime(timezone=True), nullable=False),
    info={"ops": True},
)

# What the last comparison of each record found: of the kept documents with the databases that own them, and of
# Elasticsearch with the kept documents. `drifted` and `repaired` are counted for ever.
sweeps = Table(
    "sweeps",
    metadata,
    Column("tenant_id", Uuid(as_uuid=False), primary_key=True),
    Column("record", Text, primary_key=True),
    Column("against", Text, primary_key=True, server_default="databases"),
    Column("asked_at", DateTime(timezone=True)),
    Column("swept_at", DateTime(timezone=True)),
    Column("looked", BigInteger, nullable=False, server_default="0"),
    Column("differing", BigInteger, nullable=False, server_default="0"),
    Column("unknown", BigInteger, nullable=False, server_default="0"),
    Column("drifted", BigInteger, nullable=False, server_default="0"),
    Column("repaired", BigInteger, nullable=False, server_default="0"),
    info={"ops": True},
)

# A rebuild of the index from the event log, one row for each tenant and one for the whole, whose tenant is nobody. In
# the whole, `position` and `until` are the sums of the tenants', `form` is that of the documents that it makes, and
# `compared` of `to_compare` records of tenants are known to be whole in the new indices of Elasticsearch.
rebuilds = Table(
    "rebuilds",
    metadata,
    Column("tenant_id", Uuid(as_uuid=False), primary_key=True),
    Column("state", Text, nullable=False),
    Column("asked_at", DateTime(timezone=True), nullable=False),
    Column("ended_at", DateTime(timezone=True)),
    Column("position", BigInteger, nullable=False, server_default="0"),
    Column("until", BigInteger, nullable=False, server_default="0"),
    Column("form", Text),
    Column("compared", BigInteger, nullable=False, server_default="0"),
    Column("to_compare", BigInteger, nullable=False, server_default="0"),
    info={"ops": True},
)

# What each user opened and edited lately, and the searches that he finished: bounded for each of them.
recent_records = Table(
    "recent_records",
    metadata,
    Column("tenant_id", Uuid(as_uuid=False), primary_key=True),
    Column("user_id", Uuid(as_uuid=False), primary_key=True),
    Column("record", Text, primary_key=True),
    Column("id", Uuid(as_uuid=False), primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
)

recent_searches = Table(
    "recent_searches",
    metadata,
    Column("tenant_id", Uuid(as_uuid=False), primary_key=True),
    Column("user_id", Uuid(as_uuid=False), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("question", JSONB, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
)

# Documents that Elasticsearch does not have in these versions. It has a newer one, which is wrong, where `forced`;
# `refused` is what it said where it will not have a document at all.
behind = Table(
    "behind",
    metadata,
    Column("tenant_id", Uuid(as_uuid=False), primary_key=True),
    Column("record", Text, primary_key=True),
    Column("id", Uuid(as_uuid=False), primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("forced", Boolean, nullable=False, server_default="false"),
    Column("refused", Text),
    Column("noted_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    info={"ops": True},
)
Index("ix_behind_forced", behind.c.tenant_id, behind.c.noted_at, postgresql_where=behind.c.forced)
