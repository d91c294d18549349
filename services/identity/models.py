"""The tables of identity. Secrets stand apart from records: they are never in events, history or answers."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, DateTime, Index, Table, Text, UniqueConstraint, Uuid, text

from chassis.records import Stored, metadata_of
from contracts import identity as contracts

metadata = metadata_of("identity")


class Tenant(Stored, record=contracts.Tenant):
    ops = True
    __table_args__ = (Index("uq_tenants_slug", "slug", unique=True),)


class Team(Stored, record=contracts.Team):
    pass


class Role(Stored, record=contracts.Role):
    __table_args__ = (UniqueConstraint("tenant_id", "name_key"),)


class User(Stored, record=contracts.User):
    __table_args__ = (UniqueConstraint("tenant_id", "email_key"),)


class ApiKey(Stored, record=contracts.ApiKey):
    pass


class CustomField(Stored, record=contracts.CustomField):
    __table_args__ = (UniqueConstraint("tenant_id", "applies_to_key", "name_key"),)


class NumberingRule(Stored, record=contracts.NumberingRule):
    __table_args__ = (UniqueConstraint("tenant_id", "applies_to_key"),)


class RetentionRule(Stored, record=contracts.RetentionRule):
    __table_args__ = (
        Index(
            "uq_retention_rules_applies_to",
            "tenant_id",
            "applies_to_key",
            unique=True,
            postgresql_where=text("deleted_at IS NULL"),
        ),
    )


class Synonym(Stored, record=contracts.Synonym):
    pass


class View(Stored, record=contracts.View):
    pass


passwords = Table(
    "passwords",
    metadata,
    Column("tenant_id", Uuid(as_uuid=False), primary_key=True),
    Column("user_id", Uuid(as_uuid=False), primary_key=True),
    Column("hash", Text, nullable=False),
)

# Only the SHA-256 of a secret is kept; 32 random bytes need no slow hash.
secrets = Table(
    "secrets",
    metadata,
    Column("tenant_id", Uuid(as_uuid=False), primary_key=True),
    Column("hash", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("user_id", Uuid(as_uuid=False), nullable=False),
    Column("holder_id", Uuid(as_uuid=False), nullable=False),
    Column("expires_at", DateTime(timezone=True)),
    Column("used", Boolean, nullable=False),
    info={"ops": True},
)
Index("ix_secrets_hash", secrets.c.hash)
Index("ix_secrets_holder", secrets.c.tenant_id, secrets.c.holder_id)
