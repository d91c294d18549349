"""Reading the environment so that all that is wrong is told at once, each with the name of its variable."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from environs import Env, EnvValidationError
from marshmallow import validate


class SettingsError(ValueError):
    """`faults` says of each variable what is wanted of it; the text has a line for each."""

    def __init__(self, faults: Mapping[str, str]) -> None:
        super().__init__("\n".join(f"{name}: {fault}" for name, fault in sorted(faults.items())))
        self.faults = dict(faults)


def shape(pattern: str, wanted: str) -> validate.Regexp:
    """A text of this pattern. What was given is not repeated in the error, since addresses carry passwords."""
    return validate.Regexp(rf"(?:{pattern})\Z", error=f"Must be {wanted}.")


def seal(env: Env) -> None:
    """End reading; raises one SettingsError for all that was wrong or missing."""
    try:
        env.seal()
    except EnvValidationError as error:
        found = dict(error.error_messages)  # type: ignore[arg-type]
        raise SettingsError({name: " ".join(map(str, dict.fromkeys(told))) for name, told in found.items()}) from None


def together(*readers: Callable[[], Any]) -> list[Any]:
    """What each reader finds in the environment; raises one SettingsError for what is wrong with any of them."""
    found, faults = [], dict[str, str]()
    for reader in readers:
        try:
            found.append(reader())
        except SettingsError as error:
            faults |= error.faults
    if faults:
        raise SettingsError(faults)
    return found


# What several kinds of processes are told.
BUS = shape(
    r"inprocess://[^;\s]*|(py)?amqp://[^;\s]+(; ?(py)?amqp://[^;\s]+)*",
    "amqp://user:password@host:port/vhost, of a cluster several with ; in between",
)
SECRET = validate.Length(min=32)
