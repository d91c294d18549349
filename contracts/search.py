"""Search has no records of its own: it indexes those of all others, by the weights they declare.

Here stands what of the declarations is searched, by which fields answers are counted (their facets) and narrowed, and
what a question is, as it is asked, remembered and saved: `{q, types, filters}`.

A tenant's custom fields have the same rules. Who does not know them, as the gateway, takes them by their names alone.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from marshmallow import ValidationError

from contracts import fields as f
from contracts.custom import PREFIX
from contracts.periods import period
from contracts.records import Record
from contracts.registry import registry
from contracts.scalars import CONTROL
from contracts.values import plain

JSON = dict[str, Any]
LONGEST_QUESTION = 200
MOST_TYPES = 50
MOST_FILTERS = 20
MOST_VALUES = {"in": 200, "has": 20}
FACET_TEXT = 100
"""The longest text that is a facet, such as a city: longer ones are told apart by more than can be counted."""
CUSTOM_TEXT = 200
"""A custom text is a facet up to the length that it may have where its definition does not say."""
RANGES = ("gt", "gte", "lt", "lte")
OPERATORS = ("eq", "in", "has", *RANGES, "within")
MOMENTS = ("created_at", "updated_at")
"""Fields of every record that lists find without an index, and search with one."""
NUMBERS = (f.Integer, f.Number, f.Money)
CUSTOM = re.compile(r"custom\.[a-z][a-z0-9_]{0,39}", re.ASCII)

Custom = Mapping[str, Mapping[str, f.Field]]
"""The filtered custom fields of a tenant, `custom.<name>`, by type (`account`)."""


@dataclass(frozen=True)
class Condition:
    """A field is compared with values as they stand in events, money with its amount; `within` with what was asked.

    Several values mean any of them. `kind` is the class of field by which values are compared.
    """

    field: str
    operator: str
    values: tuple[str, ...]
    kind: str


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
        if name not in (record.title_field, "number") and is_facet(name, field)
    }


def narrowing(record: type[Record]) -> dict[str, f.Field]:
    """The fields by which answers are narrowed: the facets, and between which bounds dates, numbers and amounts lie."""
    bounded = {
        name: field
        for name, field in record.declared().items()
        if (field.filter or name in MOMENTS) and not field.pii and is_bounded(field)
    }
    return {**facets(record), **bounded}


def is_facet(name: str, field: f.Field) -> bool:
    if not field.filter or field.pii:
        return False
    return has_few_values(field) or name in ("owner_id", "team_id") or is_short_text(field, FACET_TEXT)


def has_few_values(field: f.Field) -> bool:
    return isinstance(field, (f.Choice, f.Choices, f.Boolean, f.Currency, f.Texts))


def is_short_text(field: f.Field, longest: int) -> bool:
    return is_text(field) and isinstance(field, f.Text) and field.max <= longest


def custom_narrowing(active: Mapping[str, f.Field]) -> dict[str, f.Field]:
    """Those of a tenant's custom fields by which answers are narrowed, by `custom.<name>`: what the definition says is
    filtered by or searched, but no texts that may be longer than `CUSTOM_TEXT`."""
    return {
        PREFIX + name: field
        for name, field in active.items()
        if (field.filter or field.search) and (not is_text(field) or is_short_text(field, CUSTOM_TEXT))
    }


def is_custom_facet(field: f.Field) -> bool:
    """Whether answers are counted by a custom field that narrows them."""
    return has_few_values(field) or is_text(field)


def is_bounded(field: f.Field) -> bool:
    return isinstance(field, (f.Date, f.Instant, *NUMBERS))


def is_text(field: f.Field) -> bool:
    """Whether it is compared folded, without case, accents and width: a plain text, and no code of any kind."""
    return type(field) is f.Text


def kind_of(field: f.Field) -> str:
    """How values are compared: texts folded, numbers by their size, moments by their place in time, others as said."""
    if is_text(field):
        return "text"
    if isinstance(field, NUMBERS):
        return "number"
    return {f.Date: "date", f.Instant: "instant"}.get(type(field), "word")


@cache
def facet_fields() -> dict[str, dict[str, f.Field]]:
    """Every facet by its name: the types that have it, each with its field."""
    return _by_name({kind: facets(record) for kind, record in kinds().items()})


@cache
def narrowing_fields() -> dict[str, dict[str, f.Field]]:
    """Every field that narrows by its name: the types that have it, each with its field."""
    return _by_name({kind: narrowing(record) for kind, record in kinds().items()})


def _by_name(fields: Mapping[str, Mapping[str, f.Field]]) -> dict[str, dict[str, f.Field]]:
    found: dict[str, dict[str, f.Field]] = {}
    for kind, own in fields.items():
        for name, field in own.items():
            found.setdefault(name, {})[kind] = field
    return found


def operators(fields: Iterable[f.Field]) -> tuple[str, ...]:
    """Those of lists that search has too, where one of the fields has them."""
    known = {operator for field in fields for operator in field.operators}
    return tuple(operator for operator in OPERATORS if operator in known)


@cache
def filters() -> dict[str, tuple[str, str]]:
    """The parameters of all declared filters, `status` and `status.in`, with field and operator."""
    return {
        parameter(name, operator): (name, operator)
        for name, fields in narrowing_fields().items()
        for operator in operators(fields.values())
    }


def parameter(name: str, operator: str) -> str:
    return name if operator == "eq" else f"{name}.{operator}"


def is_custom(name: str) -> bool:
    """Whether a parameter, a facet or a filter is of a custom field, as far as its name tells."""
    field, operator = custom_filter(name)
    return name.startswith(PREFIX) and CUSTOM.fullmatch(field) is not None and operator in OPERATORS


def custom_filter(name: str) -> tuple[str, str]:
    """`custom.colour.in` as `("custom.colour", "in")`."""
    inner, dot, operator = name.removeprefix(PREFIX).partition(".")
    return PREFIX + inner, operator if dot else "eq"


def conditions(types: Iterable[str] | None, given: Mapping[str, str], custom: Custom | None = None) -> list[Condition]:
    """What filters as in a query string ask for, `{"status.in": "placed,confirmed"}`; no types are all.

    Without `custom` those of custom fields are left out. Raises UnknownFilter, or ValidationError with
    `{name: message}` where no type takes the value.
    """
    asked = set(kinds() if types is None else types)
    found = []
    for name, text in given.items():
        if custom is None and is_custom(name):
            continue
        fields, field, operator = _asked(asked, name, custom or {})
        try:
            values = _values(fields, operator, text)
        except ValidationError as error:
            raise ValidationError({name: error.messages}) from None
        compared = kind_of(fields[0])
        if operator == "has":
            found += [Condition(field, operator, (value,), compared) for value in values]
        else:
            found.append(Condition(field, operator, values, compared))
    return found


def _asked(types: set[str], name: str, custom: Custom) -> tuple[list[f.Field], str, str]:
    """The fields that a filter means, of all types that are asked for. Raises UnknownFilter and ValidationError."""
    if name.startswith(PREFIX):
        field, operator = custom_filter(name)
        having = {kind: own[field] for kind, own in custom.items() if field in own}
    else:
        field, operator = filters().get(name, ("", ""))
        having = narrowing_fields().get(field, {})
    fields = [one for kind, one in having.items() if kind in types and operator in one.operators]
    if not fields or operator not in OPERATORS:
        raise UnknownFilter(name)
    if len({kind_of(one) for one in fields}) > 1:
        raise ValidationError({name: ["It is another kind of field in another type: say which one in types."]})
    return fields, field, operator


def _values(fields: list[f.Field], operator: str, text: str) -> tuple[str, ...]:
    if operator == "within":
        # Only whether it is one: which days it means, the service knows, which has the clock.
        period(text, dt.date(2026, 1, 1))
        return (text,)
    most = MOST_VALUES.get(operator, 1)
    texts = text.split(",") if operator in MOST_VALUES else [text]
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
    if isinstance(field, NUMBERS):
        return plain(f.parse_decimal(text))
    value: Any = field
    if isinstance(field, f.Texts):
        value = field.of
    elif isinstance(field, f.Choices):
        value = f.Choice(field.choices)
    read = value.deserialize(text)
    return str(field.to_wire(read) if isinstance(field, (f.Date, f.Instant)) else read)


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
