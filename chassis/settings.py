"""What a process is told by its environment. All errors are shown at once, each with the name of its variable."""

from __future__ import annotations

from dataclasses import dataclass

from environs import Env, EnvValidationError
from marshmallow import validate

from chassis import provisioning


class SettingsError(Exception):
    """One line for each variable at fault."""


@dataclass(frozen=True, slots=True)
class Settings:
    """`database` addresses the server; the database, user and password of each service follow from it and the secret.

    `bus` is `amqp://…` or `inprocess://…`; `management` the address of the broker's management API, if there is one.
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

    def database_url(self, service: str, role: str) -> str:
        return provisioning.service_url(self.database, service, role, self.database_secret, self.database_prefix)


def from_environment() -> Settings:
    """The settings of a service process from `GUANXI_…` variables. Raises SettingsError."""
    env = Env(eager=False)
    secret = validate.Length(min=32)
    with env.prefixed("GUANXI_"):
        found = Settings(
            database=env.str("DATABASE_URL"),
            database_secret=env.str("DATABASE_SECRET", validate=secret),
            context_key=env.str("CONTEXT_KEY", validate=secret),
            bus=env.str("BUS", validate=validate.Regexp(r"(amqp|pyamqp|inprocess)://.*")),
            database_prefix=env.str("DATABASE_PREFIX", "guanxi", validate=validate.Regexp(r"[a-z][a-z0-9_]{0,30}$")),
            management=env.str("BROKER_MANAGEMENT_URL", None),
            pool_size=env.int("POOL_SIZE", 8, validate=validate.Range(min=2, max=200)),
            rpc_workers=env.int("RPC_WORKERS", 16, validate=validate.Range(min=1, max=500)),
            event_workers=env.int("EVENT_WORKERS", 6, validate=validate.Range(min=1, max=100)),
        )
    try:
        env.seal()
    except EnvValidationError as error:
        found_errors = dict(error.error_messages)  # type: ignore[arg-type]
        lines = [f"{name}: {' '.join(str(one) for one in messages)}" for name, messages in found_errors.items()]
        raise SettingsError("\n".join(lines)) from None
    return found
