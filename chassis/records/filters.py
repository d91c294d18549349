"""Conditions of lists: `field.op=value` pairs and JSON trees become SQL, or a 400 that names the field at fault."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson
from marshmallow import ValidationError

from chassis import zones
from chassis.errors import Problem, bad_request
from chassis.records.operands import Operand, operand_of
from chassis.text import fold
from contracts import fields as f
from contracts.periods import period
from contracts.scalars import CONTROL
from contracts.values import Amount

if TYPE_CHECKING:
    from chassis.database import Work
    from chassis.records.store import Store

JSON = dict[str, Any]
SQL = tuple[str, list[Any]]
COMPARISONS = {"eq": "=", "ne": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
AFTER_EVERYTHING = "\U0010ffff"
DEPTH, NODES = 8, 100
_WHOLE = re.compile(r"-?[0-9]{1,18}", re.ASCII)


@dataclass(slots=True)
class Selection:
    """Which rows `t` are meant: conditions that indexes serve, and others, which need a row budget."""

    indexed: list[SQL] = field(default_factory=list)
    others: list[SQL] = field(default_factory=list)

    def add(self, sql: str, values: list[Any] | None = None, *, indexed: bool = True) -> None:
        (self.indexed if indexed else self.others).append((sql, values or []))


def joined(conditions: list[SQL]) -> SQL:
    """All of the conditions at once."""
    return " AND ".join(sql for sql, _ in conditions), [value for _, values in conditions for value in values]


class Conditions:
    """Makes SQL of conditions for one kind of record and one principal."""

    def __init__(self, work: Work, store: Store[Any]) -> None:
        self.work, self.store = work, store
        self.used: set[str] = set()
        """The names that conditions were made of."""
        self._nodes = 0
        self._indexed = True

    def select(self, query: JSON) -> Selection:
        """The rows of a list: its `where`, `filter` and `deleted`."""
        chosen = Selection()
        chosen.add("t.tenant_id = %s", [self.work.tenant])
        if self.store.within is not None:
            chosen.add(*self.store.within)
        deleted = query.get("deleted")
        if deleted != "include":
            chosen.add(f"t.deleted_at IS {'NOT ' if deleted == 'only' else ''}NULL")
        for name, operator, value in query.get("where") or ():
            self._take(chosen, {"field": name, "op": operator, "value": value})
        if query.get("filter"):
            for part in self._conjuncts(query["filter"]):
                self._take(chosen, part)
        return chosen

    def _conjuncts(self, tree: Any) -> list[Any]:
        """The parts of a tree that must all hold: those that an index serves narrow the rows for the others."""
        if isinstance(tree, dict) and set(tree) == {"and"} and isinstance(tree["and"], list) and tree["and"]:
            self._count(1)
            return tree["and"]
        return [tree]

    def _take(self, chosen: Selection, node: Any) -> None:
        self._indexed = True
        sql, values = self.tree(node)
        chosen.add(sql, values, indexed=self._indexed)

    def operand(self, name: Any) -> Operand:
        return operand_of(self.work, self.store, name)

    def pair(self, name: str, operator: str, value: Any) -> SQL:
        """One comparison. `value` is text from a URL, or JSON from a tree."""
        operand = self.operand(name)
        if operator not in operand.field.operators:
            known = ", ".join(operand.field.operators)
            raise bad_request("unknown_operator", f"{name} has no operator {operator}; it has {known}.", name)
        if operand.otherwise is not None and operator in ("ne", "empty"):
            operand = operand.otherwise
        self.used.add(name)
        self._indexed = self._indexed and operand.indexed
        sql, values = self._compared(operand, operator, value)
        if operand.around is None:
            return sql, values
        before, parameters = operand.around
        if operand.custom and operator == "empty":
            return f"({'NOT ' if value in (True, 'true') else ''}{before}TRUE))", list(parameters)
        if operand.custom and operator == "ne":
            sql, values = self._compared(operand, "eq", value)
            return f"(NOT {before}{sql}))", [*parameters, *values]
        return f"{before}{sql})", [*parameters, *values]

    def _compared(self, operand: Operand, operator: str, value: Any) -> SQL:
        name, column = operand.name, operand.column
        if operator == "empty":
            if value not in (True, False, "true", "false"):
                raise bad_request("bad_parameter", f"{name}: empty takes true or false.", name)
            return f"{column} IS {'' if value in (True, 'true') else 'NOT '}NULL", []
        if operator == "within":
            return self._within(operand, value)
        if operator == "has":
            wanted = value.split(",") if isinstance(value, str) else value
            if not isinstance(wanted, list) or not 1 <= len(wanted) <= 20 or not all(map(_is_short, wanted)):
                raise bad_request("bad_parameter", f"{name}: has takes 1 to 20 texts.", name)
            # The second condition is that of the index, which has no place for what has no tags.
            return f"({column} @> %s::jsonb AND {column} <> '[]'::jsonb)", [orjson.dumps(wanted).decode()]
        if operator == "in":
            items = value.split(",") if isinstance(value, str) else value
            if not isinstance(items, list) or not 1 <= len(items) <= 200:
                raise bad_request("bad_parameter", f"{name}: in takes 1 to 200 values.", name)
            parsed = [_value(operand, item) for item in items]
            return f"{column} IN ({', '.join(['%s'] * len(parsed))})", parsed
        if operator in ("contains", "starts"):
            return _phrase(operand, operator, value)
        one = _value(operand, value)
        if operator == "ne":
            return f"{column} IS DISTINCT FROM %s", [one]
        return f"{column} {COMPARISONS[operator]} %s", [one]

    def _within(self, operand: Operand, value: Any) -> SQL:
        """Days of the tenant's zone: for instants from the first moment of the first to the last moment of the last."""
        zone = self.work.context.zone
        try:
            first, last = period(value, zones.today(self.work.now, zone))
            if isinstance(operand.field, f.Date):
                return f"({operand.column} >= %s AND {operand.column} <= %s)", [first, last]
            edges = [zones.begins(first, zone), zones.begins(last + zones.DAY, zone)]
        except ValidationError as error:
            raise bad_request("bad_parameter", f"{operand.name}: {error.messages[0]}", operand.name) from None
        except OverflowError:
            raise bad_request("bad_parameter", f"{operand.name}: Not days of the calendar.", operand.name) from None
        return f"({operand.column} >= %s AND {operand.column} < %s)", edges

    def _count(self, depth: int) -> None:
        self._nodes += 1
        if depth > DEPTH or self._nodes > NODES:
            raise bad_request(
                "filter_too_large", f"A filter has at most {DEPTH} levels and {NODES} conditions.", "filter"
            )

    def tree(self, node: Any, depth: int = 0) -> SQL:
        """`{"and": […]}`, `{"or": […]}`, `{"not": …}` or `{"field", "op", "value"}`, at most 8 deep with 100 nodes."""
        self._count(depth)
        if not isinstance(node, dict):
            raise bad_request("bad_filter", "A condition is an object.", "filter")
        if set(node) in ({"and"}, {"or"}):
            word = next(iter(node))
            if not isinstance(node[word], list) or not node[word]:
                raise bad_request("bad_filter", f"{word} takes a list of conditions.", f"filter.{word}")
            parts = [self.tree(inner, depth + 1) for inner in node[word]]
            all_of = f" {word.upper()} ".join(sql for sql, _ in parts)
            return f"({all_of})", [value for _, values in parts for value in values]
        if set(node) == {"not"}:
            sql, values = self.tree(node["not"], depth + 1)
            # A comparison with an absent value is unknown, and so would be its negation: here it counts as not met.
            return f"(({sql}) IS NOT TRUE)", values
        if set(node) - {"field", "op", "value"} or "field" not in node:
            raise bad_request("bad_filter", "A condition has field, op and value.", "filter")
        return self.pair(
            node["field"], node.get("op", "eq"), node.get("value", True if node.get("op") == "empty" else None)
        )


def _is_short(text: Any) -> bool:
    return isinstance(text, str) and 1 <= len(text) <= 100 and not CONTROL.search(text)


def _phrase(operand: Operand, operator: str, value: Any) -> SQL:
    name, column = operand.name, operand.column
    if not isinstance(value, str) or not 1 <= len(value) <= 200 or CONTROL.search(value):
        raise bad_request("bad_parameter", f"{name}: {operator} takes 1 to 200 characters.", name)
    text = fold(value) if operand.folded else value
    if operator == "starts":
        # Only in the collation C is a prefix a range; folded columns have it already.
        bare = column if operand.folded else f'{column} COLLATE "C"'
        return f"({bare} >= %s AND {bare} < %s)", [text, text + AFTER_EVERYTHING]
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"{column} LIKE %s", [f"%{escaped}%"]


def _value(operand: Operand, value: Any) -> Any:
    """What the field is compared with, as the driver takes it."""
    name, kind = operand.name, operand.field
    try:
        if isinstance(kind, f.Money):
            # Amounts are compared as numbers; the currency is a filter of its own where it matters.
            parsed: Any = f.parse_decimal(value["amount"] if isinstance(value, dict) else value)
        elif isinstance(kind, f.Boolean) and value in ("true", "false"):
            parsed = value == "true"
        elif isinstance(kind, f.Integer) and isinstance(value, str):
            parsed = kind.deserialize(int(value) if _WHOLE.fullmatch(value) else value)
        elif isinstance(kind, f.Text) and not isinstance(kind, f.Currency):
            parsed = f.Text(max=1_000).deserialize(value)
        elif isinstance(kind, f.Number):
            parsed = f.parse_decimal(value)
        else:
            parsed = kind.deserialize(value)
    except (ValidationError, KeyError, TypeError) as error:
        messages = error.messages if isinstance(error, ValidationError) else ["Not a value of this field."]
        text = messages[0] if isinstance(messages, list) else messages
        raise bad_request("bad_parameter", f"{name}: {text}", name) from None
    if parsed is None:
        raise bad_request("bad_parameter", f"{name} is compared with null: use empty.", name)
    if isinstance(parsed, Amount):
        parsed = parsed.amount
    return fold(parsed) if operand.folded else parsed


def refuse_unknown(names: set[str], known: set[str], what: str) -> None:
    unknown = sorted(names - known)
    if unknown:
        raise Problem(
            400,
            "unknown_parameter",
            f"Unknown {what}: {', '.join(unknown)}.",
            errors=[{"field": unknown[0], "message": f"Unknown {what}."}],
        )
