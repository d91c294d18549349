"""How this installation sends e-mail, if it does."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.utils import parseaddr
from urllib.parse import unquote, urlsplit

from environs import Env

from chassis.environment import SettingsError


@dataclass(frozen=True, slots=True)
class Smtp:
    """A mail server. `tls` is TLS from the first byte; without it STARTTLS is used where the server offers it."""

    host: str
    port: int
    user: str
    password: str
    tls: bool
    sender: str


def smtp() -> Smtp | None:
    """`GUANXI_SMTP_URL` (`smtp://user:password@host:port` or `smtps://…`) and `GUANXI_SMTP_FROM`; None without them.

    Raises SettingsError for an address of another scheme, and for a sender that is none or missing.
    """
    env = Env()
    url, sender = env.str("GUANXI_SMTP_URL", ""), env.str("GUANXI_SMTP_FROM", "")
    if not url:
        return None
    address = urlsplit(url)
    faults = {}
    if address.scheme not in ("smtp", "smtps") or not re.fullmatch(
        r"([^@]*@)?(\[[^]]+\]|[^:@]+)(:\d{1,5})?", address.netloc
    ):
        faults["GUANXI_SMTP_URL"] = "Must be smtp://user:password@host:port or smtps://…."
    if "@" not in parseaddr(sender)[1]:
        faults["GUANXI_SMTP_FROM"] = "Must be an e-mail address, with or without a name, where GUANXI_SMTP_URL is set."
    if faults:
        raise SettingsError(faults)
    tls = address.scheme == "smtps"
    return Smtp(
        host=address.hostname or "",
        port=address.port or (465 if tls else 25),
        user=unquote(address.username or ""),
        password=unquote(address.password or ""),
        tls=tls,
        sender=sender,
    )
