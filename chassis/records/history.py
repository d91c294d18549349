"""What became of a record, version by version: who did it, why, and what from which value to which."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from chassis.errors import bad_request
from chassis.permissions import hidden
from chassis.records.reading import by_id, readable_today
from contracts import fields as f
from contracts.registry import registry
from contracts.values import is_uuid

if TYPE_CHECKING:
    from chassis.database import Work
    from chassis.records.store import Store

JSON = dict[str, Any]
USER = "identity.user"
JOBS: dict[str, f.Label] = {
    "import": ("Import", "导入"),
    "bulk-run": ("Bulk job", "批量任务"),
    "bulk-undo": ("Bulk job undone", "撤销批量任务"),
}
PLAIN: dict[str, f.Label] = {
    "request": ("Request", "请求"),
    "bulk": ("Bulk request", "批量请求"),
    "merge": ("Merge", "合并"),
    "erase": ("Erasure of a person", "个人信息清除"),
    "scan": ("Virus scan", "病毒扫描"),
    "operator": ("Operator", "运维人员"),
    "other": ("Other", "其他"),
}


def history(work: Work, store: Store[Any], params: JSON) -> JSON:
    """Who changed what, latest first, of a record that the principal may read (or could, before it was deleted)."""
    readable_today(work, store, params["id"])
    limit = int(params.get("limit") or 50)
    after = params.get("after")
    if after is not None and not str(after).isdigit():
        raise bad_request("bad_cursor", "This cursor does not belong to this list.", "after")
    rows = work.sql(
        "SELECT version, type, changed, previous, snapshot, private, actor, cause, correlation_id, at FROM changes"
        " WHERE tenant_id = %s AND record_id = %s AND version < %s ORDER BY version DESC LIMIT %s",
        (work.tenant, params["id"], min(int(after or 2**31 - 1), 2**31 - 1), limit + 1),
    ).all()
    concealed = hidden(work.context, store.name)
    names = _names(work, [change.actor for change in rows])
    why = _Causes(work, store, [change.cause for change in rows])
    items = []
    for change in rows[:limit]:
        before = {**change.previous, **change.private.get("previous", {})}
        after_it = {**change.snapshot, **change.private.get("snapshot", {})}
        items.append(
            {
                "version": change.version,
                "type": change.type,
                "at": f.instant(change.at),
                "actor": change.actor,
                "who": _who(change.actor, names),
                "cause": change.cause,
                "why": why.of(change.cause, change.type),
                "correlation_id": change.correlation_id,
                "changes": [
                    {"field": name, "from": old, "to": new}
                    for name, old, new in _differences(change.changed, before, after_it)
                    if name not in concealed
                ],
            }
        )
    return {"items": items, "next": str(items[-1]["version"]) if len(rows) > limit else None}


def _differences(changed: list[str], before: JSON, after: JSON) -> Iterator[tuple[str, Any, Any]]:
    """Field, value before and value after; custom fields one by one."""
    for name in changed:
        if name != "custom":
            yield name, before.get(name), after.get(name)
            continue
        old, new = before.get(name) or {}, after.get(name) or {}
        for inner in sorted(old.keys() | new.keys()):
            if old.get(inner) != new.get(inner):
                yield f"custom.{inner}", old.get(inner), new.get(inner)


# --- who


def _names(work: Work, actors: Iterable[str]) -> dict[str, str]:
    """The users among the actors by what they are called today, as far as the principal may read that."""
    ids = {actor.partition(":")[2] for actor in actors if actor.startswith("user:")}
    found = by_id(work, USER, {one for one in ids if is_uuid(one)})
    return {record_id: user["name"] for record_id, user in found.items() if user.get("name")}


def _who(actor: str, names: dict[str, str]) -> JSON:
    """`user`, `key`, `service` or `operator`; a name for users, and for services their own."""
    kind, _, rest = actor.partition(":")
    return {
        "kind": kind,
        "id": rest,
        "name": names.get(rest) if kind == "user" else rest if kind == "service" else None,
    }


# --- why


class _Causes:
    """What causes are in words: the row says `command:place`, `job:sales-…:import`, `event:…:on_order_confirmed`."""

    def __init__(self, work: Work, store: Store[Any], causes: list[str]) -> None:
        self._store = store
        ids = {cause.partition(":")[2] for cause in causes if cause.startswith("saga:")}
        statement = "SELECT id, name FROM sagas WHERE tenant_id = %s AND id = ANY(%s::uuid[])"
        rows = work.sql(statement, (work.tenant, [one for one in ids if is_uuid(one)])) if ids else ()
        self._sagas: dict[str, str] = {row.id: row.name for row in rows}
        self._told_by: dict[str, Callable[[str], JSON]] = {
            "command": self._command,
            "job": self._job,
            "event": self._event,
            "saga": self._saga,
            "timer": self._timer,
            "delete": self._delete,
            "restore": self._restore,
        }

    def of(self, cause: str, event: str) -> JSON:
        """`{kind, id, name, text}`: what a program decides by, and what a person reads."""
        word, _, rest = cause.partition(":")
        if word == "request" and event.rsplit(".", 1)[1] in ("merged", "unmerged"):
            word = "merge"
        if word in self._told_by:
            return self._told_by[word](rest)
        return _told(word if word in PLAIN else "other", PLAIN, id=rest or None)

    def _command(self, verb: str) -> JSON:
        labels = {command.verb: command.label for command in registry.commands_of(self._store.record)}
        label = labels.get(verb) or ("", "")
        return _told("command", {"command": label if label[0] else (verb, verb)}, name=verb)

    def _job(self, rest: str) -> JSON:
        job, _, kind = rest.partition(":")
        return _told("job", {"job": JOBS.get(kind, ("Job", "任务"))}, id=job, name=kind or None)

    def _event(self, rest: str) -> JSON:
        event, _, rule = rest.partition(":")
        label = (f"Rule {rule}", f"规则 {rule}") if rule else ("Reaction to another change", "由其他变更触发")
        return _told("rule", {"rule": label}, id=event, name=rule or None)

    def _saga(self, saga_id: str) -> JSON:
        name = self._sagas.get(saga_id)
        words = (name or "").replace("_", " ").strip()
        return _told("saga", {"saga": (f"Process {words}".strip(), f"流程 {words}".strip())}, id=saga_id, name=name)

    def _timer(self, name: str) -> JSON:
        return _told("timer", {"timer": (f"Timer {name}", f"定时任务 {name}")}, name=name)

    def _delete(self, subject: str) -> JSON:
        label = _label_of(subject)
        return _told("delete", {"delete": (f"Deleted with {label[0]}", f"随{label[1]}删除")}, id=subject)

    def _restore(self, subject: str) -> JSON:
        label = _label_of(subject)
        return _told("restore", {"restore": (f"Restored with {label[0]}", f"随{label[1]}恢复")}, id=subject)


def _label_of(subject: str) -> f.Label:
    singular = subject.partition("/")[0]
    found = (record.record_label for record in registry.records.values() if record.singular == singular)
    return next(found, (singular, singular))


def _told(kind: str, labels: dict[str, f.Label], *, id: str | None = None, name: str | None = None) -> JSON:
    return {"kind": kind, "id": id, "name": name, "text": {"en": labels[kind][0], "zh": labels[kind][1]}}
