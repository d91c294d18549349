"""Query strings: every parameter is known and well typed, or the answer is 400 naming it."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qsl

import falcon
from marshmallow import ValidationError

from chassis.errors import Problem, bad_request
from contracts import fields as f
from contracts.custom import PREFIX
from contracts.documents.parameters import MOST_HAS, MOST_IN, sort_schema
from contracts.documents.schemas import comparable, expandable
from contracts.periods import period
from contracts.records import Record
from contracts.registry import registry

MOST_PARAMETERS = 100
MAX_PAGE = 200
DEFAULT_PAGE = 50
LIST_WORDS = ("sort", "limit", "after", "fields", "expand", "count", "deleted")

CUSTOM = re.compile(r"-?custom\.[a-z][a-z0-9_]{0,39}", re.ASCII)
_WHOLE = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_CURSOR = re.compile(r"[A-Za-z0-9_=-]{1,2000}", re.ASCII)
_PHRASE = f.Text(max=200, min=1)
_FLAG = ("true", "false")


def bad(name: str, message: str) -> Problem:
    return Problem(400, "bad_parameter", f"{name}: {message}", errors=[{"field": name, "message": message}])


def unknown(name: str) -> Problem:
    return bad_request("unknown_parameter", f"There is no parameter {name} here.", name)


def pairs(req: falcon.Request) -> list[tuple[str, str]]:
    """The query string's names and values, in order."""
    query = req.query_string
    if not query:
        return []
    try:
        if not query.isascii():
            # WSGI hands over raw bytes as Latin-1; clients that forget to percent-encode send UTF-8.
            query = query.encode("latin-1").decode()
        found = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=MOST_PARAMETERS)
    except ValueError:
        raise bad_request(
            "bad_parameter", f"The query string must be UTF-8 with at most {MOST_PARAMETERS} parameters."
        ) from None
    for name, value in found:
        if "\0" in value or "\0" in name:
            raise bad(name.replace("\0", ""), "NUL is not allowed.")
    return found


def single(req: falcon.Request, allowed: Iterable[str]) -> dict[str, str]:
    """Parameters that may each be given once. Others are unknown."""
    allowed = tuple(allowed)
    result: dict[str, str] = {}
    for name, value in pairs(req):
        if name not in allowed:
            raise unknown(name)
        if name in result:
            raise bad(name, "Given twice.")
        result[name] = value
    return result


def none(req: falcon.Request) -> None:
    """For routes that take no parameters."""
    if req.query_string:
        single(req, ())


def whole(name: str, text: str, least: int, most: int) -> int:
    if not _WHOLE.fullmatch(text) or not least <= int(text) <= most:
        raise bad(name, f"Must be a whole number from {least} to {most}.")
    return int(text)


def cursor(name: str, text: str) -> str:
    if not _CURSOR.fullmatch(text):
        raise bad(name, "Must be a cursor from an earlier answer.")
    return text


def one_of(name: str, text: str, choices: Iterable[str]) -> str:
    choices = tuple(choices)
    if text not in choices:
        raise bad(name, f"Must be one of: {', '.join(choices)}.")
    return text


def names(parameter: str, text: str, known: Iterable[str]) -> list[str]:
    """A comma list of known names; one that is repeated counts once."""
    found = text.split(",")
    for name in found:
        if name not in known:
            raise bad(parameter, f"There is no {name[:100]!r}.")
    return list(dict.fromkeys(found))


def instant(name: str, text: str) -> str:
    try:
        f.parse_instant(text)
    except ValidationError as error:
        raise bad(name, error.messages[0]) from None
    return text


def page(req: falcon.Request) -> dict[str, Any]:
    """`limit` and `after` of a page without filters."""
    return page_of(single(req, ("limit", "after")))


def page_of(given: dict[str, str]) -> dict[str, Any]:
    return {
        "limit": whole("limit", given["limit"], 1, MAX_PAGE) if "limit" in given else DEFAULT_PAGE,
        "after": cursor("after", given["after"]) if "after" in given else None,
    }


class Listing:
    """What lists of one record understand. Made once per record; `parse` gives the `query` of the remote call."""

    def __init__(self, record: type[Record]) -> None:
        declared = record.declared()
        self.filters = comparable(record)
        self._references = {
            name.removesuffix("_id"): registry.records[field.target]
            for name, field in declared.items()
            if isinstance(field, f.Ref) and field.target in registry.records
        }
        self._sorts = re.compile(sort_schema(record)["pattern"], re.ASCII)
        self.fields = frozenset(declared)
        self.expands = frozenset(expandable(record))
        self._words: dict[str, Callable[[str], Any]] = {
            "sort": self.sort,
            "limit": lambda text: whole("limit", text, 1, MAX_PAGE),
            "after": lambda text: cursor("after", text),
            "fields": lambda text: names("fields", text, self.fields),
            "expand": self.expand,
            "count": lambda text: one_of("count", text, ("exact", "estimate")),
        }
        if "delete" in record.operations:
            self._words["deleted"] = lambda text: one_of("deleted", text, ("only", "include"))
        if "history" in record.operations:
            self._words["as_of"] = lambda text: instant("as_of", text)
        self._view = ("expand", "fields", "as_of") if "history" in record.operations else ("expand", "fields")

    @property
    def words(self) -> Iterable[str]:
        """The parameters that are no filters."""
        return self._words.keys()

    def parse(self, req: falcon.Request) -> dict[str, Any]:
        query = self.query()
        seen = set()
        for name, text in pairs(req):
            if name not in self._words:
                query["where"].append(self.condition(name, text))
            elif name in seen:
                raise bad(name, "Given twice.")
            else:
                seen.add(name)
                query[name] = self.read(name, text)
        return query

    def view(self, req: falcon.Request) -> dict[str, Any]:
        """How one record is to be shown: `expand`, `fields` and `as_of`."""
        given = single(req, self._view)
        return {name: instant(name, text) if name == "as_of" else self.read(name, text) for name, text in given.items()}

    def read(self, word: str, text: str) -> Any:
        """The value of one of `words` from its text."""
        return self._words[word](text)

    def query(self) -> dict[str, Any]:
        """A query that asks for the first page of everything."""
        return {"where": [], "filter": None, **dict.fromkeys(LIST_WORDS), "limit": DEFAULT_PAGE}

    def sort(self, text: str) -> str:
        names = [word.removeprefix("-") for word in text.split(",")]
        declared = ",".join("id" if CUSTOM.fullmatch(word) else word for word in text.split(","))
        if not self._sorts.fullmatch(declared) or len(set(names)) < len(names):
            raise bad("sort", "Must be one to four different fields such as -created_at, parted by commas.")
        return text

    def expand(self, text: str) -> list[str]:
        """References by name, those of custom fields as `custom.<name>`, which only the service knows."""
        asked = text.split(",")
        own = [name for name in asked if CUSTOM.fullmatch(name) and not name.startswith("-")]
        names("expand", text, {*self.expands, *own})
        return list(dict.fromkeys(asked))

    def condition(self, name: str, text: str) -> list[str]:
        """`amount.gte=1000` as `["amount", "gte", "1000"]`, after its value was read as the field reads it."""
        if name.startswith(PREFIX):
            # Only the record's service knows the tenant's custom fields.
            inner, dot, operator = name.removeprefix(PREFIX).partition(".")
            return [PREFIX + inner, operator if dot else "eq", text]
        field_name, field, operator = self._field(name)
        if field is None or operator not in field.operators:
            raise unknown(name)
        try:
            _check(field, operator, text)
        except ValidationError as error:
            raise bad(name, _first(error.messages)) from None
        return [field_name, operator, text]

    def _field(self, name: str) -> tuple[str, f.Field | None, str]:
        """The field that a parameter names, of this record (`total.gte`) or of one it refers to (`account.city.in`)."""
        first, dot, rest = name.partition(".")
        if first in self.filters:
            return first, self.filters[first], rest if dot else "eq"
        inner, dot, operator = rest.partition(".")
        target = self._references.get(first)
        field = target.declared().get(inner) if target else None
        return f"{first}.{inner}", field, operator if dot else "eq"


def _check(field: f.Field, operator: str, text: str) -> None:
    if operator == "empty":
        _flag(text)
    elif operator in ("contains", "starts"):
        _PHRASE.deserialize(text)
    elif operator == "within":
        # Only whether it is one: which days it means, the service knows, which has the clock.
        period(text, dt.date(2026, 1, 1))
    elif operator == "has":
        if not 1 <= len(text.split(",")) <= MOST_HAS or not all(0 < len(one) <= 100 for one in text.split(",")):
            raise ValidationError(f"Must be 1 to {MOST_HAS} texts, parted by commas.")
    elif operator == "in":
        values = text.split(",")
        if len(values) > MOST_IN or not all(values):
            raise ValidationError(f"Must be 1 to {MOST_IN} values, parted by commas.")
        for value in values:
            _check_value(field, value)
    else:
        _check_value(field, text)


def _check_value(field: f.Field, text: str) -> None:
    """Texts of a query string are not JSON: numbers and flags come without their type, money as its amount alone."""
    if isinstance(field, f.Boolean):
        _flag(text)
    elif isinstance(field, f.Money):
        f.parse_decimal(text)
    elif isinstance(field, f.Integer):
        field.deserialize(int(text) if _WHOLE.fullmatch(text) else text)
    else:
        field.deserialize(text)


def _flag(text: str) -> None:
    if text not in _FLAG:
        raise ValidationError("Must be true or false.")


def _first(messages: Any) -> str:
    while isinstance(messages, (dict, list)):
        messages = next(iter(messages.values() if isinstance(messages, dict) else messages))
    return str(messages)
