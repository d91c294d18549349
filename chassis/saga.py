"""Work across services: steps with their compensations side by side, deadlines, and a log that anyone can read.

Steps before the pivot are compensatable: a refusal or a timeout undoes what was done, in reverse. The pivot and what
follows are retriable: they are asked again until they succeed. A step whose outcome is unknown is undone as well, and
participants keep a tombstone for an undo that overtakes its ask.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chassis import saga_log
from chassis.bus.wire import encode
from chassis.changes import Message
from chassis.errors import conflict, not_found
from chassis.ids import new_id
from chassis.saga_log import Run
from contracts.fields import instant
from contracts.records import Ask

if TYPE_CHECKING:
    from chassis.database import Work
    from chassis.records import Store

JSON = dict[str, Any]
COMPENSATABLE, PIVOT, RETRIABLE = "compensatable", "pivot", "retriable"
RETRY_AFTER = dt.timedelta(seconds=10)


class Refused(Exception):
    """A step says no for a business reason: `stock`, `credit`. Raised, it has written nothing; returned, it has."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}")
        self.code, self.detail = code, detail


@dataclass(frozen=True)
class Step:
    """One step: `asks` another service (`body` makes the request of it, `then` takes the reply), or `does` it here.

    Long work comes in parts: while `again(reply)` holds, the service is asked anew, and `attempts` counts the parts.
    """

    name: str
    asks: Ask | None = None
    body: Callable[[Any, JSON], JSON] | None = None
    then: Callable[[Any, JSON, JSON, Work], Any] | None = None
    again: Callable[[JSON], bool] | None = None
    does: Callable[[Any, JSON, Work], Any] | None = None
    undo: Ask | None = None
    undo_body: Callable[[Any, JSON], JSON] | None = None
    undoes: Callable[[Any, JSON, Work], Any] | None = None
    refused: str = ""
    within: dt.timedelta = dt.timedelta(seconds=20)
    kind: str = COMPENSATABLE


@dataclass(frozen=True)
class Saga:
    """Steps on one record. `otherwise(record, reason, detail, data, work)` ends a saga that was compensated.

    Raises ValueError where the steps are not compensatable ones, at most one pivot, and then retriable ones, or where a
    step asks another service for what nobody could take back.
    """

    name: str
    store: Store[Any]
    steps: tuple[Step, ...]
    otherwise: Callable[[Any, str, str, JSON, Work], Any] | None = None
    deadline: dt.timedelta = dt.timedelta(minutes=2)

    def __post_init__(self) -> None:
        kinds = [step.kind for step in self.steps]
        if kinds != sorted(kinds, key=(COMPENSATABLE, PIVOT, RETRIABLE).index) or kinds.count(PIVOT) > 1:
            raise ValueError(f"{self.name}: compensatable steps, at most one pivot, then retriable ones, not {kinds}")
        for step in self.steps:
            if (step.asks is None) == (step.does is None):
                raise ValueError(f"{self.name}: {step.name} either asks another service or does something here")
            if step.asks is not None and step.kind == COMPENSATABLE and step.undo is None:
                raise ValueError(f"{self.name}: {step.name} has no compensation")


def start(work: Work, saga: Saga, entity: Any, data: JSON | None = None) -> str:
    """Begin a saga on a record that this transaction has locked. Returns the saga's id."""
    now = work.now
    run = Run(
        saga,
        new_id(),
        entity.id,
        "running",
        0,
        [{"name": step.name, "state": "pending", "attempts": 0} for step in saga.steps],
        data or {},
        "",
        "",
        now + saga.deadline,
    )
    _advance(work, run, entity)
    work.later(
        "INSERT INTO sagas (tenant_id, id, name, record_id, state, position, steps, data, reason, detail, actor,"
        " correlation_id, started_at, deadline_at, due_at, ended_at)"
        f" VALUES ({', '.join(['%s'] * 16)})",
        (
            work.tenant,
            run.id,
            saga.name,
            run.record_id,
            run.state,
            run.position,
            saga_log.as_json(run.steps),
            saga_log.as_json(run.data),
            run.reason,
            run.detail,
            work.context.actor,
            work.context.correlation_id,
            now,
            run.deadline_at,
            run.due_at,
            run.ended_at,
        ),
    )
    return run.id


def running(work: Work, record_id: str, name: str) -> bool:
    """Whether a saga of this name is under way on the record."""
    return (
        work.sql(
            "SELECT 1 FROM sagas WHERE tenant_id = %s AND record_id = %s AND name = %s AND ended_at IS NULL",
            (work.tenant, record_id, name),
        ).first()
        is not None
    )


def cancel(work: Work, saga: Saga, entity: Any, reason: str) -> bool:
    """Turn a running saga back before its pivot; the step under way counts as of unknown outcome. False: none runs."""
    row = work.sql(
        f"{saga_log.SELECT} WHERE tenant_id = %s AND record_id = %s AND name = %s AND ended_at IS NULL FOR UPDATE",
        (work.tenant, entity.id, saga.name),
    ).first()
    if row is None:
        return False
    run = saga_log.read(saga, row)
    if run.state == "running":
        _leave(work, run, entity, reason, "")
        saga_log.save(work, run)
    return True


def _leave(work: Work, run: Run, entity: Any, reason: str, detail: str) -> None:
    if run.saga.steps[run.position].kind != COMPENSATABLE:
        raise conflict("too_late", f"The {run.saga.name.replace('_', ' ')} is past the point of return.")
    _turn_back(work, run, entity, reason, detail, unknown=True)


def on_reply(work: Work, sagas: dict[str, Saga], reply: JSON) -> None:
    """Take a participant's reply: go on, or turn back. One that no step waits for any more is dropped."""
    saga = sagas.get(reply["saga_name"])
    if saga is None:
        return
    # The record is locked before the saga, as commands do, so that the two never wait for each other.
    entity = saga.store.find(work, reply["record_id"], lock=True, deleted=True)
    row = saga_log.lock(work, reply["saga"])
    if row is None or entity is None:
        return
    run = saga_log.read(saga, row)
    if run.ended_at is not None:
        return
    index, undo = reply["step"], reply["undo"]
    step, log = saga.steps[index], run.steps[index]
    if log.get("message_id") != reply["to"]:
        return
    now = instant(work.now)
    if undo:
        if run.state != "compensating" or log["state"] != "undoing":
            return
        if "refused" in reply:
            _ask_anew(work, run, log, reply["refused"])
        else:
            saga_log.end_try(log, work.now)
            log.update(state="undone", ended_at=now)
            _compensate(work, run, entity)
    elif run.state == "running" and index == run.position and log["state"] == "running":
        if "refused" in reply:
            if step.kind != RETRIABLE:
                error = reply["refused"]["detail"] or reply["refused"]["code"]
                saga_log.end_try(log, work.now, error)
                log.update(state="refused", ended_at=now, error=error)
                reason = step.refused or reply["refused"]["code"]
                _turn_back(work, run, entity, reason, reply["refused"]["detail"], unknown=False)
            else:
                _ask_anew(work, run, log, reply["refused"])
        else:
            if step.then is not None:
                step.then(entity, reply["ok"] or {}, run.data, work)
            saga_log.end_try(log, work.now)
            if step.again is not None and step.again(reply["ok"] or {}):
                log.update(state="pending")
                _send(work, run, entity, index, undo=False)
            else:
                log.update(state="done", ended_at=now)
                run.position += 1
                _advance(work, run, entity)
    saga_log.save(work, run)


def _ask_anew(work: Work, run: Run, log: JSON, refused: JSON) -> None:
    """Behind the pivot and while undoing a refusal is no way out: it is shown, and asked again until it succeeds.

    The next ask has an id of its own, since the participant's inbox drops what it has answered.
    """
    error = refused["detail"] or refused["code"]
    saga_log.end_try(log, work.now, error)
    log.update(message_id=new_id(), error=error)
    run.due_at = work.now + RETRY_AFTER


def on_due(work: Work, sagas: dict[str, Saga], saga_id: str, record_id: str, name: str) -> None:
    """A step's time is over: before the pivot turn back, behind it (and while undoing) ask again."""
    saga = sagas.get(name)
    if saga is None:
        return
    entity = saga.store.find(work, record_id, lock=True, deleted=True)
    row = saga_log.lock(work, saga_id)
    if row is None or entity is None:
        return
    run = saga_log.read(saga, row)
    if run.ended_at is not None or run.due_at is None or run.due_at > work.now:
        return
    if run.state == "running":
        step, log = saga.steps[run.position], run.steps[run.position]
        if step.kind == COMPENSATABLE:
            saga_log.end_try(log, work.now, "No answer in time.")
            log.update(state="timed_out", ended_at=instant(work.now), error="No answer in time.")
            _turn_back(work, run, entity, "timeout", f"{step.name} did not answer in time", unknown=True)
        else:
            _once_more(work, run, entity)
    else:
        _once_more(work, run, entity)
    saga_log.save(work, run)


def _once_more(work: Work, run: Run, entity: Any) -> None:
    """Repeat what is under way: the step, or the undoing of one."""
    if run.state == "compensating":
        for index, log in enumerate(run.steps):
            if log["state"] == "undoing":
                _send(work, run, entity, index, undo=True)
    elif run.saga.steps[run.position].asks is None:
        _advance(work, run, entity)
    else:
        _send(work, run, entity, run.position, undo=False)


def push(work: Work, sagas: dict[str, Saga], saga_id: str) -> None:
    """Repeat what a saga waits for at once, as an operator's doing; a step gets its whole time for it.

    A repeated ask keeps its id, so one whose answer is only late has one effect. Raises 409 `saga_ended`.
    """
    run, entity = _under_way(work, sagas, saga_id)
    run.deadline_at = max(run.deadline_at, work.now + run.saga.steps[min(run.position, len(run.steps) - 1)].within)
    _once_more(work, run, entity)
    saga_log.save(work, run)


def compensate(work: Work, sagas: dict[str, Saga], saga_id: str, why: str) -> None:
    """Turn a saga back, as an operator's doing. Raises 409: `saga_ended`, or `too_late` behind its pivot."""
    run, entity = _under_way(work, sagas, saga_id)
    if run.state == "compensating":
        _once_more(work, run, entity)
    else:
        _leave(work, run, entity, "operator", why)
    saga_log.save(work, run)


def _under_way(work: Work, sagas: dict[str, Saga], saga_id: str) -> tuple[Run, Any]:
    """A saga and its record, locked in the order in which commands lock them."""
    seen = work.sql(f"{saga_log.SELECT} WHERE tenant_id = %s AND id = %s", (work.tenant, saga_id)).first()
    saga = sagas.get(seen.name) if seen is not None else None
    if seen is None or saga is None:
        raise not_found("saga")
    entity = saga.store.find(work, str(seen.record_id), lock=True, deleted=True)
    run = saga_log.read(saga, saga_log.lock(work, saga_id))
    if entity is None or run.ended_at is not None:
        raise conflict("saga_ended", f"The {saga.name.replace('_', ' ')} has ended: it is {run.state}.")
    return run, entity


def _advance(work: Work, run: Run, entity: Any) -> None:
    """Run local steps until one asks another service, or the end."""
    while run.position < len(run.saga.steps):
        step, log = run.saga.steps[run.position], run.steps[run.position]
        if step.asks is not None:
            _send(work, run, entity, run.position, undo=False)
            return
        assert step.does is not None
        log.setdefault("started_at", instant(work.now))
        saga_log.begin_try(log, work.now)
        try:
            step.does(entity, run.data, work)
        except Refused as refusal:
            saga_log.end_try(log, work.now, refusal.detail or refusal.code)
            if step.kind == RETRIABLE:
                log.update(state="running", error=refusal.detail or refusal.code)
                run.due_at = work.now + RETRY_AFTER
                return
            log.update(state="refused", ended_at=instant(work.now), error=refusal.detail or refusal.code)
            _turn_back(work, run, entity, step.refused or refusal.code, refusal.detail, unknown=False)
            return
        saga_log.end_try(log, work.now)
        log.update(state="done", ended_at=instant(work.now))
        run.position += 1
    run.state, run.due_at, run.ended_at = "completed", None, work.now


def _turn_back(work: Work, run: Run, entity: Any, reason: str, detail: str, *, unknown: bool) -> None:
    run.state, run.reason, run.detail = "compensating", reason, detail
    log = run.steps[run.position]
    if unknown and log["state"] == "running":
        saga_log.end_try(log, work.now, "Turned back before it answered.")
        log["state"] = "timed_out"
    _compensate(work, run, entity)


def _compensate(work: Work, run: Run, entity: Any) -> None:
    """Undo what was done or may have been, latest first, one service at a time."""
    for index in range(len(run.steps) - 1, -1, -1):
        step, log = run.saga.steps[index], run.steps[index]
        if log["state"] not in ("done", "timed_out"):
            continue
        if step.undo is not None:
            _send(work, run, entity, index, undo=True)
            return
        if step.undoes is not None:
            step.undoes(entity, run.data, work)
            log.update(state="undone", ended_at=instant(work.now))
    if run.saga.otherwise is not None:
        run.saga.otherwise(entity, run.reason, run.detail, run.data, work)
    run.state, run.due_at, run.ended_at = "compensated", None, work.now


def _send(work: Work, run: Run, entity: Any, index: int, *, undo: bool) -> None:
    """Ask the step's service. A repeated ask keeps its id, so that the participant answers it once."""
    step, log = run.saga.steps[index], run.steps[index]
    contract = step.undo if undo else step.asks
    body = step.undo_body or step.body if undo else step.body
    assert contract is not None and body is not None
    state = "undoing" if undo else "running"
    message_id = log["message_id"] if log["state"] == state else new_id()
    saga_log.begin_try(log, work.now, undo=undo)
    log.update(state=state, message_id=message_id)
    log.setdefault("started_at", instant(work.now))
    wait = RETRY_AFTER if undo or step.kind != COMPENSATABLE else step.within
    run.due_at = work.now + wait
    if not undo and step.kind == COMPENSATABLE:
        run.due_at = min(run.due_at, run.deadline_at)
    document = {
        "kind": "ask",
        "id": message_id,
        "name": contract.name,
        "saga": run.id,
        "saga_name": run.saga.name,
        "record_id": run.record_id,
        "step": index,
        "undo": undo,
        "reply_to": work.service.name,
        "tenant": work.tenant,
        "context": work.service.signer.sign(
            work.service.principal(work.tenant, f"saga:{run.id}", work.context.correlation_id)
        ),
        "body": body(entity, run.data),
    }
    work.messages.append(Message(contract.service, encode(document), message_id if log["attempts"] == 1 else new_id()))
