"""What a service process is told by its environment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from environs import Env, ValidationError
from marshmallow import validate
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from chassis import blobs, provisioning, scanning
from chassis.environment import BUS, SECRET, seal, shape
from chassis.records.children import attachments


@dataclass(frozen=True, slots=True)
class Settings:
    """`database` addresses the server; the database, user and password of each service follow from it and the secret.

    `bus` is `amqp://…` (of a cluster several, with `;` in between) or `inprocess://…`; `management` the address of the
    broker's management API, if there is one.
    `job_places` is how many jobs a process runs at once, `job_memory` the MiB of address space that each may take,
    `blobs` where files lie, `attachment_quota` how many bytes all attachments of a tenant may have in one service.
    `scanner` is clamd's address, empty where nobody looks for viruses.
    `elasticsearch` is the address of the search index, empty where PostgreSQL alone serves it. `prepared` lets the
    server keep the plans of statements; it is false behind a pooler in transaction mode.
    """

    database: str
    database_secret: str
    context_key: str
    bus: str
    database_prefix: str = "guanxi"
    management: str | None = None
    pool_size: int = 8
    rpc_workers: int = 16
    event_workers: int = 6
    job_places: int = 2
    job_memory: int = 1024
    blobs: str = ""
    attachment_quota: int = attachments.QUOTA
    scanner: str = ""
    elasticsearch: str = ""
    prepared: bool = True

    def database_url(self, service: str, role: str) -> str:
        return provisioning.service_url(self.database, service, role, self.database_secret, self.database_prefix)

    def environment(self) -> dict[str, str]:
        """The variables that say the same to another process."""
        return {
            "GUANXI_DATABASE_URL": self.database,
            "GUANXI_DATABASE_SECRET": self.database_secret,
            "GUANXI_DATABASE_PREFIX": self.database_prefix,
            "GUANXI_CONTEXT_KEY": self.context_key,
            "GUANXI_BUS": self.bus,
            "GUANXI_JOB_MEMORY": str(self.job_memory),
            "GUANXI_BLOBS": self.blobs or blobs.default_location(),
            "GUANXI_ATTACHMENT_QUOTA": str(self.attachment_quota),
            "GUANXI_CLAMD": self.scanner,
            "GUANXI_ELASTICSEARCH": self.elasticsearch,
            "GUANXI_PREPARED": str(self.prepared).lower(),
        }


def from_environment() -> Settings:
    """The settings of a service process from `GUANXI_…` variables. Raises SettingsError."""
    env = Env(eager=False)
    prefix = shape(r"[a-z][a-z0-9_]{0,30}", "small letters, digits and underscores, at most 31")
    elasticsearch = shape(r"(https?://[^/?#\s]+/?)?", "http(s)://user:password@host:9200, without a path")
    with env.prefixed("GUANXI_"):
        found: dict[str, Any] = {
            "database": env.str("DATABASE_URL", validate=_server),
            "database_secret": env.str("DATABASE_SECRET", validate=SECRET),
            "context_key": env.str("CONTEXT_KEY", validate=SECRET),
            "bus": env.str("BUS", validate=BUS),
            "database_prefix": env.str("DATABASE_PREFIX", "guanxi", validate=prefix),
            "management": env.str("BROKER_MANAGEMENT_URL", None),
            "pool_size": env.int("POOL_SIZE", 8, validate=validate.Range(min=2, max=200)),
            "rpc_workers": env.int("RPC_WORKERS", 16, validate=validate.Range(min=1, max=500)),
            "event_workers": env.int("EVENT_WORKERS", 6, validate=validate.Range(min=1, max=100)),
            "job_places": env.int("JOBS", 2, validate=validate.Range(min=1, max=32)),
            "job_memory": env.int("JOB_MEMORY", 1024, validate=validate.Range(min=256)),
            "blobs": env.str("BLOBS", blobs.default_location(), validate=blobs.check_location),
            "attachment_quota": env.int("ATTACHMENT_QUOTA", attachments.QUOTA, validate=validate.Range(min=0)),
            "scanner": env.str("CLAMD", "", validate=_scanner),
            "elasticsearch": env.str("ELASTICSEARCH", "", validate=elasticsearch),
            "prepared": env.bool("PREPARED", True),
        }
    seal(env)
    return Settings(**found)


def _scanner(address: str) -> None:
    try:
        scanning.connect(address)
    except ValueError as error:
        raise ValidationError(str(error)) from None


def _server(text: str) -> None:
    """Whether a text is the address of a PostgreSQL server, also one that names a socket or several hosts."""
    try:
        known = make_url(text).drivername.partition("+")[0] in ("postgresql", "postgres")
    except (ArgumentError, ValueError):
        known = False
    if not known:
        raise ValidationError("Must be postgresql://user:password@host:port/postgres.")
