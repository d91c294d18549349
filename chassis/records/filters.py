"""Conditions of lists: `field.op=value` pairs and JSON trees become SQL, or a 400 that names the field at fault."""

from __future__ import annotations

import re
from typing import Any

from marshmallow import ValidationError

from chassis.errors import Problem, bad_request
from chassis.records.columns import Mapping
from chassis.records.stored import Stored
from chassis.text import fold
from contracts import fields as f
from contracts.scalars import CONTROL
from contracts.values import Amount

JSON = dict[str, Any]
ALWAYS = ("id", "created_at", "updated_at", "number", "created_by", "updated_by")
COMPARISONS = {"eq": "=", "ne": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
AFTER_EVERYTHING = "\U0010ffff"
DEPTH, NODES = 8, 100
_WHOLE = re.compile(r"-?[0-9]{1,18}", re.ASCII)


class Conditions:
    """Collects SQL conditions and their parameters for one kind of record.

    A concealed field is unknown here: a filter or sort by it would tell its value by the rows that come back.
    """

    def __init__(self, stored: type[Stored], concealed: frozenset[str] = frozenset()) -> None:
        self.stored = stored
        self.by_name = {mapping.name: mapping for mapping in stored.mappings if mapping.name not in concealed}
        self._nodes = 0

    def mapping(self, name: Any) -> Mapping:
        """The mapping of a field that may be filtered or sorted by."""
        mapping = self.by_name.get(name) if isinstance(name, str) else None
        if mapping is None:
            raise bad_request(
                "unknown_parameter", f"{name} is not a field of {self.stored.record.collection}.", str(name)
            )
        if not (mapping.field.filter or mapping.field.sort or name in ALWAYS):
            raise bad_request("not_filterable", f"{name} cannot be used in filters or sorts.", name)
        return mapping

    def pair(self, name: str, operator: str, value: Any) -> tuple[str, list[Any]]:
        """One comparison. `value` is text from a URL, or JSON from a tree."""
        mapping = self.mapping(name)
        field = mapping.field
        if operator not in field.operators:
            raise bad_request(
                "unknown_operator", f"{name} has no operator {operator}; it has {', '.join(field.operators)}.", name
            )
        column = f'"{mapping.key}"'
        if operator == "empty":
            if value not in (True, False, "true", "false"):
                raise bad_request("bad_parameter", "empty takes true or false.", name)
            return f"{column} IS {'' if value in (True, 'true') else 'NOT '}NULL", []
        folded = mapping.key != mapping.name
        if operator == "in":
            items = value.split(",") if isinstance(value, str) else value
            if not isinstance(items, list) or not 1 <= len(items) <= 200:
                raise bad_request("bad_parameter", "in takes 1 to 200 values.", name)
            parsed = [self._value(mapping, item, folded) for item in items]
            return f"{column} IN ({', '.join(['%s'] * len(parsed))})", parsed
        if operator in ("contains", "starts"):
            if not isinstance(value, str) or not 1 <= len(value) <= 200 or CONTROL.search(value):
                raise bad_request("bad_parameter", f"{operator} takes 1 to 200 characters.", name)
            text = fold(value) if folded else value
            if operator == "starts":
                # Only in the collation C is a prefix a range; folded columns have it already.
                bare = column if folded else f'{column} COLLATE "C"'
                return f"({bare} >= %s AND {bare} < %s)", [text, text + AFTER_EVERYTHING]
            escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
            return f"{column} LIKE %s", [f"%{escaped}%"]
        parsed_value = self._value(mapping, value, folded)
        if operator == "ne":
            return f"{column} IS DISTINCT FROM %s", [parsed_value]
        return f"{column} {COMPARISONS[operator]} %s", [parsed_value]

    def _value(self, mapping: Mapping, value: Any, folded: bool) -> Any:
        field = mapping.field
        try:
            if isinstance(field, f.Money):
                # Amounts are compared as numbers; the currency is a filter of its own where it matters.
                parsed: Any = f.parse_decimal(value["amount"] if isinstance(value, dict) else value)
            elif isinstance(field, f.Boolean) and value in ("true", "false"):
                parsed = value == "true"
            elif isinstance(field, f.Integer) and isinstance(value, str):
                parsed = field.deserialize(int(value) if _WHOLE.fullmatch(value) else value)
            elif isinstance(field, f.Text) and not isinstance(field, f.Currency):
                parsed = f.Text(max=1_000).deserialize(value)
            elif isinstance(field, f.Number):
                parsed = f.parse_decimal(value)
            else:
                parsed = field.deserialize(value)
        except (ValidationError, KeyError, TypeError) as error:
            messages = error.messages if isinstance(error, ValidationError) else ["Not a value of this field."]
            raise bad_request(
                "bad_parameter",
                f"{mapping.name}: {messages[0] if isinstance(messages, list) else messages}",
                mapping.name,
            ) from None
        if parsed is None:
            raise bad_request("bad_parameter", f"{mapping.name} is compared with null: use empty.", mapping.name)
        if isinstance(parsed, Amount):
            parsed = parsed.amount
        return fold(parsed) if folded else parsed

    def tree(self, node: Any, depth: int = 0) -> tuple[str, list[Any]]:
        """`{"and": […]}`, `{"or": […]}`, `{"not": …}` or `{"field", "op", "value"}`, at most 8 deep with 100 nodes."""
        self._nodes += 1
        if depth > DEPTH or self._nodes > NODES:
            raise bad_request(
                "filter_too_large", f"A filter has at most {DEPTH} levels and {NODES} conditions.", "filter"
            )
        if not isinstance(node, dict):
            raise bad_request("bad_filter", "A condition is an object.", "filter")
        if set(node) in ({"and"}, {"or"}):
            word = next(iter(node))
            if not isinstance(node[word], list) or not node[word]:
                raise bad_request("bad_filter", f"{word} takes a list of conditions.", f"filter.{word}")
            parts = [self.tree(inner, depth + 1) for inner in node[word]]
            joined = f" {word.upper()} ".join(sql for sql, _ in parts)
            return f"({joined})", [value for _, values in parts for value in values]
        if set(node) == {"not"}:
            sql, values = self.tree(node["not"], depth + 1)
            # A comparison with an absent value is unknown, and so would be its negation: here it counts as not met.
            return f"(({sql}) IS NOT TRUE)", values
        if set(node) - {"field", "op", "value"} or "field" not in node:
            raise bad_request("bad_filter", "A condition has field, op and value.", "filter")
        return self.pair(
            node["field"], node.get("op", "eq"), node.get("value", True if node.get("op") == "empty" else None)
        )


def refuse_unknown(names: set[str], known: set[str], what: str) -> None:
    unknown = sorted(names - known)
    if unknown:
        raise Problem(
            400,
            "unknown_parameter",
            f"Unknown {what}: {', '.join(unknown)}.",
            errors=[{"field": unknown[0], "message": f"Unknown {what}."}],
        )
