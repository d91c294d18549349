"""The gate: a change of the published documents must not break those who built on them.

Events and replies may not lose or widen a field (new null, new enum value, new type); requests may not demand or narrow
one. Both are one question, asked in two directions: is every value of one schema also a value of the other? A reader
needs each new value to be an old one, a writer needs each old value to be a new one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

JSON = dict[str, Any]
Documents = dict[str, JSON]

REPLY, REQUEST = "reply", "request"
METHODS = ("get", "put", "post", "patch", "delete")
ALL_TYPES = frozenset({"null", "boolean", "integer", "number", "string", "array", "object"})
# The pattern of `sort` is made from the fields beside it, which say more than two patterns do.
SORTABLE = "x-sortable"
# Bounds that shrink what is accepted as they fall, and as they grow.
UPPER = ("maxLength", "maximum", "exclusiveMaximum", "maxItems", "maxProperties")
LOWER = ("minLength", "minimum", "exclusiveMinimum", "minItems", "minProperties")
COUNTED = ("minLength", "minItems", "minProperties")
EXACT = ("pattern", "format", "propertyNames", "not", "uniqueItems", "multipleOf")


@dataclass(frozen=True)
class Finding:
    """One broken promise: where, and what happened."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def compare(old: Documents, new: Documents) -> list[Finding]:
    """What of `new` breaks those who know `old`. Documents are named as in the published folder.

    A document that `old` lacks promised nothing.
    """
    findings: list[Finding] = []
    for name, document in sorted(old.items()):
        if name not in new:
            findings.append(Finding(name, "is gone"))
        elif name == "openapi.json":
            findings += compare_openapi(document, new[name])
        elif name == "asyncapi.json":
            findings += compare_asyncapi(document, new[name])
        else:
            findings += compare_schema(document, new[name], REPLY, name.removesuffix(".schema.json"))
    return list(dict.fromkeys(findings))


def compare_schema(
    old: Any, new: Any, side: str, where: str, old_root: Any = None, new_root: Any = None
) -> list[Finding]:
    """Compare one schema, as seen by a reader (`REPLY`) or a writer (`REQUEST`)."""
    gate = _Gate(old if old_root is None else old_root, new if new_root is None else new_root, side)
    gate.schema(old, new, where)
    return gate.findings


def compare_openapi(old: JSON, new: JSON) -> list[Finding]:
    replies, requests = _Gate(old, new, REPLY), _Gate(old, new, REQUEST)
    for path, methods in old["paths"].items():
        for method in METHODS:
            if method not in methods:
                continue
            where = f"{method.upper()} {path}"
            if method not in new["paths"].get(path, {}):
                requests.report(where, "is gone")
                continue
            before, after = methods[method], new["paths"][path][method]
            if before.get("operationId") != after.get("operationId"):
                requests.report(where, f"is called {after.get('operationId')} instead of {before.get('operationId')}")
            if before.get("security") == [] and after.get("security") != []:
                requests.report(where, "demands to sign in now")
            _parameters(before, after, requests, where)
            _body(before, after, requests, where)
            _answers(before, after, replies, where)
    return replies.findings + requests.findings


def compare_asyncapi(old: JSON, new: JSON) -> list[Finding]:
    """Channels, their addresses and exchanges, and the envelope; the data of each event has a file of its own."""
    gate = _Gate(old, new, REPLY)
    for name, channel in old["channels"].items():
        after = new["channels"].get(name)
        if after is None:
            gate.report(f"channel {name}", "is gone")
            continue
        for part in ("address", "bindings"):
            if channel.get(part) != after.get(part):
                gate.report(f"channel {name}", f"has other {part}")
    envelope = {"$ref": "#/components/schemas/Envelope"}
    gate.schema(envelope, envelope, "envelope")
    return gate.findings


def _parameters(before: JSON, after: JSON, gate: _Gate, where: str) -> None:
    olds = {(p["in"], p["name"]): p for p in (gate.of_old(p) for p in before.get("parameters", ()))}
    news = {(p["in"], p["name"]): p for p in (gate.of_new(p) for p in after.get("parameters", ()))}
    for key, parameter in news.items():
        there = f"{where}, parameter {key[1]}"
        if parameter.get("required") and not olds.get(key, {}).get("required"):
            gate.report(there, "is demanded now")
        if key in olds:
            gate.schema(olds[key]["schema"], parameter["schema"], there)
    for key in olds.keys() - news.keys():
        gate.report(f"{where}, parameter {key[1]}", "is no longer taken")


def _body(before: JSON, after: JSON, gate: _Gate, where: str) -> None:
    old, new = before.get("requestBody"), after.get("requestBody")
    if new and new.get("required") and not (old and old.get("required")):
        gate.report(where, "demands a body now")
    if not old:
        return
    for kind, content in old["content"].items():
        taken = (new or {}).get("content", {}).get(kind)
        if taken is None:
            gate.report(where, f"no longer takes {kind}")
        else:
            gate.schema(content["schema"], taken["schema"], f"{where}, body")


def _answers(before: JSON, after: JSON, gate: _Gate, where: str) -> None:
    for status, old in before["responses"].items():
        if not status.startswith("2"):
            continue
        new = after["responses"].get(status)
        if new is None:
            gate.report(where, f"no longer answers {status}")
            continue
        for kind, content in gate.of_old(old).get("content", {}).items():
            given = gate.of_new(new).get("content", {}).get(kind)
            if given is None:
                gate.report(where, f"no longer answers {kind} with {status}")
            else:
                gate.schema(content["schema"], given["schema"], f"{where}, answer {status}")
    for status in after["responses"].keys() - before["responses"].keys():
        if status.startswith("2"):
            gate.report(where, f"may answer {status} now")


class _Gate:
    """Compares schemas of two documents in one direction. A pair of references is looked at once."""

    def __init__(self, old_root: Any, new_root: Any, side: str) -> None:
        self.old_root, self.new_root, self.side = old_root, new_root, side
        self.findings: list[Finding] = []
        self._seen: set[tuple[str, str]] = set()

    def report(self, where: str, what: str) -> None:
        self.findings.append(Finding(where, what))

    def of_old(self, node: Any) -> Any:
        return resolve(node, self.old_root)

    def of_new(self, node: Any) -> Any:
        return resolve(node, self.new_root)

    def schema(self, old: Any, new: Any, where: str) -> None:
        pair = (_reference(old), _reference(new))
        if all(pair):
            if pair in self._seen:
                return
            self._seen.add(pair)
            # A component is named by itself: it is the same in every place that uses it.
            where = f"{pair[0].rsplit('/', 1)[1]} ({self.side})"
        old, new = self.of_old(old), self.of_new(new)
        if old == new and not _has_references(old):
            return
        # `small` must lie within `big`: a reader knows the old, a writer sends the old.
        small, big = (new, old) if self.side == REPLY else (old, new)
        if not small and big:
            self.report(where, "may be anything now" if self.side == REPLY else "is bound to a schema now")
            return
        if "anyOf" in small or "anyOf" in big:
            self._branches(old, new, where)
            return
        types = _types(small) - _types(big)
        if "integer" in types and "number" in _types(big):
            types -= {"integer"}
        for kind in sorted(types):
            self.report(where, f"may be {kind} now" if self.side == REPLY else f"may not be {kind} any more")
        self._values(small, big, where)
        self._facets(small, big, where)
        self._properties(old, new, where)
        if "items" in big:
            self.schema(old.get("items", {}), new.get("items", {}), f"{where}[]")

    def _branches(self, old: Any, new: Any, where: str) -> None:
        """Every branch of the smaller side must lie within one branch of the bigger. Where both have as many, the one
        in its place is looked into, so that a finding names the field inside."""
        olds, news = _alternatives(old), _alternatives(new)
        smalls, bigs = (news, olds) if self.side == REPLY else (olds, news)
        for place, branch in enumerate(smalls):
            if any(self._within(branch, other) for other in bigs):
                continue
            if len(olds) == len(news):
                self.schema(olds[place], news[place], where)
                continue
            kinds = _types(resolve(branch, self.new_root if self.side == REPLY else self.old_root))
            shown = " or ".join(sorted(kinds)) if kinds != ALL_TYPES else "something else"
            self.report(
                where,
                f"may be {shown} of another shape now"
                if self.side == REPLY
                else f"may not be {shown} of one shape any more",
            )

    def _within(self, small: Any, big: Any) -> bool:
        trial = _Gate(self.old_root, self.new_root, self.side)
        trial._seen = set(self._seen)  # or a filter inside a filter would be compared for ever
        old, new = (big, small) if self.side == REPLY else (small, big)
        trial.schema(old, new, "")
        return not trial.findings

    def _values(self, small: JSON, big: JSON, where: str) -> None:
        allowed, possible = _choices(big), _choices(small)
        if allowed is None:
            return
        if possible is None:
            self.report(where, "is no longer bound to its choices" if self.side == REPLY else "is bound to choices now")
            return
        # Null is a type, and was looked at as one.
        for value in [value for value in possible if value not in allowed and value is not None]:
            shown = json.dumps(value, ensure_ascii=False)
            self.report(where, f"may be {shown} now" if self.side == REPLY else f"may not be {shown} any more")

    def _facets(self, small: JSON, big: JSON, where: str) -> None:
        if _choices(small) is not None:
            return
        word = "is looser than it was" if self.side == REPLY else "is tighter than it was"
        for facet in UPPER:
            if facet in big and not (facet in small and small[facet] <= big[facet]):
                self.report(where, f"{facet} {word}")
        for facet in LOWER:
            says_nothing = facet in COUNTED and big.get(facet) == 0
            if facet in big and not says_nothing and not (facet in small and small[facet] >= big[facet]):
                self.report(where, f"{facet} {word}")
        for facet in EXACT:
            if facet == "pattern" and SORTABLE in small and SORTABLE in big:
                for name in small[SORTABLE]:
                    if name not in big[SORTABLE]:
                        self.report(where, f"no longer sorts by {name}")
            elif facet in big and small.get(facet) != big[facet]:
                self.report(where, f"{facet} is another than it was")

    def _properties(self, old: JSON, new: JSON, where: str) -> None:
        small, big = (new, old) if self.side == REPLY else (old, new)
        for name in big.get("required", ()):
            if name not in small.get("required", ()):
                self.report(f"{where}.{name}", "may be missing now" if self.side == REPLY else "is demanded now")
        before, after = old.get("properties", {}), new.get("properties", {})
        for name, schema in before.items():
            if name in after:
                self.schema(schema, after[name], f"{where}.{name}")
            elif self.side == REPLY or new.get("additionalProperties") is False:
                self.report(f"{where}.{name}", "is gone" if self.side == REPLY else "is no longer taken")
        was_open = "object" in _types(old) and old.get("additionalProperties", True) is not False
        if self.side == REQUEST and was_open and new.get("additionalProperties") is False:
            self.report(where, "takes no other fields any more")
        rest = [schema.get("additionalProperties") for schema in (old, new)]
        if any(isinstance(schema, dict) for schema in rest):
            before, after = (schema if isinstance(schema, dict) else {} for schema in rest)
            self.schema(before, after, f"{where}.*")


def resolve(node: Any, root: Any) -> Any:
    """The schema that a node is or refers to, with the words beside a `$ref` left out: they are labels only."""
    while isinstance(node, dict) and "$ref" in node:
        target: Any = root
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        node = target
    return node if isinstance(node, dict) else {}


def _reference(node: Any) -> str:
    return node.get("$ref", "") if isinstance(node, dict) else ""


def _has_references(node: Any) -> bool:
    if isinstance(node, dict):
        return "$ref" in node or any(_has_references(inner) for inner in node.values())
    return isinstance(node, list) and any(_has_references(inner) for inner in node)


def _types(schema: JSON) -> frozenset[str]:
    if "type" in schema:
        kinds = schema["type"]
        return frozenset([kinds] if isinstance(kinds, str) else kinds)
    choices = _choices(schema)
    if choices is not None and all(isinstance(value, str) for value in choices):
        return frozenset({"string"})
    return ALL_TYPES


def _choices(schema: JSON) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    return schema.get("enum")


def _alternatives(schema: JSON) -> list[JSON]:
    return schema.get("anyOf") or [schema]
