"""The outsiders' side of the broker: an exchange and a user for each subscription, by RabbitMQ's management API.

A user may declare queues below the name of his exchange, bind them to it and read them: that and nothing else.
"""

from __future__ import annotations

import http.client
import secrets
from base64 import b64encode
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import orjson
from environs import Env

from chassis.environment import seal, shape
from chassis.errors import unavailable

JSON = dict[str, Any]
TIMEOUT = 5
MANAGEMENT = "http(s)://user:password@host:15672"
# What an outsider does not fetch must not fill the broker's disk for everybody: his queues end after two weeks
# without him and lose their oldest messages beyond 256 MiB. `replay` gives them again.
QUEUE_LIMITS = {"max-length-bytes": 256 * 2**20, "expires": 14 * 24 * 3600 * 1000}


def exchange_name(tenant: str, subscription_id: str) -> str:
    return f"feed.{tenant}.{subscription_id}"


def user_name(subscription_id: str) -> str:
    return f"feed-{subscription_id}"


@dataclass(frozen=True, slots=True)
class Broker:
    """The management address with its credentials, and the AMQP address whose host and virtual host outsiders use."""

    management_url: str
    url: str

    @property
    def _vhost(self) -> str:
        return unquote(urlsplit(self.url).path[1:]) or "/"

    def open(self, tenant: str, subscription_id: str) -> str:
        """Make exchange and user, or give the user a new password; returns the AMQP address with it."""
        self.declare(tenant, subscription_id)
        user, password = user_name(subscription_id), secrets.token_urlsafe(24)
        self._put(("users", user), {"password": password, "tags": ""})
        name = exchange_name(tenant, subscription_id).replace(".", r"\.")
        rights = {
            "configure": rf"^{name}\.q\..*$",
            "write": rf"^{name}\.q\..*$",
            "read": rf"^({name}(\.q\..*)?)$",
        }
        self._put(("permissions", self._vhost, user), rights)
        address = urlsplit(self.url)
        return f"amqp://{user}:{password}@{address.netloc.rpartition('@')[2]}/{quote(self._vhost, safe='')}"

    def declare(self, tenant: str, subscription_id: str) -> None:
        """Make the exchange, also again after the broker lost it."""
        limits = {"pattern": r"^feed\.", "apply-to": "queues", "definition": QUEUE_LIMITS}
        self._put(("policies", self._vhost, "guanxi-outsiders"), limits)
        path = ("exchanges", self._vhost, exchange_name(tenant, subscription_id))
        self._put(path, {"type": "topic", "durable": True, "auto_delete": False})

    def shut_out(self, subscription_id: str) -> None:
        """Remove the user; the broker closes his connections. The exchange and his queues stay."""
        self._request("DELETE", ("users", user_name(subscription_id)))

    def remove(self, tenant: str, subscription_id: str) -> None:
        """Remove the exchange too. Queues that were bound to it end as unused ones do."""
        self.shut_out(subscription_id)
        self._request("DELETE", ("exchanges", self._vhost, exchange_name(tenant, subscription_id)))

    def _put(self, path: tuple[str, ...], body: JSON) -> None:
        self._request("PUT", path, body)

    def _request(self, method: str, path: tuple[str, ...], body: JSON | None = None) -> None:
        """One call; what is gone already needs no deleting. Raises 503 for every other trouble."""
        address = urlsplit(self.management_url)
        kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
        credentials = f"{unquote(address.username or '')}:{unquote(address.password or '')}"
        headers = {
            "Authorization": "Basic " + b64encode(credentials.encode()).decode(),
            "Content-Type": "application/json",
        }
        target = f"{address.path.rstrip('/')}/api/" + "/".join(quote(part, safe="") for part in path)
        connection = kind(address.hostname or "", address.port, timeout=TIMEOUT)
        try:
            connection.request(method, target, None if body is None else orjson.dumps(body), headers)
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            raise unavailable("The message broker's management did not answer.") from error
        finally:
            connection.close()
        if status >= 300 and not (method == "DELETE" and status == 404):
            raise unavailable(f"The message broker's management answered {status}.")


def from_environment() -> Broker | None:
    """The broker of this installation; None where subscriptions only exist to be pulled from the feed.

    `GUANXI_BROKER_MANAGEMENT_URL` is `http(s)://user:password@host:15672`. `GUANXI_BROKER_URL` (`amqp://host/vhost`) is
    what outsiders connect to; left out, it is the address of the bus. Raises SettingsError.
    """
    env = Env(eager=False)
    management = env.str("GUANXI_BROKER_MANAGEMENT_URL", "", validate=shape(r"(https?://\S+)?", MANAGEMENT))
    outside = env.str("GUANXI_BROKER_URL", "", validate=shape(r"((amqp|pyamqp)://\S+)?", "amqp://host:port/vhost"))
    seal(env)
    # Of a cluster outsiders are told the first node, unless an address for them was given.
    url = outside or Env().str("GUANXI_BUS", "").partition(";")[0]
    return Broker(management, url) if management and url.startswith(("amqp://", "pyamqp://")) else None
