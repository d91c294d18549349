"""Checking bodies by contract before they cross the bus. The original JSON travels on; the service checks it again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from marshmallow import ValidationError

from chassis.errors import Problem, from_validation, invalid
from contracts import fields as f
from contracts.records import Command, Part, Record
from gateway.parameters import CUSTOM, Listing

JSON = dict[str, Any]

MOST_ITEMS = 500
_STRUCTURES = (f.Money, f.Embedded, f.Parts, f.StringMap, f.Document)
MEASURES = ("count", "sum", "avg", "min", "max")
MOST_ORDERS, MOST_GROUPS = 5, 1_000
EXPORT = {"format": ("csv", "xlsx", "jsonl"), "style": ("human", "machine")}
BUCKETS = ("day", "week", "month", "quarter", "year")
_ITEM_MEMBERS = {
    "create": ({"data"}, set()),
    "update": ({"id", "data"}, {"if_match"}),
    "delete": ({"id"}, {"if_match"}),
    "upsert": ({"system", "key", "data"}, {"if_match"}),
}


def checked(schema: Part, body: Any) -> JSON:
    """The body itself, once the schema accepts it. Raises Problem 422 with the fields at fault."""
    try:
        schema.load(body)
    except ValidationError as error:
        raise from_validation(error) from None
    return body  # type: ignore[no-any-return]


def empty(body: Any) -> JSON:
    """For commands without a request of their own: no body, or an empty object."""
    _only(_object(body), set())
    return {}


def merge(body: Any) -> JSON:
    """`{losers, choices?}`; what they name, the service judges."""
    given = _object(body)
    _only(given, {"losers", "choices"})
    if not isinstance(given.get("losers"), list):
        raise invalid({"losers": "Must be a list of ids."})
    return given


def unmerge(body: Any) -> JSON:
    """`{merge_id?}`, or no body for the latest merge."""
    given = _object(body or {})
    _only(given, {"merge_id"})
    return given


class RecordBodies:
    """The bodies that one record's routes take."""

    def __init__(self, record: type[Record], listing: Listing) -> None:
        self.declared = record.declared()
        self.schema = record()
        self.listing = listing

    def create(self, body: Any) -> JSON:
        return checked(self.schema, body)

    def patch(self, body: Any) -> JSON:
        """A JSON merge patch (RFC 7396): an object of writable fields.

        The inside of a structure is left to the service, since only it knows what that is merged with.
        """
        patch = _object(body)
        errors: list[JSON] = []
        for name, value in patch.items():
            field = self.declared.get(name)
            if field is None:
                errors.append({"field": name, "message": "Unknown field."})
            elif field.computed:
                errors.append({"field": name, "message": "Is computed and cannot be written."})
            elif field.once:
                errors.append({"field": name, "message": "Is written once, at creation."})
            elif not (isinstance(field, _STRUCTURES) and isinstance(value, (dict, list))):
                errors += _errors_of(field.deserialize, value, name)
        if errors:
            raise invalid(errors)
        return patch

    def search(self, body: Any) -> JSON:
        """`{filter?, sort?, limit?, after?, fields?, expand?, count?, deleted?, as_of?}` as the `query` of a list."""
        given = _object(body)
        _only(given, {"filter", *self.listing.words})
        query = self.listing.query()
        query["filter"] = _tree(given)
        for word, value in given.items():
            if value is not None and word != "filter":
                query[word] = self._word(word, value)
        return query

    def _word(self, word: str, value: Any) -> Any:
        """The same checks as in a query string; only numbers are numbers here, and lists are lists."""
        if word == "limit":
            # 35.0 is an integer to JSON Schema.
            value = int(value) if isinstance(value, float) and value.is_integer() else value
            fits = type(value) is int
        elif word in ("fields", "expand"):
            fits = isinstance(value, list) and all(isinstance(name, str) and "," not in name for name in value)
        else:
            fits = isinstance(value, str)
        if not fits:
            raise invalid({word: "Is of the wrong type."})
        try:
            return self.listing.read(word, ",".join(value) if isinstance(value, list) else str(value))
        except Problem as problem:
            raise invalid({word: problem.detail}) from None

    def bulk_job(self, body: Any, commands: Iterable[Command]) -> JSON:
        """`{action, filter | all, patch | data}`: `patch` belongs to update, `data` to a command that has a request."""
        given = _object(body)
        action = given.get("action")
        verbs = {command.verb: command for command in commands}
        if action not in ("update", "delete", *verbs):
            raise invalid({"action": f"Must be one of: {', '.join(('update', 'delete', *verbs))}."})
        _only(given, {"action", "filter", "all", *{"update": ("patch",), "delete": ()}.get(action, ("data",))})
        if not isinstance(given.get("all", False), bool):
            raise invalid({"all": "Must be true or false."})
        params: JSON = {"action": action, "filter": _tree(given), "all": given.get("all", False)}
        if action == "update":
            params["patch"] = self.patch(given.get("patch"))
        elif action in verbs:
            request, data = verbs[action].request, given.get("data") or {}
            params["data"] = checked(request(), data) if request else empty(data)
        return params

    def export(self, body: Any) -> JSON:
        """`{filter?, sort?, fields?, deleted?, format?, style?}`; without anything all records as readable CSV."""
        given = _object(body)
        words = {"sort", "fields", "deleted"} & set(self.listing.words)
        _only(given, {"filter", "format", "style", *words})
        params: JSON = {"filter": _tree(given)}
        for word in words:
            params[word] = None if given.get(word) is None else self._word(word, given[word])
        for name, choices in EXPORT.items():
            params[name] = choices[0] if given.get(name) is None else given[name]
            if params[name] not in choices:
                raise invalid({name: f"Must be one of: {', '.join(choices)}."})
        return params

    def aggregate(self, body: Any) -> JSON:
        """`{filter?, group_by?, measures, order?, limit?}`; a measure is `{"fn": "sum", "field": "total"}`.

        A count may lack the field.

        Which fields a measure makes sense of is for the service to say.
        """
        given = _object(body)
        _only(given, {"filter", "group_by", "measures", "order", "limit"})
        group_by, measures = given.get("group_by") or [], given.get("measures")
        if not isinstance(group_by, list) or len(group_by) > 5 or not all(self._is_group(word) for word in group_by):
            raise invalid({"group_by": "Must be a list of at most 5 fields, dates such as created_at:month."})
        if not isinstance(measures, list) or not 1 <= len(measures) <= 20:
            raise invalid({"measures": "Must be a list of 1 to 20 measures."})
        for index, measure in enumerate(measures):
            if not self._is_measure(measure):
                raise invalid({f"measures.{index}": f"Must be fn, one of {', '.join(MEASURES)}, and a field."})
        return {
            "where": [],
            "filter": _tree(given),
            "group_by": group_by,
            "measures": measures,
            "order": _order(given),
            "limit": _groups(given),
        }

    def _is_measure(self, measure: Any) -> bool:
        if not isinstance(measure, dict) or not measure.keys() <= {"fn", "field"} or measure.get("fn") not in MEASURES:
            return False
        return self._known(measure["field"]) if "field" in measure else measure["fn"] == "count"

    def _is_group(self, word: Any) -> bool:
        """A field, or a date by its day, week, month, quarter or year: `created_at:month`."""
        if not isinstance(word, str):
            return False
        name, colon, bucket = word.partition(":")
        return self._known(name) and (not colon or bucket in BUCKETS)

    def _known(self, name: Any) -> bool:
        return isinstance(name, str) and (name in self.declared or CUSTOM.fullmatch(name) is not None)


def bulk(body: Any) -> JSON:
    """`{items, atomic?}` with 1 to 500 items `{op, id?, data?, if_match?, system?, key?, ref?}`.

    Only the shape is checked: whether an item's data is valid belongs into its own status.
    """
    given = _object(body)
    _only(given, {"items", "atomic"})
    items, atomic = given.get("items"), given.get("atomic", False)
    if not isinstance(atomic, bool):
        raise invalid({"atomic": "Must be true or false."})
    if not isinstance(items, list) or not 1 <= len(items) <= MOST_ITEMS:
        raise invalid({"items": f"Must be a list of 1 to {MOST_ITEMS} items."})
    errors = [
        {"field": f"items.{index}", "message": message}
        for index, item in enumerate(items)
        if (message := _item_fault(item))
    ]
    if errors:
        raise invalid(errors)
    return {"items": items, "atomic": atomic}


def _item_fault(item: Any) -> str | None:
    members = _ITEM_MEMBERS.get(item.get("op")) if isinstance(item, dict) and isinstance(item.get("op"), str) else None
    if members is None:
        return f"Must be an object with op, one of {', '.join(_ITEM_MEMBERS)}."
    needed, optional = members
    if not needed <= item.keys() <= needed | optional | {"op", "ref"}:
        return f"{item['op']} takes {', '.join(sorted(needed | optional | {'ref'}))}."
    if "data" in needed and not isinstance(item["data"], dict):
        return "data must be an object."
    texts = [item[name] for name in ("if_match", "system", "key", "ref") if name in item]
    if not all(isinstance(text, str) and 1 <= len(text) <= 255 for text in texts):
        return "if_match, system, key and ref must be text of 1 to 255 characters."
    if "id" in needed and _errors_of(f.parse_uuid, item["id"], "id"):
        return "id must be an id (UUID)."
    return None


def _object(body: Any) -> JSON:
    if not isinstance(body, dict):
        raise invalid({"": "Must be an object."})
    return body


def _only(given: JSON, known: set[str]) -> None:
    strange = [name for name in given if name not in known]
    if strange:
        raise invalid(dict.fromkeys(strange, "Unknown field."))


def _tree(given: JSON) -> Any:
    """A filter tree is read by the record's own service, which knows its indexes and budgets."""
    tree = given.get("filter")
    if tree is not None and not isinstance(tree, dict):
        raise invalid({"filter": "Must be an object."})
    return tree


def _order(given: JSON) -> Any:
    """Names of groups and measures, `-` for descending; which there are is for the service to say."""
    order = given.get("order")
    if order is not None and not (
        isinstance(order, list) and len(order) <= MOST_ORDERS and all(isinstance(word, str) for word in order)
    ):
        raise invalid({"order": f"Must be a list of at most {MOST_ORDERS} groups and measures, such as -count."})
    return order


def _groups(given: JSON) -> Any:
    limit = given.get("limit")
    limit = int(limit) if isinstance(limit, float) and limit.is_integer() else limit
    if limit is not None and (type(limit) is not int or not 1 <= limit <= MOST_GROUPS):
        raise invalid({"limit": f"Must be a whole number from 1 to {MOST_GROUPS}."})
    return limit


def _errors_of(check: Callable[[Any], Any], value: Any, name: str) -> list[JSON]:
    try:
        check(value)
    except ValidationError as error:
        return from_validation(ValidationError({name: error.messages})).errors
    return []
