"""What AMQP shows to nobody: the arguments and bindings of queues, asked from RabbitMQ's management API."""

from __future__ import annotations

import http.client
from base64 import b64encode
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import orjson

from chassis.bus.ports import BusUnavailable, QueueShape

TIMEOUT = 10


def shapes(management_url: str, vhost: str) -> dict[str, QueueShape]:
    """The queues of a virtual host as they are. Raises BusUnavailable."""
    name = quote(vhost, safe="")
    found = {
        each["name"]: QueueShape(each["name"], each["arguments"], [])
        for each in _get(management_url, f"queues/{name}?columns=name,arguments")
    }
    for each in _get(management_url, f"bindings/{name}"):
        # Every queue is bound to the default exchange, whose name is empty.
        if each["destination_type"] == "queue" and each["source"] and each["destination"] in found:
            found[each["destination"]].bindings.append((each["source"], each["routing_key"]))
    return found


def _get(management_url: str, path: str) -> list[dict[str, Any]]:
    address = urlsplit(management_url)
    kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
    credentials = f"{unquote(address.username or '')}:{unquote(address.password or '')}"
    headers = {"Authorization": "Basic " + b64encode(credentials.encode()).decode()}
    connection = kind(address.hostname or "", address.port, timeout=TIMEOUT)
    try:
        connection.request("GET", f"{address.path.rstrip('/')}/api/{path}", headers=headers)
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise BusUnavailable(f"the broker's management did not answer: {error}") from error
    finally:
        connection.close()
    if answer.status != 200:
        raise BusUnavailable(f"the broker's management answered {answer.status}")
    found: list[dict[str, Any]] = orjson.loads(body)
    return found
