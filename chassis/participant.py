"""The other side of a saga: what a service does that is asked for a step, and for undoing one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chassis.bus.wire import encode
from chassis.changes import Message
from chassis.ids import new_id
from chassis.saga import Refused

if TYPE_CHECKING:
    from chassis.database import Work

JSON = dict[str, Any]


def admit(ask: JSON, work: Work) -> bool:
    """Note an ask or an undo at the participant. False for an ask whose undo came first: it must have no effect.

    The row is the place where the two meet: the later one waits for the earlier one's transaction.
    """
    undone = work.sql(
        "INSERT INTO asked (tenant_id, saga_id, step, undone) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (tenant_id, saga_id, step) DO UPDATE SET undone = asked.undone OR excluded.undone"
        " RETURNING undone",
        (work.tenant, ask["saga"], ask["step"], ask["undo"]),
    ).scalar_one()
    return bool(ask["undo"] or not undone)


def reply(ask: JSON, service: Any, work: Work, outcome: JSON | Refused | None) -> None:
    """Queue the participant's answer in the transaction of its effect."""
    document = {name: ask[name] for name in ("saga", "saga_name", "record_id", "step", "undo", "tenant")}
    document |= {"kind": "reply", "id": new_id(), "to": ask["id"]}
    document["context"] = service.signer.sign(
        service.principal(work.tenant, f"saga:{ask['saga']}", work.context.correlation_id)
    )
    if isinstance(outcome, Refused):
        document["refused"] = {"code": outcome.code, "detail": outcome.detail}
    else:
        document["ok"] = outcome
    work.messages.append(Message(ask["reply_to"], encode(document), document["id"]))
