"""Who may do what: the one place that says how every operation answers each kind of caller.

A new operation fails the matrix until it has a line here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from chassis.ids import new_id
from contracts.records import Record
from contracts.registry import registry
from tests.security.examples import Examples

JSON = dict[str, Any]
# A version that no record has: whoever may write meets the clash instead of changing the example.
NEVER = {"If-Match": '"999999999"'}


@dataclass(frozen=True)
class Cell:
    """One request. `about` says what of: one record, the collection, or a record to be made."""

    operation: str
    about: str
    method: str
    path: str
    body: Any = None
    headers: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


CHILD = "0199a1b2-c3d4-7e5f-8a6b-9c0d1e2f0000"
"""No note and no attachment has this id."""


def cells(record: type[Record], record_id: str, examples: Examples) -> Iterator[Cell]:
    """Every request that a record of this kind answers, about the record with this id."""
    root = f"/v1/{record.collection}"
    one, never = f"{root}/{record_id}", tuple(NEVER.items())
    for operation in sorted(record.operations):
        if operation == "list":
            yield Cell("list", "all", "GET", f"{root}?limit=200")
            yield Cell("list", "all", "POST", f"{root}/search", {"limit": 200})
        elif operation == "get":
            yield Cell("get", "one", "GET", one)
        elif operation == "create":
            yield Cell("create", "new", "POST", root, examples.body(record))
        elif operation == "update":
            yield Cell("update", "one", "PATCH", one, {}, never)
        elif operation == "delete":
            yield Cell("delete", "one", "DELETE", one, None, never)
        elif operation == "restore":
            yield Cell("restore", "one", "POST", f"{one}/restore", {}, never)
        elif operation == "purge":
            yield Cell("purge", "one", "POST", f"{one}/purge", {"reason": "of a test"}, never)
        elif operation == "erase":
            yield Cell("erase", "one", "POST", f"{one}/erase", {"reason": "of a test"}, never)
            yield Cell("erasure", "one", "GET", f"{one}/erasure")
        elif operation == "history":
            yield Cell("history", "one", "GET", f"{one}/history")
        elif operation == "aggregate":
            yield Cell("aggregate", "count", "POST", f"{root}/aggregate", {"measures": [{"fn": "count"}]})
        elif operation == "export":
            yield Cell("export", "job", "POST", f"{root}/export", {"format": "jsonl", "style": "machine"})
        elif operation == "changes":
            yield Cell("changes", "feed", "GET", f"{root}/changes?limit=200")
        elif operation == "upsert":
            nowhere = f"{root}/by-external/elsewhere/{new_id()}"
            yield Cell("get", "none", "GET", nowhere)
            yield Cell("upsert", "new", "PUT", nowhere, examples.body(record))
        elif operation == "merge":
            yield Cell("merge", "one", "POST", f"{one}/merge", {"losers": [new_id()]}, never)
            yield Cell("unmerge", "one", "POST", f"{one}/unmerge", {}, never)
            yield Cell("merges", "one", "GET", f"{one}/merges")
            yield Cell("duplicates", "one", "GET", f"{one}/duplicates")
            yield Cell("saga", "one", "GET", f"{one}/saga")
        elif operation == "bulk":
            item: JSON = {"op": "delete", "id": record_id, "if_match": "999999999"}
            if "delete" not in record.operations:
                item |= {"op": "update", "data": {}}
            yield Cell("bulk", "one", "POST", f"{root}/bulk", {"items": [item], "atomic": True})
            change = {"action": "update", "patch": {"tags": ["x"]}}
            if "delete" in record.operations:
                change = {"action": "delete"}
            yield Cell("bulk", "job", "POST", f"{root}/bulk-jobs", {**change, "all": True})
        elif operation == "import":
            # One JSON object is a file of one JSON line. Whoever may write at all may send it; the job judges each row.
            rows = (("Content-Type", "application/jsonl"),)
            yield Cell("import", "job", "POST", f"{root}/import?dry_run=true", examples.body(record), rows)
            yield Cell("import", "feed", "GET", f"{root}/import/mappings")
            unknown = f"{root}/import/mappings/of-nobody"
            yield Cell("import", "mapping", "GET", unknown)
            yield Cell("import", "mapping", "PUT", unknown, {"columns": {"A": "no_such_field"}})
            yield Cell("import", "mapping", "DELETE", unknown)
        else:
            raise AssertionError(f"{record.record_name}: {operation} has no policy")
    commands = registry.commands_of(record)
    for command in commands:
        yield Cell(command.verb, "one", "POST", f"{one}/{command.verb}", examples.request(command.request), never)
    for query in registry.queries_of(record):
        yield Cell(query.path, "one", "GET", f"{one}/{query.path}")
    if "merge" not in record.operations and any(command.answers == 202 for command in commands):
        yield Cell("saga", "one", "GET", f"{one}/saga")
    yield from _children(one)


def _children(one: str) -> Iterator[Cell]:
    """Notes and attachments ask for the rights of their record."""
    yield Cell("notes", "new child", "POST", f"{one}/notes", {"text": "Called."})
    # A JSON text is a file as well.
    yield Cell("attachments", "new child", "POST", f"{one}/attachments?name=call.json", {"text": "Called."})
    for plural in ("notes", "attachments"):
        yield Cell(plural, "children", "GET", f"{one}/{plural}")
        yield Cell(plural, "children's job", "POST", f"{one}/{plural}/export", {"format": "jsonl"})
        child = f"{one}/{plural}/{CHILD}"
        yield Cell(plural, "child", "GET", child)
        yield Cell(plural, "child", "PATCH", child, {})
        yield Cell(plural, "child", "DELETE", child)
        yield Cell(plural, "child", "POST", f"{child}/restore", {})
        yield Cell(plural, "child", "GET", f"{child}/history")
    yield Cell("attachments", "child", "GET", f"{one}/attachments/{CHILD}/content")


CHILDREN = {"children": 200, "children's job": 202, "child": 404, "new child": 201}
CALLERS = ("administrator", "without grants", "own scope", "another tenant", "anonymous", "deactivated")


def expected(caller: str, cell: Cell, record: type[Record]) -> tuple[int, ...]:
    """The statuses that this caller may get. Denied reading is a 404: nothing says whether the record exists."""
    if caller in ("anonymous", "deactivated"):
        return (401,)
    if cell.about in CHILDREN:
        return (CHILDREN[cell.about],) if caller == "administrator" else (404,)
    if cell.about == "mapping":
        return (403,) if caller == "without grants" else (422,) if cell.method == "PUT" else (404,)
    if caller == "administrator":
        # He passes every permission; what then stops a write is the version that no record has, or a rule.
        if cell.method == "GET" and cell.about != "none":
            return (200, 404) if cell.operation in ("saga", "erasure") else (200,)
        return {"all": (200,), "count": (200,), "none": (404,), "one": (412,), "new": (201,), "job": (202,)}[cell.about]
    if cell.about in ("one", "none"):
        return (404,)
    if cell.about == "new":
        # A grant of `own` may make records of one's own; here the body names somebody else as the owner.
        if caller == "another tenant":
            return (201, 422)
        return (404,) if cell.operation == "upsert" and caller == "without grants" else (403,)
    if cell.about == "job":
        return (403,) if caller == "without grants" else (202,)
    if cell.about == "feed":
        return (403,) if caller == "without grants" else (200,)
    return (200,)


def denied(caller: str, cell: Cell) -> bool:
    """Whether the caller must leave no trace: all but jobs, and what the administrator and a foreign tenant make."""
    if cell.about in ("new child", "children's job"):
        return caller != "administrator"
    if cell.about == "job":
        return caller not in ("administrator", "own scope", "another tenant")
    return cell.about != "new" or caller not in ("administrator", "another tenant")


# Stuck work, for administrators of their own tenant alone: method, path, body, and the status that they get.
_NOTHING = "00000000-0000-7000-8000-000000000000"
ADMINISTRATION: tuple[tuple[str, str, Any, int], ...] = (
    ("GET", "inbox", None, 200),
    ("GET", "inbox/1", None, 404),
    ("POST", "inbox/replay", {}, 200),
    ("POST", "inbox/1/replay", {}, 404),
    ("POST", "inbox/1/discard", {"reason": "of a test"}, 404),
    ("GET", "sagas", None, 200),
    ("GET", f"sagas/{_NOTHING}", None, 404),
    ("POST", f"sagas/{_NOTHING}/push", {}, 404),
    ("POST", f"sagas/{_NOTHING}/compensate", {"reason": "of a test"}, 404),
    ("GET", "operations", None, 200),
    ("GET", "jobs", None, 200),
)


# What needs no sign-in: contracts, the state of the process, and the way in.
OPEN = {
    *(("GET", path) for path in ("/livez", "/readyz", "/metrics", "/openapi.json", "/asyncapi.json", "/docs")),
    ("GET", "/docs/{asset}"),
    *(("POST", f"/v1/auth/{step}") for step in ("login", "refresh", "logout")),
}
# What everybody has for himself, whatever his grants; a job is its asker's alone: method, path, body, and the statuses
# of CALLERS. None: not asked, because it never ends or would change the job that the others are refused.
_EVERYBODY = (200, 200, 200, 200, 401, 401)
_DONE = (204, 204, 204, 204, 401, 401)
_ASKER = (200, 404, 404, 404, 401, 401)
_OTHERS = (None, 404, 404, 404, 401, 401)
PERSONAL: tuple[tuple[str, str, Any, tuple[int | None, ...]], ...] = (
    ("GET", "/v1/me", None, _EVERYBODY),
    ("GET", "/v1/metadata", None, _EVERYBODY),
    ("GET", "/v1/metadata/{collection}", None, _EVERYBODY),
    ("GET", "/v1/events", None, _EVERYBODY),
    ("GET", "/v1/events/stream", None, (None, None, None, None, 401, 401)),
    ("GET", "/v1/search", None, _EVERYBODY),
    ("GET", "/v1/search/recent", None, _EVERYBODY),
    ("POST", "/v1/search/recent", {"q": "tea"}, _DONE),
    ("POST", "/v1/search/opened", {"type": "account", "id": _NOTHING}, _DONE),
    ("DELETE", "/v1/search/recent", None, _DONE),
    ("GET", "/v1/jobs?collection=accounts", None, _EVERYBODY),
    ("GET", "/v1/jobs/{id}", None, _ASKER),
    ("GET", "/v1/jobs/{id}/result", None, _OTHERS),
    ("GET", "/v1/jobs/{id}/errors", None, _OTHERS),
    ("POST", "/v1/jobs/{id}/cancel", {}, _OTHERS),
    ("POST", "/v1/jobs/{id}/run", {}, _OTHERS),
    ("POST", "/v1/jobs/{id}/undo", {}, _OTHERS),
)
