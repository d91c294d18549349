"""Accounts, users whom customer has heard of, and events of services that are not here."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import orjson

from chassis.bus.wire import encode
from chassis.ids import new_id
from chassis.saga import Refused
from chassis.testing import Suite
from contracts.fields import instant

JSON = dict[str, Any]


def account(suite: Suite, name: str = "Alfreds", **fields: Any) -> JSON:
    return suite.create("customer.account", {"name": name, **fields})


def event(suite: Suite, kind: str, data: JSON, version: int = 1) -> JSON:
    """What another service would publish: `data` in its `version`."""
    service, record, _ = kind.split(".")
    whole = {"id": new_id(), "deleted_at": None, "owner_id": None, "team_id": None, **data, "version": version}
    return {
        "specversion": "1.0",
        "id": new_id(),
        "source": f"/{service}",
        "type": kind,
        "subject": f"{record}/{whole['id']}",
        "time": instant(suite.clock.now()),
        "tenant": suite.tenant,
        "actor": "user:somebody",
        "version": version,
        "correlationid": new_id(),
        "causationid": "",
        "data": {**whole, "changed": [], "previous": {}},
    }


def hear(suite: Suite, events: Sequence[JSON], *, seed: int | None = None) -> None:
    """Deliver events twice; with a seed shuffled."""
    twice = [*events, *events]
    if seed is not None:
        random.Random(seed).shuffle(twice)
    for one in twice:
        suite.runtime("customer").event(encode(one))


def user(suite: Suite, name: str = "Bob") -> str:
    """Somebody of whom customer has a copy."""
    made = event(suite, "identity.user.created", {"name": name, "email": f"{name}@example.com", "status": "active"})
    hear(suite, [made])
    user_id: str = made["data"]["id"]
    return user_id


def asked(suite: Suite, name: str, body: JSON, *, saga: str, step: int = 0, undo: bool = False) -> None:
    """A saga of marketing asks customer, twice."""
    principal = suite.runtime("customer").principal(suite.tenant, f"saga:{saga}")
    message = {
        "kind": "ask",
        "id": new_id(),
        "name": name,
        "saga": saga,
        "saga_name": "convert_lead",
        "record_id": body["lead_id"],
        "step": step,
        "undo": undo,
        "reply_to": "marketing",
        "tenant": suite.tenant,
        "context": suite.signer.sign(principal),
        "body": body,
    }
    for _ in range(2):
        suite.runtime("customer").message(encode(message))


def answers(suite: Suite) -> list[JSON | Refused]:
    """What customer replied to marketing: the bodies of its replies, in order."""
    suite.settle()
    replies = [orjson.loads(one.body) for one in suite.bus.seen if one.routing_key == "marketing"]
    return [
        Refused(reply["refused"]["code"]) if "refused" in reply else reply["ok"]
        for reply in replies
        if reply["tenant"] == suite.tenant
    ]
