"""Search has no records of its own: it indexes those of all others, by the weights they declare.

Here stands what of the declarations is searched, by which fields answers are counted and narrowed (their facets), and
what a question is, as it is asked, remembered and saved: `{q, types, filters}`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from marshmallow import ValidationError

from contracts import fields as f
from contracts.records import Record
from contracts.registry import registry
from contracts.scalars import CONTROL

JSON = dict[str, Any]
LONGEST_QUESTION = 200
MOST_TYPES = 50
MOST_FILTERS = 20
MOST_VALUES = {"eq": 1, "in": 200, "has": 20}
FACET_TEXT = 100
"""The longest text that is a facet, such as a city: longer ones are told apart by more than can be counted."""
OPERATORS = ("eq", "in", "has")


@dataclass(frozen=True)
class Condition:
    """A facet must hold one of the values."""

    field: str
    values: tuple[str, ...]


class UnknownFilter(Exception):
    """No type that is asked for has this filter; the text is its name."""


def is_searched(record: type[Record]) -> bool:
    return any(field.search for field in record.declared().values())


@cache
def kinds() -> dict[str, type[Record]]:
    """Searched records by what answers and references call them: `account`, `order`."""
    return {record.singular: record for record in registry.load().records.values() if is_searched(record)}


def facets(record: type[Record]) -> dict[str, f.Field]:
    """The fields by which answers are counted and narrowed: what can be filtered, is not personal and has few values.

    These are states, choices, yes or no, currencies, tags, owner and team, and short texts such as city and country.
    """
    return {
        name: field
        for name, field in record.declared().items()
        if name not in (record.title_field, "number") and _is_facet(name, field)
    }


def _is_facet(name: str, field: f.Field) -> bool:
    if not field.filter or field.pii:
        return False
    if isinstance(field, (f.Choice, f.Choices, f.Boolean, f.Currency, f.Texts)) or name in ("owner_id", "team_id"):
        return True
    return is_text(field) and isinstance(field, f.Text) and field.max <= FACET_TEXT


def is_text(field: f.Field) -> bool:
    """Whether it is compared folded, without case, accents and width: a plain text, and no code of any kind."""
    return type(field) is f.Text


@cache
def facet_fields() -> dict[str, dict[str, f.Field]]:
    """Every facet by its name: the types that have it, each with its field."""
    found: dict[str, dict[str, f.Field]] = {}
    for kind, record in kinds().items():
        for name, field in facets(record).items():
            found.setdefault(name, {})[kind] = field
    return found


def operators(fields: Iterable[f.Field]) -> tuple[str, ...]:
    """Those of lists that search has too, where one of the fields has them."""
    known = {operator for field in fields for operator in field.operators}
    return tuple(operator for operator in OPERATORS if operator in known)


@cache
def filters() -> dict[str, tuple[str, str]]:
    """The parameters of all filters, `status` and `status.in`, with facet and operator."""
    return {
        name if operator == "eq" else f"{name}.{operator}": (name, operator)
        for name, fields in facet_fields().items()
        for operator in operators(fields.values())
    }


def conditions(types: Iterable[str] | None, given: Mapping[str, str]) -> list[Condition]:
    """What filters as in a query string ask for, `{"status.in": "placed,confirmed"}`; no types are all.

    Raises UnknownFilter, or ValidationError with `{name: message}` where no type takes the value.
    """
    asked = set(kinds() if types is None else types)
    found = []
    for name, text in given.items():
        facet, operator = filters().get(name, ("", ""))
        fields = [field for kind, field in facet_fields().get(facet, {}).items() if kind in asked]
        fields = [field for field in fields if operator in field.operators]
        if not fields:
            raise UnknownFilter(name)
        try:
            values = _values(fields, [text] if operator == "eq" else text.split(","), MOST_VALUES[operator])
        except ValidationError as error:
            raise ValidationError({name: error.messages}) from None
        if operator == "has":
            found += [Condition(facet, (value,)) for value in values]
        else:
            found.append(Condition(facet, values))
    return found


def _values(fields: list[f.Field], texts: list[str], most: int) -> tuple[str, ...]:
    if len(texts) > most or not all(texts):
        raise ValidationError(f"Must be 1 to {most} values, parted by commas.")
    return tuple(dict.fromkeys(_value(fields, text) for text in texts))


def _value(fields: list[f.Field], text: str) -> str:
    """The value as the first of the fields that takes it reads it."""
    refusals = []
    for field in fields:
        try:
            return _read(field, text)
        except ValidationError as error:
            refusals.append(error)
    raise refusals[0]


def _read(field: f.Field, text: str) -> str:
    if isinstance(field, f.Boolean):
        if text not in ("true", "false"):
            raise ValidationError("Must be true or false.")
        return text
    value: Any = field
    if isinstance(field, f.Texts):
        value = field.of
    elif isinstance(field, f.Choices):
        value = f.Choice(field.choices)
    read: str = value.deserialize(text)
    return read


def check(question: Any) -> dict[str, str]:
    """What is wrong with a question that is to be saved, by its members; nothing means that it can be asked.

    A question is `{"q"?, "types"?: ["account"], "filters"?: {"status.in": "placed,confirmed"}}`.
    """
    if not isinstance(question, dict) or question.keys() - {"q", "types", "filters"}:
        return {"": "A question has q, types and filters."}
    q, types, given = question.get("q", ""), question.get("types"), question.get("filters", {})
    if not isinstance(q, str) or len(q) > LONGEST_QUESTION or CONTROL.search(q):
        return {"q": f"Must be text of at most {LONGEST_QUESTION} characters."}
    if types is not None and not (isinstance(types, list) and 1 <= len(types) <= MOST_TYPES):
        return {"types": f"Must be a list of 1 to {MOST_TYPES} items."}
    for kind in types or ():
        if kind not in kinds():
            return {"types": "There is no such kind of record."}
    if not isinstance(given, dict) or len(given) > MOST_FILTERS or not all(isinstance(v, str) for v in given.values()):
        return {"filters": f"Must be at most {MOST_FILTERS} filters, each a text as in a query string."}
    try:
        conditions(types, given)
    except UnknownFilter as error:
        return {f"filters.{error}": "There is no such filter for these types."}
    except ValidationError as error:
        return {f"filters.{name}": first(messages) for name, messages in error.messages_dict.items()}
    return {}


def first(messages: Any) -> str:
    """The first of marshmallow's messages."""
    while isinstance(messages, (dict, list)):
        messages = next(iter(messages.values() if isinstance(messages, dict) else messages))
    return str(messages)
