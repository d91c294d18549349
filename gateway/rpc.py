"""Asking services: a signed context out, a reply or a `Problem` back."""

from __future__ import annotations

import logging
from typing import Any

from chassis.bus.ports import Caller
from chassis.context import Context, Signer
from chassis.errors import Problem, unavailable

log = logging.getLogger(__name__)

JSON = dict[str, Any]


class Services:
    """Every service, by its name on the bus."""

    def __init__(self, caller: Caller, signer: Signer) -> None:
        self._caller, self._signer = caller, signer

    def ask(
        self, context: Context, service: str, method: str, params: JSON, *, key: str | None = None, route: str = ""
    ) -> JSON:
        """The `ok` part of the reply: `{status, body, etag?, location?, replayed?}`.

        Raises Problem for a refusal, and what `Caller.call` raises when no reply came before the context's deadline.
        """
        left = context.time_left()
        if left <= 0:
            raise unavailable("The time for this request was used up before it could be sent.")
        request = {
            "method": method,
            "context": self._signer.sign(context),
            "params": params,
            "key": key,
            "route": route,
        }
        reply = self._caller.call(service, request, timeout=left)
        error = reply.get("error")
        if error is None:
            return reply["ok"]
        if error["code"] == "context_refused":
            # The caller's token was good, so a 401 would mislead: the processes differ in their key.
            log.error("the context key differs between the gateway and %s", service)
            raise Problem(500, "internal", "The installation is not set up correctly.")
        raise Problem.read(error)
