"""Bringing generated requests down to earth: ids that exist, versions that are current, references that lead somewhere.

Purely random requests end at the first unknown id. Most of them get real ids here, the rest stay as they were made.
"""

from __future__ import annotations

import copy
import random
from datetime import UTC, datetime, timedelta
from typing import Any

from schemathesis import Case
from schemathesis.core import NOT_SET

from chassis.ids import new_id
from contracts import fields as f
from contracts.records import Part, Record
from contracts.registry import registry
from tests.security.examples import Examples

JSON = dict[str, Any]
KEY = ("fuzz", "1")
PROTECTED = ("identity.user", "identity.role", "identity.api-key", "identity.tenant")


class Ground:
    """What exists in one shop, by kind of record."""

    def __init__(self, examples: Examples, seed: int) -> None:
        self.examples, self.random = examples, random.Random(seed)
        self._known: dict[str, list[JSON]] = {}
        self._spared: set[str] = set()
        for name, record in registry.records.items():
            examples.id_of(name)
            # Whoever signs in for the fuzz, with which role and key, must still be there at its end.
            self._spared |= {item["id"] for item in self._list(name)} if name in PROTECTED else set()
            if "upsert" in record.operations:
                body = {**examples.body(record), "external_ids": dict([KEY])}
                examples.shop.api.post(f"/v1/{record.collection}", body)
        for record in (registry.records[name] for name in PROTECTED):
            if "create" in record.operations:
                examples.shop.api.post(f"/v1/{record.collection}", examples.body(record))
        for _ in range(3):
            examples.shop.api.post("/v1/orders", examples.shop.order())

    def forget(self) -> None:
        """Look again at what there is."""
        self._known.clear()

    def mostly(self, share: float = 0.9) -> bool:
        return self.random.random() < share

    def settle_down(self, case: Case, *, led: bool = False) -> None:
        """Change the generated request in place; of one that was `led` by an answer the path is right already."""
        tag = case.operation.tags[0] if case.operation.tags else ""
        record = registry.collections.get(tag)
        # Notes and attachments stand behind the record that they are about: `/v1/{collection}/{id}/notes`.
        addressed = registry.collections.get((case.path_parameters or {}).get("collection", tag))
        item = self._some(addressed.record_name) if addressed is not None else None
        if case.path_parameters and not led:
            self._path(case, item)
        if case.method != "GET" and (case.path_parameters or {}).get("id") in self._spared:
            case.path_parameters = {**case.path_parameters, "id": item["id"] if item is not None else new_id()}
        if case.query:
            case.query = self._query(dict(case.query), record)
        if case.headers:
            case.headers = self._headers(dict(case.headers), item)  # type: ignore[assignment]
        if case.media_type == "application/octet-stream" and self.mostly(0.7):
            # Few generated names have an ending that files may have, and few contents are what it says.
            case.query, case.body = {**(case.query or {}), "name": "letter.txt"}, b"Dear all"
        if record is not None and case.body is not NOT_SET and isinstance(case.body, dict):
            case.body = self._body(copy.deepcopy(case.body), record, case.operation.path)

    def _path(self, case: Case, item: JSON | None) -> None:
        parameters = dict(case.path_parameters)
        if "id" in parameters and item is not None and self.mostly():
            parameters["id"] = item["id"]
        if "system" in parameters and self.mostly(0.7):
            parameters["system"], parameters["key"] = KEY
        case.path_parameters = parameters

    def _query(self, query: JSON, record: type[Record] | None) -> JSON:
        if self.mostly():
            query.pop("after", None)
        if "as_of" in query and self.mostly():
            query["as_of"] = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        if "min_version" in query:
            # A version that never comes is waited for in real time.
            query["min_version"] = [f"account/{self.examples.shop.account['id']}:1"]
        return {name: self._reference(record, name, value) for name, value in query.items()}

    def _reference(self, record: type[Record] | None, name: str, value: Any) -> Any:
        field = record.declared().get(name) if record is not None else None
        if isinstance(field, f.Ref) and field.target and self.mostly(0.5):
            return self._any_id(field.target) or value
        return value

    def _headers(self, headers: Any, item: JSON | None) -> JSON:
        found = dict(headers)
        for name in list(found):
            if name.lower() == "if-match" and self.mostly():
                del found[name]
                if item is not None and self.mostly(0.5):
                    found[name] = f'"{item["version"]}"'
            elif name.lower() == "idempotency-key" and self.mostly():
                found[name] = new_id()
        return found

    # --- bodies

    def _body(self, body: JSON, record: type[Record], path: str) -> JSON:
        last = path.rsplit("/", 1)[-1]
        if last == "bulk":
            body["items"] = [self._bulk_item(item, record) for item in body.get("items") or ()]
            return body
        if last in ("search", "aggregate"):
            if self.mostly():
                body.pop("after", None)
            return body
        commands = {command.verb: command for command in registry.commands_of(record)}
        if last in commands:
            request = commands[last].request
            return self._part(body, request) if request is not None else body
        return self._part(body, record)

    def _bulk_item(self, item: Any, record: type[Record]) -> Any:
        if not isinstance(item, dict):
            return item
        if "id" in item and self.mostly():
            item["id"] = (self._some(record.record_name) or item)["id"]
            item.pop("if_match", None)
        if "data" in item and self.mostly():
            item["data"] = {} if item.get("op") == "update" else self.examples.body(record)
        if item.get("op") == "upsert" and self.mostly():
            item["system"], item["key"] = KEY
        return item

    def _part(self, body: JSON, part: type[Part]) -> JSON:
        declared = part.declared()
        for name, value in list(body.items()):
            field = declared.get(name)
            if field is None or value is None:
                continue
            if name in ("history", "external_ids", "grants", "masks") and self.mostly():
                del body[name]
            else:
                body[name] = self._value(field, name, value)
        return body

    def _value(self, field: f.Field, name: str, value: Any) -> Any:
        if isinstance(field, f.Ref):
            return (self._any_id(field.target) if field.target and self.mostly() else None) or value
        if isinstance(field, f.Money) and isinstance(value, dict) and self.mostly():
            return {**value, "currency": "USD"}
        if isinstance(field, f.Currency) and self.mostly():
            return "USD"
        if isinstance(field, f.Embedded) and isinstance(value, dict):
            return self._part(value, field.part)
        if isinstance(field, f.Parts) and isinstance(value, list):
            return [self._line(item, field.part) if isinstance(item, dict) else item for item in value]
        if isinstance(field, f.Quantity) and self.mostly(0.5):
            return "1"
        return value

    def _line(self, item: JSON, part: type[Part]) -> JSON:
        if self.mostly():
            item.pop("id", None)
        return self._part(item, part)

    # --- what exists

    def _list(self, name: str) -> list[JSON]:
        if name not in self._known:
            found = self.examples.shop.api.get(f"/v1/{registry.records[name].collection}?limit=200")["items"]
            self._known[name] = sorted(found, key=lambda item: item["id"])
        return self._known[name]

    def _some(self, name: str) -> JSON | None:
        """A record that a request may do anything to."""
        found = [item for item in self._list(name) if item["id"] not in self._spared]
        return self.random.choice(found) if found else None

    def _any_id(self, name: str) -> str | None:
        found = self._list(name) if name in registry.records else []
        return self.random.choice(found)["id"] if found else None
