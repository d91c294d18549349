"""What the commands read of the environment. All that is wrong is named at once, and then nothing was begun."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from typing import Any

import click

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
HIGHEST_PORT = 65535
Reader = Callable[[], Any]


class Wrong(click.ClickException):
    """Asked in a way that cannot work: arguments, settings, or no suite where one was meant."""

    exit_code = 2


def log_level() -> str:
    """`GUANXI_LOG`. Raises SettingsError."""
    from chassis.environment import SettingsError

    level = os.environ.get("GUANXI_LOG", "WARNING").upper()
    if level not in LEVELS:
        raise SettingsError({"GUANXI_LOG": f"Must be one of {', '.join(LEVELS)}."})
    return level


def log() -> None:
    """Log as `GUANXI_LOG` says. A level that there is not is told with the other settings, by `read`."""
    level = os.environ.get("GUANXI_LOG", "").upper()
    logging.basicConfig(
        level=level if level in LEVELS else "WARNING", format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )


def read(*readers: Reader) -> list[Any]:
    """What each reader finds. Raises Wrong with a line for each variable that is wrong or missing."""
    from chassis.environment import SettingsError, together

    try:
        return together(*readers, log_level)[:-1]
    except SettingsError as error:
        raise Wrong(f"These settings are wrong or missing:\n{error}") from None


def port(given: int | None) -> Reader:
    """A reader of `GUANXI_PORT`, which a port given as an argument goes before."""
    return lambda: given if given is not None else _whole("GUANXI_PORT", 8080, 1, HIGHEST_PORT)


def probe_port() -> int:
    """`GUANXI_PROBE_PORT`; 0: no probes. Raises SettingsError."""
    return _whole("GUANXI_PROBE_PORT", 0, 0, HIGHEST_PORT)


def check_after() -> int:
    """`GUANXI_CHECK_AFTER`, seconds. Raises SettingsError."""
    return _whole("GUANXI_CHECK_AFTER", 300, 1, 86_400)


def _whole(name: str, default: int, least: int, most: int) -> int:
    from environs import Env
    from marshmallow import validate

    from chassis.environment import seal

    env = Env(eager=False)
    found: int = env.int(name, default, validate=validate.Range(least, most))
    seal(env)
    return found


def of_services(services: Iterable[str]) -> list[Reader]:
    """The readers of the variables that these services alone have."""
    from suite.host import definition_of

    return [reader for service in services for reader in definition_of(service).environment]


def databases() -> Any:
    """The environment's settings where they are given, else those of the embedded suite that is running."""
    from chassis.settings import Settings, from_environment
    from suite import home
    from suite.servers.postgres import running_url

    if os.environ.get("GUANXI_DATABASE_URL"):
        return read(from_environment)[0]
    (folder,) = read(home.data_folder)
    server = running_url(folder / "postgres")
    if server is None:
        raise Wrong(
            f"No suite is running on the data folder {folder}. Start it with `guanxi up`, name its folder in"
            " GUANXI_DATA, or set GUANXI_DATABASE_URL and what `guanxi serve` needs besides."
        )
    known = home.secrets_of(folder)
    return Settings(
        database=server,
        database_secret=known["database_secret"],
        context_key=known["context_key"],
        bus="inprocess://suite",
    )
