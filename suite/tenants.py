"""Making a tenant: the operator's call to identity, for the demo and for `guanxi tenant create`."""

from __future__ import annotations

import secrets
import time
from typing import Any

from chassis.bus.ports import Caller, OutcomeUnknown
from chassis.context import Context, Signer

JSON = dict[str, Any]
NO_TENANT = "00000000-0000-0000-0000-000000000000"
SECONDS = 30.0


class Refused(Exception):
    """Identity said no; the text says why."""


def new_password() -> str:
    return secrets.token_urlsafe(12)


def new_api_key() -> str:
    return "gx_" + secrets.token_urlsafe(32)


def create(caller: Caller, signer: Signer, params: JSON) -> bool:
    """Make a tenant with its administrator, who signs in with `params["password"]` or `params["api_key"]`.

    `params` has slug, name, email, password and api_key, and may have currency, zone, locale, user_name and
    gets_copies. Returns False when the tenant was there before and so nothing was changed. Raises Refused,
    BusUnavailable when nothing was done, and OutcomeUnknown.
    """
    request = {"method": "identity.provision", "params": params}
    try:
        answer = _ask(caller, signer, request)
    except OutcomeUnknown:
        # Repeating is harmless: the first call may have made it, and then its key opens the door.
        answer = _ask(caller, signer, request)
        if not answer["created"]:
            return _opens(caller, signer, params["api_key"])
    return bool(answer["created"])


def _opens(caller: Caller, signer: Signer, api_key: str) -> bool:
    try:
        _ask(caller, signer, {"method": "identity.authenticate", "params": {"token": api_key}})
    except Refused:
        return False
    return True


def _ask(caller: Caller, signer: Signer, request: JSON) -> JSON:
    context = Context(tenant=NO_TENANT, actor="service:operator", deadline=time.time() + SECONDS)
    answer = caller.call("identity", {**request, "context": signer.sign(context)}, timeout=SECONDS)
    if "error" in answer:
        problem = answer["error"]
        raise Refused(str(problem.get("detail") or problem.get("title") or problem))
    body: JSON = answer["ok"]["body"]
    return body
